//! What was measured, round by round: kept in a file, so that rounds can be added.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bench::Measured;
use crate::case::{Case, Mode};

/// The layout of the file.
const FORMAT: u32 = 1;

/// All rounds so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    format: u32,
    pub(crate) machine: String,
    pub(crate) quick: bool,
    pub(crate) runs: Vec<Run>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

/// One child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) round: u32,
    pub(crate) peer: String,
    pub(crate) case: Case,
    pub(crate) mode: Mode,
    #[serde(flatten)]
    pub(crate) measured: Measured,
    /// Lines that reached the file, per second, those before the first timed call left out.
    pub(crate) lines_per_s: f64,
    pub(crate) lost: u64,
    /// Lines that the logger wrote about itself.
    pub(crate) foreign: u64,
}

impl Results {
    pub(crate) fn new(machine: String, quick: bool) -> Results {
        Results { format: FORMAT, machine, quick, runs: Vec::new(), failures: Vec::new() }
    }

    /// Those of a file; new ones if there is none.
    pub(crate) fn load_or_new(path: &Path, machine: String, quick: bool) -> Result<Self, String> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Results::new(machine, quick));
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let results: Results = serde_json::from_str(&text).map_err(|error| {
            format!("{}: {error}; name a file that --append wrote, or a new one", path.display())
        })?;
        let differs = |what: &str, there: &str, here: &str| {
            Err(format!(
                "{}: its {what} is {there}, here it is {here}; rounds of both do not go into one \
                 table: name a new file",
                path.display()
            ))
        };
        if results.format != FORMAT {
            differs("format", &results.format.to_string(), &FORMAT.to_string())
        } else if results.machine != machine {
            differs("machine", &results.machine, &machine)
        } else if results.quick != quick {
            differs("--quick", &results.quick.to_string(), &quick.to_string())
        } else {
            Ok(results)
        }
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        fs::write(path, text + "\n").map_err(|error| failed(&error))
    }

    /// The number of the round after the last one.
    pub(crate) fn next_round(&self) -> u32 {
        self.runs.iter().map(|run| run.round + 1).max().unwrap_or(0)
    }

    /// The runs of one cell of the table.
    pub(crate) fn of(&self, peer: &str, case: Case, mode: Mode) -> Vec<&Run> {
        let same = |run: &&Run| run.peer == peer && run.case == case && run.mode == mode;
        self.runs.iter().filter(same).collect()
    }
}

/// The value in the middle; of an even number, the mean of the two; 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn rounds_are_added_on_the_same_machine_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.json");
        let load = |machine: &str| Results::load_or_new(&path, machine.to_owned(), false);
        let new = load("this").unwrap();
        assert_eq!(new.next_round(), 0);
        new.save(&path).unwrap();
        assert_eq!(load("this").unwrap(), new);
        assert!(load("that").unwrap_err().contains("its machine is this, here it is that"));
        fs::write(&path, "{}").unwrap();
        assert!(load("this").unwrap_err().contains("results.json"));
    }
}
