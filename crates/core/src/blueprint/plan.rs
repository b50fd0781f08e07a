//! One tenant's plan: every name, id and scope fixed before anything is created.
//!
//! What can be known beforehand is substituted when the plan is made. What only Azure can tell (a principal id, an
//! endpoint's URL) stays as the blueprint's own text in [`PlannedStep::late`] and is evaluated once, when the step's
//! turn comes. Only text of the blueprint is ever evaluated; a substituted value never is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Guard, Objection, ResourceType, expression, graph, hand::AtHand, judge, planner, scope::Scope};
use crate::{
    ids::{StepName, sha256_hex},
    pointer,
    secrets::carried_within,
};

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
    /// The proof that only the tenant reaches what the other steps made. Fields: `accept` (`inconclusive`, where what can't
    /// be read is no obstacle), `probe` (what is called to try it: `url`, `scope`, `clientId`, `body`).
    Isolation,
}

impl Kind {
    /// Whether what was just written may stay unseen for a while: Entra and role assignments are replicated, and a
    /// look may be answered by a replica that is behind.
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
    /// SHA-256, as `sha256:<hex>`, over everything above but `needs`, and over what the late texts speak of: equal
    /// digest, equal wish.
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

impl Plan {
    /// The fields of a step with everything evaluated, given what the steps before it have told.
    ///
    /// Pure, and evaluates only texts of the blueprint: a value that Azure or a request gave is never looked at as text.
    ///
    /// Errors: an output is missing, or an expression can't be evaluated with the outputs as they are.
    pub fn render(
        &self,
        step: &StepName,
        outputs: &BTreeMap<StepName, Outputs>,
    ) -> Result<Value, RenderError> {
        let fault = |pointer: &str, why: String| RenderError {
            step: step.to_string(),
            pointer: pointer.to_owned(),
            why,
        };
        let planned = self.steps.get(step).ok_or_else(|| fault("", "the plan has no such step".into()))?;
        let mut fields = planned.fields.clone();
        if planned.late.is_empty() {
            return Ok(fields);
        }
        let scope = self.scope(outputs);
        for (pointer, text) in &planned.late {
            let value = expression::evaluate_text(text, &scope).map_err(|why| fault(pointer, why))?;
            match fields.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => return Err(fault(pointer, "the fields have no such place".into())),
            }
        }
        Ok(fields)
    }

    /// What the rules say of a step's fields once they are rendered: values that were not known when the plan was made
    /// are judged here, by the same rules.
    pub fn objections(&self, step: &StepName, fields: &Value) -> Vec<Objection> {
        let kind = self.steps.get(step).map(|planned| planned.kind);
        kind.map(|kind| judge::fields(kind, fields, &self.at_hand())).unwrap_or_default()
    }

    /// Who judges the requests of a step of this kind just before they are sent; `removes` if the step is to go.
    pub fn guard(&self, kind: Kind, removes: bool) -> Guard {
        Guard { kind, removes, hand: self.at_hand() }
    }

    fn at_hand(&self) -> AtHand {
        at_hand(&self.steps, self.context.get("stamp").unwrap_or(&Value::Null))
    }

    /// What the tenant's owner is told, given what all steps have told; what is null is left out.
    ///
    /// Errors: an output is missing, an expression can't be evaluated, or it yields a secret.
    pub fn exports(
        &self,
        outputs: &BTreeMap<StepName, Outputs>,
    ) -> Result<BTreeMap<String, Value>, RenderError> {
        let scope = self.scope(outputs);
        let mut exports = BTreeMap::new();
        for (name, text) in &self.exports {
            let value = expression::evaluate_text(text, &scope).map_err(|why| RenderError {
                step: "exports".into(),
                pointer: format!("/{}", pointer::segment(name)),
                why,
            })?;
            if let Some((_, what)) = carried_within(&value) {
                return Err(RenderError {
                    step: "exports".into(),
                    pointer: format!("/{}", pointer::segment(name)),
                    why: format!("this is {what}, and exports are stored and announced"),
                });
            }
            if !value.is_null() {
                exports.insert(name.clone(), value);
            }
        }
        Ok(exports)
    }

    /// The steps so that each stands behind what it needs; ties in the order of names, so always the same.
    pub fn order(&self) -> Vec<StepName> {
        graph::order(&self.needs())
    }

    /// How many steps stand on the longest path; 0 for a plan without steps.
    pub fn depth(&self) -> usize {
        graph::depth(&self.needs())
    }

    /// Pointers into the fields whose planned value differs although it can't change once the object exists.
    ///
    /// A step with such a change is another object: it takes replacement, not a write. An empty pointer says that the
    /// kind itself is another one.
    pub fn immutable_changes(old: &PlannedStep, new: &PlannedStep) -> Vec<String> {
        if old.kind != new.kind {
            return vec![String::new()];
        }
        let pointers: Vec<String> = match new.kind {
            Kind::Arm | Kind::ArmUpdate => {
                let of = new.fields.get("type").and_then(Value::as_str).unwrap_or_default();
                let fixed = ResourceType::find(of).map_or(&[][..], |row| row.immutable);
                std::iter::once("/id".to_owned())
                    .chain(fixed.iter().map(|pointer| format!("/body{pointer}")))
                    .collect()
            }
            Kind::RoleAssignment => ["/scope", "/roleDefinitionId", "/principalId"].map(str::to_owned).into(),
            Kind::EntraApplication => vec!["/uniqueName".into()],
            Kind::ServicePrincipal => vec!["/appId".into()],
            Kind::FederatedCredential => ["/application", "/name"].map(str::to_owned).into(),
            Kind::Check | Kind::Isolation => Vec::new(),
        };
        let wish = |step: &PlannedStep, pointer: &str| {
            (step.fields.pointer(pointer).cloned(), step.late.get(pointer).cloned())
        };
        pointers.into_iter().filter(|pointer| wish(old, pointer) != wish(new, pointer)).collect()
    }

    fn needs(&self) -> graph::Needs<StepName> {
        self.steps.iter().map(|(name, step)| (name.clone(), step.needs.clone())).collect()
    }

    fn scope(&self, outputs: &BTreeMap<StepName, Outputs>) -> Scope {
        let mut scope = Scope::new(&self.context, &self.values);
        for step in self.steps.keys() {
            for told in [self.known.get(step), outputs.get(step)].into_iter().flatten() {
                scope.tell(step, told);
            }
        }
        scope
    }
}

/// What the tenant of these steps may speak of.
pub(super) fn at_hand(steps: &BTreeMap<StepName, PlannedStep>, stamp: &Value) -> AtHand {
    let own = steps.values().filter(|step| step.kind == Kind::Arm);
    AtHand::new(own.filter_map(|step| step.fields.get("id")?.as_str()), stamp)
}

/// Computes the digest of every step.
///
/// What a late text will say depends on what it speaks of, so the named values and the members of the context that it
/// reaches are part of the digest: a changed parameter changes the digest of each step that uses it, early or late.
pub(super) fn seal(plan: &mut Plan) {
    for step in plan.steps.values_mut() {
        let texts: Vec<&String> = step.late.values().collect();
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
        let whole = json!([step.kind, step.fields, step.late, step.outputs, speaks]);
        step.digest = format!("sha256:{}", sha256_hex(whole.to_string().as_bytes()));
    }
}
