//! Settings of a simulated Azure.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    access::Access,
    clock::{Now, Speed},
    queue::Queue,
};

/// Settings of a simulated Azure.
#[derive(Clone)]
pub struct CloudSettings {
    /// The path of the redb file with the state; created if it does not exist.
    pub data: PathBuf,
    /// How fast long-running operations and replication are.
    pub speed: Speed,
    /// The function that returns the current time.
    pub now: Now,
    /// Whether a request needs a valid token that the simulated Azure has issued for the requested service. If `false`,
    /// any token is accepted, and none is needed.
    pub strict: bool,
    /// The lifetime of a token, in whole seconds. A token of an application is valid for at most an hour.
    pub token_life: Duration,
    /// The Service Bus queues. If `None`, there are no queues, and messages to queues are refused.
    pub queue: Option<Queue>,
    /// The known identities and their role assignments. If `None`, every caller may do everything.
    pub access: Option<Access>,
}

/// The default lifetime of a token: that of Entra's tokens for managed identities.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudSettings")
            .field("data", &self.data)
            .field("speed", &self.speed)
            .finish_non_exhaustive()
    }
}

impl CloudSettings {
    /// The default settings: operations take no time, any token is accepted, every caller may do everything, and there
    /// are no queues.
    pub fn new(data: impl Into<PathBuf>, now: Now) -> Self {
        let data = data.into();
        Self {
            data,
            speed: Speed::Max,
            now,
            strict: false,
            token_life: TOKEN_LIFE,
            queue: None,
            access: None,
        }
    }

    /// Sets how fast long-running operations and replication are.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Sets whether a request needs a valid token that the simulated Azure has issued.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets the lifetime of tokens.
    #[must_use]
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// Sets the known identities and their role assignments; other requests to Resource Manager and Graph are refused.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Sets the Service Bus queues.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = Some(queue);
        self
    }
}
