//! Errors of the broker.

use crate::db::DbError;

/// Why the broker has not done what a call asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// There is no queue with this name.
    #[error("there is no queue `{0}`")]
    NoSuchQueue(String),
    /// The message has no session id, which this queue requires.
    #[error("the queue `{0}` wants a session id on every message")]
    SessionRequired(String),
    /// The message exceeds a limit of the broker.
    #[error("the message for `{queue}` was refused: {why}")]
    Refused {
        /// The name of the queue.
        queue: String,
        /// Which limit the message exceeds, as a text.
        why: String,
    },
    /// The lock has expired, or its message is already completed or abandoned. Another receiver may have the message by
    /// now.
    #[error("the lock on the message is lost")]
    LockLost,
    /// The broker's file failed. Nothing was changed.
    #[error("the queue could not be saved")]
    Storage(#[from] DbError),
}
