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
    /// The poll URL. Azure's are up to 4 KB long.
    pub url: String,
    /// How the answers of the poll URL are to be read.
    pub style: PollStyle,
    /// The service's time limit for the operation, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<SignedDuration>,
}

/// The state of a step. Whether it is marked for deletion is in [`StepRecord::removal`](super::StepRecord::removal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// No write or delete was sent in this step generation.
    Waiting(Effort),
    /// A write or delete was about to be sent, or was sent. It may or may not have been carried out, so the object is
    /// read first.
    Writing(Effort),
    /// Azure is still working on the object.
    InProgress {
        /// The effort of this step generation.
        effort: Effort,
        /// The operation to poll; `None` means that the resource is read.
        operation: Option<Poll>,
        /// When to poll next.
        check_at: Timestamp,
    },
    /// The step failed with a retryable cause.
    Backoff {
        /// The effort of this step generation.
        effort: Effort,
        /// When to try again.
        until: Timestamp,
        /// Why the step failed.
        cause: Cause,
    },
    /// The object matched its desired state in the last read.
    Ready(Effort),
    /// The step needs a person; a retry moves it back to `Waiting`.
    Blocked {
        /// The effort of this step generation.
        effort: Effort,
        /// Why the step is blocked.
        cause: Cause,
    },
    /// The step has no object: a read has not found it, Azure retains it soft-deleted, it belongs to another owner, or
    /// it was never created.
    Deleted(Effort),
}

impl StepState {
    /// The state's name in views, history and logs.
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

    /// Whether the state is [`Self::Waiting`]: no write or delete was sent in this step generation.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    /// Whether the state is [`Self::Writing`]: a write or delete may have been carried out, so the object has to be
    /// read.
    pub fn is_writing(&self) -> bool {
        matches!(self, Self::Writing(_))
    }

    /// Whether the state is [`Self::Ready`]: the object matched its desired state in the last read.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the state is [`Self::Deleted`]: the step has no object.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted(_))
    }

    /// Whether the step does not change without a request or a repair of drift.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Ready(_) | Self::Blocked { .. } | Self::Deleted(_) => true,
            Self::Waiting(_) | Self::Writing(_) | Self::InProgress { .. } | Self::Backoff { .. } => false,
        }
    }

    /// Why the step is blocked; `None` if it is not.
    pub fn blocked(&self) -> Option<&Cause> {
        if let Self::Blocked { cause, .. } = self { Some(cause) } else { None }
    }

    /// The last failure, while the step waits for its retry; `None` in other states.
    pub fn failing(&self) -> Option<&Cause> {
        if let Self::Backoff { cause, .. } = self { Some(cause) } else { None }
    }

    /// The operation to poll; `None` if no operation is in progress, or Azure gave no poll URL.
    pub fn operation(&self) -> Option<&Poll> {
        if let Self::InProgress { operation, .. } = self { operation.as_ref() } else { None }
    }

    /// When the next poll or attempt is due; `None` for states without such a time.
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

/// The effort of one step generation: what was sent, and how often and how long it was tried. Each state keeps the
/// effort of the state before; the next step generation starts from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// When this step generation began, or its current streak of failures.
    pub since: Timestamp,
    /// How many writes and deletes of this step generation Azure accepted.
    pub attempts: u32,
    /// Whether the last write or delete of this step generation was answered with success: a read that does not show it
    /// is then stale.
    pub written: bool,
    /// The differences found before this step generation's last write: JSON pointers, `absent` or `deleted`.
    pub found: Vec<String>,
    /// How many failures there were in a row; determines the back-off.
    pub failures: u32,
    /// How many answers had an error code that is not in the table of errors; their retries are limited.
    pub unknown: u32,
    /// How long the step has been tried since [`Self::since`], for comparison with the budgets; `None` as long as
    /// nothing was counted.
    pub tried: Option<Tried>,
}

/// Time spent on attempts. Time in which no worker was running, and jumps of the clock, do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The total time so far.
    pub spent: SignedDuration,
    /// When the total was last updated.
    pub at: Timestamp,
}

impl Tried {
    /// The total time so far, for comparison with a budget; zero if it is negative.
    pub fn time(&self) -> Duration {
        Duration::try_from(self.spent).unwrap_or_default()
    }
}

impl Effort {
    /// No effort, for a step generation that begins now.
    pub fn none(since: Timestamp) -> Self {
        Self { since, attempts: 0, written: false, found: Vec::new(), failures: 0, unknown: 0, tried: None }
    }

    /// How many writes and deletes Azure has really processed: those that it accepted, without those that ended in an
    /// unknown code, which says nothing about the object.
    pub fn heeded(&self) -> u32 {
        self.attempts.saturating_sub(self.unknown)
    }

    /// How many attempts have failed. An accepted operation resets the consecutive failures, so all accepted attempts
    /// but the last count as failed.
    pub fn tries(&self) -> u32 {
        self.failures.max(self.attempts.saturating_sub(1))
    }

    /// Records that a write or delete is about to be sent, and the differences that were found. If `found` is empty,
    /// because the object is only written again to be sure, the differences recorded before are kept.
    pub fn send(&mut self, found: Vec<String>) {
        self.written = false;
        if !found.is_empty() {
            self.found = found;
        }
    }

    /// Records that Azure accepted the write or delete that was last sent.
    pub fn carry_out(&mut self) {
        // Failures before the first accepted request no longer count, and neither does the time spent on them.
        if self.attempts == 0 {
            self.failures = 0;
        }
        self.attempts = self.attempts.saturating_add(u32::from(!self.written));
        self.written = true;
    }

    /// Counts one more failure; `is_unknown` if its code is not in the table of errors.
    pub fn fail(&mut self, is_unknown: bool) {
        self.failures = self.failures.saturating_add(1);
        self.unknown = self.unknown.saturating_add(u32::from(is_unknown));
    }

    /// Records that Azure serves other changes first. Such an answer ends the streak of earlier failures, and attempts
    /// that ended in an unknown code no longer count.
    pub fn stand_in_line(&mut self) {
        self.attempts = self.attempts.saturating_sub(std::mem::take(&mut self.unknown));
        self.failures = 0;
    }

    /// Records that Azure shows an operation in progress: requests that were refused with unknown codes before no longer
    /// count, unless the only writes are among them. Each accepted write before the last one can have ended in an unknown
    /// code, so these still count; otherwise a write whose operation always fails would be repeated forever.
    pub fn progress(&mut self) {
        let has_only_read = self.attempts == 0 && self.found.is_empty();
        if self.written || has_only_read {
            self.unknown = self.unknown.min(self.attempts.saturating_sub(1));
        }
    }

    /// Records that the object matches: earlier failures no longer count.
    pub fn succeed(&mut self) {
        self.failures = 0;
        self.unknown = 0;
    }
}
