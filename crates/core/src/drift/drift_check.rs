//! The drift check of one step that was ready: the request that reads the object, and what the answer means.

use serde_json::{Value, json};

use super::{
    DriftClass, class_of, class_of_absence, class_of_difference,
    item::{Item, Remedy, shown},
};
use crate::{
    blueprint::{Kind, Outputs, Rendered, ResourceType},
    compare::{self, graph},
    ids::StepName,
    steps::{self, Comparison, Reply, Request, Step, redact},
    tenant::{Goal, Status, StepState, Tenant},
};

/// Members that no step sets and that have to be empty: with a password or certificate someone else could act as the
/// tenant.
const NEVER: [(Kind, &str); 4] = [
    (Kind::EntraApplication, "/passwordCredentials"),
    (Kind::EntraApplication, "/keyCredentials"),
    (Kind::ServicePrincipal, "/passwordCredentials"),
    (Kind::ServicePrincipal, "/keyCredentials"),
];

/// The result of the drift check of one step.
#[derive(Debug, Clone, PartialEq)]
pub enum DriftObservation {
    /// The object matches its desired state.
    Right,
    /// The object differs, by these items.
    Drifted(Vec<Item>),
    /// The object's provisioning state is Failed or Canceled.
    Failed(Box<Item>),
    /// The object's state is not known, for this reason.
    Unknown(String),
}

/// Whether a tenant can be checked for drift: it is active and not to be deleted, has no open operation and no lease,
/// and each of its steps is ready or blocked.
pub fn at_rest(tenant: &Tenant) -> bool {
    tenant.status == Status::Active
        && tenant.goal == Goal::Present
        && tenant.operations.is_empty()
        && tenant.lease().is_none()
        && tenant.steps.values().all(|record| {
            !record.is_marked_for_deletion()
                && matches!(record.state, StepState::Ready(_) | StepState::Blocked { .. })
        })
}

/// The drift check of one step that was ready, with the step's desired state.
pub struct DriftCheck<'a> {
    name: StepName,
    rendered: Rendered,
    /// The step's outputs when it was last ready.
    recorded: &'a Outputs,
    pointers: &'a std::collections::BTreeMap<String, String>,
    step: Box<dyn Step>,
}

impl<'a> DriftCheck<'a> {
    /// Makes the check of one step.
    ///
    /// # Errors
    /// The plan or the tenant's document does not have the step, or its desired state can't be evaluated.
    pub fn at(tenant: &'a Tenant, name: &StepName) -> Result<Self, String> {
        let planned = tenant.plan.steps.get(name).ok_or("the plan has no such step")?;
        let record = tenant.steps.get(name).ok_or("nothing is recorded of it")?;
        let rendered = tenant.rendered(name).map_err(|error| error.to_string())?;
        let pointers = &planned.outputs;
        let step = steps::step(&rendered, pointers, &record.outputs).map_err(|f| f.cause.message)?;
        Ok(Self { name: name.clone(), rendered, recorded: &record.outputs, pointers, step })
    }

    fn kind(&self) -> Kind {
        self.rendered.kind()
    }

    /// The request that reads the step's object.
    pub fn question(&self) -> Request {
        self.step.read()
    }

    /// Judges the answer to [`Self::question`].
    pub fn judge(&self, reply: &Reply) -> DriftObservation {
        match self.step.judge(reply) {
            Ok(Comparison::Matches(outputs)) => observation(self.other_outputs(&outputs, reply)),
            Ok(Comparison::Drifted(pointers)) => self.drifted(&pointers, Remedy::Write, reply),
            // Azure accepts no write as long as an immutable member differs, so none of the differences can be
            // repaired.
            Ok(Comparison::Immutable { differences, .. }) => {
                self.drifted(&differences, Remedy::Person, reply)
            }
            Ok(Comparison::Absent | Comparison::SoftDeleted(_)) => observation(vec![self.absent()]),
            Ok(Comparison::Foreign(_)) => observation(vec![self.foreign(reply)]),
            Ok(Comparison::Failed(cause)) => DriftObservation::Failed(Box::new(self.failed(&cause.message))),
            Ok(Comparison::InProgress) => DriftObservation::Unknown("Azure is working on it".to_owned()),
            // The parent resource does not exist, so the object does not exist either.
            Err(_) if reply.status == 404 => observation(vec![self.absent()]),
            Err(failure) => {
                if let (Rendered::Check(check), true) = (&self.rendered, reply.is_success()) {
                    return observation(self.expected(&check.expect, reply));
                }
                DriftObservation::Unknown(redact(&failure.cause.to_string()))
            }
        }
    }

    /// The resource's id, or the name of the object in Entra.
    fn resource(&self) -> String {
        match &self.rendered {
            Rendered::Arm(_) | Rendered::ArmUpdate(_) | Rendered::Check(_) => {
                self.rendered.resource_id().map(ToString::to_string).unwrap_or_default()
            }
            Rendered::RoleAssignment(grant) => {
                let id = self.recorded.get("id").and_then(Value::as_str);
                id.unwrap_or(grant.scope.as_str()).to_owned()
            }
            // The isolation check covers all objects and has no single resource.
            Rendered::Isolation(_) => String::new(),
            Rendered::EntraApplication(application) => format!("applications/{}", application.unique_name),
            Rendered::ServicePrincipal(principal) => format!("servicePrincipals/{}", principal.app_id),
            Rendered::FederatedCredential(credential) => {
                let (application, name) = (&credential.application, &credential.name);
                format!("applications/{application}/federatedIdentityCredentials/{name}")
            }
        }
    }

    /// The resource type whose comparison rules apply.
    fn compared_as(&self) -> String {
        match self.kind() {
            Kind::EntraApplication => graph::APPLICATION.to_owned(),
            Kind::ServicePrincipal => graph::SERVICE_PRINCIPAL.to_owned(),
            Kind::FederatedCredential => graph::FEDERATED_CREDENTIAL.to_owned(),
            Kind::Arm | Kind::ArmUpdate | Kind::Check | Kind::RoleAssignment | Kind::Isolation => {
                ResourceType::type_of_id(&self.resource()).unwrap_or_default()
            }
        }
    }

    fn item(
        &self,
        path: &str,
        (desired, observed): (Value, Value),
        severity: DriftClass,
        remedy: Remedy,
    ) -> Item {
        Item {
            step: self.name.clone(),
            resource: self.resource(),
            path: path.to_owned(),
            desired,
            observed,
            severity,
            by: None,
            by_unknown: None,
            healing: None,
            // A step of kind `check` writes nothing, so it can't repair anything.
            remedy: if self.kind() == Kind::Check { Remedy::Person } else { remedy },
        }
    }

    fn drifted(&self, pointers: &[String], remedy: Remedy, reply: &Reply) -> DriftObservation {
        let mut items: Vec<Item> = pointers.iter().map(|path| self.differs(path, remedy, reply)).collect();
        items.extend(self.never(reply));
        observation(items)
    }

    fn differs(&self, path: &str, remedy: Remedy, reply: &Reply) -> Item {
        let desired = self.rendered.body().and_then(|body| compare::at(body, path));
        let class = class_of_difference(path, desired);
        let (desired, observed) = (shown(path, desired), shown(path, compare::at(&reply.body, path)));
        self.item(path, (desired, observed), class, remedy)
    }

    fn absent(&self) -> Item {
        let class = class_of_absence(self.kind(), ResourceType::type_of_id(&self.resource()).as_deref());
        let desired = Value::String("there".to_owned());
        self.item(&self.resource(), (desired, Value::Null), class, Remedy::Remake)
    }

    fn failed(&self, why: &str) -> Item {
        let observed = shown("", Some(&Value::String(why.to_owned())));
        let desired = Value::String("working".to_owned());
        self.item(&self.resource(), (desired, observed), DriftClass::Availability, Remedy::Person)
    }

    /// The item for an object whose ownership marks are another owner's or missing. Such an object is never changed.
    fn foreign(&self, reply: &Reply) -> Item {
        let owner = self.step.target().get("owner").cloned();
        let observed = shown("/tags", compare::member(&reply.body, "tags"));
        let owner = shown("/tags", owner.as_ref());
        self.item("/tags", (owner, observed), DriftClass::Isolation, Remedy::Person)
    }

    /// The items for values that a step of kind `check` expects and the resource does not have.
    fn expected(&self, expect: &Value, reply: &Reply) -> Vec<Item> {
        let kind = self.compared_as();
        let wrong = expect.as_object().into_iter().flatten().filter(|(pointer, desired)| {
            let observed = compare::at(&reply.body, pointer).unwrap_or(&Value::Null);
            !compare::same_at(&kind, pointer, desired, observed)
        });
        wrong
            .map(|(path, desired)| {
                let observed = compare::at(&reply.body, path);
                let (desired, observed) = (shown(path, Some(desired)), shown(path, observed));
                self.item(path, (desired, observed), class_of(path), Remedy::Person)
            })
            .collect()
    }

    /// The items for an object that matches but has other outputs than the recorded ones: someone has deleted it and
    /// created another one of the same name.
    fn other_outputs(&self, outputs: &Outputs, reply: &Reply) -> Vec<Item> {
        let mut items = self.never(reply);
        // A role assignment or federated credential with the same content and another id counts as the same.
        if matches!(self.kind(), Kind::RoleAssignment | Kind::FederatedCredential) {
            return items;
        }
        let kind = self.compared_as();
        let same = |path: &str, recorded: &Value, observed: &Value| {
            compare::same_at(&kind, path, recorded, observed)
        };
        for (name, observed) in outputs {
            let path = self.pointers.get(name).cloned().unwrap_or_else(|| format!("/{name}"));
            if let Some(recorded) =
                self.recorded.get(name).filter(|recorded| !same(&path, recorded, observed))
            {
                let (recorded, observed) = (shown(&path, Some(recorded)), shown(&path, Some(observed)));
                items.push(self.item(&path, (recorded, observed), class_of(&path), Remedy::Remake));
            }
        }
        items
    }

    fn never(&self, reply: &Reply) -> Vec<Item> {
        let full = |path: &str| {
            compare::at(&reply.body, path).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
        };
        let rows = NEVER.iter().filter(|(kind, path)| *kind == self.kind() && full(path));
        rows.map(|(_, path)| {
            let observed = shown(path, compare::at(&reply.body, path));
            self.item(path, (json!([]), observed), class_of(path), Remedy::Person)
        })
        .collect()
    }
}

fn observation(items: Vec<Item>) -> DriftObservation {
    if items.is_empty() { DriftObservation::Right } else { DriftObservation::Drifted(items) }
}
