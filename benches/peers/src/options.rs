//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use crate::case::{Case, Mode};
use crate::peers::{self, Peer};

pub(crate) const HELP: &str = "\
Measures tapelog beside other Rust loggers and prints the tables, what tapelog loses first.

usage: peers [options]

  --rounds N       rounds, each with a child process for every peer, case and mode [5; quick: 1]
  --quick          short runs: does everything work? Their figures do not count
  --only A,B       these peers only
  --append FILE    add the rounds to those of FILE (made when missing) and print all;
                   with --rounds 0 nothing is measured
  --update FILE    write the tables between the markers of FILE
  --dir DIR        where the logs are written [a new directory under the temporary one]
  --cores P,B      the producer's core and the core of all other threads [0,1]
  --list           the peers and their versions
";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: Option<u32>,
    pub(crate) quick: bool,
    pub(crate) only: Vec<&'static Peer>,
    pub(crate) append: Option<PathBuf>,
    pub(crate) update: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) cores: [usize; 2],
    pub(crate) list: bool,
    pub(crate) help: bool,
    /// For a child.
    pub(crate) child: Option<Child>,
}

/// What a parent tells its child.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) peer: &'static Peer,
    pub(crate) case: Case,
    pub(crate) mode: Mode,
    pub(crate) ticks_per_ns: f64,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            rounds: None,
            quick: false,
            only: Vec::new(),
            append: None,
            update: None,
            directory: None,
            cores: [0, 1],
            list: false,
            help: false,
            child: None,
        };
        let (mut peer, mut case, mut mode, mut ticks) = (None, None, None, None);
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{name} needs a value; see --help"));
            match name.as_str() {
                "--rounds" => options.rounds = Some(parsed(&name, &value()?)?),
                "--quick" => options.quick = true,
                "--only" => options.only = peers_of(&value()?)?,
                "--append" => options.append = Some(value()?.into()),
                "--update" => options.update = Some(value()?.into()),
                "--dir" => options.directory = Some(value()?.into()),
                "--cores" => options.cores = cores(&value()?)?,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--peer" => peer = Some(peers::named(&value()?)?),
                "--case" => case = Some(parsed(&name, &value()?)?),
                "--mode" => mode = Some(parsed(&name, &value()?)?),
                "--ticks-per-ns" => ticks = Some(parsed(&name, &value()?)?),
                _ => return Err(format!("{name} is no option; see --help")),
            }
        }
        options.child = match (peer, case, mode, ticks) {
            (None, None, None, None) => None,
            (Some(peer), Some(case), Some(mode), Some(ticks_per_ns)) => {
                Some(Child { peer, case, mode, ticks_per_ns })
            }
            _ => return Err("a child needs --peer, --case, --mode and --ticks-per-ns".to_owned()),
        };
        Ok(options)
    }

    /// The peers to measure.
    pub(crate) fn peers(&self) -> Vec<&'static Peer> {
        if self.only.is_empty() { peers::ALL_PEERS.iter().collect() } else { self.only.clone() }
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name} {value}: {error}"))
}

fn peers_of(names: &str) -> Result<Vec<&'static Peer>, String> {
    names.split(',').map(|name| peers::named(name.trim())).collect()
}

fn cores(value: &str) -> Result<[usize; 2], String> {
    let wanted = || format!("--cores {value}: two different cores are wanted, such as 0,1");
    let (producer, backend) = value.split_once(',').ok_or_else(wanted)?;
    let cores: [usize; 2] = [parsed("--cores", producer)?, parsed("--cores", backend)?];
    if cores[0] == cores[1] { Err(wanted()) } else { Ok(cores) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() {
        let options = parse("--quick --rounds 3 --only rtrb,ftlog --cores 2,3").expect("it parses");
        assert_eq!((options.quick, options.rounds, options.cores), (true, Some(3), [2, 3]));
        let names: Vec<&str> = options.peers().iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["rtrb", "ftlog"]);
        assert!(options.child.is_none());
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = |line: &str| parse(line).err().unwrap_or_default();
        assert!(error("--loud").contains("--help"));
        assert!(error("--rounds").contains("needs a value"));
        assert!(error("--rounds many").contains("--rounds many"));
        assert!(error("--only log4j").contains("there are tapelog-producer"));
        assert!(error("--cores 1,1").contains("two different cores"));
        assert!(error("--mode slow").contains("batch20, per_call, saturated"));
        assert!(error("--peer rtrb").contains("a child needs"));
    }
}
