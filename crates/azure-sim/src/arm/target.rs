//! What a path of Resource Manager speaks of.

use uuid::Uuid;

use crate::{
    arm::deleted::Deleted,
    call::Call,
    operations::polls,
    path::{Place, segments},
    reply::{Outcome, Refusal, Stop, refuse},
    resources::{registry, resource_type::ResourceType},
    stamp::SUBSCRIPTION_ID,
};

/// What a path speaks of.
pub(super) enum Target {
    Subscription,
    /// `None` lists.
    RoleAssignment {
        scope: String,
        name: Option<String>,
    },
    /// At whatever scope it is asked for.
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
    /// What its service keeps after a deletion.
    Deleted(Deleted),
    Resource(&'static dyn ResourceType, Place),
    Collection(&'static dyn ResourceType, Place),
    GroupContents(Place),
    ActivityLog,
}

/// Reads a path.
pub(super) fn target(call: &Call) -> Outcome<Target> {
    // A slash that came encoded would make one id look like another.
    let whole = |words: &Vec<String>| words.iter().all(|word| !word.contains('/'));
    let words = segments(&call.path).filter(whole).ok_or_else(|| unknown(call))?;
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    check_subscription(&lower, &words)?;
    if let Some(found) = authorization(&lower, &words) {
        return Ok(found);
    }
    if let Some(found) = Deleted::parse(&lower) {
        return Ok(Target::Deleted(found));
    }
    Ok(match lower.as_slice() {
        ["subscriptions", _] => Target::Subscription,
        ["subscriptions", _, "providers", _, "locations", _, word, operation]
        | ["subscriptions", _, word @ "operationresults", operation]
            if polls::is_status(word).is_some() =>
        {
            let by_status = polls::is_status(word) == Some(true);
            Target::Poll { operation: (*operation).to_owned(), by_status }
        }
        ["subscriptions", _, "providers", "microsoft.insights", "eventtypes", "management", "values"] => {
            Target::ActivityLog
        }
        ["subscriptions", _, "providers", _] => {
            Target::Provider { namespace: words[3].clone(), register: false }
        }
        ["subscriptions", _, "providers", _, "register"] => {
            Target::Provider { namespace: words[3].clone(), register: true }
        }
        ["subscriptions", _, "resourcegroups", group, "resources"] => {
            let group = words.get(3).cloned().unwrap_or_else(|| (*group).to_owned());
            let place = Place::parse(&[
                "subscriptions".to_owned(),
                words[1].clone(),
                "resourceGroups".to_owned(),
                group,
            ]);
            Target::GroupContents(place.ok_or_else(|| unknown(call))?)
        }
        _ => resource(call, &words)?,
    })
}

fn unknown(call: &Call) -> Stop {
    let message = format!("No HTTP resource was found that matches the request URI '{}'.", call.path);
    Refusal::new(404, "NotFound", message).into()
}

fn check_subscription(lower: &[&str], words: &[String]) -> Outcome<()> {
    match (lower, words.get(1)) {
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

fn authorization(lower: &[&str], words: &[String]) -> Option<Target> {
    let at = lower.windows(2).rposition(|pair| pair == ["providers", "microsoft.authorization"])?;
    let scope: String = words.iter().take(at).map(|word| format!("/{word}")).collect();
    let name = words.get(at + 3).cloned();
    match (lower.get(at + 2).copied(), lower.len() <= at + 4) {
        (Some("roleassignments"), true) => Some(Target::RoleAssignment { scope, name }),
        (Some("roledefinitions"), true) => Some(Target::RoleDefinition { name }),
        _ => None,
    }
}

fn resource(call: &Call, words: &[String]) -> Outcome<Target> {
    let place = Place::parse(words).ok_or_else(|| unknown(call))?;
    let Some(kind) = registry::of(&place) else {
        let provider = place.provider.clone().unwrap_or_default();
        if registry::namespace(&provider).is_none() {
            let message = format!("The resource namespace '{provider}' is invalid.");
            return refuse(404, "InvalidResourceNamespace", message);
        }
        let kind = place.types.join("/");
        let message = format!("The resource type '{kind}' could not be found in the namespace '{provider}'.");
        return refuse(404, "InvalidResourceType", message);
    };
    if place.types.len() > place.names.len() {
        return Ok(Target::Collection(kind, place));
    }
    if place.provider.is_some() && place.group.is_none() {
        return Err(unknown(call));
    }
    Ok(Target::Resource(kind, place))
}
