//! Which resource a step is about, for people.

use crate::{
    ids::StepName,
    steps::{self, Target},
    tenant::Tenant,
};

/// The id of a step's Azure resource, or the path of its object in Entra; `None` while it can't be known.
pub fn resource_id(tenant: &Tenant, name: &StepName) -> Option<String> {
    let record = tenant.steps.get(name)?;
    let recorded = || steps::about_target(&Target::read(record.kind, record.target.as_ref()?).ok()?);
    if record.doomed {
        return recorded();
    }
    let planned = tenant.plan.steps.get(name)?;
    let outputs = if planned.desired.is_late() { tenant.outputs() } else { Default::default() };
    let rendered = tenant.plan.render(name, &outputs).ok();
    rendered.as_ref().and_then(steps::about).or_else(recorded)
}
