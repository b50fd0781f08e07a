//! Findings about a blueprint: each has a position, a stable code, a message and, if known, a hint.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The blueprint can't be used.
    Error,
    /// The blueprint can be used, but may not mean what its author thinks.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding about a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The line in the blueprint's text, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// Whether the finding makes the blueprint unusable.
    pub severity: Severity,
    /// The code of the finding, in kebab case; stable, so that tools can rely on it.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about the finding; `None` if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A position in the text of a blueprint; line and column are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    /// The position of findings about the file as a whole.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// Findings, collected during a check.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Diagnostic>);

impl Findings {
    /// Adds an error.
    pub(super) fn error(&mut self, at: Position, code: &'static str, message: impl Into<String>) {
        self.error_with_hint(at, code, message, "");
    }

    /// Adds an error with a hint; an empty hint is left out.
    pub(super) fn error_with_hint(
        &mut self,
        at: Position,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(at, Severity::Error, code, (message.into(), hint.into()));
    }

    /// Adds a warning with a hint.
    pub(super) fn warning(
        &mut self,
        at: Position,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(at, Severity::Warning, code, (message.into(), hint.into()));
    }

    fn push(
        &mut self,
        at: Position,
        severity: Severity,
        code: &'static str,
        (message, hint): (String, String),
    ) {
        let hint = Some(hint).filter(|text| !text.is_empty());
        self.0.push(Diagnostic { line: at.line, column: at.column, severity, code, message, hint });
    }

    /// All findings in the order of the text; repeated findings at the same position are merged.
    pub(super) fn sorted(mut self) -> Vec<Diagnostic> {
        self.0.sort_by(|a, b| {
            (a.line, a.column, a.code, &a.message).cmp(&(b.line, b.column, b.code, &b.message))
        });
        self.0.dedup();
        self.0
    }
}
