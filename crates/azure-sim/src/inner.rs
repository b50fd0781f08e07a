//! What all services of a running simulated Azure share.

use tokio::sync::watch;

use crate::{
    access::{Access, Used},
    chaos::Chaos,
    clock::{Now, Speed},
    db::Db,
    faults::Faults,
    flaws::Flaws,
    forms::Forms,
    identity::Issuer,
    journal::Journal,
    queue::Queue,
    subscribers::Subscribers,
};

/// What all services share: the state file, the settings, and the data that is kept in memory only.
pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) speed: Speed,
    pub(crate) now: Now,
    pub(crate) strict: bool,
    pub(crate) queue: Option<Queue>,
    pub(crate) issuer: Issuer,
    pub(crate) faults: Faults,
    pub(crate) flaws: Flaws,
    pub(crate) forms: Forms,
    pub(crate) chaos: Chaos,
    pub(crate) journal: Journal,
    pub(crate) access: Option<Access>,
    pub(crate) used: Used,
    pub(crate) subscribers: Subscribers,
    /// Notifies the deliveries to webhooks after each request that has published events.
    pub(crate) published: watch::Sender<()>,
}
