//! Which resource a step is about, for people.

use serde_json::Value;

use crate::{ids::StepName, steps, tenant::Tenant};

/// The id of a step's Azure resource, or the path of its object in Entra; `None` while it can't be known.
pub fn resource_id(tenant: &Tenant, name: &StepName) -> Option<String> {
    let record = tenant.steps.get(name)?;
    let recorded = || steps::about(record.kind, record.target.as_ref()?);
    if record.is_doomed() {
        return recorded();
    }
    let planned = tenant.plan.steps.get(name)?;
    let outputs = if planned.late.is_empty() { Default::default() } else { tenant.outputs() };
    let fields: Option<Value> = tenant.plan.render(name, &outputs).ok();
    fields.and_then(|fields| steps::about(planned.kind, &fields)).or_else(recorded)
}
