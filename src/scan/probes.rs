//! Calls tenants' services: each as its own tenant, and each with credentials that it has to refuse.
//!
//! A token is tried at other tenants' services only if its own service accepted it: the refusal of a bad token shows
//! nothing. Per tenant and run that is two tokens and six calls, plus [`RANDOM_PAIRS`] calls for the whole run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use tenantry_core::{
    ids::{TenantId, sha256_hex},
    isolation::{Aim, Calls, JudgedTenant, Live, Probe, ProbeKind, ProbeOutcome, ProbeTarget, pairs},
    tenant::Tenant,
};

use super::{AT_ONCE, budget::RetryingProber};
use crate::ports::{Credential, Listed, NoToken, Ports, ProbeToken, Prober, TokenFor};

#[cfg(doc)]
use tenantry_core::isolation::RANDOM_PAIRS;

/// How many tenants besides the checked ones are tried to find a valid token of another tenant.
const CANDIDATES: usize = 5;

/// The timeout of the search for a valid token of another tenant: other tenants' services may be slow, and must not
/// delay the proof.
const GUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// A tenant's service, with the tenant's token and the result of calling with it.
struct Service {
    tenant: TenantId,
    target: ProbeTarget,
    suspended: bool,
    token: Result<ProbeToken, String>,
    own: Probe,
}

/// Calls the services of all tenants whose blueprint declares a probe, and returns the results.
pub(super) async fn live(ports: &Ports, judged_tenants: &[JudgedTenant]) -> Live {
    let mut live = Live::default();
    let aims: Vec<(&JudgedTenant, &ProbeTarget)> = judged_tenants.iter().filter_map(aim).collect();
    let Some(prober) = &ports.prober else {
        let why = "no probe identity is set (TENANTRY_PROBE_CLIENT_ID)";
        let none =
            |(judged, _): (&JudgedTenant, _)| (judged.tenant_id.clone(), Calls::NotPossible(why.to_owned()));
        live.tenants = aims.into_iter().map(none).collect();
        return live;
    };
    let budget = RetryingProber::new(prober.as_ref(), ports.clock.as_ref());
    let prober: &dyn Prober = &budget;
    prober.location().clone_into(&mut live.location);
    live.seed = seed(ports);
    let as_itself =
        |(judged, target)| -> BoxFuture<'_, Service> { Box::pin(as_itself(prober, judged, target)) };
    let services = at_once(aims.into_iter().map(as_itself).collect()).await;
    let calls = calls(ports, prober, &services, live.seed).await;
    let mut made: Vec<BoxFuture<'_, (TenantId, Probe)>> = Vec::new();
    for (at, call) in calls {
        if let Some(service) = services.get(at) {
            made.push(Box::pin(async move { (service.tenant.clone(), call.make(prober, service).await) }));
        }
    }
    let made = at_once(made).await;
    let own = services.iter().map(|service| (service.tenant.clone(), service.own.clone()));
    let mut probes: BTreeMap<TenantId, Vec<Probe>> = BTreeMap::new();
    for (tenant, probe) in own.chain(made) {
        probes.entry(tenant).or_default().push(probe);
    }
    probes.values_mut().for_each(|probes| probes.sort());
    live.tenants = probes.into_iter().map(|(tenant, probes)| (tenant, Calls::Made(probes))).collect();
    live
}

async fn at_once<T>(calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(calls).buffered(AT_ONCE).collect().await
}

fn aim(judged: &JudgedTenant) -> Option<(&JudgedTenant, &ProbeTarget)> {
    match &judged.probe {
        Some(Aim::At(target)) => Some((judged, target)),
        Some(Aim::Unknown(_)) | None => None,
    }
}

/// The seed of the random pairs, from the current instant, which nobody can choose. Reports contain it, so that a
/// reader can draw the same pairs again.
fn seed(ports: &Ports) -> u64 {
    let digest = sha256_hex(ports.clock.now().to_string().as_bytes());
    u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}

/// Calls a tenant's service with the tenant's own token: the positive control.
async fn as_itself(prober: &dyn Prober, judged: &JudgedTenant, target: &ProbeTarget) -> Service {
    let tenant = judged.tenant_id.clone();
    let by = Some(tenant.clone());
    let token = prober.token(target, TokenFor::Service).await;
    let own = match &token {
        Ok(token) => called(prober, target, ProbeKind::Own, by, &Credential::Token(token.clone())).await,
        // Without a token the caller is stopped before the service is called.
        Err(NoToken::Disabled(why)) if judged.suspended => Probe::without_token(ProbeKind::Own, by, why),
        Err(why) => Probe::unanswered(ProbeKind::Own, by, why.to_string()),
    };
    let token = token.map_err(|why| why.to_string());
    let own = if judged.suspended { own.while_suspended() } else { own };
    Service { tenant, target: target.clone(), suspended: judged.suspended, token, own }
}

async fn called(
    prober: &dyn Prober,
    target: &ProbeTarget,
    kind: ProbeKind,
    by: Option<TenantId>,
    with: &Credential,
) -> Probe {
    match prober.call(target, with).await {
        Ok(answer) => Probe::answered(kind, by, answer.status, answer.from_service),
        Err(why) => Probe::unanswered(kind, by, why),
    }
}

/// A call that has to be refused and was not made yet.
enum Call {
    NoToken,
    WrongAudience,
    Expired,
    Key,
    /// With a valid token of another tenant.
    OtherTenant(TenantId, ProbeToken),
    /// With a valid token of another tenant, which is not available for this reason.
    NoOther(String),
}

impl Call {
    async fn make(self, prober: &dyn Prober, service: &Service) -> Probe {
        let own = || Some(service.tenant.clone());
        let (kind, by, with) = match self {
            Self::NoToken => (ProbeKind::NoToken, None, Ok(Credential::None)),
            Self::Key => (ProbeKind::Key, None, Ok(Credential::Key)),
            Self::Expired => (ProbeKind::Expired, own(), service.token.clone().map(Credential::Expired)),
            Self::WrongAudience => {
                let token = prober.token(&service.target, TokenFor::Another).await;
                (ProbeKind::WrongAudience, own(), token.map(Credential::Token).map_err(|why| why.to_string()))
            }
            Self::OtherTenant(by, token) => (ProbeKind::OtherTenant, Some(by), Ok(Credential::Token(token))),
            Self::NoOther(why) => (ProbeKind::OtherTenant, None, Err(why)),
        };
        match with {
            // Each further call would only time out as well.
            _ if service.token.is_ok() && service.own.status.is_none() => {
                Probe::unanswered(kind, by, "not called, for its own tenant got no answer")
            }
            Ok(with) => called(prober, &service.target, kind, by, &with).await,
            Err(why) => Probe::unanswered(kind, by, why),
        }
    }
}

/// All calls that have to be refused, with the index of the service that is called.
async fn calls(ports: &Ports, prober: &dyn Prober, services: &[Service], seed: u64) -> Vec<(usize, Call)> {
    let is_good = |service: &Service| service.own.outcome == ProbeOutcome::Reached;
    let good: Vec<bool> = services.iter().map(is_good).collect();
    let pairs = pairs(&good, seed);
    let mut calls = Vec::new();
    let mut lonely = Vec::new();
    // Where even the tenant itself is refused, the refusal of another proves nothing.
    for at in (0..services.len()).filter(|at| services.get(*at).is_some_and(|service| !service.suspended)) {
        calls.extend([Call::NoToken, Call::WrongAudience, Call::Expired, Call::Key].map(|call| (at, call)));
        if !pairs.iter().any(|(_, to)| *to == at) {
            lonely.push(at);
        }
    }
    for (by, to) in pairs.into_iter().filter(|(_, to)| services.get(*to).is_some_and(|to| !to.suspended)) {
        if let Some(Service { tenant, token: Ok(token), .. }) = services.get(by) {
            calls.push((to, Call::OtherTenant(tenant.clone(), token.clone())));
        }
    }
    if lonely.is_empty() {
        return calls;
    }
    // That no other tenant has a valid token is not this tenant's failure: the call is left out.
    match guest(ports, prober, services).await {
        Ok(None) => {}
        Ok(Some((tenant, token))) => {
            calls.extend(lonely.into_iter().map(|at| (at, Call::OtherTenant(tenant.clone(), token.clone()))));
        }
        Err(why) => calls.extend(lonely.into_iter().map(|at| (at, Call::NoOther(why.clone())))),
    }
    calls
}

/// A valid token of a tenant that is not among the checked ones: of the next one in the store that has one. `None` if
/// none is found within [`GUEST_TIMEOUT`], because other tenants' failures do not count against the checked ones.
///
/// # Errors
/// The reason why the other tenants could not be listed.
async fn guest(
    ports: &Ports,
    prober: &dyn Prober,
    services: &[Service],
) -> Result<Option<(TenantId, ProbeToken)>, String> {
    let last = services.last().map(|service| &service.tenant);
    let mut tried: BTreeSet<TenantId> = services.iter().map(|service| service.tenant.clone()).collect();
    let mut left = CANDIDATES;
    let first_good = async {
        // Usually the next tenant is a good one, so the others are read only if there is none.
        for after in [last, None] {
            let more = ports.store.list(after, left + tried.len()).await;
            let more = more.map_err(|error| format!("other tenants can't be listed: {error}"))?;
            let mut tenants = Listed::sorted_out(more).0;
            tenants.retain(|tenant| tried.insert(tenant.id.clone()));
            tenants.truncate(left);
            left -= tenants.len();
            for tenant in &tenants {
                if let Some(good) = token_of(prober, tenant).await {
                    return Ok(Some(good));
                }
            }
        }
        Ok(None)
    };
    tokio::time::timeout(GUEST_TIMEOUT, first_good).await.unwrap_or(Ok(None))
}

/// A valid token of a tenant whose own call to its service succeeds.
async fn token_of(prober: &dyn Prober, tenant: &Tenant) -> Option<(TenantId, ProbeToken)> {
    let judged = JudgedTenant::of(tenant).ok()??;
    let (judged, target) = aim(&judged).filter(|(one, _)| one.settled && !one.suspended)?;
    let Service { tenant, token, own, .. } = as_itself(prober, judged, target).await;
    let is_good = own.outcome == ProbeOutcome::Reached;
    Some((tenant, token.ok().filter(|_| is_good)?))
}
