//! Configurations of any bytes.

use crate::config::hostile::{Layer, resolve};

/// Puts a configuration together of `input`: a file's text, a NUL byte, and lines `key=value` as
/// environment variables say them.
///
/// # Panics
/// When something does not hold that must hold of any bytes.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, variables) = text.split_once('\0').unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let layers = [Layer::File(file), Layer::Environment(variables.collect())];
    let configuration = match resolve(layers) {
        Ok(configuration) => configuration,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused for some reason");
            for problem in problems {
                super::assert_line(problem.to_string().as_bytes());
            }
            return;
        }
    };
    // What is shown is read again, and comes to the same.
    let shown = configuration.to_toml();
    match resolve([Layer::File(&shown)]) {
        Ok(again) => assert_eq!(configuration.shown(), again.shown()),
        Err(problems) => panic!("{shown}\nis refused: {problems:?}"),
    }
}
