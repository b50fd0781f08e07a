//! Faults that a test injects, kept in memory: another answer, no answer, a failing operation, or a resource that is
//! shown in a provisioning state other than its own.

use crate::{call::Call, store::Failure};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer instead of the service's. Nothing is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<Value>,
}

/// Which requests a fault hits; what is absent matches all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Match {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path_contains: Option<String>,
}

/// A fault, as a test posts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(default, rename = "match")]
    hits: Match,
    /// How many requests it hits.
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    pub(crate) answer: Option<Answer>,
    /// Whether the request is carried out and the connection cut without an answer.
    #[serde(default)]
    pub(crate) drop_reply: bool,
    #[serde(default)]
    pub(crate) fail_operation: Option<Failure>,
    /// The provisioning state that an answer shows instead of the resource's own.
    #[serde(default)]
    pub(crate) show_state: Option<String>,
}

const fn once() -> u32 {
    1
}

impl Fault {
    fn is_hit_by(&self, call: &Call) -> bool {
        let method = self.hits.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&call.method));
        let path = self.hits.path_contains.as_ref();
        // Only a change starts an operation that could fail.
        let fits = call.mutates() || self.fail_operation.is_none();
        fits && method && path.is_none_or(|part| call.target().to_lowercase().contains(&part.to_lowercase()))
    }
}

/// The faults in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    fn all(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault.
    pub(crate) fn add(&self, fault: Fault) {
        self.all().push(fault);
    }

    /// Removes all faults.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// The faults still in force.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.all().clone()
    }

    /// The first fault that matches a request. It counts as one of its times.
    pub(crate) fn take(&self, call: &Call) -> Option<Fault> {
        let mut all = self.all();
        let at = all.iter().position(|fault| fault.times > 0 && fault.is_hit_by(call))?;
        let fault = all.get_mut(at)?;
        fault.times -= 1;
        let taken = fault.clone();
        all.retain(|fault| fault.times > 0);
        Some(taken)
    }
}
