//! The Resource Manager's front door: which part of ARM a path speaks of.

use crate::{
    activity, api_version,
    call::Call,
    operations,
    path::{Place, segments},
    providers,
    reply::{Outcome, Refusal, Reply, Stop, refuse},
    resources::{self, Kind, cognitive::Kept},
    roles,
    stamp::SUBSCRIPTION_ID,
    store::{Change, Look, Object, Snapshot},
    write,
};
use uuid::Uuid;

/// What a path speaks of.
enum Target {
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
    DeletedVault {
        location: String,
        name: String,
        purge: bool,
    },
    DeletedAccount(Kept),
    Resource(&'static Kind, Place),
    Collection(&'static Kind, Place),
    GroupContents(Place),
    ActivityLog,
}

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
        Target::Poll { operation, by_status } => operations::poll(look, call, &operation, by_status),
        Target::DeletedVault { location, name, purge: false } => {
            resources::vault::read_deleted(look, call, &location, &name)
        }
        Target::DeletedAccount(kept) => kept.read(look, call),
        Target::Resource(kind, place) => show(look, call, kind, &place),
        Target::Collection(kind, place) => list(look, call, kind, &place),
        Target::GroupContents(place) => contents(look, call, &place),
        Target::ActivityLog => activity::list(look, call),
        Target::Provider { register: true, .. } | Target::DeletedVault { purge: true, .. } => {
            not_allowed(call)
        }
    }
}

/// Carries out a PUT, DELETE or POST.
pub(crate) fn change(change: &mut Change<'_>, call: &Call) -> Outcome {
    match (call.method.as_str(), target(call)?) {
        ("PUT", Target::Resource(kind, place)) => write::put(change, call, kind, &place),
        ("DELETE", Target::Resource(kind, place)) => write::delete(change, call, kind, &place),
        ("PUT", Target::RoleAssignment { scope, name: Some(name) }) => {
            roles::assign(change, call, &scope, &name)
        }
        ("DELETE", Target::RoleAssignment { scope, name: Some(name) }) => {
            roles::unassign(change, call, &scope, &name)
        }
        ("POST", Target::Provider { namespace, register: true }) => providers::answer(call, &namespace),
        ("POST", Target::DeletedVault { location, name, purge: true }) => {
            resources::vault::purge(change, call, &location, &name)
        }
        ("DELETE", Target::DeletedAccount(kept)) => kept.purge(change, call),
        (
            _,
            Target::Subscription
            | Target::RoleAssignment { .. }
            | Target::RoleDefinition { .. }
            | Target::Provider { .. }
            | Target::Poll { .. }
            | Target::DeletedVault { .. }
            | Target::DeletedAccount(_)
            | Target::Resource(..)
            | Target::Collection(..)
            | Target::GroupContents(_)
            | Target::ActivityLog,
        ) => not_allowed(call),
    }
}

/// ARM's 404 for a resource.
pub(crate) fn not_found(kind: &str, place: &Place) -> Refusal {
    let named = place.names.join("/");
    let group = place.group.as_deref().unwrap_or_default();
    Refusal::new(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{kind}/{named}' under resource group '{group}' was not found. \
             For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// ARM's 404 for a resource group.
pub(crate) fn no_group(name: &str) -> Refusal {
    Refusal::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
}

fn not_allowed<T>(call: &Call) -> Outcome<T> {
    let message =
        format!("The resource at '{}' does not support the HTTP method '{}'.", call.path, call.method);
    refuse(405, "MethodNotAllowed", message)
}

fn unknown(call: &Call) -> Stop {
    let message = format!("No HTTP resource was found that matches the request URI '{}'.", call.path);
    Refusal::new(404, "NotFound", message).into()
}

fn target(call: &Call) -> Outcome<Target> {
    // A slash that came encoded would make one id look like another.
    let whole = |words: &Vec<String>| words.iter().all(|word| !word.contains('/'));
    let words = segments(&call.path).filter(whole).ok_or_else(|| unknown(call))?;
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    check_subscription(&lower, &words)?;
    if let Some(found) = authorization(&lower, &words) {
        return Ok(found);
    }
    Ok(match lower.as_slice() {
        ["subscriptions", _] => Target::Subscription,
        ["subscriptions", _, "providers", _, "locations", _, word, operation]
        | ["subscriptions", _, word @ "operationresults", operation]
            if operations::is_status(word).is_some() =>
        {
            let by_status = operations::is_status(word) == Some(true);
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
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.keyvault",
            "locations",
            location,
            "deletedvaults",
            name,
            rest @ ..,
        ] if matches!(rest, [] | ["purge"]) => Target::DeletedVault {
            location: (*location).to_owned(),
            name: (*name).to_owned(),
            purge: !rest.is_empty(),
        },
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.cognitiveservices",
            "locations",
            location,
            "resourcegroups",
            group,
            "deletedaccounts",
            name,
        ] => Target::DeletedAccount(Kept::new(location, group, name)),
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
    let name = match place.provider {
        Some(_) => place.kind(),
        None => resources::GROUPS.to_owned(),
    };
    let Some(kind) = Kind::find(&name) else {
        let provider = place.provider.clone().unwrap_or_default();
        if !Kind::all().any(|kind| kind.namespace().eq_ignore_ascii_case(&provider)) {
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

fn show(look: &Snapshot, call: &Call, kind: &'static Kind, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let id = place.id(if place.provider.is_some() { kind.name } else { "" });
    let tenant = look.tenant_at(&id)?;
    match look.alive(&id)? {
        Some(object) if call.method == "HEAD" => Ok(Reply::empty(204).of(object.tenant)),
        Some(object) => Ok(Reply::json(200, object.body).of(tenant)),
        None if call.method == "HEAD" => Ok(Reply::empty(404).of(tenant)),
        None => Ok(absent(look, kind, place)?.arm().of(tenant)),
    }
}

/// The 404 that fits: no group, no parent, or no such resource.
fn absent(look: &impl Look, kind: &'static Kind, place: &Place) -> Outcome<Refusal> {
    let group = place.group.clone().unwrap_or_default();
    let known = match place.group_id() {
        Some(id) => look.alive(&id)?.is_some(),
        None => true,
    };
    if place.provider.is_none() || !known {
        return Ok(no_group(&group));
    }
    if let Some(parent) = place.parent_id()
        && look.alive(&parent)?.is_none()
    {
        return Ok(write::no_parent(&parent));
    }
    Ok(not_found(kind.name, place))
}

fn list(look: &Snapshot, call: &Call, kind: &'static Kind, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let prefix = match (&place.provider, place.parent_of_collection()) {
        (Some(_), Some(parent)) => parent,
        (Some(_), None) => {
            place.group_id().unwrap_or_else(|| format!("/subscriptions/{}", place.subscription))
        }
        (None, _) => format!("/subscriptions/{}/resourceGroups", place.subscription),
    };
    if let Some(id) = place.group_id()
        && look.alive(&id)?.is_none()
    {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    if place.parent_of_collection().is_some() && look.alive(&prefix)?.is_none() {
        return Err(write::no_parent(&prefix).into());
    }
    let of_kind = |object: &Object| object.kind.eq_ignore_ascii_case(kind.name) && object.deleted.is_none();
    page(look, &prefix, of_kind)
}

fn contents(look: &Snapshot, call: &Call, place: &Place) -> Outcome {
    api_version::check(call, "resources", resources::GROUPS_VERSION)?;
    let id = place.group_id().unwrap_or_default();
    if look.alive(&id)?.is_none() {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    let top_level = |object: &Object| {
        object.deleted.is_none()
            && Kind::find(&object.kind).is_some_and(|kind| kind.name.matches('/').count() == 1)
    };
    page(look, &id, top_level)
}

fn page(look: &Snapshot, under: &str, wanted: impl Fn(&Object) -> bool) -> Outcome {
    let mut value = Vec::new();
    for object in look.under(&format!("{}/", under.to_lowercase()))? {
        if wanted(&object) {
            value.push(object.body);
        }
    }
    Ok(Reply::json(200, serde_json::json!({ "value": value })).of(look.tenant_at(under)?))
}

impl Place {
    /// For a collection below a resource: that resource's id.
    fn parent_of_collection(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.id(&self.kind()))
    }
}
