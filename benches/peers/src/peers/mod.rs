//! The loggers and queues that are compared, each set up as its documentation recommends, except
//! that it loses nothing where it can.

/// The three calls of a logger whose macro takes a format string and its values.
macro_rules! formatted {
    ($bench:ident, $($log:ident)::+ $(, $($first:tt)*)?) => {
        match $bench.case() {
            $crate::case::Case::IntIntDouble => $bench.calls(|a| {
                $($log)::+!(
                    $($($first)*,)? "order seq={} next={} price={}", a.seq, a.next, a.price
                )
            }),
            $crate::case::Case::IntIntString40 => $bench.calls(|a| {
                $($log)::+!($($($first)*,)? "order seq={} next={} text={}", a.seq, a.next, a.text)
            }),
            $crate::case::Case::NoArgs => $bench.calls(|_| $($log)::+!($($($first)*,)? "order")),
        }
    };
}

mod fast_log;
mod flexi;
mod ftlog;
mod insomnilog;
mod logforth;
pub(crate) mod queues;
mod quicklog;
mod slog;
mod spdlog;
mod tapelog;
mod ticklog;
mod tracing;
mod writer;

use std::error::Error;

use crate::bench::Bench;

/// Bounded queues whose length is an option hold so many records.
const QUEUE_RECORDS: usize = 65_536;

/// What a row is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// tapelog, which stamps and writes text as the loggers do.
    Ours,
    /// tapelog with the caller's stamp and text: it stands in the table, the loggers do not do that.
    OursStamped,
    /// tapelog with the caller's stamp, into the journal alone: what the queues are compared with.
    OursBinary,
    /// Stamps each record itself and writes lines of text.
    Logger,
    /// Moves bytes, the caller's stamp among them, into a file.
    Queue,
}

impl Kind {
    /// The rows of tapelog that do the same work.
    pub(crate) fn rival(self) -> Option<Kind> {
        match self {
            Kind::Logger => Some(Kind::Ours),
            Kind::Queue => Some(Kind::OursBinary),
            Kind::Ours | Kind::OursStamped | Kind::OursBinary => None,
        }
    }
}

/// What a peer leaves behind in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// A file of lines.
    Lines(&'static str),
    /// A file of fixed records: see [`queues`].
    Records(&'static str),
    /// A journal of tapelog.
    Journal,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Peer {
    /// For `--only`.
    pub(crate) name: &'static str,
    /// For the table; the version of `package` is added.
    pub(crate) title: &'static str,
    /// The package whose version counts.
    pub(crate) package: &'static str,
    pub(crate) kind: Kind,
    pub(crate) output: Output,
    pub(crate) run: fn(&mut Bench) -> Result<(), Box<dyn Error>>,
}

/// Where the loggers that can be told write.
pub(crate) const FILE: &str = "peer.log";

/// Every row, ours first.
pub(crate) static ALL_PEERS: [Peer; 16] = [
    Peer {
        name: "tapelog-producer",
        title: "tapelog, `Producer`",
        package: "tapelog",
        kind: Kind::Ours,
        output: Output::Lines(tapelog::EXPERT_LOG),
        run: tapelog::producer,
    },
    Peer {
        name: "tapelog-metalogger",
        title: "tapelog, `MetaLogger`",
        package: "tapelog",
        kind: Kind::Ours,
        output: Output::Lines(tapelog::EXPERT_LOG),
        run: tapelog::meta_logger,
    },
    Peer {
        name: "tapelog-at",
        title: "tapelog, `Producer`, `at:`",
        package: "tapelog",
        kind: Kind::OursStamped,
        output: Output::Lines(tapelog::EXPERT_LOG),
        run: tapelog::stamped,
    },
    Peer {
        name: "tapelog-journal",
        title: "tapelog, `Producer`, `at:`, journal only",
        package: "tapelog",
        kind: Kind::OursBinary,
        output: Output::Journal,
        run: tapelog::journal,
    },
    Peer {
        name: "tracing-appender",
        title: "tracing-appender",
        package: "tracing-appender",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: tracing::run,
    },
    Peer {
        name: "ftlog",
        title: "ftlog",
        package: "ftlog",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: ftlog::run,
    },
    Peer {
        name: "fast_log",
        title: "fast_log",
        package: "fast_log",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: fast_log::run,
    },
    Peer {
        name: "spdlog-rs",
        title: "spdlog-rs",
        package: "spdlog-rs",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: spdlog::run,
    },
    Peer {
        name: "slog-async",
        title: "slog-async",
        package: "slog-async",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: slog::run,
    },
    Peer {
        name: "flexi_logger",
        title: "flexi_logger",
        package: "flexi_logger",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: flexi::run,
    },
    Peer {
        name: "logforth",
        title: "logforth",
        package: "logforth",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: logforth::run,
    },
    Peer {
        name: "ticklog",
        title: "ticklog",
        package: "ticklog",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: ticklog::run,
    },
    Peer {
        name: "quicklog",
        title: "quicklog",
        package: "quicklog",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: quicklog::run,
    },
    Peer {
        name: "insomnilog",
        title: "insomnilog",
        package: "insomnilog",
        kind: Kind::Logger,
        output: Output::Lines(FILE),
        run: insomnilog::run,
    },
    Peer {
        name: "crossbeam-channel",
        title: "crossbeam-channel",
        package: "crossbeam-channel",
        kind: Kind::Queue,
        output: Output::Records(FILE),
        run: queues::crossbeam,
    },
    Peer {
        name: "rtrb",
        title: "rtrb",
        package: "rtrb",
        kind: Kind::Queue,
        output: Output::Records(FILE),
        run: queues::rtrb,
    },
];

/// The peer of that name.
pub(crate) fn named(name: &str) -> Result<&'static Peer, String> {
    ALL_PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL_PEERS.iter().map(|peer| peer.name).collect();
        format!("no peer is called {name}; there are {}", names.join(", "))
    })
}

/// The version of a package in this crate's lock file.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_version_and_a_name_of_its_own() {
        for (index, peer) in ALL_PEERS.iter().enumerate() {
            assert!(version(peer.package).is_some(), "{} is not in Cargo.lock", peer.package);
            assert!(
                ALL_PEERS[..index].iter().all(|other| other.name != peer.name),
                "{}",
                peer.name
            );
            assert_eq!(named(peer.name).map(|found| found.title), Ok(peer.title));
        }
        assert!(named("log4j").is_err_and(|error| error.contains("rtrb")));
    }
}
