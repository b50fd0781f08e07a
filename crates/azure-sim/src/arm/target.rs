//! Parses the path of a request to Resource Manager.

use uuid::Uuid;

use crate::{
    arm::deleted::Deleted,
    call::Call,
    operations::polls,
    path::{ResourcePath, segments},
    reply::{Outcome, Refusal, Stop, refuse},
    resources::{registry, resource_type::ResourceType},
    stamp::SUBSCRIPTION_ID,
};

/// What the path of a request refers to.
pub(super) enum Target {
    Subscription,
    /// A role assignment at a scope; all of them if `name` is `None`.
    RoleAssignment {
        scope: String,
        name: Option<String>,
    },
    /// A role definition, whatever the scope; all of them if `name` is `None`.
    RoleDefinition {
        name: Option<String>,
    },
    Provider {
        namespace: String,
        register: bool,
    },
    Poll {
        operation: String,
        by_status: bool,
    },
    /// A soft-deleted resource.
    Deleted(Deleted),
    Resource(&'static dyn ResourceType, ResourcePath),
    Collection(&'static dyn ResourceType, ResourcePath),
    GroupContents(ResourcePath),
    ActivityLog,
}

/// Parses the path of a request.
pub(super) fn target(call: &Call) -> Outcome<Target> {
    // A segment with an encoded slash is refused, because its decoded id could be that of another resource.
    let whole = |parts: &Vec<String>| parts.iter().all(|part| !part.contains('/'));
    let parts = segments(&call.path).filter(whole).ok_or_else(|| unknown(call))?;
    let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    check_subscription(&lower, &parts)?;
    if let Some(found) = authorization(&lower, &parts) {
        return Ok(found);
    }
    if let Some(found) = Deleted::parse(&lower) {
        return Ok(Target::Deleted(found));
    }
    Ok(match lower.as_slice() {
        ["subscriptions", _] => Target::Subscription,
        ["subscriptions", _, "providers", _, "locations", _, kind, operation]
        | ["subscriptions", _, kind @ "operationresults", operation]
            if polls::is_status(kind).is_some() =>
        {
            let by_status = polls::is_status(kind) == Some(true);
            Target::Poll { operation: (*operation).to_owned(), by_status }
        }
        ["subscriptions", _, "providers", "microsoft.insights", "eventtypes", "management", "values"] => {
            Target::ActivityLog
        }
        ["subscriptions", _, "providers", _] => {
            Target::Provider { namespace: parts[3].clone(), register: false }
        }
        ["subscriptions", _, "providers", _, "register"] => {
            Target::Provider { namespace: parts[3].clone(), register: true }
        }
        ["subscriptions", _, "resourcegroups", group, "resources"] => {
            let group = parts.get(3).cloned().unwrap_or_else(|| (*group).to_owned());
            let path = ResourcePath::parse(&[
                "subscriptions".to_owned(),
                parts[1].clone(),
                "resourceGroups".to_owned(),
                group,
            ]);
            Target::GroupContents(path.ok_or_else(|| unknown(call))?)
        }
        _ => resource(call, &parts)?,
    })
}

fn unknown(call: &Call) -> Stop {
    let message = format!("No HTTP resource was found that matches the request URI '{}'.", call.path);
    Refusal::new(404, "NotFound", message).into()
}

fn check_subscription(lower: &[&str], parts: &[String]) -> Outcome<()> {
    match (lower, parts.get(1)) {
        (["subscriptions", id, ..], Some(written)) if *id != SUBSCRIPTION_ID => {
            if id.parse::<Uuid>().is_err() {
                let message =
                    format!("The provided subscription identifier '{written}' is malformed or invalid.");
                return refuse(400, "InvalidSubscriptionId", message);
            }
            refuse(404, "SubscriptionNotFound", format!("The subscription '{written}' could not be found."))
        }
        _ => Ok(()),
    }
}

fn authorization(lower: &[&str], parts: &[String]) -> Option<Target> {
    let at = lower.windows(2).rposition(|pair| pair == ["providers", "microsoft.authorization"])?;
    let scope: String = parts.iter().take(at).map(|part| format!("/{part}")).collect();
    let name = parts.get(at + 3).cloned();
    match (lower.get(at + 2).copied(), lower.len() <= at + 4) {
        (Some("roleassignments"), true) => Some(Target::RoleAssignment { scope, name }),
        (Some("roledefinitions"), true) => Some(Target::RoleDefinition { name }),
        _ => None,
    }
}

fn resource(call: &Call, parts: &[String]) -> Outcome<Target> {
    let path = ResourcePath::parse(parts).ok_or_else(|| unknown(call))?;
    let Some(kind) = registry::of(&path) else {
        let provider = path.provider.clone().unwrap_or_default();
        if registry::namespace(&provider).is_none() {
            let message = format!("The resource namespace '{provider}' is invalid.");
            return refuse(404, "InvalidResourceNamespace", message);
        }
        let kind = path.types.join("/");
        let message = format!("The resource type '{kind}' could not be found in the namespace '{provider}'.");
        return refuse(404, "InvalidResourceType", message);
    };
    if path.types.len() > path.names.len() {
        return Ok(Target::Collection(kind, path));
    }
    if path.provider.is_some() && path.group.is_none() {
        return Err(unknown(call));
    }
    Ok(Target::Resource(kind, path))
}
