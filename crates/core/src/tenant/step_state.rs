//! The states of a step, each with its own data.

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
    /// The poll URL; up to 4 KB long.
    pub url: String,
    /// How to interpret the answer.
    pub style: PollStyle,
    /// The service's time limit for the operation, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<SignedDuration>,
}

/// The state of a step. Whether it is marked for deletion is in [`StepRecord::removal`](super::StepRecord::removal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Waiting(Effort),
    /// A write or delete was about to be sent. It may or may not have happened, so the object is read first.
    Writing(Effort),
    /// Azure is working on it.
    InProgress {
        /// The effort of this step generation.
        effort: Effort,
        /// The operation to poll; `None` means that the resource is read.
        operation: Option<Poll>,
        /// When to poll next.
        check_at: Timestamp,
    },
    /// Failed with a retryable cause.
    Backoff {
        /// The effort of this step generation.
        effort: Effort,
        /// When to try again.
        until: Timestamp,
        /// Why it failed.
        cause: Cause,
    },
    /// Matched its desired state in the last read.
    Ready(Effort),
    /// Needs a person; a retry moves it back to `Waiting`.
    Blocked {
        /// The effort up to that point.
        effort: Effort,
        /// Why it is blocked.
        cause: Cause,
    },
    /// A read after the deletion has not found it.
    Deleted(Effort),
}

impl StepState {
    /// The name in views, history and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Writing(_) => "writing",
            Self::InProgress { .. } => "in-progress",
            Self::Backoff { .. } => "backoff",
            Self::Ready(_) => "ready",
            Self::Blocked { .. } => "blocked",
            Self::Deleted(_) => "deleted",
        }
    }

    /// Whether it has not begun.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    /// Whether a write or delete may have happened, with unknown result.
    pub fn is_writing(&self) -> bool {
        matches!(self, Self::Writing(_))
    }

    /// Whether it matched its desired state in the last read.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether a read after the deletion has not found it.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted(_))
    }

    /// Whether nothing happens to it without a request or a repair of drift.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Ready(_) | Self::Blocked { .. } | Self::Deleted(_) => true,
            Self::Waiting(_) | Self::Writing(_) | Self::InProgress { .. } | Self::Backoff { .. } => false,
        }
    }

    /// Why it is blocked, if it is.
    pub fn blocked(&self) -> Option<&Cause> {
        if let Self::Blocked { cause, .. } = self { Some(cause) } else { None }
    }

    /// The last failure, while it is retried.
    pub fn failing(&self) -> Option<&Cause> {
        if let Self::Backoff { cause, .. } = self { Some(cause) } else { None }
    }

    /// The operation to poll, if Azure gave one.
    pub fn operation(&self) -> Option<&Poll> {
        if let Self::InProgress { operation, .. } = self { operation.as_ref() } else { None }
    }

    /// Before which instant the state itself calls for nothing.
    pub fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::InProgress { check_at, .. } => Some(*check_at),
            Self::Backoff { until, .. } => Some(*until),
            Self::Waiting(_)
            | Self::Writing(_)
            | Self::Ready(_)
            | Self::Blocked { .. }
            | Self::Deleted(_) => None,
        }
    }

    /// The effort of this step generation.
    pub fn effort(&self) -> &Effort {
        match self {
            Self::Waiting(effort) | Self::Writing(effort) | Self::Ready(effort) | Self::Deleted(effort) => {
                effort
            }
            Self::InProgress { effort, .. } | Self::Backoff { effort, .. } | Self::Blocked { effort, .. } => {
                effort
            }
        }
    }

    /// The effort of this step generation, mutable.
    pub fn effort_mut(&mut self) -> &mut Effort {
        match self {
            Self::Waiting(effort) | Self::Writing(effort) | Self::Ready(effort) | Self::Deleted(effort) => {
                effort
            }
            Self::InProgress { effort, .. } | Self::Backoff { effort, .. } | Self::Blocked { effort, .. } => {
                effort
            }
        }
    }
}

/// The effort of one step generation: what was sent, and how often and how long it was tried. It is passed from state
/// to state; the next step generation starts from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// When this step generation began, or its current streak of failures.
    pub since: Timestamp,
    /// Writes and deletes of this step generation that Azure accepted.
    pub attempts: u32,
    /// Whether the last write of this step generation was answered with success: a read that shows nothing is then
    /// stale.
    pub written: bool,
    /// The differences found before this step generation's last write: JSON pointers, `absent` or `deleted`.
    pub found: Vec<String>,
    /// Consecutive failures; sets the back-off.
    pub failures: u32,
    /// Answers in this step generation with a code that the table does not know; their retries are limited.
    pub unknown: u32,
    /// How long has been tried since [`Self::since`], which budgets count. `None` as long as nothing was tried.
    pub tried: Option<Tried>,
}

/// Time spent on attempts. Time in which no worker was running, and jumps of the clock, do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The total so far.
    pub spent: SignedDuration,
    /// When it was last counted.
    pub at: Timestamp,
}

impl Tried {
    /// The total so far, as budgets are compared.
    pub fn time(&self) -> Duration {
        Duration::try_from(self.spent).unwrap_or_default()
    }
}

impl Effort {
    /// No effort, for a step generation that begins now.
    pub fn none(since: Timestamp) -> Self {
        Self { since, attempts: 0, written: false, found: Vec::new(), failures: 0, unknown: 0, tried: None }
    }

    /// How many writes Azure has really processed. A write whose result is unknown says nothing about the state in
    /// Azure.
    pub fn heeded(&self) -> u32 {
        self.attempts.saturating_sub(self.unknown)
    }

    /// How many attempts have failed. Work that is accepted and then fails counts each time as a refusal.
    pub fn tries(&self) -> u32 {
        self.failures.max(self.attempts.saturating_sub(1))
    }

    /// Records the differences that were found before a write or delete; call it when one is about to be sent. A write
    /// that is repeated to be sure keeps those recorded before.
    pub fn send(&mut self, found: Vec<String>) {
        self.written = false;
        if !found.is_empty() {
            self.found = found;
        }
    }

    /// Records that Azure accepted the write or delete that was last sent.
    pub fn carry_out(&mut self) {
        // Failures before the first success are over, and their time does not count against what follows.
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

    /// Records that Azure serves other changes first. Such an answer ends the streak of earlier failures.
    pub fn stand_in_line(&mut self) {
        self.attempts = self.attempts.saturating_sub(std::mem::take(&mut self.unknown));
        self.failures = 0;
    }

    /// Records that the object matches: earlier failures no longer count.
    pub fn succeed(&mut self) {
        self.failures = 0;
        self.unknown = 0;
    }
}
