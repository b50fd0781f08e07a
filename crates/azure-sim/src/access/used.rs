//! Counts the actions that requests to Resource Manager needed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::access::rights::Holder;

/// How often each identity needed each action, and whether it was allowed. Shown by `/_sim/access`.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<BTreeMap<(String, String, bool), u64>>);

impl Used {
    /// Counts one request of an identity that needed an action.
    pub(super) fn note(&self, holder: &Holder, action: &str, allowed: bool) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *used.entry((holder.object_id.clone(), action.to_owned(), allowed)).or_default() += 1;
    }

    /// The counts as JSON, ordered by object id and action.
    pub(crate) fn show(&self) -> Value {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |((principal, action, allowed), times): (&(String, String, bool), &u64)| json!({"principalId": principal, "action": action, "allowed": allowed, "times": times});
        used.iter().map(line).collect()
    }
}
