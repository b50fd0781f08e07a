//! One file per kind of step: the requests it makes, and what replies show of its object.
//!
//! Pure: a step never sends. The reconciler sends what a step asks for and hands the reply back; the engine decides what
//! to do about the comparison. A step looks first, judges, and writes only what is absent or differs.

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
mod target;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

pub use crate::secrets::redact;
pub use about::{about, about_target};
pub use failure::{Failure, REFUSED_URL};
pub use pages::{MAX_PAGES, Page, Pages, items};
pub use request::{Api, GraphPath, Method, ObjectId, Reply, Request, odata_key};
pub use retry_after::{MOST as LONGEST_RETRY_AFTER, retry_after};
pub use target::{ArmTarget, Target};

use crate::{
    blueprint::{BadField, Kind, Outputs, Rendered},
    compare,
    secrets::{carried_within, is_secret_name},
    tenant::{Cause, FailureClass},
};

/// What a look shows of something that should be there.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// Nothing is there.
    Absent,
    /// It is there, ours and as wanted; this is what it tells.
    Matches(Outputs),
    /// It is there and ours, but these JSON pointers differ.
    Differs(Vec<String>),
    /// It is there and ours, but these JSON pointers differ, and what stands there can't change once it is there: no write
    /// helps.
    Immutable(Vec<String>),
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

/// Something that is to be as a plan says: one object of Azure Resource Manager or Microsoft Graph.
///
/// # Flow
/// The reconciler sends [`Step::look`] and hands the answer to [`Step::judge`]. Only if that says [`Comparison::Absent`] or
/// [`Comparison::Differs`], the engine has [`Step::write`] sent, and looks again. [`step()`] makes a step from what a plan says
/// of it with everything known.
///
/// # Guarantees that an implementation gives
/// - It sends nothing, keeps nothing and reads no clock: the same arguments give the same answer.
/// - `look` changes nothing in Azure, however often it is sent.
/// - `write` is idempotent: sent twice, it leaves what it leaves when sent once. Where Azure draws an id, the name in the
///   request decides whether it is the same object.
/// - `judge` says [`Comparison::Matches`] only of an object that carries the marks of this tenant and incarnation, and
///   [`Comparison::Foreign`] of one that carries others or none, whatever else it shows.
/// - `target` finds and removes the object without the plan, for a later plan may no longer have it.
///
/// # Assumptions
/// A read may show what was there some time ago (Graph's replicas); the engine asks again before it believes that something
/// which it has written is absent.
///
/// # Errors
/// A [`Failure`] has a class from the one table in `steps/codes.rs`; the class decides whether the engine tries again, waits
/// or asks for a person. An answer that can't be understood is tried again: what is unknown is never final.
///
/// # Example
/// ```
/// use tenantry_core::steps::{Reply, Step, Comparison};
///
/// /// What an answer of Azure means for a step.
/// fn needs_a_write(step: &dyn Step, reply: &Reply) -> bool {
///     matches!(step.judge(reply), Ok(Comparison::Absent | Comparison::Differs(_)))
/// }
/// ```
///
/// # Caveats
/// It is tempting to let `write` skip the look where the object was ready a moment ago. A person may have changed it since,
/// and the write would go over an object that is no longer ours.
pub trait Step: Send + Sync {
    /// What has to be remembered to find and remove it, whatever becomes of the plan.
    fn target(&self) -> Value;
    /// The request that looks at it.
    fn look(&self) -> Request;
    /// What the answer to a look (or to a write that shows the resource) says.
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be understood.
    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure>;
    /// The request that makes it so, given what the look showed; `None` for a step that only looks. It writes the whole
    /// object where Azure replaces what a PUT leaves out, and only what differs where Azure merges.
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

/// The step that is to be carried out: what it is to bring about, which outputs it tells (name to JSON pointer), and what
/// it told when it was last ready.
///
/// # Errors
/// A permanent [`Failure`] naming the field that can't be used, and for a proof of isolation, which asks more than one
/// question.
pub fn step(
    rendered: &Rendered,
    outputs: &BTreeMap<String, String>,
    told: &Outputs,
) -> Result<Box<dyn Step>, Failure> {
    let outputs = outputs.clone();
    Ok(match rendered {
        Rendered::Arm(resource) => Box::new(arm::Arm::new(resource, outputs)?),
        Rendered::ArmUpdate(update) => Box::new(arm_update::ArmUpdate::new(update, outputs)?),
        Rendered::RoleAssignment(grant) => Box::new(role_assignment::RoleAssignment(grant.clone())),
        Rendered::EntraApplication(application) => Box::new(entra::Entry::application(application, told)),
        Rendered::ServicePrincipal(principal) => Box::new(entra::Entry::service_principal(principal, told)),
        Rendered::FederatedCredential(credential) => {
            Box::new(federated::FederatedCredential::new(credential)?)
        }
        Rendered::Check(check) => Box::new(check::Check::new(check, outputs)),
        Rendered::Isolation(_) => {
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
    Ok(match Target::read(kind, target)? {
        Target::Arm(resource) => Box::new(arm::ArmRemains::new(resource)?),
        Target::ArmUpdate(resource, undo) => Box::new(arm_update::UpdateRemains::new(resource, undo)?),
        Target::RoleAssignment(grant) => Box::new(role_assignment::RoleAssignment(grant)),
        Target::EntraApplication { unique_name, owner } => {
            Box::new(entra::Remnant::application(&unique_name, owner, told))
        }
        Target::ServicePrincipal { app_id, owner } => {
            Box::new(entra::Remnant::service_principal(&app_id, owner, told))
        }
        Target::FederatedCredential { application, name } => {
            Box::new(federated::FederatedCredential::remembered(application, name)?)
        }
        Target::Nothing => Box::new(check::Nothing),
    })
}

impl From<BadField> for Failure {
    fn from(bad: BadField) -> Self {
        Cause::ours(FailureClass::Permanent, "bad-field", bad.to_string()).into()
    }
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
