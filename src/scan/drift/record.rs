//! Records the result of a drift scan in the tenant's document, with one save, against the version that was read.

use std::collections::BTreeSet;

use tenantry_core::{
    drift::{DriftClass, DriftReport, at_rest, take_in},
    tenant::Tenant,
};

use super::who;
use crate::ports::{Ports, StoreError};

/// Records a drift report in the tenant's document, and makes the document due at once. Returns `false` if nothing was
/// recorded: the report has nothing new, or the tenant has changed since it was `judged`, and the next run checks it.
pub(super) async fn record(
    ports: &Ports,
    judged: &Tenant,
    report: &mut DriftReport,
    heal: &BTreeSet<DriftClass>,
) -> Result<bool, StoreError> {
    // Who made the changes is asked only when there is something to publish.
    let now = ports.clock.now();
    if !take_in(&mut judged.clone(), &mut report.clone(), heal, now) {
        return Ok(false);
    }
    who::ask(ports.transport.as_ref(), judged, report, now).await;
    let change = |tenant: &mut Tenant| {
        let is_as_judged = at_rest(tenant)
            && (tenant.incarnation, tenant.generation) == (judged.incarnation, judged.generation)
            && (tenant.steps(), &tenant.drift) == (judged.steps(), &judged.drift);
        let mut marked = report.clone();
        if !is_as_judged || !take_in(tenant, &mut marked, heal, now) {
            return None;
        }
        tenant.due_by(now);
        tenant.updated_at = now;
        Some(marked)
    };
    let Some(marked) = ports.store.update(&judged.id, change).await? else { return Ok(false) };
    *report = marked;
    Ok(true)
}
