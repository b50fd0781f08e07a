//! Applies the rules to planned steps, to rendered steps, and to each request just before it is sent. The rules are the
//! same each time, so that a value that becomes known late is judged like an early one.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    BadField, Kind, ResourceType,
    desired::{ArmResource, Desired, Part},
    forbidden,
    hand::AtHand,
    rules::{Objection, member, role, scope, secret, text},
};
use crate::{
    compare,
    ids::{ResourceId, segment_objection},
    spelling::lowered,
};

/// The objections to a step; `hand` has the ids that the step's tenant may use. Values that are not known yet are null,
/// and are judged when the step is rendered.
pub(super) fn step<T: Part, B: Part>(step: &Desired<T, B>, hand: &AtHand) -> Vec<Objection> {
    let mut objections = Vec::new();
    match step {
        Desired::Arm(resource) => written(resource, None, hand, &mut objections),
        Desired::ArmUpdate(update) => {
            written(&update.resource, update.undo.as_ref(), hand, &mut objections);
        }
        Desired::RoleAssignment(grant) => {
            objections.extend(grant.role_definition_id.known().as_str().and_then(role));
            objections.extend(granted_at(grant.scope.as_str(), hand));
        }
        Desired::Check(check) => objections.extend(read(check.id.as_str(), hand)),
        Desired::EntraApplication(_)
        | Desired::ServicePrincipal(_)
        | Desired::FederatedCredential(_)
        | Desired::Isolation(_) => {}
    }
    if !matches!(step, Desired::Check(_) | Desired::Isolation(_)) {
        value("", &step.to_json(), &mut objections);
    }
    objections
}

/// The objections to a step with a field that does not fit its kind: an objection to this field, and those of the rules
/// for all fields.
pub(super) fn unfit(kind: Kind, fields: &Value, bad: &BadField, hand: &AtHand) -> Vec<Objection> {
    let text = bad.written(fields);
    let of_id = match (kind, bad.name.as_str()) {
        (Kind::RoleAssignment, "scope") => granted_at(text, hand),
        (Kind::Arm | Kind::ArmUpdate | Kind::Check, "id") => read(text, hand),
        _ => None,
    };
    let first = of_id.unwrap_or_else(|| Objection { code: "bad-field", message: bad.to_string(), hint: "" });
    let mut objections = vec![first];
    if !matches!(kind, Kind::Check | Kind::Isolation) {
        value("", fields, &mut objections);
    }
    objections
}

/// Judges a resource that a step writes: its id, the ids that its body and the body of an undo name, and its location.
fn written<B: Part>(
    resource: &ArmResource<B>,
    undo: Option<&B>,
    hand: &AtHand,
    objections: &mut Vec<Objection>,
) {
    objections.extend(target(&resource.id, hand));
    let body = resource.body.known();
    let undo = undo.map(Part::known);
    let bodies = std::iter::once(&*body).chain(undo.as_deref());
    objections.extend(links(&resource.resource_type, bodies, hand));
    objections.extend(location(&body));
}

/// Judges a step's requests just before they are sent.
#[derive(Debug, Clone)]
pub struct Guard {
    kind: Kind,
    removes: bool,
    hand: Arc<AtHand>,
}

impl Guard {
    /// The guard of the requests of a step of this kind. `removes` says whether the step is marked for deletion: its
    /// object may no longer be in the plan.
    pub fn new(kind: Kind, removes: bool, hand: Arc<AtHand>) -> Self {
        Self { kind, removes, hand }
    }

    /// Why a request must not be sent, or `None` if it may be. `about` is the resource in the request's path; `writes`
    /// says whether the request changes something.
    pub fn objection(
        &self,
        about: Option<&ResourceId>,
        writes: bool,
        body: Option<&Value>,
    ) -> Option<Objection> {
        let mut objections = Vec::new();
        if let Some(id) = about {
            objections.extend(self.hand.is_foreign(id).then(|| foreign(id)));
            objections.extend(self.of_id(id, writes, body));
        }
        if let Some(body) = body.filter(|_| writes) {
            value("", body, &mut objections);
            if let Some(of) = about.and_then(ResourceId::resource_type) {
                objections.extend(links(&of, [body], &self.hand));
            }
        }
        objections.into_iter().next()
    }

    fn of_id(&self, id: &ResourceId, writes: bool, body: Option<&Value>) -> Option<Objection> {
        match (self.kind, writes) {
            (Kind::RoleAssignment, true) => {
                let is_one =
                    id.resource_type().is_some_and(|of| of.eq_ignore_ascii_case(super::ROLE_ASSIGNMENTS));
                if !is_one {
                    return Some(outside(id.as_str()));
                }
                let desired = body.and_then(|body| body.pointer("/properties/roleDefinitionId")?.as_str());
                let owned = self.removes || self.hand.is_own(id);
                desired.and_then(role).or_else(|| (!owned).then(|| outside(id.as_str())))
            }
            (Kind::Arm | Kind::ArmUpdate, true) => forbidden::objection_to(id).map(forbids).or_else(|| {
                let makes = body.is_some() && !self.removes;
                (makes && !self.hand.is_own(id)).then(|| not_planned(id))
            }),
            (Kind::Check, _) => (writes || !self.hand.may_be_read(id)).then(|| not_at_hand(id.as_str())),
            (Kind::RoleAssignment | Kind::Arm | Kind::ArmUpdate, false) => None,
            // The Entra kinds send requests to Microsoft Graph only, and a step of kind `isolation` sends none.
            (
                Kind::EntraApplication | Kind::ServicePrincipal | Kind::FederatedCredential | Kind::Isolation,
                _,
            ) => None,
        }
    }
}

fn target(id: &ResourceId, hand: &AtHand) -> Option<Objection> {
    if hand.is_foreign(id) { Some(foreign(id)) } else { forbidden::objection_to(id).map(forbids) }
}

fn granted_at(text: &str, hand: &AtHand) -> Option<Objection> {
    if let Some(objection) = scope(text) {
        return Some(objection);
    }
    match text.parse::<ResourceId>() {
        Ok(id) if hand.is_own(&id) => None,
        Ok(_) | Err(_) => Some(outside(text)),
    }
}

fn read(text: &str, hand: &AtHand) -> Option<Objection> {
    match text.parse::<ResourceId>() {
        Ok(id) if hand.may_be_read(&id) => None,
        Ok(_) => Some(not_at_hand(text)),
        Err(why) => Some(bad_id(text, &why.to_string())),
    }
}

/// Judges the ids of other resources that bodies name and that the sender needs a right on. Each has to be the tenant's
/// own or named in its stamp; otherwise a request could use another tenant's identity, storage or network.
fn links<'a>(of: &str, bodies: impl IntoIterator<Item = &'a Value>, hand: &AtHand) -> Vec<Objection> {
    let row = ResourceType::find(of);
    let mut named = Vec::new();
    for holder in bodies {
        for link in row.map_or(&[][..], |row| row.links) {
            let segments: Vec<&str> = link.at.split('/').skip(1).collect();
            collect(holder, &segments, &mut named);
        }
        let identities = compare::member(holder, "identity")
            .and_then(|identity| compare::member(identity, "userAssignedIdentities"))
            .and_then(Value::as_object);
        named.extend(identities.into_iter().flat_map(|all| all.keys().map(String::as_str)));
    }
    let strange = named.into_iter().filter(|text| !text.is_empty()).filter(|text| match text.parse() {
        Ok(id) => !hand.may_be_read(&id),
        Err(_) => true,
    });
    strange
        .map(|text| Objection {
            code: "foreign-link",
            message: format!(
                "it names `{}`, which is neither this tenant's nor named in its stamp",
                shown(text)
            ),
            hint: "",
        })
        .collect()
}

fn collect<'a>(value: &'a Value, segments: &[&str], found: &mut Vec<&'a str>) {
    let Some((first, rest)) = segments.split_first() else {
        found.extend(value.as_str());
        return;
    };
    match value {
        Value::Array(items) if *first == "*" => items.iter().for_each(|item| collect(item, rest, found)),
        Value::Object(_) => {
            if let Some(inside) = compare::member(value, first) {
                collect(inside, rest, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}

/// Judges the location, which becomes part of the URL for purging a soft-deleted resource.
fn location(body: &Value) -> Option<Objection> {
    let written = compare::member(body, "location")?.as_str()?;
    let why = segment_objection(&written.replace(' ', ""))?;
    Some(bad_id(written, &format!("a location {why}")))
}

/// Adds the objections to a member's value, and to all values in it.
pub(super) fn value(name: &str, value_of_it: &Value, objections: &mut Vec<Objection>) {
    objections.extend(secret(name, value_of_it));
    // These texts describe the tenant to people. They are displayed and never fetched, so they may contain any URL.
    let about_oneself = ["tags", "displayName", "friendlyName", "description"];
    let is_free = about_oneself.iter().any(|free| free.eq_ignore_ascii_case(name));
    if !is_free {
        objections.extend(member(name, value_of_it));
        objections.extend(value_of_it.as_str().and_then(text));
    }
    match value_of_it {
        Value::Object(members) => {
            objections.extend(written_twice(members).into_iter().map(twice));
            for (key, inside) in members {
                if is_free {
                    objections.extend(secret(key, inside));
                } else {
                    value(key, inside, objections);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| value(name_of_items(name), item, objections)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names of members that a member before has too, written with other capitals.
fn written_twice(members: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_by(|one, other| lowered(one).cmp(lowered(other)));
    let pairs = names.iter().zip(names.iter().skip(1));
    pairs.filter(|(one, other)| one.eq_ignore_ascii_case(other)).map(|(_, other)| *other).collect()
}

/// The member name by which the items of a list are judged: items of `tags` count as tags, all others have no name.
fn name_of_items(name: &str) -> &str {
    if name.eq_ignore_ascii_case("tags") { name } else { "" }
}

fn twice(name: &str) -> Objection {
    let message =
        format!("`{}` is there twice, written with other capitals; Azure takes both for one", shown(name));
    Objection { code: "duplicate-member", message, hint: "keep one of them" }
}

fn bad_id(text: &str, why: &str) -> Objection {
    Objection { code: "bad-id", message: format!("`{}`: {why}", shown(text)), hint: "" }
}

fn foreign(id: &ResourceId) -> Objection {
    let message = format!("`{}` lies in another subscription than the stamp", shown(id.as_str()));
    Objection { code: "foreign-subscription", message, hint: "" }
}

fn forbids(why: &'static str) -> Objection {
    let message = format!("no step makes a resource of this type: {why}");
    Objection { code: "forbidden-type", message, hint: "" }
}

fn not_planned(id: &ResourceId) -> Objection {
    let message = format!("`{}` is no resource of this tenant's plan", shown(id.as_str()));
    Objection { code: "foreign-target", message, hint: "" }
}

fn outside(target: &str) -> Objection {
    let message = format!("the scope `{}` is no resource of this tenant", shown(target));
    Objection { code: "scope-outside-tenant", message, hint: "" }
}

fn not_at_hand(text: &str) -> Objection {
    let message = format!("`{}` is neither this tenant's nor named in its stamp", shown(text));
    Objection { code: "id-outside-tenant", message, hint: "" }
}

/// A text from a request as a message may repeat it: without control characters, at most 200 characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
