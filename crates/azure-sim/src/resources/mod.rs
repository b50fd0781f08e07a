//! The resource types that are simulated: one row each, with the functions that are particular to a type.

pub(crate) mod cognitive;
pub(crate) mod endpoint;
pub(crate) mod identity;
pub(crate) mod network;
pub(crate) mod private_endpoint;
pub(crate) mod simple;
mod table;
pub(crate) mod vault;
pub(crate) mod workspace;
pub(crate) mod zone_group;

use crate::{
    call::Call,
    error::CloudError,
    graph::managed,
    operations,
    path::{self, Place},
    reply::Outcome,
    roles::{self, ids::ASSIGNMENT},
    store::{Change, Look as _, Object},
};
use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::table::{GROUPS, GROUPS_VERSION};

/// How a PUT is answered and followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done at once; the status of a creation.
    Done(u16),
    /// 202 with `Location` and no body; an update only if `updates`, otherwise that is done at once.
    Location { updates: bool },
    /// 201 or 200 with the body and `Azure-AsyncOperation`.
    Status,
    /// The status of a creation, or 200, with the body; the resource itself tells when it is ready.
    Resource(u16),
    /// It can only be read.
    Refused,
}

/// Where a name must be the only one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unique {
    /// Only within its parent.
    Parent,
    /// In a region, over all customers.
    Region,
    /// In the world.
    World,
}

/// A PUT on its way: what is asked for, and what is there.
pub(crate) struct Draft<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) call: &'a Call,
    pub(crate) place: &'a Place,
    pub(crate) id: String,
    /// The caller's body.
    pub(crate) body: Value,
    /// The living resource that is changed.
    pub(crate) before: Option<Object>,
    /// The living resource that it is a part of.
    pub(crate) parent: Option<Object>,
    pub(crate) tenant: Option<String>,
}

impl Draft<'_> {
    /// The text at a JSON pointer into the caller's body, or nothing.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The text at the same place of what is there already.
    pub(crate) fn text_before(&self, pointer: &str) -> Option<&str> {
        self.before.as_ref().map(|before| before.text(pointer))
    }
}

/// What is particular about one resource type.
pub(crate) struct Kind {
    /// `Namespace/type/subtype`, in Azure's own spelling.
    pub(crate) name: &'static str,
    /// The one api-version that is simulated.
    pub(crate) version: &'static str,
    /// Whether a name is allowed, and the rule in words.
    pub(crate) names: (fn(&str) -> bool, &'static str),
    /// Azure's usual seconds for creating, changing and removing one.
    pub(crate) seconds: (u32, u32, u32),
    /// How a PUT is answered.
    pub(crate) answer: Answer,
    /// Whether a DELETE is followed by `Location` rather than done at once.
    pub(crate) slow_delete: bool,
    /// `provisioningState` while being created, changed and removed; `None` if it has no such property.
    pub(crate) states: Option<[&'static str; 3]>,
    /// Where its name must be unique.
    pub(crate) unique: Unique,
    /// Whether it has a location.
    pub(crate) located: bool,
    /// Whether it shows `systemData`.
    pub(crate) system_data: bool,
    /// Whether it can have identities, and the type that it gets when the body is silent.
    pub(crate) identity: Option<&'static str>,
    /// For how many days it is kept after a deletion.
    pub(crate) kept_days: Option<i64>,
    /// Refuses a PUT; writes nothing.
    pub(crate) check: fn(&Change<'_>, &Draft<'_>) -> Outcome<()>,
    /// Refuses a DELETE; writes nothing.
    pub(crate) check_delete: fn(&Change<'_>, &Object) -> Outcome<()>,
    /// Completes the body with what the service adds.
    pub(crate) fill: fn(&mut Change<'_>, &Draft<'_>, &mut Value) -> Result<(), CloudError>,
    /// What happens when an operation is about to start.
    pub(crate) starting: fn(&mut Change<'_>, &Object) -> Result<(), CloudError>,
    /// What happens when a PUT's operation has succeeded.
    pub(crate) written: fn(&mut Change<'_>, &mut Object) -> Result<(), CloudError>,
    /// What happens to others when it is gone, softly or for good.
    pub(crate) removed: fn(&mut Change<'_>, &Object) -> Result<(), CloudError>,
}

impl Kind {
    /// All types.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        table::KINDS.iter()
    }

    /// The row of a type, compared without case.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        Self::all().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// The namespace of its provider.
    pub(crate) fn namespace(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The key under which a name is taken, if it must be unique beyond its parent.
    pub(crate) fn name_key(&self, name: &str, location: &str) -> Option<String> {
        let place = match self.unique {
            Unique::Parent => return None,
            Unique::Region => location,
            Unique::World => "world",
        };
        Some(format!("{}@{place}/{name}", self.name).to_lowercase())
    }
}

/// How an operation has ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The resource is there.
    Written,
    /// It is gone; softly if its type is kept.
    Deleted,
    /// It is gone for good.
    Purged,
}

/// Carries out the end of an operation.
pub(crate) fn end(change: &mut Change<'_>, mut object: Object, ending: Ending) -> Result<(), CloudError> {
    match ending {
        Ending::Written => {
            if let Some(kind) = Kind::find(&object.kind) {
                if kind.states.is_some() {
                    operations::set_state(&mut object.body, "Succeeded");
                }
                (kind.written)(change, &mut object)?;
            }
            change.put(&object)
        }
        Ending::Deleted => remove(change, object, false),
        Ending::Purged => remove(change, object, true),
    }
}

/// Removes a resource with all that lies below it: parts, assignments at its scope, its identity.
pub(crate) fn remove(change: &mut Change<'_>, mut object: Object, purge: bool) -> Result<(), CloudError> {
    let is_group = object.kind == GROUPS;
    for below in change.under(&format!("{}/", object.key()))? {
        let Some(below) = change.object(&below.id)? else { continue };
        if below.kind == ASSIGNMENT {
            roles::forget(change, &below)?;
        } else if below.deleted.is_none() || !is_group {
            // What lies in a removed group is removed as if asked for singly: softly, where its type is kept.
            remove(change, below, !is_group)?;
        }
    }
    let kind = Kind::find(&object.kind);
    let kept = kind.is_some_and(|kind| kind.kept_days.is_some());
    if purge || !kept {
        return erase(change, &object);
    }
    vanish(change, &object)?;
    object.busy = None;
    object.deleted = Some(change.now);
    if let Some(at) = expiry(&object) {
        change.expire_at(&object.id, at)?;
    }
    change.put(&object)
}

/// Forgets a resource for good and sets its name free.
pub(crate) fn erase(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    if object.deleted.is_none() {
        vanish(change, object)?;
    }
    if let Some(key) = Kind::find(&object.kind)
        .and_then(|kind| kind.name_key(path::last(&object.id), object.text("/location")))
    {
        change.free_name(&key)?;
    }
    change.forget(&object.id)
}

/// What happens around a resource that is no longer there.
fn vanish(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    if let Some(kind) = Kind::find(&object.kind) {
        (kind.removed)(change, object)?;
        if kind.identity.is_some() {
            managed::forget_managed(change, object.text("/identity/principalId"))?;
        }
    }
    Ok(())
}

/// When a soft-deleted resource is erased.
pub(crate) fn expiry(object: &Object) -> Option<Timestamp> {
    let days = object.body.pointer("/properties/softDeleteRetentionInDays").and_then(Value::as_i64);
    let days = days.or_else(|| Kind::find(&object.kind)?.kept_days)?;
    object.deleted?.checked_add(jiff::SignedDuration::from_hours(days * 24)).ok()
}
