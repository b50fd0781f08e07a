//! Flaws of tenants' services that a test asks for, kept in memory: whom a service lets in that it should not.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// Whom a service lets in by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accepts {
    /// Anybody of the directory.
    AnyToken,
    NoToken,
    WrongAudience,
    Expired,
    AnyKey,
}

/// How else a service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nobody is let in.
    Refuses,
    /// Nobody is answered.
    Down,
    /// What is behind the endpoint answers with an error.
    ModelFails,
}

/// What is wrong with one service.
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

    /// From now on this holds for its service, and nothing that was set before.
    pub(crate) fn set(&self, flawed: Flawed) {
        self.all().insert(flawed.host.to_lowercase(), flawed);
    }

    /// Mends all.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// Those in force.
    pub(crate) fn list(&self) -> Vec<Flawed> {
        self.all().values().cloned().collect()
    }

    /// Whether a service behaves like this.
    pub(crate) fn has(&self, host: &str, state: State) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.state == Some(state))
    }

    /// Whether a service lets these in.
    pub(crate) fn accepts(&self, host: &str, whom: Accepts) -> bool {
        self.all().get(host).is_some_and(|flawed| flawed.accepts.contains(&whom))
    }
}
