//! One tenant's plan: every name, id and scope fixed before anything is created.
//!
//! What can be known beforehand is substituted when the plan is made. What only Azure can tell (a principal id, an
//! endpoint's URL) stays as the blueprint's own text in [`PlannedStep::late`] and is evaluated once, when the step's
//! turn comes. Only text of the blueprint is ever evaluated; a substituted value never is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::StepName;

/// What a step has told: names from its `outputs` (and `id`, `name` where it has them), with the values seen in Azure.
pub type Outputs = BTreeMap<String, Value>;

/// The kinds of step. Few and general: Azure's own variety is in [`super::ResourceType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any Azure Resource Manager resource. Fields: `id`, `type`, `apiVersion`, `body`.
    Arm,
    /// A later change of a resource that another step made. Fields: as `Arm`, with the whole merged body, and
    /// `undo`, the whole body that removal puts back (absent: removal leaves the resource to its own step).
    ArmUpdate,
    /// A role assignment. Fields: `scope`, `roleDefinitionId`, `principalId`.
    RoleAssignment,
    /// An Entra application. Fields: `uniqueName`, `body`.
    EntraApplication,
    /// The service principal of an application. Fields: `appId`, `body`.
    ServicePrincipal,
    /// A federated identity credential of an application. Fields: `application` (object id), `name`, `body`.
    FederatedCredential,
    /// A verification that changes nothing. Fields: `id`, `apiVersion`, `expect` (JSON pointer to wanted value).
    Check,
}

/// Which blueprint a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlueprintRef {
    /// Its `name`.
    pub name: String,
    /// Its `version`.
    pub version: String,
    /// SHA-256 of its text, as `sha256:<hex>`.
    pub digest: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// What kind of step it is; says which members [`Self::fields`] has.
    pub kind: Kind,
    /// The steps that must be ready before it, `needs` and those that its expressions name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<StepName>,
    /// The fields of the kind, `null` wherever [`Self::late`] has an entry.
    pub fields: Value,
    /// Blueprint texts that need other steps' outputs, by JSON pointer into [`Self::fields`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, String>,
    /// What the step tells others: output name to JSON pointer into the resource as Azure shows it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// SHA-256 over everything above but `needs`: equal digest, equal wish.
    pub digest: String,
}

/// What one tenant consists of. Immutable; a changed wish is a new plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The blueprint that it was made from.
    pub blueprint: BlueprintRef,
    /// What expressions may speak of besides steps: `tenant`, `parameters`, `stamp`, `deployment`, early `values`.
    pub context: Value,
    /// Named blueprint texts (`values`) that need step outputs; evaluated together with whoever uses them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What is known of each step beforehand (`id`, `name`), as expressions see it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<StepName, Outputs>,
    /// The steps.
    pub steps: BTreeMap<StepName, PlannedStep>,
    /// What the tenant's owner is told when all is ready: export name to blueprint text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, String>,
}

/// An expression could not be evaluated although everything that its step needs is ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step}, {pointer}: {why}")]
pub struct RenderError {
    /// The step, or `exports`.
    pub step: String,
    /// Where in the step's fields.
    pub pointer: String,
    /// What the expression evaluator said.
    pub why: String,
}
