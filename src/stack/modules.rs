//! The modules of this process: the program and its shared libraries, with their places and builds.

#![expect(unsafe_code, reason = "the loader tells its modules through a C callback")]

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The kind of note that holds a build id.
const BUILD_ID: u32 = 3;

/// Where code lies: looked up without a lock, so a snapshot. A library that is loaded later is not
/// in it.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    modules: Vec<Module>,
    /// Start, end and module of each loaded piece, sorted.
    pieces: Vec<(u64, u64, usize)>,
}

#[derive(Debug)]
struct Module {
    /// What is added to an offset in the file's own terms to give an address.
    base: u64,
    /// The file's name, a space, and what tells this build from all others.
    name: Box<str>,
}

/// What the loader tells of a module.
#[derive(Debug)]
struct Told {
    base: u64,
    path: PathBuf,
    /// Start and length of each loaded piece.
    loaded: Vec<(u64, u64)>,
    build: Option<String>,
}

impl Modules {
    /// The modules that are loaded now. Reads no file, but looks at those without a build id.
    pub(crate) fn of_process() -> Self {
        let mut told: Vec<Told> = Vec::new();
        // SAFETY: the callback gets back this very pointer, and only while the call lasts.
        unsafe { libc::dl_iterate_phdr(Some(on_module), (&raw mut told).cast()) };
        let mut all = Self::default();
        for Told { base, path, loaded, build } in told {
            // The program itself comes first, and without a path.
            let path = match path.as_os_str().is_empty() {
                true => std::env::current_exe().unwrap_or_default(),
                false => path,
            };
            let module = all.modules.len();
            let pieces = loaded.iter().map(|(start, bytes)| (*start, start + bytes, module));
            all.pieces.extend(pieces);
            all.modules.push(Module { base, name: name_of(&path, build).into() });
        }
        all.pieces.sort_unstable();
        all
    }

    /// The name of the module around an address, and the offset in it.
    pub(crate) fn locate(&self, address: u64) -> Option<(&str, u64)> {
        let behind = self.pieces.partition_point(|(start, ..)| *start <= address);
        let (_, end, module) = self.pieces.get(behind.checked_sub(1)?)?;
        let module = self.modules.get(*module).filter(|_| address < *end)?;
        Some((&module.name, address.checked_sub(module.base)?))
    }

    /// Where the module of this name lies, if this process has the very same build loaded.
    pub(crate) fn base_of(&self, name: &str) -> Option<u64> {
        let known = self.modules.iter().find(|module| *module.name == *name);
        known.filter(|module| !module.name.ends_with(' ')).map(|module| module.base)
    }
}

/// `file build`; without a build id, length and change time of the file tell builds apart. Without
/// either, nothing follows the space.
fn name_of(path: &Path, build: Option<String>) -> String {
    let file = path.file_name().unwrap_or(OsStr::new("unknown")).to_string_lossy();
    let build = build.or_else(|| {
        let metadata = fs::metadata(path).ok()?;
        Some(format!("{:x}-{:x}-{:x}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    });
    format!("{file} {}", build.unwrap_or_default())
}

/// Takes one module down; 0 asks for the next one.
///
/// # Safety
///
/// The loader calls it, through `dl_iterate_phdr`: `info` describes a loaded module as long as the
/// call lasts. `told` points to a `Vec<Told>` that nobody else uses meanwhile.
unsafe extern "C" fn on_module(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    told: *mut c_void,
) -> c_int {
    // SAFETY: `of_process` has handed over this vector, which nobody else uses meanwhile.
    let told = unsafe { &mut *told.cast::<Vec<Told>>() };
    // SAFETY: the loader calls with a description that it keeps during the call.
    let info = unsafe { &*info };
    let (first, count) = (info.dlpi_phdr, usize::from(info.dlpi_phnum));
    let headers = if first.is_null() || count == 0 {
        &[]
    } else {
        // SAFETY: the loader gives a table of so many headers.
        unsafe { std::slice::from_raw_parts(first, count) }
    };
    let path = if info.dlpi_name.is_null() {
        PathBuf::new()
    } else {
        // SAFETY: the loader gives a C string.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        PathBuf::from(OsStr::from_bytes(name.to_bytes()))
    };
    let place =
        |header: &libc::Elf64_Phdr| (info.dlpi_addr.wrapping_add(header.p_vaddr), header.p_memsz);
    let of_kind = |kind| headers.iter().filter(move |header| header.p_type == kind).map(place);
    let loaded: Vec<(u64, u64)> = of_kind(libc::PT_LOAD).collect();
    let is_loaded = |(start, bytes): &(u64, u64)| {
        loaded.iter().any(|(from, room)| start >= from && start + bytes <= from + room)
    };
    let build = of_kind(libc::PT_NOTE).filter(is_loaded).find_map(|(start, bytes)| {
        // SAFETY: the notes are part of a piece that is loaded, and are never written.
        let notes = unsafe { std::slice::from_raw_parts(start as *const u8, bytes as usize) };
        build_id(notes)
    });
    told.push(Told { base: info.dlpi_addr, path, loaded, build });
    0
}

/// The build id in a module's notes, in hexadecimal.
fn build_id(mut notes: &[u8]) -> Option<String> {
    let word = |notes: &[u8], at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(*notes.get(at..)?.first_chunk()?))
    };
    loop {
        let (name, content) = (word(notes, 0)? as usize, word(notes, 4)? as usize);
        let kind = word(notes, 8)?;
        let start = 12 + name.next_multiple_of(4);
        let id = notes.get(start..start.checked_add(content)?)?;
        if kind == BUILD_ID && notes.get(12..12 + name)? == b"GNU\0" && !id.is_empty() {
            return Some(id.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(start + content.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_lies_in_its_module_and_nothing_else_does() {
        let modules = Modules::of_process();
        let here = code_lies_in_its_module_and_nothing_else_does as *const () as u64;
        let (name, offset) = modules.locate(here).unwrap();
        assert_eq!(modules.base_of(name).unwrap() + offset, here);
        let outside = Box::new(0_u8);
        assert_eq!(modules.locate((&raw const *outside) as u64), None);
        assert_eq!(modules.locate(0), None);
        assert_eq!(modules.locate(u64::MAX), None);
        assert_eq!(modules.base_of("tapelog 00ff"), None);
    }

    #[test]
    fn a_build_id_is_found_behind_other_notes_and_never_beyond_the_end() {
        let note = |kind: u32, name: &[u8], content: &[u8]| {
            let mut note = (name.len() as u32).to_le_bytes().to_vec();
            note.extend((content.len() as u32).to_le_bytes());
            note.extend(kind.to_le_bytes());
            for part in [name, content] {
                note.extend(part);
                note.resize(note.len().next_multiple_of(4), 0);
            }
            note
        };
        let id = note(BUILD_ID, b"GNU\0", &[0xab, 0xcd, 0x01]);
        let notes =
            [note(1, b"GNU\0", &[1, 2, 3, 4, 5]), note(BUILD_ID, b"XYZ\0", &[9]), id].concat();
        assert_eq!(build_id(&notes).as_deref(), Some("abcd01"));
        for end in 0..notes.len() - 1 {
            assert_eq!(build_id(&notes[..end]), None, "cut at {end}");
        }
        assert_eq!(build_id(&[0xff; 64]), None);
    }

    #[test]
    fn a_module_without_a_build_id_is_told_by_its_file_or_by_nothing() {
        let own = std::env::current_exe().unwrap();
        let name = name_of(&own, None);
        assert!(name.split_once(' ').unwrap().1.matches('-').count() == 2, "{name}");
        assert_eq!(name_of(Path::new("/none/lib.so"), None), "lib.so ");
        let modules = vec![Module { base: 1, name: "lib.so ".into() }];
        let modules = Modules { modules, pieces: vec![(1, 9, 0)] };
        assert_eq!(modules.base_of("lib.so "), None, "it could be any build");
    }
}
