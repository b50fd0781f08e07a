//! Flaws of tenants' services that a test sets, kept in memory: callers that a service lets in although it should not.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// Callers that a service lets in by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accepts {
    /// Any identity of the directory.
    AnyToken,
    NoToken,
    WrongAudience,
    Expired,
    AnyKey,
}

/// Other faulty behaviour of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Refuses everybody.
    Refuses,
    /// Does not answer.
    Down,
    /// The backend of the endpoint answers with an error.
    ModelFails,
}

/// The flaws of one service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Flawed {
    /// Its host.
    host: String,
    #[serde(default)]
    accepts: Vec<Accepts>,
    #[serde(default, rename = "is")]
    state: Option<State>,
}

/// The flaws in force, by host.
#[derive(Debug, Default)]
pub(crate) struct Flaws(Mutex<BTreeMap<String, Flawed>>);

impl Flaws {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Flawed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the flaws of a service and replaces the earlier ones.
    pub(crate) fn set(&self, flawed: Flawed) {
        self.all().insert(flawed.host.to_lowercase(), flawed);
    }

    /// Removes all flaws.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// The flaws in force.
    pub(crate) fn list(&self) -> Vec<Flawed> {
        self.all().values().cloned().collect()
    }

    /// Whether a service has this behaviour.
    pub(crate) fn has(&self, host: &str, state: State) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.state == Some(state))
    }

    /// Whether a service lets these callers in.
    pub(crate) fn accepts(&self, host: &str, whom: Accepts) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.accepts.contains(&whom))
    }
}
