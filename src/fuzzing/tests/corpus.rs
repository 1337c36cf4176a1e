//! A committed corpus, and small changes of it. The command line's tests compile this file, too.

use std::fs;
use std::path::{Path, PathBuf};

/// Gives `check` each input of a corpus, and so many that small changes make of them: how many inputs
/// that are.
pub(crate) fn check(corpus: &Path, changed: u64, check: impl Fn(&[u8])) -> u64 {
    let name = corpus.file_name().unwrap_or_default().to_string_lossy();
    let checked = |input: &[u8]| {
        let _shown = Shown(&name, input);
        check(input);
    };
    let inputs = inputs(corpus);
    assert!(!inputs.is_empty(), "{name} has a corpus");
    inputs.iter().for_each(|input| checked(input));
    let mut rng = Rng(0x7461_7065);
    for _ in 0..changed {
        let mut input = inputs[rng.below(inputs.len())].clone();
        for _ in 0..1 + rng.below(4) {
            let other = rng.below(inputs.len());
            rng.change(&mut input, &inputs[other]);
        }
        checked(&input);
    }
    changed + inputs.len() as u64
}

fn inputs(corpus: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// xorshift64*: the changes of a run are those of every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    /// One small change, or a piece of another input.
    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        match self.below(6) {
            _ if input.is_empty() => input.push(self.below(256) as u8),
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][self.below(6)],
            2 => input.insert(at, self.below(256) as u8),
            3 => {
                let end = input.len().min(at + 1 + self.below(16));
                input.drain(at..end);
            }
            4 => {
                let from = self.below(other.len());
                let to = other.len().min(from + 1 + self.below(64));
                input.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let word = (self.below(1 << 31) as u32).to_le_bytes();
                input[at..].iter_mut().zip(word).for_each(|(byte, new)| *byte = new);
            }
        }
    }
}

/// Shows the input that a check did not stand.
struct Shown<'a>(&'a str, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.1.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("the input of {}: {hex}", self.0);
        }
    }
}
