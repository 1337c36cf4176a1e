//! A file system of a test's own, which can be cut off and mounted again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// An ext4 file system in a file, mounted until it is dropped.
pub(crate) struct Disk {
    image: PathBuf,
    pub(crate) at: PathBuf,
}

impl Disk {
    pub(crate) fn mount(image: PathBuf, at: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&at).unwrap();
        let (file, place) = (image.display(), at.display());
        sh(&format!(
            "truncate -s 96M {file}; mkfs.ext4 -q -F {file}; mount -o loop {file} {place}"
        ))?;
        Ok(Self { image, at })
    }

    /// Has the power come back.
    pub(crate) fn mount_again(&self) {
        let (file, place) = (self.image.display(), self.at.display());
        sh(&format!("umount {place}; mount -o loop {file} {place}")).expect("mounted again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let (file, place) = (self.image.display(), self.at.display());
        let _away = sh(&format!("umount {place} || umount -l {place}; rm {file}"));
    }
}
