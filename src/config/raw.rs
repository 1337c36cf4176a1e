//! A value as a file, a variable or an argument gives it, before its parameter reads it.

use std::fmt;

use crate::one_line::is_dangerous;

/// A value that no parameter has read yet; shown as TOML.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    /// A text; variables and arguments give nothing else.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// A whole number written in octal digits.
    Octal(i128),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Raw>),
    /// Something that no parameter takes, as it is written: a fraction, a date, a table.
    Other(String),
}

impl Raw {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Raw {
        Raw::Text(text.into())
    }

    /// The text without the blanks around it, if it is one.
    pub(crate) fn trimmed(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => Some(text.trim()),
            _ => None,
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Text(text) => quote(f, text),
            Raw::Integer(number) => write!(f, "{number}"),
            Raw::Octal(number) => write!(f, "0o{number:o}"),
            Raw::Flag(flag) => write!(f, "{flag}"),
            Raw::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Raw::Other(literal) => f.write_str(literal),
        }
    }
}

/// A basic string of TOML.
fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            // By its number.
            c if is_dangerous(c) => write!(f, "\\u{:04X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_toml() {
        let list = Raw::List(vec![Raw::text("a\"b\\\n\u{7f}\u{2028}é"), Raw::Integer(-3)]);
        assert_eq!(list.to_string(), r#"["a\"b\\\n\u007F\u2028é", -3]"#);
        assert_eq!(Raw::Octal(0o600).to_string(), "0o600");
        assert_eq!(Raw::Flag(true).to_string(), "true");
    }
}
