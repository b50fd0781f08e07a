//! Turns that a worker has begun in memory alone.

use crate::tenant::Tenant;

/// Makes every answer about an earlier wish one of an earlier turn. `past` is the document as a worker had it in memory when
/// somebody else saved another wish: a turn that it had begun there and not saved may be the other wish's own, too.
pub fn outrun(tenant: &mut Tenant, past: &Tenant) {
    for (name, record) in &mut tenant.steps {
        let Some(past) = past.steps.get(name) else { continue };
        if record.digest != past.digest && record.turn <= past.turn {
            record.turn = past.turn + 1;
        }
    }
}
