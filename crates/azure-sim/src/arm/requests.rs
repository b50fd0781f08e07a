//! Dispatches requests to Resource Manager by what their path refers to.

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

/// Answers a GET or HEAD request to Resource Manager.
pub(crate) fn read(view: &Snapshot, call: &Call) -> Outcome {
    match target(call)? {
        Target::Subscription => {
            let id = format!("/subscriptions/{SUBSCRIPTION_ID}");
            api_version::check(call, "subscriptions", "2022-12-01")?;
            Ok(Reply::json(
                200,
                serde_json::json!({ "id": id, "subscriptionId": SUBSCRIPTION_ID, "displayName": "Local", "state": "Enabled" }),
            ))
        }
        Target::RoleAssignment { scope, name } => roles::read_assignment(view, call, &scope, name.as_deref()),
        Target::RoleDefinition { name } => roles::read_definition(view, call, name.as_deref()),
        Target::Provider { namespace, register: false } => providers::answer(call, &namespace),
        Target::Poll { operation, by_status } => polls::poll(view, call, &operation, by_status),
        Target::Deleted(deleted) if deleted.purges => not_allowed(call),
        Target::Deleted(deleted) => deleted.read(view, call),
        Target::Resource(kind, path) => show(view, call, kind.profile(), &path),
        Target::Collection(kind, path) => list(view, call, kind.profile(), &path),
        Target::GroupContents(path) => contents(view, call, &path),
        Target::ActivityLog => activity::list(view, call),
        Target::Provider { register: true, .. } => not_allowed(call),
    }
}

/// Carries out a PUT, DELETE or POST request to Resource Manager. Other methods are refused.
pub(crate) fn change(change: &mut Change<'_>, call: &Call) -> Outcome {
    match (call.method.as_str(), target(call)?) {
        ("PUT", Target::Resource(kind, path)) => put(change, call, kind, &path),
        ("DELETE", Target::Resource(kind, path)) => delete(change, call, kind, &path),
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
