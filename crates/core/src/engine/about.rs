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
    if record.is_doomed() {
        return recorded();
    }
    tenant.plan.steps.get(name)?;
    let rendered = tenant.rendered(name).ok();
    rendered.as_ref().and_then(steps::about).or_else(recorded)
}
