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
    /// The redb file; created if it does not exist.
    pub data: PathBuf,
    /// How fast operations are.
    pub speed: Speed,
    /// The clock.
    pub now: Now,
    /// Whether a request must carry a token that was issued here for the service; else any token is accepted.
    pub strict: bool,
    /// The lifetime of a token, in whole seconds.
    pub token_life: Duration,
    /// The Service Bus queues; without them a message to one is refused.
    pub queue: Option<Queue>,
    /// The role assignments; without them everybody may do everything.
    pub access: Option<Access>,
}

/// The lifetime of Entra's tokens for managed identities.
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
    /// Settings in which nothing takes time, any token is accepted, and there are no queues.
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

    /// Sets the speed.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Sets whether only tokens that were issued here are accepted.
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

    /// Allows only what is granted.
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
