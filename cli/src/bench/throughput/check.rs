//! Whether the files hold every record that was pushed.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tapelog::reading::{Format, Journal};

use super::Target;
use super::files;
use super::load::{Load, PRODUCER_NUMBERS};
use crate::failure::Failure;

/// Follows the numbers in lines: each producer counts up by one.
#[derive(Debug)]
pub(super) struct Sequence {
    /// What stands in front of a number.
    key: &'static str,
    /// The next number of each producer; unknown until its first is found.
    next: Vec<Option<u64>>,
    lines: u64,
    /// The first line that does not follow.
    broken: Option<String>,
}

impl Sequence {
    /// Expects the numbers of so many producers behind `key`: from 0 on, or from anywhere on.
    pub(super) fn new(key: &'static str, producers: usize, from_zero: bool) -> Self {
        Self { key, next: vec![from_zero.then_some(0); producers], lines: 0, broken: None }
    }

    fn line(&mut self, line: &str) {
        let Some(number) = number_behind(line, self.key) else { return };
        self.lines += 1;
        let (producer, number) = ((number / PRODUCER_NUMBERS) as usize, number % PRODUCER_NUMBERS);
        let follows = match self.next.get_mut(producer) {
            Some(next) => next.replace(number + 1).is_none_or(|next| next == number),
            None => false,
        };
        if !follows && self.broken.is_none() {
            self.broken = Some(line.to_owned());
        }
    }

    /// What is wrong if each producer has pushed so many records.
    pub(super) fn problem(&self, pushed: &[u64]) -> Option<String> {
        if let Some(line) = &self.broken {
            return Some(format!("a line does not follow the one before it: {line}"));
        }
        let ends = self.next.iter().map(|next| next.unwrap_or(0));
        let differs = |(next, pushed): (u64, &u64)| next != *pushed;
        ends.zip(pushed).position(differs).map(|at| {
            let next = self.next[at].unwrap_or(0);
            format!("producer {at} pushed {} records, the last one found is {next}", pushed[at])
        })
    }
}

/// The number in a line behind a key.
fn number_behind(line: &str, key: &str) -> Option<u64> {
    let rest = &line[line.find(key)? + key.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

/// Compares what the files hold with what was pushed; gives what is wrong. That records were
/// refused is not among it.
///
/// # Errors
/// If the files cannot be read.
pub(super) fn files(target: Target, directory: &Path, load: &Load) -> Result<Vec<String>, Failure> {
    let pushed: u64 = load.pushed.iter().sum();
    let Load { written, lost, .. } = *load;
    if written + lost != pushed {
        return Ok(vec![format!("{pushed} pushed, {written} written, {lost} lost")]);
    }
    if lost > 0 {
        // The numbers have holes then, and nothing more can be told from them.
        return Ok(Vec::new());
    }
    if target.renders() { Ok(logs(target, directory, load)?) } else { journal_end(directory, load) }
}

/// Every line of every log.
fn logs(target: Target, directory: &Path, load: &Load) -> io::Result<Vec<String>> {
    let key = if target == Target::Json { "\"number\":" } else { "number=" };
    let mut expert = Sequence::new(key, load.pushed.len(), true);
    each_line(directory, "expert.log", |line| expert.line(line))?;
    let mut problems = Vec::from_iter(expert.problem(&load.pushed));
    let mut compare = |name, lines: u64, expected: u64| {
        if lines != expected {
            problems.push(format!("{name} has {lines} lines, it should have {expected}"));
        }
    };
    compare("expert.log", expert.lines, load.pushed.iter().sum());
    for (name, expected) in [("trades.log", load.trades), ("errors.log", load.errors)] {
        let mut lines = 0;
        each_line(directory, name, |_| lines += 1)?;
        compare(name, lines, expected);
    }
    Ok(problems)
}

/// Hands every line of a log to `take`.
fn each_line(directory: &Path, name: &str, mut take: impl FnMut(&str)) -> io::Result<()> {
    for path in files::of_log(directory, name)? {
        fs::read_to_string(path)?.lines().for_each(&mut take);
    }
    Ok(())
}

/// The journal's end, as far as it was not recycled: each producer's numbers up to the last.
fn journal_end(directory: &Path, load: &Load) -> Result<Vec<String>, Failure> {
    let sequence = Sequence::new("number=", load.pushed.len(), false);
    let mut end = JournalEnd { sequence, rest: Vec::new() };
    let journal = Journal::open(directory)?.since(load.late);
    let summary = journal.write_to(Format::Text, &mut end)?;
    let mut problems: Vec<String> = Vec::from_iter(end.sequence.problem(&load.pushed));
    problems.extend(summary.notes.iter().filter(|note| note.is_damage()).map(ToString::to_string));
    Ok(problems)
}

/// Takes the journal's lines, in pieces that may end anywhere.
struct JournalEnd {
    sequence: Sequence,
    rest: Vec<u8>,
}

impl Write for JournalEnd {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(piece);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        String::from_utf8_lossy(&self.rest[..whole]).lines().for_each(|it| self.sequence.line(it));
        self.rest.drain(..whole);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(lines: &[&str], pushed: &[u64]) -> Option<String> {
        let mut sequence = Sequence::new("number=", pushed.len(), true);
        lines.iter().for_each(|line| sequence.line(line));
        sequence.problem(pushed)
    }

    #[test]
    fn numbers_that_follow_each_other_are_no_problem() {
        let second = PRODUCER_NUMBERS;
        let other = format!("event number={second} next=1");
        assert_eq!(problem(&["number=0", &other, "number=1 x", "logger.gap"], &[2, 1]), None);
    }

    #[test]
    fn a_missing_a_doubled_and_a_lost_last_record_are_found() {
        for lines in [["number=0", "number=2"], ["number=0", "number=0"], ["number=1", "number=2"]]
        {
            assert!(problem(&lines, &[3]).is_some_and(|text| text.contains("does not follow")));
        }
        let lost = problem(&["number=0", "number=1"], &[3]);
        assert!(
            lost.is_some_and(|text| text.contains("pushed 3 records, the last one found is 2"))
        );
        assert!(problem(&[], &[1]).is_some());
    }
}
