//! One file per kind of step: the requests it makes and the verdicts it draws from replies.
//!
//! Pure: a step never sends. The reconciler sends what a step asks for and hands the reply back; the engine decides what
//! to do about the verdict. A step looks first, judges, and writes only what is absent or differs.

mod about;
mod arm;
mod arm_update;
mod check;
pub mod codes;
mod deleted;
mod entra;
pub mod failure;
mod federated;
pub mod operation;
mod pages;
mod request;
mod retry_after;
mod role_assignment;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

pub use crate::secrets::redact;
pub use about::about;
pub use failure::{Failure, REFUSED_URL};
pub use pages::{MAX_PAGES, Page, Pages, items};
pub use request::{Api, GraphPath, Method, ObjectId, Reply, Request, odata_key};
pub use retry_after::{MOST as LONGEST_RETRY_AFTER, retry_after};

use crate::{
    blueprint::{Kind, Outputs, PlannedStep},
    compare,
    ids::{ApiVersion, ResourceId},
    secrets::{carried_within, is_secret_name},
    tenant::{Cause, FailureClass},
};

/// What a look shows of something that should be there.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing is there.
    Absent,
    /// It is there, ours and as wanted; this is what it tells.
    Matches(Outputs),
    /// It is there and ours, but these JSON pointers differ.
    Differs(Vec<String>),
    /// Azure is still working on it.
    Settling,
    /// It is there without our ownership mark: never to be changed.
    Foreign(String),
    /// It lies among the deleted under this id, ours: to be brought back, for other things know it by its ids.
    Lingering(String),
    /// It is ours, but its provisioning state is Failed or Canceled: it is written again, or made anew if it was never ready.
    Broken(Cause),
}

/// What a look shows of something that should be gone.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// Nothing is there.
    Nothing,
    /// It is still there, with what is needed to delete it.
    Present(Outputs),
    /// It is soft-deleted: its name and its data are still held.
    Lingering(Outputs),
    /// Azure is still removing it.
    Settling,
    /// It is soft-deleted, and its service purges it by itself at that instant and lets nobody do so before.
    Retained(Option<Timestamp>),
    /// What is there is not ours; ours is gone.
    Foreign,
}

/// Something that is to be as a plan says.
pub trait Step: Send + Sync {
    /// What has to be remembered to find and remove it, whatever becomes of the plan.
    fn target(&self) -> Value;
    /// The request that looks at it.
    fn look(&self) -> Request;
    /// What the answer to a look (or to a write that shows the resource) says.
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be understood.
    fn judge(&self, reply: &Reply) -> Result<Verdict, Failure>;
    /// The request that makes it so, given what the look showed; `None` for a step that only looks.
    fn write(&self, seen: Option<&Value>) -> Option<Request>;
    /// How it is brought back after a deletion; `None` where what is deleted is made anew.
    fn restorable(&self) -> Option<&dyn Restorable> {
        None
    }
    /// Where its service keeps deleted things that may hold its name; asked when a write is refused as a conflict.
    fn name_holder(&self) -> Option<Request> {
        None
    }
    /// Who holds the name, in words, from the answer to [`Self::name_holder`]; `None` if nobody does.
    fn judge_holder(&self, _reply: &Reply) -> Option<String> {
        None
    }
}

/// Something that its service keeps for a while after deletion and can bring back as it was, with its ids.
pub trait Restorable: Send + Sync {
    /// The requests that look for it among the deleted, in order; the first that shows it decides.
    fn looks(&self) -> Vec<Request>;
    /// The id under which it lies there, from the answer to the look number `look`; `None` if it does not, or if what
    /// lies there is not ours.
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be understood.
    fn judge(&self, look: usize, reply: &Reply) -> Result<Option<String>, Failure>;
    /// The request that brings it back; its answer shows it as it was. `None` if that is no id.
    fn restore(&self, id: &str) -> Option<Request>;
}

/// Something that is to be gone.
pub trait Remains: Send + Sync {
    /// The requests that look for it, in order; the first that shows something decides.
    fn looks(&self) -> Vec<Request>;
    /// What the answer to the look number `look` says.
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be understood.
    fn judge(&self, look: usize, reply: &Reply) -> Result<Trace, Failure>;
    /// The request that removes what the look showed; `None` if there is nothing to remove.
    fn erase(&self, trace: &Trace) -> Option<Request>;
    /// What a refusal to remove it says of what is there, where it says more than that it failed.
    fn refused(&self, _trace: &Trace, _reply: &Reply) -> Option<Trace> {
        None
    }
}

/// The step that a planned step's rendered fields describe, and what it told when it was last ready.
///
/// # Errors
/// A permanent [`Failure`] naming the field that is missing or has the wrong type.
pub fn step(planned: &PlannedStep, fields: &Value, told: &Outputs) -> Result<Box<dyn Step>, Failure> {
    let outputs = planned.outputs.clone();
    Ok(match planned.kind {
        Kind::Arm => Box::new(arm::Arm::new(fields, outputs)?),
        Kind::ArmUpdate => Box::new(arm_update::ArmUpdate::new(fields, outputs)?),
        Kind::RoleAssignment => Box::new(role_assignment::RoleAssignment::new(fields)?),
        Kind::EntraApplication => Box::new(entra::Entry::application(fields, told)?),
        Kind::ServicePrincipal => Box::new(entra::Entry::service_principal(fields, told)?),
        Kind::FederatedCredential => Box::new(federated::FederatedCredential::new(fields)?),
        Kind::Check => Box::new(check::Check::new(fields, outputs)?),
        Kind::Isolation => {
            let message = "a proof of isolation asks more than one question";
            return Err(Cause::ours(FailureClass::Permanent, "no-question", message).into());
        }
    })
}

/// What a step left behind, from its remembered target and what it told.
///
/// # Errors
/// A permanent [`Failure`] if the target is not one that this kind writes.
pub fn remains(kind: Kind, target: &Value, told: &Outputs) -> Result<Box<dyn Remains>, Failure> {
    Ok(match kind {
        Kind::Arm => Box::new(arm::ArmRemains::new(target)?),
        Kind::ArmUpdate => Box::new(arm_update::UpdateRemains::new(target)?),
        Kind::RoleAssignment => Box::new(role_assignment::RoleAssignment::new(target)?),
        Kind::EntraApplication => Box::new(entra::Remnant::application(target, told)?),
        Kind::ServicePrincipal => Box::new(entra::Remnant::service_principal(target, told)?),
        Kind::FederatedCredential => Box::new(federated::FederatedCredential::new(target)?),
        Kind::Check | Kind::Isolation => Box::new(check::Nothing),
    })
}

/// A text field that a kind can't do without.
fn text<'a>(fields: &'a Value, name: &str) -> Result<&'a str, Failure> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        let message = format!("the step's field {name} is missing or is not a text");
        Failure::from(Cause::ours(FailureClass::Permanent, "bad-field", message))
    })
}

/// A field that is the id of a resource.
fn resource_id(fields: &Value, name: &str) -> Result<ResourceId, Failure> {
    text(fields, name)?.parse().map_err(|why| bad_field(name, why))
}

/// The field that says by which version of the API a resource is spoken to.
fn api_version(fields: &Value) -> Result<ApiVersion, Failure> {
    text(fields, "apiVersion")?.parse().map_err(|why| bad_field("apiVersion", why))
}

/// A field that is the id of an object in Graph.
fn object_id(fields: &Value, name: &str) -> Result<ObjectId, Failure> {
    let id = ObjectId::read(text(fields, name)?);
    id.ok_or_else(|| bad_field(name, "an object's id is one segment of a path"))
}

fn bad_field(name: &str, why: impl std::fmt::Display) -> Failure {
    Cause::ours(FailureClass::Permanent, "bad-field", format!("the step's field {name}: {why}")).into()
}

/// What a step tells, read from the resource as Azure shows it. A pointer that leads nowhere is left out: whoever
/// uses the output is told that it is undefined.
///
/// # Errors
/// A permanent [`Failure`] if one carries a secret: outputs are stored and announced.
fn told(outputs: &BTreeMap<String, String>, shown: &Value) -> Result<Outputs, Failure> {
    let mut told = Outputs::new();
    for (name, pointer) in outputs {
        let Some(value) = compare::at(shown, pointer) else { continue };
        let by_name =
            pointer.split('/').any(is_secret_name) && value.as_str().is_some_and(|text| !text.is_empty());
        if by_name || carried_within(value).is_some() {
            let message = format!(
                "the output {name} ({pointer}) would be a secret; it was neither stored nor announced. \
                 Take it out of the blueprint"
            );
            return Err(Cause::ours(FailureClass::Permanent, "secret-output", message).into());
        }
        told.insert(name.clone(), value.clone());
    }
    Ok(told)
}
