//! Little-endian integers at byte offsets, so that no host's layout reaches a file.

/// The `u16` at `at`; 0 where the bytes end before it.
#[inline]
pub(super) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    chunk(bytes, at).map_or(0, u16::from_le_bytes)
}

/// The `u32` at `at`; 0 where the bytes end before it.
#[inline]
pub(super) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    chunk(bytes, at).map_or(0, u32::from_le_bytes)
}

/// The `u64` at `at`; 0 where the bytes end before it.
#[inline]
pub(super) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    chunk(bytes, at).map_or(0, u64::from_le_bytes)
}

#[inline]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Writes `value` at `at`, which must lie inside `bytes`.
#[inline]
pub(super) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

/// Writes `value` at `at`, which must lie inside `bytes`.
#[inline]
pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Writes `value` at `at`, which must lie inside `bytes`.
#[inline]
pub(super) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// CRC-32C (Castagnoli), the checksum of iSCSI.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4.
    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        let descending: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&descending), 0x113f_db5c);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn integers_read_back_and_reading_past_the_end_gives_zero() {
        let mut bytes = [0; 16];
        put_u16(&mut bytes, 0, 0x0102);
        put_u32(&mut bytes, 2, 0x0304_0506);
        put_u64(&mut bytes, 8, u64::MAX - 1);
        assert_eq!(bytes[..6], [2, 1, 6, 5, 4, 3]);
        assert_eq!((get_u16(&bytes, 0), get_u32(&bytes, 2)), (0x0102, 0x0304_0506));
        assert_eq!(
            (get_u64(&bytes, 8), get_u64(&bytes, 9), get_u16(&bytes, 99)),
            (u64::MAX - 1, 0, 0)
        );
    }
}
