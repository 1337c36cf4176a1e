//! Is everything in the file that was logged, once, with the values that it had?

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use memchr::memmem::Finder;
use tapelog::reading::{Format, Journal};

use crate::case::{Case, next, price, text};
use crate::peers::{Output, queues};

const CHUNK_BYTES: usize = 1 << 20;

/// What was found, of so many calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Calls whose values are in the file.
    pub(crate) found: u64,
    /// Calls whose values are not.
    pub(crate) lost: u64,
    /// Lines that repeat a call.
    pub(crate) duplicated: u64,
    /// Lines with values that no call had.
    pub(crate) wrong: u64,
    /// Lines that are not of a call: what a logger says about itself.
    pub(crate) foreign: u64,
    /// The first wrong line.
    pub(crate) example: Option<String>,
}

impl Verdict {
    /// Whether each line stands for one call: calls may be missing.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.duplicated + self.wrong == 0 {
            return Ok(());
        }
        let example = self.example.as_deref().unwrap_or("none kept");
        Err(format!(
            "{} lines repeat a call, {} hold values that no call had; the first: {example}",
            self.duplicated, self.wrong
        ))
    }
}

/// Reads what a peer left behind after `logged` calls.
pub(crate) fn verify(
    output: Output,
    directory: &Path,
    case: Case,
    logged: u64,
) -> Result<Verdict, String> {
    let mut checker = Checker::new(case, logged);
    match output {
        Output::Lines(name) => each_chunk(&directory.join(name), |chunk| {
            checker.lines(chunk);
        })?,
        Output::Records(name) => each_chunk(&directory.join(name), |chunk| {
            checker.records(chunk);
        })?,
        Output::Journal => {
            let journal = Journal::open(directory).map_err(|error| error.to_string())?;
            let read = journal.write_to(Format::Text, &mut checker);
            let summary = read.map_err(|error| error.to_string())?;
            if !summary.is_intact() {
                return Err(format!("{} is damaged: {:?}", directory.display(), summary.notes));
            }
        }
    }
    Ok(checker.verdict())
}

fn each_chunk(path: &Path, mut chunk: impl FnMut(&[u8])) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut bytes).map_err(failed)? {
            0 => return Ok(()),
            read => chunk(&bytes[..read]),
        }
    }
}

/// Ticks the calls off, chunk by chunk.
#[derive(Debug)]
struct Checker {
    case: Case,
    logged: u64,
    /// A bit for each call.
    seen: Vec<u64>,
    /// The beginning of a line or record whose end is in the next chunk.
    partial: Vec<u8>,
    keys: [Finder<'static>; 4],
    message: Finder<'static>,
    verdict: Verdict,
}

impl Checker {
    fn new(case: Case, logged: u64) -> Checker {
        let verdict =
            Verdict { found: 0, lost: 0, duplicated: 0, wrong: 0, foreign: 0, example: None };
        Checker {
            case,
            logged,
            seen: vec![0; logged.div_ceil(64) as usize],
            partial: Vec::new(),
            keys: ["seq", "next", "price", "text"].map(Finder::new),
            message: Finder::new("order"),
            verdict,
        }
    }

    fn lines(&mut self, mut chunk: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            if self.partial.is_empty() {
                self.line(&chunk[..end]);
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(&chunk[..end]);
                self.line(&line);
            }
            chunk = &chunk[end + 1..];
        }
        self.partial.extend_from_slice(chunk);
    }

    fn line(&mut self, line: &[u8]) {
        if self.message.find(line).is_none() {
            self.verdict.foreign += 1;
            return;
        }
        if self.case == Case::NoArgs {
            self.tick_next();
            return;
        }
        let [seq, following, amount, words] = [0, 1, 2, 3].map(|key| value(line, &self.keys[key]));
        let number = |bytes: Option<&[u8]>| std::str::from_utf8(bytes?).ok()?.parse::<u64>().ok();
        let double = |bytes: Option<&[u8]>| std::str::from_utf8(bytes?).ok()?.parse::<f64>().ok();
        let last_is_right = |seq| match self.case {
            Case::IntIntDouble => double(amount) == Some(price(seq)),
            Case::IntIntString40 => words == Some(text(seq).as_bytes()),
            Case::NoArgs => true,
        };
        match number(seq) {
            Some(seq) if number(following) == Some(next(seq)) && last_is_right(seq) => {
                self.tick(seq, line);
            }
            Some(_) | None => self.wrong(line),
        }
    }

    fn records(&mut self, chunk: &[u8]) {
        let mut bytes = std::mem::take(&mut self.partial);
        bytes.extend_from_slice(chunk);
        let mut records = bytes.chunks_exact(queues::record_bytes(self.case));
        for record in &mut records {
            self.record(record);
        }
        self.partial = records.remainder().to_vec();
    }

    fn record(&mut self, record: &[u8]) {
        let number = |at: usize| {
            let bytes = record.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes)
        };
        let (Some(seq), Some(following)) = (number(8), number(16)) else {
            return self.tick_next();
        };
        let last_is_right = match self.case {
            Case::IntIntDouble => number(24).map(f64::from_bits) == Some(price(seq)),
            Case::IntIntString40 => record.get(24..) == Some(text(seq).as_bytes()),
            Case::NoArgs => true,
        };
        if following == next(seq) && last_is_right {
            self.tick(seq, record);
        } else {
            self.wrong(record);
        }
    }

    /// A line without values is that of the next call.
    fn tick_next(&mut self) {
        if self.verdict.found < self.logged {
            self.verdict.found += 1;
        } else {
            self.verdict.duplicated += 1;
        }
    }

    fn tick(&mut self, seq: u64, line: &[u8]) {
        if seq >= self.logged {
            return self.wrong(line);
        }
        let (word, bit) = ((seq / 64) as usize, 1 << (seq % 64));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.verdict.found += 1;
        } else {
            self.verdict.duplicated += 1;
            self.keep(line);
        }
    }

    fn wrong(&mut self, line: &[u8]) {
        self.verdict.wrong += 1;
        self.keep(line);
    }

    fn keep(&mut self, line: &[u8]) {
        self.verdict.example.get_or_insert_with(|| String::from_utf8_lossy(line).into_owned());
    }

    fn verdict(mut self) -> Verdict {
        if !self.partial.is_empty() {
            let rest = std::mem::take(&mut self.partial);
            self.wrong(&rest);
        }
        self.verdict.lost = self.logged - self.verdict.found;
        self.verdict
    }
}

/// Takes the lines of a journal.
impl Write for Checker {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value behind `key=`, `key: ` and the like, without its quotes.
fn value<'line>(line: &'line [u8], key: &Finder<'_>) -> Option<&'line [u8]> {
    let rest = key.find_iter(line).find_map(|at| {
        let rest = &line[at + key.needle().len()..];
        rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b": "))
    })?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let end = rest.iter().position(|byte| b" ,\"}".contains(byte)).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Arguments;
    use tapelog::Ticks;

    const CALLS: u64 = 1_000;

    fn line(seq: u64) -> String {
        let Arguments { next, price, .. } = Arguments::of(seq, Ticks(0));
        format!("12:00:01 INFO order seq={seq} next={next} price={price}\n")
    }

    fn found(text: &str) -> Verdict {
        let mut checker = Checker::new(Case::IntIntDouble, CALLS);
        for chunk in text.as_bytes().chunks(777) {
            checker.lines(chunk);
        }
        checker.verdict()
    }

    #[test]
    fn complete_lines_in_any_order_pass() {
        let text: String = (0..CALLS).rev().map(line).collect();
        let verdict = found(&text);
        assert_eq!((verdict.found, verdict.lost, verdict.foreign), (CALLS, 0, 0));
        assert_eq!(verdict.check(), Ok(()));
    }

    #[test]
    fn a_missing_line_is_lost() {
        let text: String = (0..CALLS).filter(|&seq| seq != 500).map(line).collect();
        let verdict = found(&text);
        assert_eq!((verdict.found, verdict.lost), (CALLS - 1, 1));
        assert_eq!(verdict.check(), Ok(()));
    }

    #[test]
    fn a_line_that_stands_there_twice_fails() {
        let text: String = (0..CALLS).chain([7]).map(line).collect();
        let verdict = found(&text);
        assert_eq!((verdict.lost, verdict.duplicated), (0, 1));
        assert!(verdict.check().is_err_and(|error| error.contains("seq=7 ")));
    }

    #[test]
    fn a_line_in_place_of_another_is_not_taken_for_it() {
        let text: String = (0..CALLS).map(|seq| line(if seq == 3 { 4 } else { seq })).collect();
        let verdict = found(&text);
        assert_eq!((verdict.lost, verdict.duplicated), (1, 1));
    }

    #[test]
    fn values_that_no_call_had_fail() {
        let altered = line(5).replace("price=7", "price=8");
        for bad in [altered, line(CALLS), "order seq=\n".to_owned(), "order seq=1".to_owned()] {
            let verdict = found(&bad);
            assert_eq!((verdict.found, verdict.wrong), (0, 1), "{bad}");
            assert!(verdict.check().is_err());
        }
    }

    #[test]
    fn what_a_logger_says_about_itself_is_counted_apart() {
        let verdict = found("WARN 3 lines were dropped\n");
        assert_eq!((verdict.foreign, verdict.wrong, verdict.lost), (1, 0, CALLS));
    }

    #[test]
    fn every_notation_of_a_value_is_read() {
        let key = Finder::new("text");
        for line in ["a text=abc", "text: abc, b", "x, text=\"abc\"", "text \"text=abc\""] {
            assert_eq!(value(line.as_bytes(), &key), Some(&b"abc"[..]), "{line}");
        }
        assert_eq!(value(b"context", &key), None);
    }

    #[test]
    fn records_are_compared_too() {
        let record = |seq| queues::encode::<64>(&Arguments::of(seq, Ticks(9)));
        let bytes: Vec<u8> = (0..CALLS).flat_map(record).collect();
        let mut checker = Checker::new(Case::IntIntString40, CALLS);
        bytes.chunks(1_001).for_each(|chunk| checker.records(chunk));
        let verdict = checker.verdict();
        assert_eq!((verdict.found, verdict.lost, verdict.wrong), (CALLS, 0, 0));

        let mut altered = record(1);
        altered[30] ^= 1;
        let mut checker = Checker::new(Case::IntIntString40, CALLS);
        checker.records(&altered);
        checker.records(&record(2));
        checker.records(&record(2));
        checker.records(&[1, 2, 3]);
        let verdict = checker.verdict();
        assert_eq!((verdict.found, verdict.wrong, verdict.duplicated), (1, 2, 1));
    }

    #[test]
    fn lines_without_values_are_counted() {
        let mut checker = Checker::new(Case::NoArgs, 2);
        checker.lines(b"order\norder\norder\n");
        let verdict = checker.verdict();
        assert_eq!((verdict.found, verdict.duplicated), (2, 1));
    }
}
