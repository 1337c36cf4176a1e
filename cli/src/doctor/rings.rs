//! The rings in `ring_dir`, and what is to be done about them.

use std::io;
use std::path::Path;

use serde::Serialize;
use tapelog::recovery::{self, RingFile, RingState};

use super::finding::{Finding, size};

/// One ring.
#[derive(Debug, Serialize)]
pub(super) struct Ring {
    path: String,
    state: &'static str,
    bytes: u64,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    removed: bool,
}

impl Ring {
    fn of(file: &RingFile) -> Ring {
        let (state, reason) = match &file.state {
            RingState::Alive => ("alive", None),
            RingState::Dead => ("dead", None),
            RingState::Foreign { reason } => ("foreign", Some(reason.clone())),
            RingState::SetAside => ("set aside", None),
            RingState::Unfinished => ("unfinished", None),
            RingState::Refused { reason } => ("refused", Some(reason.clone())),
            _ => ("unknown", None),
        };
        let log_dir = file.log_dir.as_ref().map(|path| path.display().to_string());
        let path = file.path.display().to_string();
        Ring { path, state, bytes: file.bytes, pid: file.pid, log_dir, reason, removed: false }
    }

    /// The ring in one line.
    pub(super) fn line(&self) -> String {
        let log_dir = self.log_dir.as_deref().unwrap_or("unknown");
        let reason = self.reason.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let removed = if self.removed { ", removed" } else { "" };
        format!(
            "{}: {}{reason}, process {}, {}, logs in {log_dir}{removed}",
            self.path,
            self.state,
            self.pid,
            size(self.bytes)
        )
    }
}

/// Lists the rings. `clean` removes those that nobody can use any more; if it holds true, those of
/// dead processes, too.
pub(super) fn look(
    ring_dir: &Path,
    clean: Option<bool>,
    findings: &mut Vec<Finding>,
) -> io::Result<Vec<Ring>> {
    let files = match recovery::rings(ring_dir) {
        Ok(files) => files,
        Err(error) => {
            let what = format!("{} cannot be listed: {error}", ring_dir.display());
            findings.push(Finding::problem("rings", what, "run this as the program's user"));
            return Ok(Vec::new());
        }
    };
    let mut rings = Vec::new();
    let mut stale = 0;
    for file in &files {
        let mut ring = Ring::of(file);
        let doomed = match (&file.state, clean) {
            (RingState::Foreign { .. } | RingState::SetAside | RingState::Unfinished, Some(_)) => {
                true
            }
            (RingState::Dead, Some(force)) => force,
            _ => false,
        };
        if doomed {
            ring.removed = file.remove()?;
        }
        if !ring.removed {
            match file.state {
                RingState::Dead => findings.push(dead(&ring)),
                RingState::Foreign { .. } | RingState::SetAside | RingState::Unfinished => {
                    stale += 1;
                }
                RingState::Refused { .. } => findings.push(refused(&ring)),
                _ => {}
            }
        }
        rings.push(ring);
    }
    if stale > 0 {
        let what = format!("{stale} rings that nobody can use any more take memory");
        findings.push(Finding::note("rings", what, "tapelog doctor --clean removes them"));
    }
    Ok(rings)
}

fn dead(ring: &Ring) -> Finding {
    let log_dir = ring.log_dir.as_deref().unwrap_or("DIR");
    Finding::note(
        "rings",
        format!("{}: process {} died and may have left records in it", ring.path, ring.pid),
        format!(
            "`tapelog recover {log_dir}` brings them home, and so does the program's next start; \
             --clean --force throws them away"
        ),
    )
}

fn refused(ring: &Ring) -> Finding {
    let reason = ring.reason.as_deref().unwrap_or_default();
    let what = format!("{}: {reason}; it is neither read nor removed", ring.path);
    Finding::note("rings", what, "remove it")
}
