//! One look at one step that was ready: what to ask, and what the answer says.

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

/// Members that should be empty and that no step asks for: secrets beside the declared credentials.
const NEVER: [(Kind, &str); 4] = [
    (Kind::EntraApplication, "/passwordCredentials"),
    (Kind::EntraApplication, "/keyCredentials"),
    (Kind::ServicePrincipal, "/passwordCredentials"),
    (Kind::ServicePrincipal, "/keyCredentials"),
];

/// What a look showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// As it was left.
    Right,
    /// Not as it was left.
    Drifted(Vec<Item>),
    /// Azure gave up on it.
    Broken(Box<Item>),
    /// There is no telling, and why.
    Unknown(String),
}

/// Whether a tenant can be compared: it is active, nobody works on it, and no step is under way.
pub fn at_rest(tenant: &Tenant) -> bool {
    tenant.status == Status::Active
        && tenant.goal == Goal::Present
        && tenant.operations.is_empty()
        && tenant.lease().is_none()
        && tenant.steps.values().all(|record| {
            !record.is_doomed() && matches!(record.state, StepState::Ready(_) | StepState::Halted { .. })
        })
}

/// A step that was ready, as its plan wants it.
pub struct Glance<'a> {
    name: StepName,
    rendered: Rendered,
    /// What the step told when it was last ready, with where it is read from.
    recorded: &'a Outputs,
    pointers: &'a std::collections::BTreeMap<String, String>,
    step: Box<dyn Step>,
}

impl<'a> Glance<'a> {
    /// The step as it is to be.
    ///
    /// # Errors
    /// Why it can't be worked out.
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

    /// What to ask.
    pub fn question(&self) -> Request {
        self.step.look()
    }

    /// What the answer says.
    pub fn judge(&self, reply: &Reply) -> Sighting {
        match self.step.judge(reply) {
            Ok(Comparison::Matches(told)) => sighting(self.told(&told, reply)),
            Ok(Comparison::Differs(pointers) | Comparison::Immutable(pointers)) => {
                let mut items: Vec<Item> = pointers.iter().map(|path| self.differs(path, reply)).collect();
                items.extend(self.never(reply));
                sighting(items)
            }
            Ok(Comparison::Absent | Comparison::Lingering(_)) => sighting(vec![self.absent()]),
            Ok(Comparison::Foreign(_)) => sighting(vec![self.foreign(reply)]),
            Ok(Comparison::Broken(cause)) => Sighting::Broken(Box::new(self.broken(&cause.message))),
            Ok(Comparison::Settling) => Sighting::Unknown("Azure is working on it".to_owned()),
            // What it stands on is gone, and it with that.
            Err(_) if reply.status == 404 => sighting(vec![self.absent()]),
            Err(failure) => {
                if let (Rendered::Check(check), true) = (&self.rendered, reply.is_success()) {
                    return sighting(self.expected(&check.expect, reply));
                }
                Sighting::Unknown(redact(&failure.cause.to_string()))
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
            // It looks at everything, and is no one thing.
            Rendered::Isolation(_) => String::new(),
            Rendered::EntraApplication(application) => format!("applications/{}", application.unique_name),
            Rendered::ServicePrincipal(principal) => format!("servicePrincipals/{}", principal.app_id),
            Rendered::FederatedCredential(credential) => {
                let (application, name) = (&credential.application, &credential.name);
                format!("applications/{application}/federatedIdentityCredentials/{name}")
            }
        }
    }

    /// The type by whose rules it is compared.
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

    fn item(&self, path: &str, (wanted, seen): (Value, Value), severity: DriftClass, remedy: Remedy) -> Item {
        Item {
            step: self.name.clone(),
            resource: self.resource(),
            path: path.to_owned(),
            wanted,
            seen,
            severity,
            by: None,
            by_unknown: None,
            healing: None,
            // A check has nothing to write.
            remedy: if self.kind() == Kind::Check { Remedy::Person } else { remedy },
        }
    }

    fn differs(&self, path: &str, reply: &Reply) -> Item {
        let wanted = self.rendered.body().and_then(|body| compare::at(body, path));
        let class = class_of_difference(path, wanted);
        let (wanted, seen) = (shown(path, wanted), shown(path, compare::at(&reply.body, path)));
        self.item(path, (wanted, seen), class, Remedy::Write)
    }

    fn absent(&self) -> Item {
        let class = class_of_absence(self.kind(), ResourceType::type_of_id(&self.resource()).as_deref());
        let wanted = Value::String("there".to_owned());
        self.item(&self.resource(), (wanted, Value::Null), class, Remedy::Remake)
    }

    fn broken(&self, why: &str) -> Item {
        let seen = shown("", Some(&Value::String(why.to_owned())));
        let wanted = Value::String("working".to_owned());
        self.item(&self.resource(), (wanted, seen), DriftClass::Availability, Remedy::Person)
    }

    /// Its marks are another's, or gone: it is never changed.
    fn foreign(&self, reply: &Reply) -> Item {
        let owner = self.step.target().get("owner").cloned();
        let seen = shown("/tags", compare::member(&reply.body, "tags"));
        let owner = shown("/tags", owner.as_ref());
        self.item("/tags", (owner, seen), DriftClass::Isolation, Remedy::Person)
    }

    /// What a check expects and does not see.
    fn expected(&self, expect: &Value, reply: &Reply) -> Vec<Item> {
        let kind = self.compared_as();
        let wrong = expect.as_object().into_iter().flatten().filter(|(pointer, wanted)| {
            let seen = compare::at(&reply.body, pointer).unwrap_or(&Value::Null);
            !compare::same_at(&kind, pointer, wanted, seen)
        });
        wrong
            .map(|(path, wanted)| {
                let seen = compare::at(&reply.body, path);
                let (wanted, seen) = (shown(path, Some(wanted)), shown(path, seen));
                self.item(path, (wanted, seen), class_of(path), Remedy::Person)
            })
            .collect()
    }

    /// It is as wanted, but may be another one than on record: somebody has deleted it and made one of the same name.
    fn told(&self, told: &Outputs, reply: &Reply) -> Vec<Item> {
        let mut items = self.never(reply);
        // The same grant under another name is the same grant.
        if matches!(self.kind(), Kind::RoleAssignment | Kind::FederatedCredential) {
            return items;
        }
        let kind = self.compared_as();
        let same = |path: &str, recorded: &Value, seen: &Value| compare::same_at(&kind, path, recorded, seen);
        for (name, seen) in told {
            let path = self.pointers.get(name).cloned().unwrap_or_else(|| format!("/{name}"));
            if let Some(recorded) = self.recorded.get(name).filter(|recorded| !same(&path, recorded, seen)) {
                let (recorded, seen) = (shown(&path, Some(recorded)), shown(&path, Some(seen)));
                items.push(self.item(&path, (recorded, seen), class_of(&path), Remedy::Remake));
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
            let seen = shown(path, compare::at(&reply.body, path));
            self.item(path, (json!([]), seen), class_of(path), Remedy::Person)
        })
        .collect()
    }
}

fn sighting(items: Vec<Item>) -> Sighting {
    if items.is_empty() { Sighting::Right } else { Sighting::Drifted(items) }
}
