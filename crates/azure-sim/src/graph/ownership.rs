//! Records who has created an application or a service principal. With the role `Application.ReadWrite.OwnedBy` only
//! the creator may manage the object.

use crate::{
    error::CloudError,
    store::{Change, StoreQuery},
};

fn key(id: &str) -> String {
    format!("owner@{}", id.to_lowercase())
}

/// Records the caller of a change as the creator of the object with this id. An unknown caller is not recorded; then
/// every caller may manage the object.
pub(crate) fn own(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    match change.caller.clone() {
        Some(caller) => change.take_name(&key(id), &caller),
        None => Ok(()),
    }
}

/// The object id of the identity that has created the object with this id, if known.
pub(crate) fn owner(view: &impl StoreQuery, id: &str) -> Result<Option<String>, CloudError> {
    view.named(&key(id))
}
