//! Faults that a test injects into chosen requests: another answer, no answer, a failing operation, or a resource that
//! is shown in another provisioning state than its own. They are kept in memory.

use crate::{call::Call, store::Failure};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer that a fault gives instead of the service. The request is not carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Option<Value>,
}

/// Which requests a fault applies to. An absent member matches all requests; texts are compared without case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Match {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path_contains: Option<String>,
}

/// A fault, as a test posts it to `/_sim/faults`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(default, rename = "match")]
    hits: Match,
    /// How many requests the fault applies to before it is removed.
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    pub(crate) answer: Option<Answer>,
    /// Whether the request is carried out, but the connection is cut without an answer.
    #[serde(default)]
    pub(crate) drop_reply: bool,
    #[serde(default)]
    pub(crate) fail_operation: Option<Failure>,
    /// The provisioning state that the answer shows instead of the resource's own. The stored resource is not changed.
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
        // Only a request that changes something starts an operation that could fail.
        let fits = call.mutates() || self.fail_operation.is_none();
        fits && method && path.is_none_or(|part| call.target().to_lowercase().contains(&part.to_lowercase()))
    }
}

/// The faults that still apply, the oldest first.
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

    /// The faults that still apply to requests.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.all().clone()
    }

    /// The oldest fault that matches a request, if there is one. Its remaining `times` are reduced by one, and at zero
    /// it is removed.
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
