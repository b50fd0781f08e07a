//! Any Azure Resource Manager resource.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    ArmTarget, Comparison, Failure, Method, Remains, Reply, Request, Step, Target, Trace, failure, operation,
    told,
};
use crate::{
    blueprint::{ArmResource, BadField, Outputs, Purge, ResourceType},
    compare,
    ids::{ResourceId, segment_objection},
    pointer,
    tenant::{Cause, FailureClass},
};

/// The tags that say whose a resource is.
const OWNER_TAGS: [&str; 3] = ["tenantry-deployment", "tenantry-tenant", "tenantry-incarnation"];

/// Where a resource is and whose it is: what its removal needs to know.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// What is remembered of it.
    pub(super) target: ArmTarget,
    kind: Option<&'static ResourceType>,
    /// The type's name, of types too that have no row.
    pub(super) type_name: String,
}

impl Place {
    /// The place of a resource that is to be there.
    pub(super) fn new(resource: &ArmResource<Value>) -> Result<Self, Failure> {
        let kind = ResourceType::find(&resource.resource_type);
        let tag = |name: &&str| {
            Some(((*name).to_owned(), resource.body.pointer("/tags")?.get(*name)?.as_str()?.to_owned()))
        };
        let target = ArmTarget {
            id: resource.id.clone(),
            api_version: resource.api_version.clone(),
            resource_type: kind.map(|kind| kind.name.to_owned()),
            location: resource.body.pointer("/location").and_then(Value::as_str).map(str::to_owned),
            owner: OWNER_TAGS.iter().filter_map(tag).collect(),
            serial: network(kind, &resource.body),
        };
        Self { target, kind, type_name: resource.resource_type.clone() }.checked()
    }

    /// The place of a resource that may be there. Its target has no body, and remembers what the body said.
    pub(super) fn remembered(target: ArmTarget) -> Result<Self, Failure> {
        let kind = target.resource_type.as_deref().and_then(ResourceType::find);
        let type_name = target.resource_type.clone();
        let type_name =
            type_name.or_else(|| ResourceType::type_of_id(target.id.as_str())).unwrap_or_default();
        Self { target, kind, type_name }.checked()
    }

    /// The location becomes a part of the address under which a soft-deleted resource is purged.
    fn checked(self) -> Result<Self, Failure> {
        let location = self.target.location.as_ref();
        match location.and_then(|text| segment_objection(&text.replace(' ', ""))) {
            Some(why) => Err(BadField::new("location", why).into()),
            None => Ok(self),
        }
    }

    pub(super) fn request(&self, method: Method) -> Request {
        let request = Request::arm(method, &self.target.id, &self.target.api_version);
        let serial = self.target.serial.clone().filter(|_| request.mutates());
        Request { serial, ..request }
    }

    /// Whether what stands at this pointer can't change once the resource is there.
    fn is_fixed(&self, pointer: &str) -> bool {
        let fixed = self.kind.map_or(&[][..], |kind| kind.immutable);
        fixed.iter().any(|fixed| pointer::is_within(pointer, fixed))
    }

    pub(super) fn whole(&self) -> &'static [&'static str] {
        self.kind.map_or(&[], |kind| kind.carry)
    }

    /// The soft-deleted resource's own id, for types that Azure keeps after deletion.
    fn deleted_id(&self) -> Option<ResourceId> {
        let path = self.kind?.soft_deletion?.path;
        let (subscription, group) = (self.target.id.subscription()?, self.target.id.group()?);
        // People may write "West Europe", and paths may not.
        let location = self.target.location.as_deref()?.replace(' ', "").to_ascii_lowercase();
        let path = path.replace("{location}", &location).replace("{group}", group);
        format!("/subscriptions/{subscription}/{}", path.replace("{name}", self.target.id.name()))
            .parse()
            .ok()
    }

    /// Whose the resource is, if it is not ours.
    pub(super) fn stranger(&self, resource: &Value) -> Option<String> {
        // Names of tags are compared without case, and may come back so.
        let tag = |name: &str| compare::member(compare::member(resource, "tags")?, name)?.as_str();
        let ours = self.target.owner.iter().all(|(name, value)| tag(name) == Some(value.as_str()));
        (!ours).then(|| match tag("tenantry-tenant") {
            Some(tenant) => format!("tenant {}", failure::word(tenant)),
            None => "somebody else: it lacks tenantry's tags".to_owned(),
        })
    }

    /// The resource that a successful look shows; `None` when there is nothing.
    pub(super) fn shown<'a>(&self, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        match reply.status {
            404 => Ok(None),
            200 | 201 if reply.body.is_object() => {
                match compare::member(&reply.body, "id").and_then(Value::as_str) {
                    Some(id) if is_id(id, &self.target.id) => Ok(Some(&reply.body)),
                    Some(_) => Err(Failure::nonsense("the answer is about another resource")),
                    // Nothing may be concluded from it, least of all that the resource is a stranger's.
                    None => Err(Failure::nonsense("the answer shows no resource")),
                }
            }
            200..=299 => Err(Failure::nonsense("the answer shows no resource")),
            _ => Err(failure::classify(reply)),
        }
    }
}

/// Whether a text that a service gave is this id.
pub(super) fn is_id(text: &str, id: &ResourceId) -> bool {
    text.parse::<ResourceId>().is_ok_and(|other| other == *id)
}

/// The virtual network that a write of such a resource changes: its subnet's id, cut before the subnet.
fn network(kind: Option<&ResourceType>, body: &Value) -> Option<String> {
    let subnet = body.pointer(kind?.serialise?)?.as_str()?.to_ascii_lowercase();
    subnet.split_once("/subnets/").map(|(network, _)| network.to_owned())
}

/// What Azure says about a resource whose provisioning state is Failed or Canceled.
pub(super) fn broken(resource: &Value) -> Option<Cause> {
    let state = operation::failed_state(resource)?;
    let message = format!("the resource is in state {}", failure::word(state));
    Some(Cause::ours(FailureClass::Permanent, "provisioning-failed", message))
}

/// The step.
pub(super) struct Arm {
    place: Place,
    body: Value,
    outputs: BTreeMap<String, String>,
}

impl Arm {
    pub(super) fn new(
        resource: &ArmResource<Value>,
        outputs: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        Ok(Self { place: Place::new(resource)?, body: resource.body.clone(), outputs })
    }
}

impl Step for Arm {
    fn target(&self) -> Value {
        Target::Arm(self.place.target.clone()).to_json()
    }

    fn look(&self) -> Request {
        self.place.request(Method::Get)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        let Some(resource) = self.place.shown(reply)? else { return Ok(Comparison::Absent) };
        if let Some(owner) = self.place.stranger(resource) {
            return Ok(Comparison::Foreign(owner));
        }
        judge_body(&self.place, &self.body, resource, &self.outputs)
    }

    fn write(&self, seen: Option<&Value>) -> Option<Request> {
        let mut body = self.body.clone();
        for pointer in self.place.whole() {
            if let Some(value) = seen
                .and_then(|seen| compare::at(seen, pointer))
                .filter(|_| compare::at(&body, pointer).is_none())
            {
                insert(&mut body, pointer, value.clone());
            }
        }
        Some(self.place.request(Method::Put).with_body(body))
    }

    fn name_holder(&self) -> Option<Request> {
        Some(Request::arm(Method::Get, &self.place.deleted_id()?, &self.place.target.api_version))
    }

    fn judge_holder(&self, reply: &Reply) -> Option<String> {
        let id = compare::member(&reply.body, "id").and_then(Value::as_str).filter(|_| reply.is_success())?;
        let until = compare::text_at(&reply.body, "/properties/scheduledPurgeDate");
        let until =
            if until.is_empty() { String::new() } else { format!(", which Azure keeps until {until}") };
        Some(failure::sentence(&format!("its name is held by the deleted {id}{until}")))
    }
}

/// Compares a resource of ours with what is wanted.
pub(super) fn judge_body(
    place: &Place,
    body: &Value,
    resource: &Value,
    outputs: &BTreeMap<String, String>,
) -> Result<Comparison, Failure> {
    if !operation::is_terminal(resource) {
        return Ok(Comparison::Settling);
    }
    if let Some(cause) = broken(resource) {
        return Ok(Comparison::Broken(cause));
    }
    let differences = compare::differences(&place.type_name, body, resource);
    if differences.is_empty() {
        return Ok(Comparison::Matches(told(outputs, resource)?));
    }
    let fixed = differences.iter().filter(|pointer| place.is_fixed(pointer)).cloned().collect::<Vec<_>>();
    Ok(if fixed.is_empty() { Comparison::Differs(differences) } else { Comparison::Immutable(fixed) })
}

/// Sets the value at a pointer, making the objects on the way.
fn insert(body: &mut Value, pointer: &str, value: Value) {
    let mut place = body;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
}

/// What the step left behind.
pub(super) struct ArmRemains {
    place: Place,
}

impl ArmRemains {
    pub(super) fn new(target: ArmTarget) -> Result<Self, Failure> {
        Ok(Self { place: Place::remembered(target)? })
    }

    fn judge_deleted(&self, reply: &Reply) -> Result<Trace, Failure> {
        match reply.status {
            404 => Ok(Trace::Nothing),
            200 if reply.body.get("id").is_some_and(Value::is_string) => {
                // A vault shows whose place it held; an account lies under the place that it held, with its tags.
                let vault = compare::at(&reply.body, "/properties/vaultId").and_then(Value::as_str);
                let tagged = compare::member(&reply.body, "tags").is_some_and(Value::is_object);
                let ours = vault.is_none_or(|id| is_id(id, &self.place.target.id))
                    && !(tagged && self.place.stranger(&reply.body).is_some());
                Ok(match (ours, is_protected(&reply.body)) {
                    (false, _) => Trace::Foreign,
                    (true, true) => Trace::Retained(purge_date(&reply.body)),
                    (true, false) => Trace::Lingering(dated(&reply.body)),
                })
            }
            200..=299 => Err(Failure::nonsense("the answer shows no resource")),
            _ => Err(failure::classify(reply)),
        }
    }
}

impl Remains for ArmRemains {
    fn looks(&self) -> Vec<Request> {
        let mut looks = vec![self.place.request(Method::Get)];
        looks.extend(
            self.place.deleted_id().map(|id| Request::arm(Method::Get, &id, &self.place.target.api_version)),
        );
        looks
    }

    fn judge(&self, look: usize, reply: &Reply) -> Result<Trace, Failure> {
        if look > 0 {
            return self.judge_deleted(reply);
        }
        let Some(resource) = self.place.shown(reply)? else { return Ok(Trace::Nothing) };
        if self.place.stranger(resource).is_some() {
            return Ok(Trace::Foreign);
        }
        if compare::same_word(compare::text_at(resource, "/properties/provisioningState"), "Deleting") {
            return Ok(Trace::Settling);
        }
        Ok(Trace::Present(Outputs::new()))
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        match trace {
            Trace::Present(_) => {
                let mut request = self.place.request(Method::Delete);
                if let Some((name, value)) =
                    self.place.kind.and_then(|kind| kind.purge_query).and_then(|query| query.split_once('='))
                {
                    request = request.with_query(name, value);
                }
                Some(request)
            }
            Trace::Lingering(_) => {
                let (id, version) = (self.place.deleted_id()?, &self.place.target.api_version);
                Some(match self.place.kind?.soft_deletion?.purge {
                    Purge::Action => Request::arm_of(Method::Post, &id, "/purge", version),
                    Purge::Delete => Request::arm(Method::Delete, &id, version),
                })
            }
            Trace::Nothing | Trace::Settling | Trace::Retained(_) | Trace::Foreign => None,
        }
    }

    /// A purge that is not allowed at all: the vault is protected from it, which its deletion may not show.
    fn refused(&self, trace: &Trace, reply: &Reply) -> Option<Trace> {
        let Trace::Lingering(told) = trace else { return None };
        let said = reply.body.to_string().to_ascii_lowercase();
        let speaks = ["purge protection", "purgeprotection"].iter().any(|words| said.contains(words));
        let forbids = reply.status == 405 || (speaks && matches!(reply.status, 400 | 403 | 409));
        let until = told.get(PURGE_DATE).and_then(Value::as_str).and_then(|date| date.parse().ok());
        forbids.then_some(Trace::Retained(until))
    }
}

/// What a soft-deleted resource says of its end.
const PURGE_DATE: &str = "scheduledPurgeDate";

/// Whether nobody may purge a soft-deleted resource.
fn is_protected(deleted: &Value) -> bool {
    deleted.pointer("/properties/purgeProtectionEnabled") == Some(&Value::Bool(true))
}

/// When the service purges a soft-deleted resource by itself.
fn purge_date(deleted: &Value) -> Option<Timestamp> {
    deleted.pointer("/properties")?.get(PURGE_DATE)?.as_str()?.parse().ok()
}

/// The same to remember, for the case that the purge is refused.
fn dated(deleted: &Value) -> Outputs {
    let date = purge_date(deleted).map(|date| (PURGE_DATE.to_owned(), json!(date)));
    date.into_iter().collect()
}
