//! Who has made an application or a service principal: that one may manage it.

use crate::{
    error::CloudError,
    store::{Change, Look},
};

fn key(id: &str) -> String {
    format!("owner@{}", id.to_lowercase())
}

/// Notes who has made an object; what nobody in particular has made is everybody's.
pub(crate) fn own(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    match change.caller.clone() {
        Some(caller) => change.take_name(&key(id), &caller),
        None => Ok(()),
    }
}

/// The object id of whoever has made an object, where that is known.
pub(crate) fn owner(look: &impl Look, id: &str) -> Result<Option<String>, CloudError> {
    look.named(&key(id))
}
