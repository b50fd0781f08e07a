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
    BadField, Desired, Guard, Objection, Rendered, expression, fields::StoredStep, graph, hand::AtHand,
    immutable, judge, planner, render::render, scope::Scope,
};
use crate::{
    ids::{StepName, sha256_hex},
    pointer,
    secrets::carried_within,
};

/// The outputs of a step: names from its `outputs` (and `id`, `name` if it has them), with the values seen in Azure.
pub type Outputs = BTreeMap<String, Value>;

/// The kinds of step. Few and general: the differences between Azure's types are in [`super::ResourceType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Desired::Arm`].
    Arm,
    /// [`Desired::ArmUpdate`].
    ArmUpdate,
    /// [`Desired::RoleAssignment`].
    RoleAssignment,
    /// [`Desired::EntraApplication`].
    EntraApplication,
    /// [`Desired::ServicePrincipal`].
    ServicePrincipal,
    /// [`Desired::FederatedCredential`].
    FederatedCredential,
    /// [`Desired::Check`].
    Check,
    /// [`Desired::Isolation`].
    Isolation,
}

impl Kind {
    /// All kinds.
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

    /// The name in blueprints and documents.
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
    /// Its `name`.
    pub name: String,
    /// Its `version`.
    pub version: String,
    /// SHA-256 of its text, as `sha256:<hex>`.
    pub digest: String,
}

/// One step of a plan. Documents hold its fields as JSON (`fields.rs`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "StoredStep")]
pub struct PlannedStep {
    /// Its desired state.
    pub desired: Desired,
    /// The steps that must be ready before it: `needs` and those that its expressions use.
    pub needs: BTreeSet<StepName>,
    /// Its outputs: name to JSON pointer into the resource as Azure shows it.
    pub outputs: BTreeMap<String, String>,
    /// SHA-256, as `sha256:<hex>`, over everything above except `needs`, and over what the late texts use: equal
    /// digest, equal desired state.
    pub digest: String,
}

impl PlannedStep {
    /// What kind of step it is.
    pub fn kind(&self) -> Kind {
        self.desired.kind()
    }
}

/// What one tenant consists of. Immutable; a changed desired state is a new plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The blueprint that it was made from.
    pub blueprint: BlueprintRef,
    /// What expressions may use besides steps: `tenant`, `parameters`, `stamp`, `deployment`, early `values`.
    pub context: Value,
    /// Named blueprint texts (`values`) that need step outputs; evaluated with the texts that use them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What is known of each step beforehand (`id`, `name`), as expressions see it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<StepName, Outputs>,
    /// The steps.
    pub steps: BTreeMap<StepName, PlannedStep>,
    /// What is published to the tenant's owner when all steps are ready: export name to blueprint text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, String>,
}

/// A step, or the exports, can't be evaluated although everything needed is ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An expression can't be evaluated.
    #[error("step {step}, {pointer}: {why}")]
    Expression {
        /// The step, or `exports`.
        step: String,
        /// The pointer into the step's fields.
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

    /// Objections to a rendered step: values that were not known when the plan was made are judged here, by the same
    /// rules.
    pub fn objections(&self, rendered: &Rendered) -> Vec<Objection> {
        judge::step(rendered, &self.at_hand())
    }

    /// The guard that judges the requests of a step of this kind just before they are sent; `removes` if it is deleted.
    pub fn guard(&self, kind: Kind, removes: bool) -> Guard {
        Guard { kind, removes, hand: self.at_hand() }
    }

    fn at_hand(&self) -> AtHand {
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

    /// Pointers into the fields whose planned values differ although they can't change once the object exists.
    ///
    /// Such a step needs another object: it is replaced, not written. An empty pointer means that the kind itself
    /// differs.
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

/// The ids that a tenant with these steps may use.
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
