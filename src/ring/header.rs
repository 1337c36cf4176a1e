//! The header page of a ring file: what it says of itself, written and read.

use super::layout::{Geometry, HEADER_BYTES, OWNER_BYTES_MAX, OWNER_OFFSET};

/// What the first eight bytes of a ring file say.
pub(super) const MAGIC: [u8; 8] = *b"TAPERING";
/// The version of the layout.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a boot id: a UUID in text.
const BOOT_ID_BYTES: usize = 36;

/// Whose ring it is. All versions of the layout have this in the same places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The version of the layout.
    pub(crate) version: u32,
    /// A random number that tells the ring from all others.
    pub(crate) id: u64,
    /// The process that made it.
    pub(crate) pid: u32,
    /// The user whose process that was.
    pub(crate) uid: u32,
    /// When it was made.
    pub(crate) created_unix_nanos: u64,
    /// In which boot of the machine; zeroes where the kernel does not tell.
    pub(crate) boot_id: [u8; BOOT_ID_BYTES],
    /// The path of the log directory.
    pub(crate) owner: Vec<u8>,
}

impl Identity {
    /// That of a ring which this process makes.
    pub(super) fn own(id: u64, created_unix_nanos: u64, owner: &[u8]) -> Identity {
        Identity {
            version: VERSION,
            id,
            pid: std::process::id(),
            uid: rustix::process::geteuid().as_raw(),
            created_unix_nanos,
            boot_id: boot_id(),
            owner: owner.to_owned(),
        }
    }

    /// Reads it; `None` where the page is none of a ring's.
    pub(crate) fn read(page: &[u8]) -> Option<Identity> {
        let owner_bytes = get_u32(page, 132)? as usize;
        if !page.starts_with(&MAGIC) || owner_bytes > OWNER_BYTES_MAX {
            return None;
        }
        Some(Identity {
            version: get_u32(page, 8)?,
            id: get_u64(page, 72)?,
            pid: get_u32(page, 80)?,
            uid: get_u32(page, 84)?,
            created_unix_nanos: get_u64(page, 88)?,
            boot_id: *page.get(96..)?.first_chunk()?,
            owner: page.get(OWNER_OFFSET..OWNER_OFFSET + owner_bytes)?.to_owned(),
        })
    }
}

/// The whole page, all but the magic.
pub(super) fn encode(identity: &Identity, geometry: &Geometry) -> [u8; HEADER_BYTES] {
    let mut page = Page([0; HEADER_BYTES]);
    let owner = &identity.owner;
    page.u32(8, identity.version);
    page.u64(72, identity.id);
    page.u32(80, identity.pid);
    page.u32(84, identity.uid);
    page.u64(88, identity.created_unix_nanos);
    page.bytes(96, &identity.boot_id);
    page.u32(132, u32::try_from(owner.len()).unwrap_or(0));
    page.bytes(OWNER_OFFSET, owner);
    page.geometry(geometry);
    page.0
}

/// The sizes and offsets in a page of this version: those of a ring that this version would make of
/// the same numbers, or none.
pub(crate) fn geometry_of(page: &[u8; HEADER_BYTES]) -> Option<Geometry> {
    let ring_bytes = usize::try_from(get_u64(page, 16)?).ok()?;
    let (block_bytes, lanes, reserve) =
        (get_u32(page, 24)?, get_u32(page, 32)?, get_u32(page, 36)?);
    let matches = |geometry: &Geometry| {
        let mut expected = Page([0; HEADER_BYTES]);
        expected.geometry(geometry);
        [12..72, 136..192].into_iter().all(|part| expected.0[part.clone()] == page[part])
    };
    [None, Some(lanes)]
        .into_iter()
        .filter_map(|lanes| Geometry::plan(ring_bytes, block_bytes, reserve, lanes).ok())
        .find(matches)
}

/// A header page in the making.
struct Page([u8; HEADER_BYTES]);

impl Page {
    fn bytes(&mut self, offset: usize, bytes: &[u8]) {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn u32(&mut self, offset: usize, value: u32) {
        self.bytes(offset, &value.to_le_bytes());
    }

    fn u64(&mut self, offset: usize, value: u64) {
        self.bytes(offset, &value.to_le_bytes());
    }

    fn geometry(&mut self, geometry: &Geometry) {
        let definitions = &geometry.definitions;
        self.u32(12, 4096);
        self.u64(16, geometry.ring_bytes as u64);
        self.u32(24, geometry.block_bytes);
        self.u32(28, geometry.blocks);
        self.u32(32, geometry.lanes);
        self.u32(36, geometry.reserve);
        self.u64(40, geometry.bitmap_offset as u64);
        self.u64(48, geometry.lanes_offset as u64);
        self.u64(56, definitions.offset as u64);
        self.u64(64, geometry.data_offset as u64);
        self.u32(136, definitions.sites);
        self.u32(140, definitions.slots);
        self.u32(144, definitions.slot_bytes);
        self.u64(152, definitions.heap_offset as u64);
        self.u64(160, definitions.heap_bytes as u64);
        self.u64(168, definitions.bitmap_offset as u64);
        self.u64(176, definitions.tags_offset as u64);
        self.u64(184, definitions.slots_offset as u64);
    }
}

/// The number at `offset`, if the bytes reach that far.
pub(super) fn get_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The number at `offset`, if the bytes reach that far.
pub(super) fn get_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Which boot of the machine this is; zeroes where the kernel does not tell.
pub(crate) fn boot_id() -> [u8; BOOT_ID_BYTES] {
    let read = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut id = [0; BOOT_ID_BYTES];
    if let Some(text) = read.get(..BOOT_ID_BYTES) {
        id.copy_from_slice(text);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_back_as_written_and_nothing_else_does() {
        for (blocks, lanes) in [(16, None), (128, None), (128, Some(3)), (4096, Some(7))] {
            let geometry = Geometry::plan(blocks << 12, 4096, 1, lanes).unwrap();
            let identity = Identity::own(7, 99, b"/var/log/bot");
            let mut page = encode(&identity, &geometry);
            assert_eq!(Identity::read(&page), None, "without the magic it was never used");
            page[..8].copy_from_slice(&MAGIC);
            assert_eq!(Identity::read(&page), Some(identity));
            assert_eq!(geometry_of(&page), Some(geometry));
            // The size of the reserve means nothing to who reads it.
            for at in (12..36).chain(40..72).chain(136..192) {
                let mut wrong = page;
                wrong[at] ^= 0x40;
                assert_eq!(geometry_of(&wrong), None, "byte {at}");
            }
            page[133] = 0xff;
            assert_eq!(Identity::read(&page), None, "an owner's path beyond the page");
        }
        assert_eq!(Identity::read(&[0; HEADER_BYTES]), None);
        assert_eq!(Identity::read(&MAGIC), None);
    }
}
