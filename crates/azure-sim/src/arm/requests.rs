//! Resource Manager's requests: each goes to the file of what its path speaks of.

use crate::{
    activity, api_version,
    arm::{
        delete::delete,
        providers,
        put::put,
        read::{contents, list, show},
        target::{Target, target},
    },
    call::Call,
    operations::polls,
    reply::{Outcome, Reply, refuse},
    roles,
    stamp::SUBSCRIPTION_ID,
    store::{Change, Snapshot},
};

/// Answers a GET or HEAD.
pub(crate) fn read(look: &Snapshot, call: &Call) -> Outcome {
    match target(call)? {
        Target::Subscription => {
            let id = format!("/subscriptions/{SUBSCRIPTION_ID}");
            api_version::check(call, "subscriptions", "2022-12-01")?;
            Ok(Reply::json(
                200,
                serde_json::json!({ "id": id, "subscriptionId": SUBSCRIPTION_ID, "displayName": "Local", "state": "Enabled" }),
            ))
        }
        Target::RoleAssignment { scope, name } => roles::read_assignment(look, call, &scope, name.as_deref()),
        Target::RoleDefinition { name } => roles::read_definition(look, call, name.as_deref()),
        Target::Provider { namespace, register: false } => providers::answer(call, &namespace),
        Target::Poll { operation, by_status } => polls::poll(look, call, &operation, by_status),
        Target::Deleted(deleted) if deleted.purges => not_allowed(call),
        Target::Deleted(deleted) => deleted.read(look, call),
        Target::Resource(kind, place) => show(look, call, kind.profile(), &place),
        Target::Collection(kind, place) => list(look, call, kind.profile(), &place),
        Target::GroupContents(place) => contents(look, call, &place),
        Target::ActivityLog => activity::list(look, call),
        Target::Provider { register: true, .. } => not_allowed(call),
    }
}

/// Carries out a PUT, DELETE or POST.
pub(crate) fn change(change: &mut Change<'_>, call: &Call) -> Outcome {
    match (call.method.as_str(), target(call)?) {
        ("PUT", Target::Resource(kind, place)) => put(change, call, kind, &place),
        ("DELETE", Target::Resource(kind, place)) => delete(change, call, kind, &place),
        ("PUT", Target::RoleAssignment { scope, name: Some(name) }) => {
            roles::assign(change, call, &scope, &name)
        }
        ("DELETE", Target::RoleAssignment { scope, name: Some(name) }) => {
            roles::unassign(change, call, &scope, &name)
        }
        ("POST", Target::Provider { namespace, register: true }) => providers::answer(call, &namespace),
        (method, Target::Deleted(deleted)) if deleted.is_purged_by(method) => deleted.purge(change, call),
        (
            _,
            Target::Subscription
            | Target::RoleAssignment { .. }
            | Target::RoleDefinition { .. }
            | Target::Provider { .. }
            | Target::Poll { .. }
            | Target::Deleted(_)
            | Target::Resource(..)
            | Target::Collection(..)
            | Target::GroupContents(_)
            | Target::ActivityLog,
        ) => not_allowed(call),
    }
}

fn not_allowed<T>(call: &Call) -> Outcome<T> {
    let message =
        format!("The resource at '{}' does not support the HTTP method '{}'.", call.path, call.method);
    refuse(405, "MethodNotAllowed", message)
}
