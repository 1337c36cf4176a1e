//! The project's `tapelog.toml`: every parameter that there is, with its meaning.

use std::fmt::Write;

use tapelog::{Parameter, parameters};

const HEAD: &str = "\
# The logging of this project. Every parameter stands here; what is behind a # has its default.
# The environment wins over this file (TAPELOG_LOG_LEVEL=debug), the command line over both
# (--log-level debug). `tapelog config show` tells what is in force, and why.
";

/// The file's text.
pub(super) fn text(name: &str) -> String {
    let mut text = HEAD.to_owned();
    for parameter in parameters() {
        text.push('\n');
        for line in parameter.meaning.lines() {
            comment(&mut text, line.trim());
        }
        let accepted = format!("Accepted: {}.", parameter.accepted.trim_end_matches('.'));
        comment(&mut text, &accepted);
        if parameter.changeable {
            comment(&mut text, "Changeable while the program runs.");
        }
        if parameter.key == "log_name" {
            line(&mut text, &format!("log_name = \"{name}\""));
        } else {
            line(&mut text, &format!("#{}", setting(parameter)));
        }
    }
    text
}

/// The parameter with its default; where that follows another one, with an example.
fn setting(parameter: &Parameter) -> String {
    match parameter.follows() {
        Some(followed) => {
            format!("{} = {} # unless set: {followed}", parameter.key, parameter.example)
        }
        None => format!("{} = {}", parameter.key, parameter.default),
    }
}

fn comment(text: &mut String, what: &str) {
    line(text, format!("# {what}").trim_end());
}

fn line(text: &mut String, what: &str) {
    // Writing to a string cannot fail.
    let _written = writeln!(text, "{what}");
}
