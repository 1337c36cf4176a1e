//! Taking possession of the log directory when an engine starts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StartError;
use crate::config::Configuration;
use crate::handlers::FileHandler;
use crate::shared::{Claim, Control, Part, Refusal, make_parents};
use crate::writer::Cursor;

/// Takes possession of the log directory. Where the disk is of no use now, the janitor tries it
/// again later, and logging goes on without files until then.
///
/// # Errors
/// Another engine has it, or something stands there that does not belong there.
pub(crate) fn take(configuration: &Configuration, control: &Control) -> Result<(), StartError> {
    let directory = &configuration.log_dir;
    let (files, dirs) = (configuration.file_mode, configuration.dir_mode);
    let claim = control.set_claim(Claim::new(directory, dirs, files));
    let logs = configuration.log_paths();
    let mut taken = claim.take();
    if taken.is_ok() {
        refuse_traps(&directory.join("journal"), &logs)?;
        taken = make_parents(&logs, dirs);
    }
    match taken {
        Ok(()) => Ok(()),
        Err(Refusal::InUse(owner)) => Err(in_use(directory, owner)),
        Err(Refusal::Trap(reason)) => Err(StartError::Refused { reason }),
        Err(Refusal::Disk(error)) => {
            control.outage().failed(Part::Directory, error, Part::CONSOLE_ONLY);
            Ok(())
        }
    }
}

fn in_use(directory: &Path, owner: String) -> StartError {
    let advice = if owner == std::process::id().to_string() {
        "this is the same process: share the running logger by cloning it, or give this one \
         another log_dir"
    } else {
        "give this program a directory of its own, such as log_dir = logs/<name>"
    };
    StartError::InUse { directory: directory.to_owned(), owner, advice }
}

/// Refuses links and the like in the places where the journal and the logs belong, before anything
/// is made there.
fn refuse_traps(journal: &Path, logs: &[PathBuf]) -> Result<(), StartError> {
    let refused = |reason| StartError::Refused { reason };
    if let Ok(found) = fs::symlink_metadata(journal) {
        let (path, user) = (journal.display(), rustix::process::geteuid().as_raw());
        if !found.is_dir() {
            return Err(refused(format!("{path} must be a plain directory: move it away")));
        }
        if found.uid() != user {
            let owner = found.uid();
            let reason = format!(
                "{path} belongs to user {owner}, this process runs as user {user}: move it away"
            );
            return Err(refused(reason));
        }
    }
    let look = |log: &PathBuf| FileHandler::look_at(log);
    let cursor = Cursor::path(journal);
    logs.iter().chain([&cursor]).try_for_each(look).map_err(|error| refused(error.to_string()))
}
