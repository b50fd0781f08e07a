//! One file per kind of step: the requests that a step sends, and what the replies show about its object.
//!
//! Pure: a step sends nothing itself. The reconciler sends a step's requests and hands back the replies; the engine
//! acts on the comparison. A step reads first, compares, and writes only what is absent or drifted.

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

/// What a read shows of an object that should exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// The object does not exist.
    Absent,
    /// The object exists, is ours and matches; with its outputs.
    Matches(Outputs),
    /// The object exists and is ours, but differs at these JSON pointers.
    Drifted(Vec<String>),
    /// The object exists and is ours, but differs in values that can't change once it exists: no write helps.
    Immutable {
        /// The JSON pointers to the differences that can't change.
        fixed: Vec<String>,
        /// The JSON pointers to all differences, including those in `fixed`.
        differences: Vec<String>,
    },
    /// Azure is still working on the object.
    InProgress,
    /// The object exists without our ownership mark, so it is never changed; with a description of its owner.
    Foreign(String),
    /// The object is ours and soft-deleted under this id. It has to be restored, because other objects refer to its
    /// ids.
    SoftDeleted(String),
    /// The object is ours, but its provisioning state is Failed or Canceled: it is written again, or recreated if it
    /// was never ready.
    Failed(Cause),
}

/// What a read shows of an object that should not exist.
#[derive(Debug, Clone, PartialEq)]
pub enum DeletionState {
    /// The object does not exist.
    Nothing,
    /// The object still exists; with the outputs that are needed to delete it, e.g. its id.
    Present(Outputs),
    /// The object is soft-deleted, so its name and data are still held; with the outputs that are needed to purge it.
    SoftDeleted(Outputs),
    /// Azure is still deleting the object.
    InProgress,
    /// The object is soft-deleted, and its service allows no purge before it purges the object itself at this time, if
    /// that is known.
    Retained(Option<Timestamp>),
    /// The object that exists is not ours; ours is deleted.
    Foreign,
}

/// One object of Azure Resource Manager or Microsoft Graph that should be as a plan says.
///
/// # Flow
/// The reconciler sends [`Step::read`] and hands the answer to [`Step::judge`]. If the result calls for a write, e.g.
/// [`Comparison::Absent`] or [`Comparison::Drifted`], it sends [`Step::write`] and reads again. [`step()`] makes a step
/// from its rendered plan.
///
/// # Guarantees that an implementation gives
/// - It sends nothing, keeps nothing and reads no clock: the same arguments give the same answer.
/// - `read` changes nothing in Azure, however often it is sent.
/// - `write` is idempotent: sending it twice has the effect of sending it once. If Azure chooses the id, the name in
///   the request decides whether it is the same object.
/// - `judge` returns [`Comparison::Matches`] only for an object with the marks of this tenant and incarnation, and
///   [`Comparison::Foreign`] for one with other marks or none, whatever else it shows. An object that can't be marked
///   is identified by its derived name or by what it grants.
/// - `target` is enough to find and delete the object without the plan, because a later plan may not have the step.
///
/// # Assumptions
/// A read may show an older state (Graph's replicas); the engine reads again before it concludes that an object it has
/// written is absent.
///
/// # Errors
/// A [`Failure`] has a class from the table in `steps/codes.rs`; the class decides whether the engine retries, waits or
/// blocks the step. An answer that can't be parsed is retried: nothing unknown is final.
///
/// # Example
/// ```
/// use tenantry_core::steps::{Reply, Step, Comparison};
///
/// /// What an answer of Azure means for a step.
/// fn needs_a_write(step: &dyn Step, reply: &Reply) -> bool {
///     matches!(step.judge(reply), Ok(Comparison::Absent | Comparison::Drifted(_)))
/// }
/// ```
///
/// # Caveats
/// Do not let `write` skip the read because the object was ready a moment ago: it may have been changed since, and the
/// write would overwrite an object that is no longer ours.
pub trait Step: Send + Sync {
    /// The deletion record: what is needed to find and delete the object, even if the plan changes.
    fn target(&self) -> Value;
    /// The request that reads the object.
    fn read(&self) -> Request;
    /// Judges the answer to a read (or to a write that shows the resource).
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be parsed.
    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure>;
    /// The request that creates or changes the object, given the object that the read showed; `None` for a step that
    /// only reads. The request has all desired members, and the members of `seen` that a PUT must not remove.
    fn write(&self, seen: Option<&Value>) -> Option<Request>;
    /// How the object is restored after a deletion; `None` if deleted objects are recreated.
    fn restorable(&self) -> Option<&dyn Restorable> {
        None
    }
    /// The request for a soft-deleted object that may hold the object's name; sent when a write is refused as a
    /// conflict.
    fn name_holder(&self) -> Option<Request> {
        None
    }
    /// Which object holds the name, as text, from the answer to [`Self::name_holder`]; `None` if there is none.
    fn judge_holder(&self, _reply: &Reply) -> Option<String> {
        None
    }
}

/// An object that its service keeps for a while after deletion and can restore with its ids.
pub trait Restorable: Send + Sync {
    /// The requests that find the object among the deleted ones, in order; the first whose answer shows it decides.
    fn reads(&self) -> Vec<Request>;
    /// The id of the deleted object, from the answer to request number `read` of [`Self::reads`]; `None` if the object
    /// is not among the deleted ones, or is not ours.
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be parsed.
    fn judge(&self, read: usize, reply: &Reply) -> Result<Option<String>, Failure>;
    /// The request that restores the object, whose answer shows the restored object. `None` if `id` is not a valid id.
    fn restore(&self, id: &str) -> Option<Request>;
}

/// An object that should not exist.
pub trait Deletion: Send + Sync {
    /// The requests that find the object, in order; the first whose answer shows something decides.
    fn reads(&self) -> Vec<Request>;
    /// Judges the answer to request number `read` of [`Self::reads`].
    ///
    /// # Errors
    /// [`Failure`] if the answer is a refusal or can't be parsed.
    fn judge(&self, read: usize, reply: &Reply) -> Result<DeletionState, Failure>;
    /// The request that deletes what the read showed; `None` if there is nothing to delete.
    fn delete(&self, state: &DeletionState) -> Option<Request>;
    /// What a refused delete shows about the object, if it shows more than a failure.
    fn refused(&self, _state: &DeletionState, _reply: &Reply) -> Option<DeletionState> {
        None
    }
}

/// Makes a step from its rendered plan, its outputs (name to JSON pointer), and the values of the outputs when it was
/// last ready.
///
/// # Errors
/// A permanent [`Failure`] that names the field that can't be used. Also for an isolation check, which needs more than
/// one request.
pub fn step(
    rendered: &Rendered,
    output_pointers: &BTreeMap<String, String>,
    recorded: &Outputs,
) -> Result<Box<dyn Step>, Failure> {
    let outputs = output_pointers.clone();
    Ok(match rendered {
        Rendered::Arm(resource) => Box::new(arm::Arm::new(resource, outputs)?),
        Rendered::ArmUpdate(update) => Box::new(arm_update::ArmUpdate::new(update, outputs)?),
        Rendered::RoleAssignment(grant) => Box::new(role_assignment::RoleAssignment(grant.clone())),
        Rendered::EntraApplication(application) => Box::new(entra::Entry::application(application, recorded)),
        Rendered::ServicePrincipal(principal) => {
            Box::new(entra::Entry::service_principal(principal, recorded))
        }
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

/// Makes the deletion of a step's object from its recorded target and outputs.
///
/// # Errors
/// A permanent [`Failure`] if the target does not fit the kind.
pub fn deletion(kind: Kind, target: &Value, outputs: &Outputs) -> Result<Box<dyn Deletion>, Failure> {
    Ok(match Target::read(kind, target)? {
        Target::Arm(resource) => Box::new(arm::ArmDeletion::new(resource)?),
        Target::ArmUpdate(resource, undo) => Box::new(arm_update::UpdateDeletion::new(resource, undo)?),
        Target::RoleAssignment(grant) => Box::new(role_assignment::RoleAssignment(grant)),
        Target::EntraApplication { unique_name, owner } => {
            Box::new(entra::EntryDeletion::application(&unique_name, owner, outputs))
        }
        Target::ServicePrincipal { app_id, owner } => {
            Box::new(entra::EntryDeletion::service_principal(&app_id, owner, outputs))
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

/// The values of a step's outputs, read from the resource as Azure shows it. An output whose pointer leads to nothing
/// is left out: expressions that use it fail, because the output is undefined.
///
/// # Errors
/// A permanent [`Failure`] if a value carries a secret: outputs are stored and published.
fn read_outputs(outputs: &BTreeMap<String, String>, shown: &Value) -> Result<Outputs, Failure> {
    let mut values = Outputs::new();
    for (name, pointer) in outputs {
        let Some(value) = compare::at(shown, pointer) else { continue };
        let by_name =
            pointer.split('/').any(is_secret_name) && value.as_str().is_some_and(|text| !text.is_empty());
        if by_name || carried_within(value).is_some() {
            let message = format!(
                "the output {name} ({pointer}) would be a secret; it was neither stored nor published. \
                 Take it out of the blueprint"
            );
            return Err(Cause::ours(FailureClass::Permanent, "secret-output", message).into());
        }
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}
