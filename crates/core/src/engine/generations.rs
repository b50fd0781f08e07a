//! Step generations that a worker has started in memory only.

use crate::tenant::Tenant;

/// Raises the step generations of changed steps above those of `past`, the document as this worker had it in memory
/// when another request was saved. Otherwise an answer to a step generation that was never saved could be taken for an
/// answer to the one of the same number in `tenant`.
pub fn outrun(tenant: &mut Tenant, past: &Tenant) {
    for (name, record) in &mut tenant.steps {
        let Some(past) = past.steps.get(name) else { continue };
        if record.digest != past.digest && record.generation <= past.generation {
            record.generation = past.generation + 1;
        }
    }
}
