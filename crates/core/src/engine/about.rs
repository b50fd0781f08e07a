//! Which resource a step is about, for events and messages.

use crate::{
    ids::StepName,
    steps::{self, Target},
    tenant::Tenant,
};

/// The id of a step's Azure resource, or the path of its object in Entra; `None` while it is not known.
pub fn resource_id(tenant: &Tenant, name: &StepName) -> Option<String> {
    let record = tenant.steps.get(name)?;
    let recorded = || steps::about_target(&Target::read(record.kind, record.target.as_ref()?).ok()?);
    if record.is_marked_for_deletion() {
        return recorded();
    }
    tenant.plan.steps.get(name)?;
    let rendered = tenant.rendered(name).ok();
    rendered.as_ref().and_then(steps::about).or_else(recorded)
}
