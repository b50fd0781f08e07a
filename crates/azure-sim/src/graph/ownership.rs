//! Who created an application or a service principal: the creator may manage it.

use crate::{
    error::CloudError,
    store::{Change, StoreQuery},
};

fn key(id: &str) -> String {
    format!("owner@{}", id.to_lowercase())
}

/// Records the creator of an object. An object without a known creator can be managed by everybody.
pub(crate) fn own(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    match change.caller.clone() {
        Some(caller) => change.take_name(&key(id), &caller),
        None => Ok(()),
    }
}

/// The object id of the creator of an object, if known.
pub(crate) fn owner(view: &impl StoreQuery, id: &str) -> Result<Option<String>, CloudError> {
    view.named(&key(id))
}
