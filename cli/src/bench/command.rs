//! The command as it was typed.

use crate::shell;

/// The program's arguments, quoted where a shell needs it. The program is called by its name.
pub(super) fn typed() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| shell::word(&argument.to_string_lossy()).into_owned());
    std::iter::once("tapelog".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
