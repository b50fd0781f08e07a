//! One tenant's plan: every name, id and scope fixed before anything is created.
//!
//! What is known beforehand is substituted when the plan is made. What only Azure knows (a principal id, an endpoint's
//! URL) stays as the blueprint's own text (`Expr`, `Template`) and is evaluated once, when the step is rendered
//! ([`Plan::render`]). Only text of the blueprint is ever evaluated; a substituted value never is.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    BadField, Desired, Rendered, expression, fields::StoredStep, graph, hand::AtHand, immutable, planner,
    render::render, scope::Scope,
};
use crate::{
    ids::{StepName, sha256_hex},
    pointer,
    secrets::carried_within,
};

/// The outputs of one step by name: those that the blueprint declares for it, and those that its kind has, such as
/// `id`. The values are read from Azure, or known from the plan.
pub type Outputs = BTreeMap<String, Value>;

/// The kinds of step. Few and general: the differences between Azure's types are in [`super::ResourceType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A resource of Azure Resource Manager: [`Desired::Arm`].
    Arm,
    /// A change of a resource that another step creates: [`Desired::ArmUpdate`].
    ArmUpdate,
    /// A role assignment: [`Desired::RoleAssignment`].
    RoleAssignment,
    /// An Entra application: [`Desired::EntraApplication`].
    EntraApplication,
    /// The service principal of an application: [`Desired::ServicePrincipal`].
    ServicePrincipal,
    /// A federated identity credential of an application: [`Desired::FederatedCredential`].
    FederatedCredential,
    /// A check of a resource's values: [`Desired::Check`].
    Check,
    /// The isolation check: [`Desired::Isolation`].
    Isolation,
}

impl Kind {
    /// All kinds of step.
    pub const ALL: [Self; 8] = [
        Self::Arm,
        Self::ArmUpdate,
        Self::RoleAssignment,
        Self::EntraApplication,
        Self::ServicePrincipal,
        Self::FederatedCredential,
        Self::Check,
        Self::Isolation,
    ];

    /// The kind's name in blueprints and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::ArmUpdate => "arm-update",
            Self::RoleAssignment => "role-assignment",
            Self::EntraApplication => "entra-application",
            Self::ServicePrincipal => "service-principal",
            Self::FederatedCredential => "federated-credential",
            Self::Check => "check",
            Self::Isolation => "isolation",
        }
    }

    /// Whether a new object may be missing from reads for a while: Entra and role assignments are replicated, and a
    /// stale replica may answer a read.
    pub fn is_replicated(self) -> bool {
        match self {
            Self::EntraApplication
            | Self::ServicePrincipal
            | Self::FederatedCredential
            | Self::RoleAssignment => true,
            Self::Arm | Self::ArmUpdate | Self::Check | Self::Isolation => false,
        }
    }
}

/// Which blueprint a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlueprintRef {
    /// The `name` of the blueprint.
    pub name: String,
    /// The `version` of the blueprint.
    pub version: String,
    /// SHA-256 of the blueprint's text, as `sha256:<hex>`.
    pub digest: String,
}

/// One step of a plan. Documents store it as JSON (`fields.rs`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "StoredStep")]
pub struct PlannedStep {
    /// The desired state of the step's object.
    pub desired: Desired,
    /// The steps that must be ready before this one: those that it names in `needs`, `in` or `of`, and those that its
    /// expressions use.
    pub needs: BTreeSet<StepName>,
    /// The step's outputs: the name, and the JSON pointer into the object as Azure returns it.
    pub outputs: BTreeMap<String, String>,
    /// SHA-256, as `sha256:<hex>`, over the desired state, the outputs and the values that the late texts use, but not
    /// over `needs`. Equal digests mean equal desired states.
    pub digest: String,
}

impl PlannedStep {
    /// The kind of the step.
    pub fn kind(&self) -> Kind {
        self.desired.kind()
    }
}

/// What one tenant consists of. A plan is immutable: a changed desired state is a new plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The blueprint that the plan was made from.
    pub blueprint: BlueprintRef,
    /// What expressions may use besides steps: `tenant`, `parameters`, `stamp`, `deployment`, and the `values` that
    /// were known when the plan was made.
    pub context: Value,
    /// The blueprint's named texts (`values`) that need outputs of steps. They are evaluated with the texts that use
    /// them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// The outputs of each step that were known when the plan was made (`id`, `name`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<StepName, Outputs>,
    /// The steps that this tenant has, by name.
    pub steps: BTreeMap<StepName, PlannedStep>,
    /// What is published to the tenant's owner when all steps are ready: the blueprint's texts by the name of the
    /// export.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, String>,
}

/// Why a step, or an export, can't be evaluated although the outputs of the steps that it needs are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An expression can't be evaluated.
    #[error("step {step}, {pointer}: {why}")]
    Expression {
        /// The name of the step, or `exports`.
        step: String,
        /// The JSON pointer into the step's fields, or the exports.
        pointer: String,
        /// The evaluator's message.
        why: String,
    },
    /// The result of an expression does not fit its field.
    #[error(transparent)]
    Field(#[from] BadField),
}

impl Plan {
    /// Renders a step: its desired state with everything evaluated, given the outputs of the steps before it.
    ///
    /// Pure, and evaluates only texts of the blueprint: a value from Azure or from a request is never evaluated.
    ///
    /// Errors: an output is missing, an expression can't be evaluated with these outputs, or its result does not fit
    /// its field.
    pub fn render(
        &self,
        step: &StepName,
        outputs: &BTreeMap<StepName, Outputs>,
    ) -> Result<Rendered, RenderError> {
        let fault = |pointer: &str, why: String| RenderError::Expression {
            step: step.to_string(),
            pointer: pointer.to_owned(),
            why,
        };
        let planned = self.steps.get(step).ok_or_else(|| fault("", "the plan has no such step".into()))?;
        // A scope is expensive, and most steps need none.
        let scope = LazyCell::new(|| self.scope(outputs));
        render(&planned.desired, |pointer, text| {
            expression::evaluate_text(text, &scope).map_err(|why| fault(pointer, why))
        })
    }

    /// The ids that the tenant's steps and requests may name. Collecting them reads the whole plan, so whoever judges
    /// more than one step keeps them.
    pub fn at_hand(&self) -> AtHand {
        at_hand(&self.steps, self.context.get("stamp").unwrap_or(&Value::Null))
    }

    /// The exports, given the outputs of all steps; null values are left out.
    ///
    /// Errors: an output is missing, an expression can't be evaluated, or its result is a secret.
    pub fn exports(
        &self,
        outputs: &BTreeMap<StepName, Outputs>,
    ) -> Result<BTreeMap<String, Value>, RenderError> {
        let scope = self.scope(outputs);
        let mut exports = BTreeMap::new();
        for (name, text) in &self.exports {
            let value = expression::evaluate_text(text, &scope).map_err(|why| RenderError::Expression {
                step: "exports".into(),
                pointer: format!("/{}", pointer::segment(name)),
                why,
            })?;
            if let Some((_, what)) = carried_within(&value) {
                return Err(RenderError::Expression {
                    step: "exports".into(),
                    pointer: format!("/{}", pointer::segment(name)),
                    why: format!("this is {what}, and exports are stored and published"),
                });
            }
            if !value.is_null() {
                exports.insert(name.clone(), value);
            }
        }
        Ok(exports)
    }

    /// The steps in topological order, ties in the order of names, so always the same.
    pub fn order(&self) -> Vec<StepName> {
        graph::order(&self.needs())
    }

    /// The number of steps on the longest path; 0 for a plan without steps.
    pub fn depth(&self) -> usize {
        graph::depth(&self.needs())
    }

    /// JSON pointers into the step's fields at which the two plans differ although the value can't change once the
    /// object exists.
    ///
    /// If there are any, the object has to be replaced instead of written. An empty pointer means that the kind of the
    /// step differs.
    pub fn immutable_changes(old: &PlannedStep, new: &PlannedStep) -> Vec<String> {
        immutable::changes(&old.desired, &new.desired)
    }

    fn needs(&self) -> graph::Needs<StepName> {
        self.steps.iter().map(|(name, step)| (name.clone(), step.needs.clone())).collect()
    }

    fn scope(&self, outputs: &BTreeMap<StepName, Outputs>) -> Scope {
        let mut scope = Scope::new(&self.context, &self.values);
        for step in self.steps.keys() {
            for step_outputs in [self.known.get(step), outputs.get(step)].into_iter().flatten() {
                scope.set_outputs(step, step_outputs);
            }
        }
        scope
    }
}

/// The ids that the plan and the requests of a tenant with these steps may name.
pub(super) fn at_hand(steps: &BTreeMap<StepName, PlannedStep>, stamp: &Value) -> AtHand {
    let own = steps.values().filter_map(|step| match &step.desired {
        Desired::Arm(resource) => Some(resource.id.clone()),
        Desired::ArmUpdate(_)
        | Desired::RoleAssignment(_)
        | Desired::EntraApplication(_)
        | Desired::ServicePrincipal(_)
        | Desired::FederatedCredential(_)
        | Desired::Check(_)
        | Desired::Isolation(_) => None,
    });
    AtHand::new(own, stamp)
}

/// Computes the digest of every step.
///
/// The result of a late text depends on what it uses, so the named values and the members of the context that it
/// reaches are part of the digest: a changed parameter changes the digest of each step that uses it, early or late.
pub(super) fn seal(plan: &mut Plan) {
    for step in plan.steps.values_mut() {
        let late = step.desired.late();
        let texts: Vec<&String> = late.values().collect();
        let speaks: BTreeMap<String, Value> = planner::spoken_of(&texts, &plan.values)
            .into_iter()
            .filter(|path| !path.starts_with("steps."))
            .map(|path| {
                let late = path.strip_prefix("values.").and_then(|name| plan.values.get(name));
                let early = || plan.context.pointer(&format!("/{}", path.replace('.', "/"))).cloned();
                let value = late.map(|text| Value::String(text.clone())).or_else(early).unwrap_or_default();
                (path, value)
            })
            .collect();
        let whole = json!([step.kind(), step.desired.to_json(), late, step.outputs, speaks]);
        step.digest = format!("sha256:{}", sha256_hex(whole.to_string().as_bytes()));
    }
}
