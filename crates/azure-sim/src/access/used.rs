//! A count of what was asked for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::access::rights::Holder;

/// Which actions were asked for, by whom, and whether they were allowed; for whoever looks at the window.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<BTreeMap<(String, String, bool), u64>>);

impl Used {
    /// Counts a question.
    pub(super) fn note(&self, holder: &Holder, action: &str, allowed: bool) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *used.entry((holder.object_id.clone(), action.to_owned(), allowed)).or_default() += 1;
    }

    /// As JSON, in order.
    pub(crate) fn show(&self) -> Value {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |((principal, action, allowed), times): (&(String, String, bool), &u64)| json!({"principalId": principal, "action": action, "allowed": allowed, "times": times});
        used.iter().map(line).collect()
    }
}
