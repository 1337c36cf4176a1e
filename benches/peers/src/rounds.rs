//! The parent's side: a child for each peer, case and mode, in turns.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::bench::{Measured, WARM_UP};
use crate::case::{Case, Mode};
use crate::peers::Peer;
use crate::results::{Results, Run};
use crate::verify::verify;

/// What a child leaves in its directory for the parent.
pub(crate) const MEASURED_FILE: &str = "measured.json";

/// How the children are run.
#[derive(Debug)]
pub(crate) struct Rounds<'a> {
    pub(crate) peers: &'a [&'static Peer],
    pub(crate) quick: bool,
    pub(crate) directory: &'a Path,
    pub(crate) cores: [usize; 2],
    pub(crate) ticks_per_ns: f64,
}

impl Rounds<'_> {
    /// One more round. Every cell of the table is measured once; who begins changes from table to
    /// table and from round to round.
    pub(crate) fn run(&self, results: &mut Results) {
        let round = results.next_round();
        let start = Instant::now();
        for (table, (case, mode)) in tables().enumerate() {
            eprintln!("round {}: {}, {}", round + 1, case.name(), mode.name());
            for turn in 0..self.peers.len() {
                let peer = self.peers[(turn + table + 5 * round as usize) % self.peers.len()];
                match self.child(peer, case, mode) {
                    Ok((measured, lost, foreign)) => {
                        let found = measured.logged - lost;
                        let lines_per_s = found.saturating_sub(WARM_UP) as f64 / measured.seconds;
                        let peer = peer.name.to_owned();
                        let run =
                            Run { round, peer, case, mode, measured, lines_per_s, lost, foreign };
                        results.runs.push(run);
                    }
                    Err(error) => {
                        let (case, mode) = (case.name(), mode.name());
                        let failure = format!("{}, {case}, {mode}: {error}", peer.name);
                        eprintln!("failed: {failure}");
                        results.failures.push(failure);
                    }
                }
            }
        }
        eprintln!("round {} took {:.0} s", round + 1, start.elapsed().as_secs_f64());
    }

    /// Runs one child and verifies what it wrote: its figures, calls lost, lines of its own.
    fn child(&self, peer: &Peer, case: Case, mode: Mode) -> Result<(Measured, u64, u64), String> {
        let directory = self.directory.join(peer.name);
        let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
        fs::create_dir_all(&directory).map_err(failed)?;
        let outcome = self.measure(peer, case, mode, &directory);
        fs::remove_dir_all(&directory).map_err(failed)?;
        outcome
    }

    fn measure(
        &self,
        peer: &Peer,
        case: Case,
        mode: Mode,
        directory: &Path,
    ) -> Result<(Measured, u64, u64), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["--peer", peer.name, "--case", case.name(), "--mode", mode.name()]);
        command.arg("--dir").arg(directory);
        command.arg("--cores").arg(format!("{},{}", self.cores[0], self.cores[1]));
        command.arg("--ticks-per-ns").arg(self.ticks_per_ns.to_string());
        if self.quick {
            command.arg("--quick");
        }
        let output = command.output().map_err(|error| format!("the child: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the child ended with {}: {}", output.status, said.trim()));
        }
        let measured = self.read(&directory.join(MEASURED_FILE))?;
        let verdict = verify(peer.output, directory, case, measured.logged)?;
        verdict.check()?;
        Ok((measured, verdict.lost, verdict.foreign))
    }

    fn read(&self, path: &Path) -> Result<Measured, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
        serde_json::from_str(&text).map_err(|error| failed(&error))
    }
}

/// Every table, in the order in which they are printed.
pub(crate) fn tables() -> impl Iterator<Item = (Case, Mode)> {
    Mode::ALL.into_iter().flat_map(|mode| Case::ALL.into_iter().map(move |case| (case, mode)))
}
