//! The rule about calls to the service that should have been refused.

use super::{
    super::{
        case::{Case, status},
        probe::{Aim, ProbeKind, ProbeOutcome},
    },
    Found,
};

/// Rule `probe-accepted`: calls that reached the service without the tenant's own valid token, or while the tenant is
/// suspended.
pub(super) fn accepted(case: &Case<'_>) -> Vec<Found> {
    let Some(Aim::At(target)) = &case.judged.probe else { return Vec::new() };
    let suspended = case.judged.suspended;
    let wrong = case.probes().iter().filter(|probe| suspended || probe.kind != ProbeKind::Own);
    let wrong = wrong.filter(|probe| probe.outcome == ProbeOutcome::Reached);
    let tenant = &case.judged.tenant_id;
    let found = wrong.map(|probe| match (&probe.by, probe.kind) {
        (Some(by), ProbeKind::OtherTenant) => {
            format!("the token of {by} was accepted at the service of {tenant} ({})", status(probe))
        }
        (_, ProbeKind::Own) => {
            format!("{tenant} is suspended, and its own token was accepted ({})", status(probe))
        }
        _ => format!("called with {}, the service of {tenant} answered ({})", probe.with(), status(probe)),
    });
    found.map(|says| Found::new(&target.url, says)).collect()
}
