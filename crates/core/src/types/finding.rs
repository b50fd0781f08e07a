//! Findings about a body.

use std::fmt;

use serde::Serialize;

/// What a finding is about. The codes are stable, so that tools can rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyCode {
    /// The object has no member of this name.
    UnknownMember,
    /// The value has another JSON type.
    WrongType,
    /// The text is none of the values that the service takes.
    NotInEnum,
    /// A member that has to be sent is missing; the pointer is the member's.
    MissingRequired,
    /// Only answers have the member.
    ReadOnlyMember,
    /// The text or the list is too long.
    TooLong,
    /// The text or the list is too short.
    TooShort,
    /// The number is too small or too large.
    OutOfRange,
    /// The text does not match the pattern.
    Pattern,
}

impl BodyCode {
    /// The code in kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown-member",
            Self::WrongType => "wrong-type",
            Self::NotInEnum => "not-in-enum",
            Self::MissingRequired => "missing-required",
            Self::ReadOnlyMember => "read-only-member",
            Self::TooLong => "too-long",
            Self::TooShort => "too-short",
            Self::OutOfRange => "out-of-range",
            Self::Pattern => "pattern",
        }
    }
}

impl fmt::Display for BodyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// The service is described to refuse the body, or to ignore the member.
    Error,
    /// The service may accept this, although it is not as described: a name or a value in another case, or a value that
    /// an open list does not have.
    Hint,
}

/// A finding about a body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BodyFinding {
    /// The JSON pointer to the value in the body.
    pub pointer: String,
    /// What the finding is about.
    pub code: BodyCode,
    /// How sure the finding is.
    pub grade: Grade,
    /// What is wrong.
    pub message: String,
    /// What to do about it; `None` if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
