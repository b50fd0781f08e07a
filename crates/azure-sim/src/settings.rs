//! What a simulated Azure needs to start.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    access::Access,
    clock::{Now, Speed},
    queue::Queue,
};

/// What a simulated Azure needs to start.
#[derive(Clone)]
pub struct CloudSettings {
    /// The redb file; made when absent.
    pub data: PathBuf,
    /// How fast operations are.
    pub speed: Speed,
    /// The clock.
    pub now: Now,
    /// Whether a request must carry a token that this cloud has issued for the service; else any token will do.
    pub strict: bool,
    /// How long a token is good; counted in whole seconds.
    pub token_life: Duration,
    /// The Service Bus queues; without them a message to one is refused.
    pub queue: Option<Queue>,
    /// Who may do what; without it everybody may do everything.
    pub access: Option<Access>,
}

/// How long Entra's tokens for managed identities are good.
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
    /// A cloud over this file in which nothing takes time, any token is taken, and there are no queues.
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

    /// The same with another speed.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// The same, taking only tokens that it has issued itself, or any.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The same with tokens that are good for so long.
    #[must_use]
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// The same in which only what is granted is allowed.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// The same with these Service Bus queues.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = Some(queue);
        self
    }
}
