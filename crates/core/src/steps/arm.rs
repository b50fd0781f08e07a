//! Steps of kind `arm`: any resource of Azure Resource Manager.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    ArmTarget, Comparison, Deletion, DeletionState, Failure, Method, Reply, Request, Step, Target, failure,
    operation, read_outputs,
};
use crate::{
    blueprint::{ArmResource, BadField, Outputs, Purge, ResourceType},
    compare,
    ids::{ResourceId, segment_objection},
    pointer,
    tenant::{Cause, FailureClass},
};

/// The tags that mark the owner of a resource.
const OWNER_TAGS: [&str; 3] = ["tenantry-deployment", "tenantry-tenant", "tenantry-incarnation"];

/// A resource of Azure Resource Manager with its type: everything that requests about the resource need.
#[derive(Debug, Clone)]
pub(super) struct ArmLocation {
    /// The part that is recorded in the document, which deletion needs.
    pub(super) target: ArmTarget,
    kind: Option<&'static ResourceType>,
    /// The name of the resource type, also for types without a row in the table of resource types.
    pub(super) type_name: String,
}

impl ArmLocation {
    /// From the plan, for a resource that should exist.
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

    /// From the recorded target, for a resource that may exist.
    pub(super) fn remembered(target: ArmTarget) -> Result<Self, Failure> {
        let kind = target.resource_type.as_deref().and_then(ResourceType::find);
        let type_name = target.resource_type.clone();
        let type_name =
            type_name.or_else(|| ResourceType::type_of_id(target.id.as_str())).unwrap_or_default();
        Self { target, kind, type_name }.checked()
    }

    /// Checks the Azure location, which becomes part of the URL for purging a soft-deleted resource.
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

    /// Whether the value that the resource shows at this pointer can't change. A value that the resource does not show
    /// may still be set.
    fn is_fixed(&self, resource: &Value, pointer: &str) -> bool {
        let fixed = self.kind.map_or(&[][..], |kind| kind.immutable);
        fixed.iter().any(|fixed| pointer::is_within(pointer, fixed))
            && compare::at(resource, pointer).is_some_and(|value| !value.is_null())
    }

    pub(super) fn whole(&self) -> &'static [&'static str] {
        self.kind.map_or(&[], |kind| kind.carry)
    }

    /// The id of the soft-deleted resource, for types that Azure keeps after deletion; `None` for other types.
    fn deleted_id(&self) -> Option<ResourceId> {
        let path = self.kind?.soft_deletion?.path;
        let (subscription, group) = (self.target.id.subscription()?, self.target.id.group()?);
        // A blueprint may say "West Europe"; a path needs "westeurope".
        let location = self.target.location.as_deref()?.replace(' ', "").to_ascii_lowercase();
        let path = path.replace("{location}", &location).replace("{group}", group);
        format!("/subscriptions/{subscription}/{}", path.replace("{name}", self.target.id.name()))
            .parse()
            .ok()
    }

    /// The owner of the resource, as text, if its tags are not those of this tenant; `None` if they are.
    pub(super) fn stranger(&self, resource: &Value) -> Option<String> {
        // Azure compares names of tags without case and may return them in another case.
        let tag = |name: &str| compare::member(compare::member(resource, "tags")?, name)?.as_str();
        let ours = self.target.owner.iter().all(|(name, value)| tag(name) == Some(value.as_str()));
        (!ours).then(|| match tag("tenantry-tenant") {
            Some(tenant) => format!("tenant {}", failure::sanitized(tenant)),
            None => "somebody else: it lacks tenantry's tags".to_owned(),
        })
    }

    /// The resource in the answer to a read or write; `None` if the answer is 404.
    pub(super) fn shown<'a>(&self, reply: &'a Reply) -> Result<Option<&'a Value>, Failure> {
        match reply.status {
            404 => Ok(None),
            200 | 201 if reply.body.is_object() => {
                match compare::member(&reply.body, "id").and_then(Value::as_str) {
                    Some(id) if is_id(id, &self.target.id) => Ok(Some(&reply.body)),
                    Some(_) => Err(Failure::nonsense("the answer is about another resource")),
                    // Such an answer does not show the state of the resource, and least of all that the resource is
                    // foreign.
                    None => Err(Failure::nonsense("the answer shows no resource")),
                }
            }
            200..=299 => Err(Failure::nonsense("the answer shows no resource")),
            _ => Err(failure::classify(reply)),
        }
    }
}

/// Whether a text from a service is the resource id `id`.
pub(super) fn is_id(text: &str, id: &ResourceId) -> bool {
    text.parse::<ResourceId>().is_ok_and(|other| other == *id)
}

/// The id, in lower case, of the virtual network that a write of this resource changes: the id of the resource's subnet
/// without the subnet. `None` if a write changes no virtual network.
fn network(kind: Option<&ResourceType>, body: &Value) -> Option<String> {
    let subnet = body.pointer(kind?.serialise?)?.as_str()?.to_ascii_lowercase();
    subnet.split_once("/subnets/").map(|(network, _)| network.to_owned())
}

/// The cause of failure of a resource whose provisioning state is Failed or Canceled; `None` for other states.
pub(super) fn failed_cause(resource: &Value) -> Option<Cause> {
    let state = operation::failed_state(resource)?;
    let message = format!("the resource is in state {}", failure::sanitized(state));
    Some(Cause::ours(FailureClass::Permanent, "provisioning-failed", message))
}

/// A step of kind `arm`.
pub(super) struct Arm {
    location: ArmLocation,
    body: Value,
    outputs: BTreeMap<String, String>,
}

impl Arm {
    pub(super) fn new(
        resource: &ArmResource<Value>,
        outputs: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        Ok(Self { location: ArmLocation::new(resource)?, body: resource.body.clone(), outputs })
    }
}

impl Step for Arm {
    fn target(&self) -> Value {
        Target::Arm(self.location.target.clone()).to_json()
    }

    fn read(&self) -> Request {
        self.location.request(Method::Get)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        let Some(resource) = self.location.shown(reply)? else { return Ok(Comparison::Absent) };
        if let Some(owner) = self.location.stranger(resource) {
            return Ok(Comparison::Foreign(owner));
        }
        judge_body(&self.location, &self.body, resource, &self.outputs)
    }

    fn write(&self, seen: Option<&Value>) -> Option<Request> {
        let mut body = self.body.clone();
        for pointer in self.location.whole() {
            if let Some(value) = seen
                .and_then(|seen| compare::at(seen, pointer))
                .filter(|_| compare::at(&body, pointer).is_none())
            {
                insert(&mut body, pointer, value.clone());
            }
        }
        Some(self.location.request(Method::Put).with_body(body))
    }

    fn name_holder(&self) -> Option<Request> {
        Some(Request::arm(Method::Get, &self.location.deleted_id()?, &self.location.target.api_version))
    }

    fn judge_holder(&self, reply: &Reply) -> Option<String> {
        let id = compare::member(&reply.body, "id").and_then(Value::as_str).filter(|_| reply.is_success())?;
        let until = compare::text_at(&reply.body, "/properties/scheduledPurgeDate");
        let until =
            if until.is_empty() { String::new() } else { format!(", which Azure keeps until {until}") };
        Some(failure::sentence(&format!("its name is held by the deleted {id}{until}")))
    }
}

/// Compares a resource of this tenant with its desired body.
pub(super) fn judge_body(
    location: &ArmLocation,
    body: &Value,
    resource: &Value,
    outputs: &BTreeMap<String, String>,
) -> Result<Comparison, Failure> {
    if !operation::is_terminal(resource) {
        return Ok(Comparison::InProgress);
    }
    let differences = compare::differences(&location.type_name, body, resource);
    let fixed = differences.iter().filter(|pointer| location.is_fixed(resource, pointer));
    let fixed: Vec<String> = fixed.cloned().collect();
    if !fixed.is_empty() {
        // Immutable differences are checked before the provisioning state: another write would be refused.
        return Ok(Comparison::Immutable { fixed, differences });
    }
    if let Some(cause) = failed_cause(resource) {
        return Ok(Comparison::Failed(cause));
    }
    if differences.is_empty() {
        return Ok(Comparison::Matches(read_outputs(outputs, resource)?));
    }
    Ok(Comparison::Drifted(differences))
}

/// Sets the value at a pointer, creating the objects on its path.
fn insert(body: &mut Value, pointer: &str, value: Value) {
    let mut location = body;
    for name in pointer.split('/').skip(1) {
        if !location.is_object() {
            *location = Value::Object(Map::new());
        }
        let Value::Object(members) = location else { return };
        location = members.entry(name).or_insert(Value::Null);
    }
    *location = value;
}

/// The deletion of a resource that an `arm` step has created.
pub(super) struct ArmDeletion {
    location: ArmLocation,
}

impl ArmDeletion {
    pub(super) fn new(target: ArmTarget) -> Result<Self, Failure> {
        Ok(Self { location: ArmLocation::remembered(target)? })
    }

    fn judge_deleted(&self, reply: &Reply) -> Result<DeletionState, Failure> {
        match reply.status {
            404 => Ok(DeletionState::Nothing),
            200 if reply.body.get("id").is_some_and(Value::is_string) => {
                // A soft-deleted vault shows the id of the former vault; a soft-deleted account shows the account's
                // tags.
                let vault = compare::at(&reply.body, "/properties/vaultId").and_then(Value::as_str);
                let tagged = compare::member(&reply.body, "tags").is_some_and(Value::is_object);
                let ours = vault.is_none_or(|id| is_id(id, &self.location.target.id))
                    && !(tagged && self.location.stranger(&reply.body).is_some());
                Ok(match (ours, is_protected(&reply.body)) {
                    (false, _) => DeletionState::Foreign,
                    (true, true) => DeletionState::Retained(purge_date(&reply.body)),
                    (true, false) => DeletionState::SoftDeleted(dated(&reply.body)),
                })
            }
            200..=299 => Err(Failure::nonsense("the answer shows no resource")),
            _ => Err(failure::classify(reply)),
        }
    }
}

impl Deletion for ArmDeletion {
    fn reads(&self) -> Vec<Request> {
        let mut reads = vec![self.location.request(Method::Get)];
        reads.extend(
            self.location
                .deleted_id()
                .map(|id| Request::arm(Method::Get, &id, &self.location.target.api_version)),
        );
        reads
    }

    fn judge(&self, read: usize, reply: &Reply) -> Result<DeletionState, Failure> {
        if read > 0 {
            return self.judge_deleted(reply);
        }
        let Some(resource) = self.location.shown(reply)? else { return Ok(DeletionState::Nothing) };
        if self.location.stranger(resource).is_some() {
            return Ok(DeletionState::Foreign);
        }
        if compare::eq_ignore_case(compare::text_at(resource, "/properties/provisioningState"), "Deleting") {
            return Ok(DeletionState::InProgress);
        }
        Ok(DeletionState::Present(Outputs::new()))
    }

    fn delete(&self, state: &DeletionState) -> Option<Request> {
        match state {
            DeletionState::Present(_) => {
                let mut request = self.location.request(Method::Delete);
                if let Some((name, value)) = self
                    .location
                    .kind
                    .and_then(|kind| kind.purge_query)
                    .and_then(|query| query.split_once('='))
                {
                    request = request.with_query(name, value);
                }
                Some(request)
            }
            DeletionState::SoftDeleted(_) => {
                let (id, version) = (self.location.deleted_id()?, &self.location.target.api_version);
                Some(match self.location.kind?.soft_deletion?.purge {
                    Purge::Action => Request::arm_of(Method::Post, &id, "/purge", version),
                    Purge::Delete => Request::arm(Method::Delete, &id, version),
                })
            }
            DeletionState::Nothing
            | DeletionState::InProgress
            | DeletionState::Retained(_)
            | DeletionState::Foreign => None,
        }
    }

    /// A refused purge may show that the object is purge-protected, so that it is retained. A soft-deleted vault does
    /// not always show that itself.
    fn refused(&self, state: &DeletionState, reply: &Reply) -> Option<DeletionState> {
        let DeletionState::SoftDeleted(outputs) = state else { return None };
        let said = reply.body.to_string().to_ascii_lowercase();
        let speaks = ["purge protection", "purgeprotection"].iter().any(|text| said.contains(text));
        let forbids = reply.status == 405 || (speaks && matches!(reply.status, 400 | 403 | 409));
        let until = outputs.get(PURGE_DATE).and_then(Value::as_str).and_then(|date| date.parse().ok());
        forbids.then_some(DeletionState::Retained(until))
    }
}

/// The member of a soft-deleted resource that has its purge date, and the output in which the date is kept.
const PURGE_DATE: &str = "scheduledPurgeDate";

/// Whether a soft-deleted resource can't be purged.
fn is_protected(deleted: &Value) -> bool {
    deleted.pointer("/properties/purgeProtectionEnabled") == Some(&Value::Bool(true))
}

/// When the service purges a soft-deleted resource by itself; `None` if it does not show that.
fn purge_date(deleted: &Value) -> Option<Timestamp> {
    deleted.pointer("/properties")?.get(PURGE_DATE)?.as_str()?.parse().ok()
}

/// The purge date as outputs, for the case that a purge is refused.
fn dated(deleted: &Value) -> Outputs {
    let date = purge_date(deleted).map(|date| (PURGE_DATE.to_owned(), json!(date)));
    date.into_iter().collect()
}
