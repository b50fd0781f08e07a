//! API versions as the table has them.

use std::{cmp::Ordering, fmt};

use jiff::civil::Date;

/// An API version of a resource type: a date, and for a preview something after it. Newer versions are greater; of one
/// day, the stable version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeVersion<'a> {
    text: &'a str,
    date: Date,
}

impl<'a> TypeVersion<'a> {
    /// The version that the text names, e.g. `2024-10-01-preview`; `None` if it does not begin with a date.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (date, suffix) = text.split_at_checked(10)?;
        let is_version = suffix.is_empty() || (suffix.starts_with('-') && suffix.len() > 1);
        Some(Self { text, date: date.parse().ok()? }).filter(|_| is_version)
    }

    /// The version as it stands in a request.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether the version is a preview.
    pub fn is_preview(self) -> bool {
        self.text.len() > 10
    }

    /// The number of days between two versions.
    pub(super) fn days_from(self, other: TypeVersion<'_>) -> i32 {
        (self.date - other.date).get_days().abs()
    }
}

impl PartialOrd for TypeVersion<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TypeVersion<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |version: &Self| (version.date, !version.is_preview());
        rank(self).cmp(&rank(other)).then_with(|| self.text.cmp(other.text))
    }
}

impl fmt::Display for TypeVersion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}
