//! Where a step stands, with what is known of it there alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Cause;

/// How the answers of a poll URL are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollStyle {
    /// `Azure-AsyncOperation`: 200 with a `status`.
    AsyncOperation,
    /// `Location`: 202 while running, 200 or 204 when done.
    Location,
}

/// The durable handle of a long-running operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// Where to ask; up to 4 KB long.
    pub url: String,
    /// How to read the answer.
    pub style: PollStyle,
    /// How long the service gives the operation, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<SignedDuration>,
}

/// Where a step stands. Whether it is to be made so or removed is [`StepRecord::removal`](super::StepRecord::removal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Waiting(Effort),
    /// A write or delete was about to go out: it may or may not have happened, so look first.
    Writing(Effort),
    /// Azure is working on it.
    Settling {
        /// What the turn has taken so far.
        effort: Effort,
        /// The operation to ask about; without one the resource itself is looked at.
        operation: Option<Poll>,
        /// When to ask next.
        check_at: Timestamp,
    },
    /// Failed in a way that may pass.
    Backoff {
        /// What the turn has taken so far.
        effort: Effort,
        /// When to try again.
        until: Timestamp,
        /// Why it failed.
        cause: Cause,
    },
    /// As wanted when last seen.
    Ready(Effort),
    /// Needs a person; a retry moves it back to `Waiting`.
    Halted {
        /// What the turn had taken when it was given up.
        effort: Effort,
        /// Why.
        cause: Cause,
    },
    /// Looked for after removal, and not there.
    Gone(Effort),
}

impl StepState {
    /// The word for views, history and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Writing(_) => "writing",
            Self::Settling { .. } => "settling",
            Self::Backoff { .. } => "backoff",
            Self::Ready(_) => "ready",
            Self::Halted { .. } => "halted",
            Self::Gone(_) => "gone",
        }
    }

    /// Whether it has not begun.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    /// Whether a write or delete may have happened, and nobody knows.
    pub fn is_writing(&self) -> bool {
        matches!(self, Self::Writing(_))
    }

    /// Whether it was as wanted when last seen.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether it was looked for after removal, and not there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// Whether nothing happens to it any more until its wish changes.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Ready(_) | Self::Halted { .. } | Self::Gone(_) => true,
            Self::Waiting(_) | Self::Writing(_) | Self::Settling { .. } | Self::Backoff { .. } => false,
        }
    }

    /// Why a person is needed, if one is.
    pub fn halted(&self) -> Option<&Cause> {
        if let Self::Halted { cause, .. } = self { Some(cause) } else { None }
    }

    /// What failed last, while that may pass.
    pub fn failing(&self) -> Option<&Cause> {
        if let Self::Backoff { cause, .. } = self { Some(cause) } else { None }
    }

    /// The operation to ask about, if Azure gave one.
    pub fn operation(&self) -> Option<&Poll> {
        if let Self::Settling { operation, .. } = self { operation.as_ref() } else { None }
    }

    /// Before which instant nothing is to be done about it by its own account.
    pub fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::Settling { check_at, .. } => Some(*check_at),
            Self::Backoff { until, .. } => Some(*until),
            Self::Waiting(_) | Self::Writing(_) | Self::Ready(_) | Self::Halted { .. } | Self::Gone(_) => {
                None
            }
        }
    }

    /// What the turn has taken so far.
    pub fn effort(&self) -> &Effort {
        match self {
            Self::Waiting(effort) | Self::Writing(effort) | Self::Ready(effort) | Self::Gone(effort) => {
                effort
            }
            Self::Settling { effort, .. } | Self::Backoff { effort, .. } | Self::Halted { effort, .. } => {
                effort
            }
        }
    }

    /// The same, to be changed.
    pub fn effort_mut(&mut self) -> &mut Effort {
        match self {
            Self::Waiting(effort) | Self::Writing(effort) | Self::Ready(effort) | Self::Gone(effort) => {
                effort
            }
            Self::Settling { effort, .. } | Self::Backoff { effort, .. } | Self::Halted { effort, .. } => {
                effort
            }
        }
    }
}

/// What one turn of a step has taken so far: what was sent, and how often and how long it was tried. It goes from state to
/// state; the next turn begins with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// When this turn began, or its current failure streak.
    pub since: Timestamp,
    /// Writes and deletes of this turn that Azure took.
    pub attempts: u32,
    /// Whether the last write of this turn was answered with success: if a look then shows nothing, the look is behind.
    pub written: bool,
    /// What was found otherwise than wanted before this turn's last write: JSON pointers, `absent` or `deleted`.
    pub found: Vec<String>,
    /// Failures in a row; sets the back-off.
    pub failures: u32,
    /// Answers of this turn that nobody knows the meaning of; only so many are tried again.
    pub unknown: u32,
    /// How long has been tried since [`Self::since`]: what budgets count. Absent as long as nothing was tried.
    pub tried: Option<Tried>,
}

/// Time in which something was tried. Time in which nobody was there, and a clock that jumps, do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// How long, so far.
    pub spent: SignedDuration,
    /// When it was last counted.
    pub at: Timestamp,
}

impl Tried {
    /// How long, so far, as budgets are compared.
    pub fn time(&self) -> Duration {
        Duration::try_from(self.spent).unwrap_or_default()
    }
}

impl Effort {
    /// A turn that begins now.
    pub fn none(since: Timestamp) -> Self {
        Self { since, attempts: 0, written: false, found: Vec::new(), failures: 0, unknown: 0, tried: None }
    }

    /// How often it was written to some purpose. A write that ended in nobody knows what says nothing about what Azure keeps.
    pub fn heeded(&self) -> u32 {
        self.attempts.saturating_sub(self.unknown)
    }

    /// How often it was tried in vain. Work that is taken on and then fails, again and again, is as good as refused each time.
    pub fn tries(&self) -> u32 {
        self.failures.max(self.attempts.saturating_sub(1))
    }

    /// A write or delete is about to go out; what was found before it is remembered. What is written once more to be sure
    /// has been found before.
    pub fn send(&mut self, found: Vec<String>) {
        self.written = false;
        if !found.is_empty() {
            self.found = found;
        }
    }

    /// Azure took the write or delete that was last sent.
    pub fn carry_out(&mut self) {
        // The trouble before the first success is over, and its time does not count against what comes.
        if self.attempts == 0 {
            self.failures = 0;
        }
        self.attempts = self.attempts.saturating_add(u32::from(!self.written));
        self.written = true;
    }

    /// Counts one more failure.
    pub fn fail(&mut self, is_unknown: bool) {
        self.failures = self.failures.saturating_add(1);
        self.unknown = self.unknown.saturating_add(u32::from(is_unknown));
    }

    /// It is others' turn. Whoever is told that has been answered: what failed before is over.
    pub fn stand_in_line(&mut self) {
        self.attempts = self.attempts.saturating_sub(std::mem::take(&mut self.unknown));
        self.failures = 0;
    }

    /// It is as wanted: no failure counts any more.
    pub fn succeed(&mut self) {
        self.failures = 0;
        self.unknown = 0;
    }
}
