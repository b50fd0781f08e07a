//! Errors of the simulated Azure.

use crate::db::DbError;

/// An error of the simulated Azure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloudError {
    /// The state file can't be opened, read or written.
    #[error("the simulated Azure can't use its state file")]
    Db(#[from] DbError),
    /// A record in the state file does not have this version's format; delete the file to start again.
    #[error(
        "the simulated Azure can't read a record of its state file ({0}); delete the file to start again"
    )]
    Record(String),
    /// This text is not a speed: neither `max` nor a positive number.
    #[error("{0:?} is not a speed: give \"max\", or a positive number that Azure's durations are divided by")]
    Speed(String),
    /// This text is not the http URL of a webhook on this machine.
    #[error(
        "{0:?} is no webhook of this machine: give its http address, for example http://127.0.0.1:8090/events"
    )]
    Subscriber(String),
    /// The simulated Azure can't serve requests or deliver events, for this reason: for example, the listener failed.
    #[error("the simulated Azure can't serve: {0}")]
    Serve(String),
}
