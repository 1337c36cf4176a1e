//! What the doctor says of one thing.

use serde::Serialize;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Note,
    Problem,
}

impl Verdict {
    /// The word in front of a line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "OK",
            Verdict::Note => "NOTE",
            Verdict::Problem => "PROBLEM",
        }
    }
}

/// What was found, what it means, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Finding { check, verdict: Verdict::Ok, what: what.into(), advice: None }
    }

    /// It works, with a drawback.
    pub(super) fn note(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Finding { check, verdict: Verdict::Note, what: what.into(), advice }
    }

    /// A promise cannot be kept like that.
    pub(super) fn problem(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Finding { verdict: Verdict::Problem, ..Finding::note(check, what, advice) }
    }
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=0xfffff => format!("{} KiB", bytes >> 10),
        0x10_0000..=0x3fff_ffff => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}
