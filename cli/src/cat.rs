//! `tapelog cat`: a journal on stdout.

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use tapelog::reading::{Format, Journal, Summary};

use crate::failure::{Failure, escaped};

/// The exit code when a part of the journal is damaged.
const DAMAGED: u8 = 3;
/// Bytes that are written to stdout at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Shows a journal: every entry, oldest first, as in the logs.
///
/// Works while a program is writing: it then shows what is there. What is damaged is told on
/// stderr and passed over.
///
/// Exit code: 0 if the journal is intact, 3 if a part of it is damaged, 1 if it cannot be read, 2
/// for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The log directory of a program, or the journal directory inside it.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// How entries are shown: lines of text, JSON objects, logfmt, or syslog messages of RFC 5424.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// The enterprise number in syslog messages, which the journal does not know: the program's
    /// parameter enterprise_number.
    #[arg(long, value_name = "N", default_value_t = 32473)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    enterprise_number: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Logfmt,
    Rfc5424,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = match arguments.output {
        Output::Text => Format::Text,
        Output::Json => Format::Json,
        Output::Logfmt => Format::Logfmt,
        Output::Rfc5424 => Format::Rfc5424,
    };
    let journal = Journal::open(&arguments.directory)?;
    let journal = journal.enterprise_number(arguments.enterprise_number);
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let summary = match journal.write_to(format, &mut out) {
        Ok(summary) => summary,
        // `head` has seen enough. What is still buffered has nowhere to go.
        Err(error) if error.is_closed_output() => {
            let _unwritten = out.into_parts();
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    tell(&summary);
    Ok(if summary.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

/// Tells on stderr what was not read.
fn tell(summary: &Summary) {
    for note in &summary.notes {
        eprintln!("tapelog: {}", escaped(&note.to_string()));
    }
    if summary.notes_left_out > 0 {
        eprintln!("tapelog: … and {} more such places", summary.notes_left_out);
    }
    if !summary.is_intact() {
        eprintln!(
            "tapelog: the journal is damaged in {} places; {} entries were read",
            summary.damaged, summary.entries
        );
    }
}
