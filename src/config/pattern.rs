//! What a line of text is made of: `text_pattern`.

use crate::one_line::is_dangerous;

/// A pattern that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) pieces: Vec<PatternPiece>,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternPiece {
    /// Text that stands on every line.
    Text(String),
    /// What differs from line to line.
    Part(PatternPart, Option<Column>),
}

/// The width of a column, in characters: what is shorter is filled with blanks, what is longer
/// stays whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) width: u8,
    /// Whether the blanks stand in front.
    pub(crate) right: bool,
}

macro_rules! parts {
    ($($(#[doc = $doc:expr])+ $part:ident = $name:literal;)*) => {
        /// A named part of a line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum PatternPart {
            $($(#[doc = $doc])+ $part,)*
        }

        impl PatternPart {
            /// Every part with its name.
            const ALL: &[(&str, PatternPart)] = &[$(($name, PatternPart::$part),)*];
        }
    };
}

parts! {
    /// When it happened.
    Time = "time";
    /// The same in nanoseconds since 1970.
    UnixNanos = "unix_ns";
    /// `INFO`
    Level = "level";
    /// The event's text.
    Event = "event";
    /// The fields of the call.
    Fields = "fields";
    /// The fields of the context that the call has not.
    Context = "context";
    /// The module of the call.
    Target = "target";
    /// The source file of the call.
    File = "file";
    /// The line of the call in it.
    Line = "line";
    /// The process's id.
    Pid = "pid";
    /// `hostname`
    Host = "host";
    /// `log_name`
    Name = "name";
    /// `trade` or `general`.
    Category = "category";
}

impl Pattern {
    /// The pattern of `text_pattern`; an empty one is the usual line's.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        if let Some(control) = pattern.chars().find(|c| is_dangerous(*c)) {
            return Err(format!("it holds {control:?}; accepted is one line of text"));
        }
        let pattern = if pattern.is_empty() { USUAL } else { pattern };
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), pattern);
        while let Some((before, sign)) = rest.split_once('%') {
            text.push_str(before);
            if let Some(after) = sign.strip_prefix('%') {
                text.push('%');
                rest = after;
                continue;
            }
            let inner = sign.strip_prefix('(').and_then(|inner| inner.split_once(')'));
            let Some((inner, after)) = inner else {
                let begun: String = sign.chars().take(12).collect();
                return Err(format!(
                    "`%{begun}` begins no part: a part is `%(name)`, a percent sign `%%`; {}",
                    accepted()
                ));
            };
            if !text.is_empty() {
                pieces.push(PatternPiece::Text(std::mem::take(&mut text)));
            }
            pieces.push(part(inner)?);
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(PatternPiece::Text(text));
        }
        if pieces.iter().any(|piece| matches!(piece, PatternPiece::Part(..))) {
            Ok(Self { pieces })
        } else {
            Err(format!(
                "accepted is a pattern with a part in it, or every line is the same; {}",
                accepted()
            ))
        }
    }

    /// The usual line's.
    pub(crate) fn usual() -> Self {
        Self::parse(USUAL).unwrap_or(Self { pieces: Vec::new() })
    }
}

/// What a line looks like unless `text_pattern` says otherwise.
const USUAL: &str = "[%(time)] [%(level:9)] %(event) %(fields) %(context)";

/// The part whose name, and perhaps width, stands in the brackets.
fn part(inner: &str) -> Result<PatternPiece, String> {
    let (name, width) = match inner.split_once(':') {
        Some((name, width)) => (name, Some(width)),
        None => (inner, None),
    };
    let known = PatternPart::ALL.iter().find(|(known, _)| *known == name);
    let Some((_, part)) = known else {
        let guess =
            guess(name).map_or_else(String::new, |name| format!("; did you mean `%({name})`?"));
        return Err(format!("`%({inner})` is no part of a line{guess}; {}", accepted()));
    };
    let column = width.map(column).transpose().map_err(|()| {
        format!("`%({inner})` has no width: 1 to 255 behind the colon, `>` in front of it fills on the left")
    })?;
    Ok(PatternPiece::Part(*part, column))
}

fn column(width: &str) -> Result<Column, ()> {
    let (width, right) = match width.strip_prefix('>') {
        Some(width) => (width, true),
        None => (width, false),
    };
    let width = width.parse().map_err(|_| ())?;
    if width > 0 { Ok(Column { width, right }) } else { Err(()) }
}

/// The part whose name is written nearly like this.
fn guess(written: &str) -> Option<&'static str> {
    let wanted = written.trim().to_ascii_lowercase();
    let apart = |name: &str| strsim::damerau_levenshtein(&wanted, name);
    let names = PatternPart::ALL.iter().map(|(name, _)| *name);
    let (distance, name) = names.map(|name| (apart(name), name)).min()?;
    (distance <= 2 && distance < name.len()).then_some(name)
}

fn accepted() -> String {
    let names: Vec<_> = PatternPart::ALL.iter().map(|(name, _)| format!("%({name})")).collect();
    format!("parts are {}", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::PatternPiece::{Part, Text};
    use super::*;

    #[test]
    fn a_pattern_is_text_and_parts_with_columns() {
        let pieces =
            Pattern::parse("%(time)|%(level:9) %(line:>5)%% 100%%%(event)").unwrap().pieces;
        let left = Column { width: 9, right: false };
        let right = Column { width: 5, right: true };
        let expected = [
            Part(PatternPart::Time, None),
            Text("|".into()),
            Part(PatternPart::Level, Some(left)),
            Text(" ".into()),
            Part(PatternPart::Line, Some(right)),
            Text("% 100%".into()),
            Part(PatternPart::Event, None),
        ];
        assert_eq!(pieces, expected);
        assert_eq!(Pattern::parse("").unwrap(), Pattern::usual());
        assert_eq!(Pattern::usual().pieces.len(), 10);
    }

    #[test]
    fn every_name_is_a_part() {
        for (name, part) in PatternPart::ALL {
            let pieces = Pattern::parse(&format!("%({name})")).unwrap().pieces;
            assert_eq!(pieces, [Part(*part, None)]);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_accepted() {
        let cases = [
            (
                "%(levl)",
                "`%(levl)` is no part of a line; did you mean `%(level)`?; parts are %(time)",
            ),
            ("%(Event)", "did you mean `%(event)`?"),
            ("%(colour_of_the_sky)", "is no part of a line; parts are"),
            ("%(level:)", "`%(level:)` has no width: 1 to 255"),
            ("%(level:0)", "`%(level:0)` has no width"),
            ("%(level:256)", "`%(level:256)` has no width"),
            ("%(level:wide)", "`%(level:wide)` has no width"),
            ("%level", "`%level` begins no part: a part is `%(name)`, a percent sign `%%`"),
            ("%(event", "`%(event` begins no part"),
            ("100 %", "`%` begins no part"),
            ("nothing", "a pattern with a part in it"),
            ("%(event)\n", "it holds '\\n'; accepted is one line"),
            ("%(event)\u{2028}", "it holds '\\u{2028}'; accepted"),
        ];
        for (pattern, message) in cases {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
    }
}
