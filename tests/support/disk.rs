//! Small disks that can be filled: file systems in files or in memory, mounted for a test.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In memory, of 3 MiB.
    Tmpfs,
    /// In a file of 32 MiB.
    Ext4,
    /// In a file of 128 MiB; copy-on-write.
    Btrfs,
}

/// A mounted disk, unmounted in the end.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Makes and mounts one in `directory`; an error where that cannot be done here.
    pub(crate) fn mount(kind: Kind, directory: &Path, name: &str) -> Result<Disk, String> {
        let (image, at) = (directory.join(format!("{name}.image")), directory.join(name));
        fs::create_dir_all(&at).expect("a place to mount at");
        let (image, place) = (image.display(), at.display());
        sh(&match kind {
            Kind::Tmpfs => format!("mount -t tmpfs -o size=3m,mode=700 tmpfs {place}"),
            Kind::Ext4 => format!(
                "truncate -s 32M {image}; mkfs.ext4 -q -F {image}; mount -o loop {image} {place}"
            ),
            Kind::Btrfs => format!(
                "truncate -s 128M {image}; mkfs.btrfs -q -f {image}; mount -o loop {image} {place}"
            ),
        })?;
        Ok(Disk { at })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nobody uses it any more; if somebody does, it goes when that ends.
        let _ = sh(&format!("umount {0} || umount -l {0}", self.at.display()));
    }
}

/// Takes all room that is left on the disk of `ballast`; removing that file gives it back.
pub(crate) fn fill(ballast: &Path) {
    let mut file = File::options().create(true).append(true).open(ballast).expect("a ballast");
    for bytes in [1 << 20, 64 << 10, 4 << 10] {
        let block = vec![7; bytes];
        while file.write_all(&block).and_then(|()| file.sync_data()).is_ok() {}
    }
}

/// Runs a script to its end, which must be a success.
pub(crate) fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Bytes that the files below take on their medium; what is gone meanwhile takes none.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let bytes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    bytes.sum()
}
