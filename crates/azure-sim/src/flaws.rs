//! Flaws that a test gives to tenants' services: a service admits callers that it should refuse, or does not work. They
//! are kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// Callers that a flawed service admits although it should refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accepts {
    /// Any identity of the directory, also without permission.
    AnyToken,
    NoToken,
    WrongAudience,
    Expired,
    AnyKey,
}

/// Other faulty behaviour of a tenant's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// The service refuses every caller with 403.
    Refuses,
    /// The service cuts the connection without an answer.
    Down,
    /// The model behind the endpoint fails: an admitted caller gets 424.
    ModelFails,
}

/// The flaws of one service, as a test posts them to `/_sim/flaws`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Flawed {
    /// The host name of the service.
    host: String,
    #[serde(default)]
    accepts: Vec<Accepts>,
    #[serde(default, rename = "is")]
    state: Option<State>,
}

/// The current flaws, by lower-case host name of the service.
#[derive(Debug, Default)]
pub(crate) struct Flaws(Mutex<BTreeMap<String, Flawed>>);

impl Flaws {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Flawed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the flaws of a service, and replaces its earlier flaws.
    pub(crate) fn set(&self, flawed: Flawed) {
        self.all().insert(flawed.host.to_lowercase(), flawed);
    }

    /// Removes all flaws of all services.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// The current flaws of all services.
    pub(crate) fn list(&self) -> Vec<Flawed> {
        self.all().values().cloned().collect()
    }

    /// Whether the service with this host name, in lower case, has this faulty behaviour.
    pub(crate) fn has(&self, host: &str, state: State) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.state == Some(state))
    }

    /// Whether the service with this host name, in lower case, admits these callers by mistake.
    pub(crate) fn accepts(&self, host: &str, whom: Accepts) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.accepts.contains(&whom))
    }
}
