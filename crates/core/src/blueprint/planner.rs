//! Makes a plan from a checked blueprint and one tenant.

mod fields;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    BadField, Blueprint, Desired, Fault, Kind, Outputs, Plan, PlanContext, PlannedStep,
    body::Filled,
    check, expression, graph,
    hand::AtHand,
    identity::Identities,
    judge, parameter,
    path::{self, Paths},
    plan,
    scope::{Early, Scope},
    tree::Node,
};
use crate::ids::StepName;

/// Makes the plan of one tenant; see [`Blueprint::plan`].
pub(super) fn plan(blueprint: &Blueprint, plan_context: &PlanContext) -> Result<Plan, Vec<Fault>> {
    let mut context = context(blueprint, plan_context)?;
    let texts: BTreeMap<String, String> = blueprint
        .file
        .values
        .iter()
        .filter_map(|(name, node)| Some((name.clone(), node.text()?.to_owned())))
        .collect();
    let mut planner = Planner {
        blueprint,
        plan_context,
        scope: Scope::new(&context, &texts),
        known: BTreeMap::new(),
        included: BTreeSet::new(),
        unfit: BTreeMap::new(),
        faults: Vec::new(),
    };
    let needs = planner.include();
    for name in graph::order(&needs) {
        planner.introduce(&name);
    }
    let mut steps: BTreeMap<StepName, PlannedStep> = BTreeMap::new();
    for step in &blueprint.file.steps {
        if planner.included.contains(step.name.as_str()) {
            let wants = needs.get(step.name.as_str()).into_iter().flatten();
            let wants = wants.filter_map(|name| name.parse().ok()).collect();
            if let Some(planned) = planner.step(step, wants) {
                steps.insert(step.name.clone(), planned);
            }
        }
    }
    planner.judge(&steps);
    planner.addresses(&context, &texts);
    let exports = planner.exports();
    let values = planner.values(&mut context, texts);
    if !planner.faults.is_empty() {
        return Err(reported(planner.faults));
    }
    let mut plan =
        Plan { blueprint: blueprint.reference(), context, values, known: planner.known, steps, exports };
    plan::seal(&mut plan);
    Ok(plan)
}

/// The faults to report. If values of the request are invalid in URLs, only those are reported, because they cause
/// other faults.
fn reported(mut faults: Vec<Fault>) -> Vec<Fault> {
    if faults.iter().any(|fault| fault.code == "bad-segment") {
        faults.retain(|fault| fault.code == "bad-segment");
    }
    faults.dedup();
    faults
}

/// What expressions may use besides steps and values.
fn context(blueprint: &Blueprint, plan_context: &PlanContext) -> Result<Value, Vec<Fault>> {
    let file = &blueprint.file;
    if !file.tiers.contains(&plan_context.tier) {
        let message = format!("the blueprint {} has the tiers {}", file.name, file.tiers.join(", "));
        return Err(vec![Fault { pointer: "/spec/tier".into(), code: "unknown-tier", message }]);
    }
    let declared =
        file.parameters.iter().map(|(name, (_, parameter))| (name.clone(), parameter.clone())).collect();
    let parameters = parameter::resolve(
        &declared,
        &plan_context.parameters,
        Some(&plan_context.tier),
        "/spec/parameters",
    )?;
    let mut tenant: Map<String, Value> =
        check::TENANT.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    tenant.extend(plan_context.tenant.as_object().cloned().unwrap_or_default());
    tenant.insert("id".into(), plan_context.tenant_id.as_str().into());
    tenant.insert("tier".into(), plan_context.tier.clone().into());
    for name in check::SUSPENSION {
        let is_set = tenant.get(name).is_some_and(is_true);
        tenant.insert(name.into(), is_set.into());
    }
    Ok(json!({
        "tenant": tenant,
        "parameters": parameters,
        "stamp": plan_context.stamp,
        "deployment": plan_context.deployment,
    }))
}

struct Planner<'a> {
    blueprint: &'a Blueprint,
    plan_context: &'a PlanContext,
    scope: Scope,
    known: BTreeMap<StepName, Outputs>,
    included: BTreeSet<String>,
    /// The steps with a field that does not fit their kind: the kind, all fields, and the reason.
    unfit: BTreeMap<StepName, (Kind, Value, BadField)>,
    faults: Vec<Fault>,
}

impl Planner<'_> {
    fn fault(&mut self, step: &str, at: &str, code: &'static str, why: &str) {
        let message = format!("blueprint {}, {step}{at}: {why}", self.blueprint.file.name);
        self.faults.push(Fault { pointer: "/spec".into(), code, message });
    }

    /// Decides which steps this tenant has, and drops the needs for those that it does not have.
    fn include(&mut self) -> graph::Needs<String> {
        for step in &self.blueprint.file.steps {
            let is_included = match step.text("when").map(|when| self.scope.early_expression(when)) {
                None => true,
                Some(Ok(Early::Known(value))) => is_true(&value),
                Some(Ok(Early::Late)) => false,
                Some(Err(why)) => {
                    self.fault(&format!("step {}", step.name), "/when", "bad-expression", &why);
                    false
                }
            };
            if is_included {
                self.included.insert(step.name.to_string());
                self.scope.set_outputs(&step.name, &Outputs::new());
            }
        }
        let mut needs = self.blueprint.needs.clone();
        needs.retain(|name, _| self.included.contains(name));
        needs.values_mut().for_each(|wants| wants.retain(|name| self.included.contains(name)));
        needs
    }

    /// Fixes a step's name and id, and makes them available to the expressions of other steps.
    fn introduce(&mut self, name: &str) {
        let Some(step) = self.blueprint.file.step(name) else { return };
        let identities =
            Identities { plan_context: self.plan_context, scope: &self.scope, known: &self.known };
        match identities.of(step) {
            Ok(outputs) if outputs.is_empty() => {}
            Ok(outputs) => {
                self.scope.set_outputs(&step.name, &outputs);
                self.known.insert(step.name.clone(), outputs);
            }
            Err((field, why)) => {
                self.fault(&format!("step {name}"), &format!("/{field}"), "no-identity", &why);
            }
        }
    }

    fn step(&mut self, step: &super::file::Step, needs: BTreeSet<StepName>) -> Option<PlannedStep> {
        let mut filled = Filled::default();
        let fields = self.layout(step, &mut filled);
        let is_sound = filled.faults.is_empty();
        for (at, why) in filled.faults {
            self.fault(&format!("step {}", step.name), &at, "bad-expression", &why);
        }
        let mut outputs = step.outputs.clone();
        if !matches!(step.kind, Kind::Arm | Kind::ArmUpdate) {
            outputs.extend(step.own_outputs().iter().map(|name| ((*name).to_owned(), format!("/{name}"))));
        }
        let fields = fields?;
        match Desired::read(step.kind, &fields, &filled.late) {
            Ok(desired) => Some(PlannedStep { desired, needs, outputs, digest: String::new() }),
            // Reported later, together with the objections to the other steps.
            Err(bad) => {
                if is_sound {
                    self.unfit.insert(step.name.clone(), (step.kind, fields, bad));
                }
                None
            }
        }
    }

    /// Reports values from the request that would change the path of a URL, each with its JSON pointer in the request.
    fn addresses(&mut self, context: &Value, texts: &BTreeMap<String, String>) {
        let own = self.known.values().filter_map(|known| known.get("id")?.as_str()?.parse().ok());
        let hand = AtHand::new(own, &self.plan_context.stamp);
        let paths = Paths { context, texts, known: &self.known, hand: &hand };
        let steps = self.blueprint.file.steps.iter();
        let mut faults = Vec::new();
        for step in steps.filter(|step| self.included.contains(step.name.as_str())) {
            for field in path::FIELDS {
                if let Some(text) = step.text(field).filter(|text| expression::is_dynamic(text)) {
                    faults.extend(paths.faults(step.kind, field, text));
                }
            }
            let inside = step.keys.get("body").and_then(|body| body.get_without_case("location"));
            if let Some(text) = inside.and_then(Node::text).filter(|_| step.kind == Kind::Arm) {
                faults.extend(paths.faults(step.kind, "location", text));
            }
        }
        self.faults.extend(faults);
    }

    /// Applies the rules to the planned steps, and reports two steps that create the same object.
    fn judge(&mut self, steps: &BTreeMap<StepName, PlannedStep>) {
        let hand = plan::at_hand(steps, &self.plan_context.stamp);
        let fitting = steps.iter().flat_map(|(name, step)| {
            judge::step(&step.desired, &hand).into_iter().map(move |objection| (name, objection))
        });
        let unfit = std::mem::take(&mut self.unfit);
        let others = unfit.iter().flat_map(|(name, (kind, fields, bad))| {
            judge::unfit(*kind, fields, bad, &hand).into_iter().map(move |objection| (name, objection))
        });
        let mut objections: Vec<_> = fitting.chain(others).collect();
        objections.sort_by_key(|(name, _)| *name);
        for (name, objection) in objections {
            self.fault(&format!("step {name}"), "", objection.code, &objection.message);
        }
        let mut objects: BTreeMap<String, &StepName> = BTreeMap::new();
        for (name, step) in steps {
            if let Some(first) = object(&step.desired).and_then(|object| objects.insert(object, name)) {
                let why = format!(
                    "it speaks of the same object as step {first}; use `arm-update` for a later change"
                );
                self.fault(&format!("step {name}"), "", "same-object", &why);
            }
        }
    }

    fn exports(&mut self) -> BTreeMap<String, String> {
        let mut exports = BTreeMap::new();
        for (name, node) in &self.blueprint.file.exports {
            let text = node.text().unwrap_or_default();
            if let Err(why) = self.scope.early(text) {
                self.fault("exports", &format!("/{name}"), "bad-expression", &why);
            }
            exports.insert(name.clone(), text.to_owned());
        }
        exports
    }

    /// Puts the named values that are known into the context, and returns the texts of the others.
    fn values(&self, context: &mut Value, texts: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let (mut known, mut late) = (Map::new(), BTreeMap::new());
        for (name, text) in texts {
            match self.scope.early(&text) {
                Ok(Early::Known(value)) => {
                    known.insert(name, value);
                }
                Ok(Early::Late) => {
                    late.insert(name, text);
                }
                // A step that uses the value has a fault already. If no step of this tenant uses it, it is not needed.
                Err(_) => {}
            }
        }
        context["values"] = Value::Object(known);
        late
    }
}

/// A text that identifies the object that a step creates; `None` if its identity is not known before it exists, or the
/// step creates no object.
fn object(desired: &Desired) -> Option<String> {
    match desired {
        // ARM compares ids without case.
        Desired::Arm(resource) => Some(resource.id.as_str().to_ascii_lowercase()),
        Desired::EntraApplication(application) => Some(format!("application {}", application.unique_name)),
        Desired::ServicePrincipal(principal) => {
            principal.app_id.late().map(|of| format!("service principal {of}"))
        }
        Desired::FederatedCredential(credential) => {
            let of = credential.application.late()?;
            Some(format!("credential {of} {}", credential.name))
        }
        Desired::ArmUpdate(_) | Desired::RoleAssignment(_) | Desired::Check(_) | Desired::Isolation(_) => {
            None
        }
    }
}

/// Whether the value of a condition counts as true: anything but false, null, zero and empty values.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// The dotted names that texts of a plan use, directly or through named values.
pub(super) fn spoken_of(texts: &[&String], values: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&String> = texts.to_vec();
    while let Some(text) = left.pop() {
        for path in expression::references_in_text(text) {
            if reached.insert(path.clone())
                && let Some(name) = path.strip_prefix("values.").and_then(|rest| rest.split('.').next())
            {
                left.extend(values.get(name));
            }
        }
    }
    reached
}
