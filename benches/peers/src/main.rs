//! tapelog beside other Rust loggers: the same calls, each logger in a process of its own, every line
//! verified afterwards. `README.md` tells how each is set up and what cannot be compared.

mod bench;
mod case;
mod document;
mod machine;
mod options;
mod peers;
mod results;
mod rounds;
mod table;
mod verify;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::bench::{Amount, Bench};
use crate::options::{Child, HELP, Options};
use crate::results::Results;
use crate::rounds::{MEASURED_FILE, Rounds};

/// A child that takes longer is stuck.
const CHILD_PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).map_err(Into::into).and_then(|o| run(&o)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.help {
        print!("{HELP}");
    } else if options.list {
        for peer in &peers::ALL_PEERS {
            let version = peers::version(peer.package).unwrap_or("unknown");
            println!("{:<20}{} {version}", peer.name, peer.package);
        }
    } else if let Some(child) = &options.child {
        measure(child, options)?;
    } else {
        return compare(options);
    }
    Ok(ExitCode::SUCCESS)
}

/// The child: measures one peer in one case and mode.
fn measure(child: &Child, options: &Options) -> Result<(), Box<dyn Error>> {
    let directory = options.directory.clone().ok_or("a child needs --dir")?;
    let measured = directory.join(MEASURED_FILE);
    let amount = if options.quick { Amount::QUICK } else { Amount::FULL };
    let cores = options.cores;
    // Every thread that is started from here on inherits this core; the producer moves away.
    machine::pin(cores[1])?;
    thread::spawn(|| {
        thread::sleep(CHILD_PATIENCE);
        eprintln!("not finished after {CHILD_PATIENCE:?}");
        std::process::exit(3);
    });
    let mut bench =
        Bench::new(child.case, child.mode, amount, directory, cores, child.ticks_per_ns);
    (child.peer.run)(&mut bench)?;
    fs::write(measured, serde_json::to_vec(&bench.measured()?)?)?;
    Ok(())
}

/// The parent: rounds, tables, the document. Fails at the end if a child did.
fn compare(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let document = options.update.as_deref().map(|path| read_document(path)).transpose()?;
    let made = options.directory.is_none();
    let directory = options.directory.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("tapelog-peers-{}", std::process::id()))
    });
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let machine = machine::description(&directory);
    let mut results = match &options.append {
        Some(path) => Results::load_or_new(path, machine, options.quick)?,
        None => Results::new(machine, options.quick),
    };
    let rounds = Rounds {
        peers: &options.peers(),
        quick: options.quick,
        directory: &directory,
        cores: options.cores,
        ticks_per_ns: machine::ticks_per_ns(),
    };
    for _ in 0..options.rounds.unwrap_or(if options.quick { 1 } else { 5 }) {
        rounds.run(&mut results);
        if let Some(path) = &options.append {
            results.save(path)?;
        }
    }
    if made {
        fs::remove_dir_all(&directory)?;
    }
    let slices = if options.append.is_some() { " --append FILE" } else { "" };
    let table = table::markdown(&results, &format!("{COMMAND}{slices}"));
    write!(std::io::stdout(), "{table}")?;
    if let (Some(path), Some(document)) = (&options.update, document) {
        fs::write(path, document::with_table(&document, &table)?)?;
    }
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the tables are made.
const COMMAND: &str =
    "cargo run --release --manifest-path benches/peers/Cargo.toml -- --update PERF.md";

/// Reads the document and tries its markers before anything is measured.
fn read_document(path: &Path) -> Result<String, Box<dyn Error>> {
    let document =
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    document::with_table(&document, "").map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(document)
}
