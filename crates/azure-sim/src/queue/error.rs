//! Errors of the broker.

use crate::db::DbError;

/// Why the broker refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// No such queue.
    #[error("there is no queue `{0}`")]
    NoSuchQueue(String),
    /// A message for a queue with sessions has none.
    #[error("the queue `{0}` wants a session id on every message")]
    SessionRequired(String),
    /// The message exceeds a limit of the broker.
    #[error("the message for `{queue}` was refused: {why}")]
    Refused {
        /// The queue.
        queue: String,
        /// Which limit.
        why: String,
    },
    /// The lock has expired or was settled; another receiver may have the message by now.
    #[error("the lock on the message is lost")]
    LockLost,
    /// The state file failed; nothing was changed.
    #[error("the queue could not be saved")]
    Storage(#[from] DbError),
}
