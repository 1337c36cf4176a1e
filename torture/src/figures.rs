//! What tests tell of themselves: lines `row NN: 500 kills, 21 records …`. The numbers of the same line
//! from many runs are added up.

/// The figures of one test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    lines: Vec<Line>,
    /// Why something was left out, each reason once.
    pub(crate) skipped: Vec<String>,
}

/// A line as its words; a whole number by itself is counted, everything else is as it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// A whole number, and the punctuation behind it.
    Number(u64, String),
    Text(String),
}

impl Line {
    fn of(text: &str) -> Line {
        let word = |word: &str| {
            let digits = word.trim_end_matches([',', ';', ':', '.']);
            match digits.parse() {
                Ok(number) => Word::Number(number, word[digits.len()..].to_owned()),
                Err(_) => Word::Text(word.to_owned()),
            }
        };
        Line(text.split_whitespace().map(word).collect())
    }

    /// Whether the words that are no figures are the same.
    fn is_like(&self, other: &Line) -> bool {
        let has_figure = |text: &str| text.chars().any(|letter| letter.is_ascii_digit());
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|pair| match pair {
                (Word::Number(..), Word::Number(..)) => true,
                (Word::Text(one), Word::Text(two)) => {
                    one == two || (has_figure(one) && has_figure(two))
                }
                _ => false,
            })
    }

    fn add(&mut self, later: Line) {
        for (word, later) in self.0.iter_mut().zip(later.0) {
            match (word, later) {
                (Word::Number(sum, _), Word::Number(number, _)) => *sum += number,
                (word, later) => *word = later,
            }
        }
    }

    /// The first number: how often it was done.
    fn count(&self) -> Option<u64> {
        self.0.iter().find_map(|word| match word {
            Word::Number(number, _) => Some(*number),
            Word::Text(_) => None,
        })
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            match word {
                Word::Number(number, behind) => write!(f, "{space}{number}{behind}")?,
                Word::Text(text) => write!(f, "{space}{text}")?,
            }
        }
        Ok(())
    }
}

impl Figures {
    /// Takes a line of a test's output; gives back what it tells, if it tells something.
    pub(crate) fn hear<'a>(&mut self, row: u32, output: &'a str) -> Option<&'a str> {
        let mark = format!("row {row:02}: ");
        if let Some((_, reason)) = output.split_once("skipped: ") {
            if !self.skipped.iter().any(|known| known == reason) {
                self.skipped.push(reason.to_owned());
            }
            return Some(output);
        }
        let (_, told) = output.split_once(&mark)?;
        let line = Line::of(told);
        match self.lines.iter_mut().find(|known| known.is_like(&line)) {
            Some(known) => known.add(line),
            None => self.lines.push(line),
        }
        Some(told)
    }

    /// How often the fault was injected: of several kinds, the one that was injected least.
    pub(crate) fn done(&self) -> Option<u64> {
        self.lines.iter().filter_map(Line::count).min()
    }

    /// The lines, added up.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.lines.iter().map(Line::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_same_line_are_added_and_the_rarest_kind_counts() {
        let mut figures = Figures::default();
        for line in [
            "test x ... row 02: 50 deaths at A, 7 records; longest 3.5ms",
            "row 02: 20 deaths at B, 7 records; longest 3.5ms",
            "row 02: 50 deaths at A, 8 records; longest 4ms",
            "row 03: 1 of another row",
            "nothing",
        ] {
            figures.hear(2, line);
        }
        let lines: Vec<_> = figures.lines().collect();
        let sums = [
            "100 deaths at A, 15 records; longest 4ms",
            "20 deaths at B, 7 records; longest 3.5ms",
        ];
        assert_eq!(lines, sums);
        assert_eq!(figures.done(), Some(20));
    }

    #[test]
    fn the_reason_of_what_was_left_out_is_kept_once() {
        let mut figures = Figures::default();
        for _ in 0..2 {
            assert!(figures.hear(4, "test y ... skipped: not root").is_some());
        }
        assert_eq!(figures.skipped, ["not root"]);
        assert_eq!(figures.done(), None);
    }
}
