//! A tenant's own objects and how they should be: read from its document, never from Azure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::probe::{Aim, ProbeTarget};
use crate::{
    blueprint::{Desired, IsolationProof, Kind, Rendered, ResourceType, Template},
    compare::{self, eq_ignore_case},
    ids::{StepName, TenantId},
    pointer::is_within,
    steps,
    tenant::{Goal, Status, StepRecord, Tenant},
};

/// One tenant as its document describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedTenant {
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// Whether all steps except the isolation check are ready or deleted, so that every planned object has to exist.
    pub settled: bool,
    /// The tenant's stamp.
    pub stamp: Stamp,
    /// The tenant's own resources, in the order of their steps' names.
    pub resources: Vec<Own>,
    /// The tenant's own Entra applications.
    #[serde(default)]
    pub applications: Vec<OwnApplication>,
    /// How the tenant's service is called; `None` if its blueprint declares no probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Aim>,
    /// Whether the tenant is suspended, so that not even its own principals may reach its service.
    #[serde(default)]
    pub suspended: bool,
}

/// The parts of a stamp that the rules need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stamp {
    /// The id of the stamp's subscription.
    pub subscription_id: String,
    /// The name of the stamp's resource group.
    pub resource_group: String,
    /// The resource id of the subnet for private endpoints; empty if the stamp has none.
    pub subnet_id: String,
    /// The resource ids of the stamp's private DNS zones.
    pub zones: Vec<String>,
}

impl Stamp {
    fn of(stamp: &Value) -> Self {
        let text = |name: &str| stamp.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let zones = stamp.get("zones").and_then(Value::as_object).into_iter().flatten();
        Self {
            subscription_id: text("subscriptionId"),
            resource_group: text("resourceGroup"),
            subnet_id: text("subnetId"),
            zones: zones.filter_map(|(_, zone)| Some(zone.as_str()?.to_owned())).collect(),
        }
    }

    /// The resource id of the stamp's resource group.
    pub fn group_id(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription_id, self.resource_group)
    }
}

/// A resource that one of the tenant's steps creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// The name of the step that creates the resource.
    pub step: StepName,
    /// The resource's id.
    pub id: String,
    /// The resource's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The API version of the requests that read the resource.
    pub api_version: String,
    /// The ownership tags that the resource has to have; empty for types without tags.
    #[serde(default)]
    pub marks: BTreeMap<String, String>,
    /// Whether the resource has to exist.
    pub expected: bool,
}

impl Own {
    /// Whether the resource is of this type; compared without case.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }
}

/// An application that one of the tenant's steps creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnApplication {
    /// The application's `uniqueName`.
    pub unique_name: String,
    /// The application's object id; empty until it is known.
    #[serde(default)]
    pub object_id: String,
    /// The application's client id; empty until it is known.
    #[serde(default)]
    pub app_id: String,
    /// The object id of the application's service principal; empty until it is known.
    #[serde(default)]
    pub principal_id: String,
    /// Whether the plan disables the application's service principal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The ownership tags that the application has to have.
    #[serde(default)]
    pub marks: Vec<String>,
    /// The federated credentials that the blueprint declares for the application, by name.
    #[serde(default)]
    pub credentials: BTreeMap<String, Declared>,
    /// Whether the application has to exist.
    pub expected: bool,
}

/// A federated credential as the blueprint declares it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Declared {
    /// The issuer of the outside identity's tokens.
    pub issuer: String,
    /// The `sub` claim of the outside identity's tokens.
    pub subject: String,
    /// The accepted values of the tokens' `aud` claim.
    pub audiences: Vec<String>,
}

impl Declared {
    /// Whether both credentials trust the same identity: compared with case, as Entra does, and without the order of
    /// the audiences.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let body =
            |one: &Self| json!({"issuer": one.issuer, "subject": one.subject, "audiences": one.audiences});
        compare::differences(compare::graph::FEDERATED_CREDENTIAL, &body(self), &body(other)).is_empty()
    }
}

/// Whether all steps of a tenant, except the isolation check, are ready or deleted.
fn is_at_rest(tenant: &Tenant) -> bool {
    tenant.steps.values().filter(|record| record.kind != Kind::Isolation).all(StepRecord::is_at_rest)
}

impl JudgedTenant {
    /// Reads from a tenant's document what the rules need; `None` if the tenant is deleted or being deleted, and so is
    /// not judged.
    ///
    /// # Errors
    /// The first step whose object the document does not identify: then nothing about the tenant can be proved.
    pub fn of(tenant: &Tenant) -> Result<Option<Self>, String> {
        if tenant.goal == Goal::Absent || tenant.status == Status::Deleted {
            return Ok(None);
        }
        let mut judged = Self {
            tenant_id: tenant.id.clone(),
            settled: is_at_rest(tenant),
            stamp: Stamp::of(tenant.plan.context.get("stamp").unwrap_or(&Value::Null)),
            resources: Vec::new(),
            applications: Vec::new(),
            probe: aim(tenant),
            suspended: tenant.spec.suspended.is_some(),
        };
        let reader = Reader { tenant };
        let of = |kind: Kind| {
            let alive = tenant.steps.iter().filter(|(_, record)| !record.state.is_deleted());
            alive.filter(move |(_, record)| record.kind == kind)
        };
        for (name, record) in of(Kind::Arm) {
            judged.resources.extend(reader.resource(name, record)?);
        }
        for (name, record) in of(Kind::EntraApplication) {
            judged.applications.extend(reader.application(name, record)?);
        }
        for (name, record) in of(Kind::ServicePrincipal) {
            let (app_id, id) = (output(record, "appId"), output(record, "id"));
            let owner = judged
                .applications
                .iter_mut()
                .find(|own| !id.is_empty() && eq_ignore_case(&own.app_id, app_id.as_str()));
            if let Some(owner) = owner {
                owner.principal_id = id;
                let planned = tenant.plan.steps.get(name).filter(|_| !record.is_marked_for_deletion());
                let body = planned.and_then(|step| step.desired.body()).map(Template::value);
                let enabled = body.and_then(|body| body.pointer("/accountEnabled"));
                owner.disabled = enabled == Some(&Value::Bool(false));
            } else if record.state.is_ready() {
                return Err(format!("step {name}: its application is not among the tenant's own"));
            }
        }
        for (name, record) in of(Kind::FederatedCredential) {
            reader.credential(name, record, &mut judged.applications)?;
        }
        Ok(Some(judged))
    }

    /// The tenant's resources of a type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Own> {
        self.resources.iter().filter(move |own| own.is(kind))
    }

    /// Whether an id is that of one of the tenant's own resources, or below one.
    pub fn owns(&self, id: &str) -> bool {
        self.resources.iter().any(|own| within(id, &own.id))
    }
}

/// Whether an id equals `root` or is below it. Compared without case.
pub(super) fn within(id: &str, root: &str) -> bool {
    is_within(id, root.trim_end_matches('/'))
}

fn output(record: &StepRecord, name: &str) -> String {
    record.outputs.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The probe target that the blueprint declares, with the outputs of steps filled in; `None` if it declares none.
fn aim(tenant: &Tenant) -> Option<Aim> {
    let (name, planned) = tenant.plan.steps.iter().find(|(_, step)| step.kind() == Kind::Isolation)?;
    if !matches!(&planned.desired, Desired::Isolation(IsolationProof { probe: Some(_), .. })) {
        return None;
    }
    let rendered = match tenant.rendered(name) {
        Ok(rendered) => rendered,
        Err(error) => return Some(Aim::Unknown(error.to_string())),
    };
    let Rendered::Isolation(IsolationProof { probe: Some(probe), .. }) = rendered else { return None };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Aim::At(ProbeTarget {
        url: text(Some(&probe.url)),
        scope: text(Some(&probe.scope)),
        client_id: text(Some(&probe.client_id)),
        directory_id: text(tenant.plan.context.pointer("/stamp/directoryId")),
        body: probe.body.unwrap_or_default(),
    }))
}

/// What a step has created or is to create.
enum Made {
    /// What was recorded with the step's last write.
    Written(steps::Target),
    /// What the plan says: the step has not written yet.
    Planned(Rendered),
}

struct Reader<'a> {
    tenant: &'a Tenant,
}

impl Reader<'_> {
    /// What a step has created, as recorded with its last write, else as planned; `None` if nothing can exist.
    ///
    /// # Errors
    /// The plan can't be evaluated, or `unrecorded` if the record does not identify what was written.
    fn made(&self, name: &StepName, record: &StepRecord, unrecorded: &str) -> Result<Option<Made>, String> {
        if let Some(target) = &record.target {
            let target = steps::Target::read(record.kind, target);
            return target.map(|target| Some(Made::Written(target))).map_err(|bad| match bad.name.as_str() {
                "id" | "uniqueName" if bad.why.is_none() => unrecorded.to_owned(),
                _ => format!("step {name}: {bad}"),
            });
        }
        // Nothing was ever sent, and the plan no longer has the step.
        if !self.tenant.plan.steps.contains_key(name) {
            return Ok(None);
        }
        match self.tenant.rendered(name) {
            Ok(rendered) => Ok(Some(Made::Planned(rendered))),
            // The step waits for other steps, so it has created nothing yet.
            Err(_) if record.state.is_waiting() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn resource(&self, name: &StepName, record: &StepRecord) -> Result<Option<Own>, String> {
        let unrecorded = format!("step {name}: no id is on record");
        let (id, api_version, kind, marks) = match self.made(name, record, &unrecorded)? {
            None => return Ok(None),
            Some(Made::Written(steps::Target::Arm(resource))) => {
                (resource.id, resource.api_version, resource.resource_type, resource.owner)
            }
            Some(Made::Planned(Rendered::Arm(resource))) => {
                let tags = resource.body.pointer("/tags").and_then(Value::as_object).into_iter().flatten();
                let tags = tags.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                (resource.id, resource.api_version, Some(resource.resource_type), tags.collect())
            }
            Some(Made::Written(_) | Made::Planned(_)) => return Err(unrecorded),
        };
        let kind = kind.or_else(|| ResourceType::type_of_id(id.as_str()));
        Ok(Some(Own {
            step: name.clone(),
            id: id.to_string(),
            kind: kind.unwrap_or_default(),
            api_version: api_version.to_string(),
            marks: marks.into_iter().filter(|(name, _)| name.starts_with("tenantry-")).collect(),
            expected: record.stands(),
        }))
    }

    fn application(&self, name: &StepName, record: &StepRecord) -> Result<Option<OwnApplication>, String> {
        let unrecorded = format!("step {name}: no unique name is on record");
        let (unique_name, marks) = match self.made(name, record, &unrecorded)? {
            None => return Ok(None),
            Some(Made::Written(steps::Target::EntraApplication { unique_name, owner })) => {
                (unique_name, owner)
            }
            Some(Made::Planned(Rendered::EntraApplication(application))) => {
                let tags = application.body.pointer("/tags").and_then(Value::as_array).into_iter().flatten();
                let tags = tags.filter_map(|tag| Some(tag.as_str()?.to_owned()));
                (application.unique_name, tags.collect())
            }
            Some(Made::Written(_) | Made::Planned(_)) => return Err(unrecorded),
        };
        Ok(Some(OwnApplication {
            unique_name,
            object_id: output(record, "id"),
            app_id: output(record, "appId"),
            principal_id: String::new(),
            disabled: false,
            marks: marks.into_iter().filter(|tag| tag.starts_with("tenantry-")).collect(),
            credentials: BTreeMap::new(),
            expected: record.stands(),
        }))
    }

    /// Adds a step's federated credential, as the plan declares it, to its application. A credential that the plan no
    /// longer has is left out, so it counts as undeclared.
    fn credential(
        &self,
        name: &StepName,
        record: &StepRecord,
        applications: &mut [OwnApplication],
    ) -> Result<(), String> {
        if record.is_marked_for_deletion() || !self.tenant.plan.steps.contains_key(name) {
            return Ok(());
        }
        let credential = match self.tenant.rendered(name) {
            Ok(Rendered::FederatedCredential(credential)) => credential,
            Ok(_) => return Err(format!("step {name}: the plan has another kind of step there")),
            Err(_) if record.state.is_waiting() => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let body = &credential.body;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let audiences = body.pointer("/audiences").and_then(Value::as_array).into_iter().flatten();
        let declared = Declared {
            issuer: text("/issuer").to_owned(),
            subject: text("/subject").to_owned(),
            audiences: audiences.filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        };
        match applications.iter_mut().find(|own| eq_ignore_case(&own.object_id, &credential.application)) {
            Some(owner) => _ = owner.credentials.insert(credential.name, declared),
            None => return Err(format!("step {name}: its application is not among the tenant's own")),
        }
        Ok(())
    }
}
