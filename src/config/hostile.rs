//! A configuration of texts alone, without a file or an environment. For the fuzzer and its corpus.

use std::path::Path;

use super::error::{Origin, Problem};
use super::file;
use super::parameters::{Configuration, Settings};
use super::raw::Raw;

/// Where values come from.
#[derive(Debug)]
pub(crate) enum Layer<'a> {
    /// The text of a file.
    File(&'a str),
    /// Keys and values, as environment variables say them.
    Environment(Vec<(&'a str, &'a str)>),
}

/// Lays the layers over each other, lowest first, or tells what is wrong.
pub(crate) fn resolve<'a>(
    layers: impl IntoIterator<Item = Layer<'a>>,
) -> Result<Configuration, Vec<Problem>> {
    let mut read = Vec::new();
    for layer in layers {
        let settings = match layer {
            Layer::File(text) => {
                file::parse(Path::new(file::NAME), text).map_err(|problem| vec![*problem])?
            }
            Layer::Environment(variables) => {
                let mut settings = Settings::default();
                for (key, value) in variables {
                    let origin = Origin::Environment { variable: format!("TAPELOG_{key}") };
                    settings.read(key, Raw::text(value), Some(origin));
                }
                settings
            }
        };
        read.push((Origin::Default, settings));
    }
    Configuration::resolve(read).map_err(|error| error.problems().to_vec())
}
