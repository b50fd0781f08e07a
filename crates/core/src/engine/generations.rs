//! Step generations that a worker has started in memory only.

use crate::tenant::Tenant;

/// Raises the step generations above those of `past`, the document as this worker had it in memory when another request
/// was saved. Otherwise an answer to an unsaved generation could be taken for one of the same number in `tenant`.
pub fn outrun(tenant: &mut Tenant, past: &Tenant) {
    for (name, record) in &mut tenant.steps {
        let Some(past) = past.steps.get(name) else { continue };
        if record.digest != past.digest && record.generation <= past.generation {
            record.generation = past.generation + 1;
        }
    }
}
