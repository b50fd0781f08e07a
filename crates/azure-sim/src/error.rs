//! Why the simulated Azure can't work.

use crate::db::DbError;

/// Why the simulated Azure can't work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloudError {
    /// The state file can't be opened, read or written.
    #[error("the simulated Azure can't use its state file")]
    Db(#[from] DbError),
    /// A record in the state file is not what this version writes; remove the file to begin anew.
    #[error("the simulated Azure can't read a record of its state file ({0}); remove the file to begin anew")]
    Record(String),
    /// Not a speed.
    #[error("{0:?} is not a speed: give \"max\", or a positive number that Azure's durations are divided by")]
    Speed(String),
    /// Not a webhook that may be delivered to.
    #[error(
        "{0:?} is no webhook of this machine: give its http address, for example http://127.0.0.1:8090/events"
    )]
    Subscriber(String),
    /// The listener failed.
    #[error("the simulated Azure can't serve: {0}")]
    Serve(String),
}
