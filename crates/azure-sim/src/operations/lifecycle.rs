//! The effects of a successful operation: its resource becomes ready, soft-deleted or deleted.

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::CloudError,
    graph::managed,
    path::last,
    resources::{body::set_state, registry},
    roles::{self, ids::ASSIGNMENT},
    store::{Change, Object, StoreQuery as _, Work},
};

/// Applies the effect of a successful operation to its resource.
pub(super) fn finish(change: &mut Change<'_>, mut object: Object, work: Work) -> Result<(), CloudError> {
    match work {
        Work::Write => {
            if let Some(kind) = registry::find(&object.kind) {
                if kind.profile().states.is_some() {
                    set_state(&mut object.body, "Succeeded");
                }
                kind.written(change, &mut object, registry::find)?;
            }
            change.put(&object)
        }
        Work::Delete => remove(change, object, false),
        Work::Purge => remove(change, object, true),
    }
}

/// Deletes a resource with its child resources, the role assignments at its scope, and its managed identity. The
/// resource is soft-deleted if its type supports that, unless `purge` is set.
pub(crate) fn remove(change: &mut Change<'_>, mut object: Object, purge: bool) -> Result<(), CloudError> {
    let kind = registry::find(&object.kind).map(|kind| kind.profile());
    let singly = kind.is_some_and(|kind| kind.empties_singly);
    for below in change.under(&format!("{}/", object.key()))? {
        let Some(below) = change.object(&below.id)? else { continue };
        if below.kind == ASSIGNMENT {
            roles::forget(change, &below)?;
        } else if below.deleted.is_none() || !singly {
            remove(change, below, !singly)?;
        }
    }
    let kept = kind.is_some_and(|kind| kind.kept_days.is_some());
    if purge || !kept {
        return delete(change, &object);
    }
    detach(change, &object)?;
    object.busy = None;
    object.deleted = Some(change.now);
    if let Some(at) = expiry(&object) {
        change.expire_at(&object.id, at)?;
    }
    change.put(&object)
}

/// Deletes a resource permanently, whether it is soft-deleted or not, and releases its unique name.
pub(crate) fn delete(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    if object.deleted.is_none() {
        detach(change, object)?;
    }
    if let Some(key) = registry::find(&object.kind)
        .and_then(|kind| kind.profile().name_key(last(&object.id), object.text("/location")))
    {
        change.free_name(&key)?;
    }
    change.forget(&object.id)
}

/// Applies the effects of a deletion on other resources, and deletes the principal of the resource's managed identity.
fn detach(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    if let Some(kind) = registry::find(&object.kind) {
        kind.removed(change, object)?;
        if kind.profile().identity.is_some() {
            managed::forget_managed(change, object.text("/identity/principalId"))?;
        }
    }
    Ok(())
}

/// When a soft-deleted resource will be purged; `None` if it is not soft-deleted.
pub(crate) fn expiry(object: &Object) -> Option<Timestamp> {
    let days = registry::find(&object.kind)?.kept_days(object)?;
    object.deleted?.checked_add(SignedDuration::from_hours(days * 24)).ok()
}
