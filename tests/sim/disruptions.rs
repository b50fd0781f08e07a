//! Disruptions of a run that are not faults of its dependencies: crashes, sleep, outages, and changes made by hand.

use std::sync::{Arc, atomic::Ordering};

use tenantry_core::ids::TenantId;

use super::{exec::Millis, profile::HOUR, rng::Rng, scenario::Shared};

/// Crashes and pauses each worker at random intervals until faults end.
pub(crate) fn crashes(shared: &Arc<Shared>, seed: u64) {
    for number in 0..shared.plan.workers {
        for (every, kills) in [(shared.plan.kills_every, true), (shared.plan.pauses_every, false)] {
            if every == 0 {
                continue;
            }
            let scenario = Arc::clone(shared);
            let mut rng = Rng::new(seed, 100 + 2 * number as u64 + u64::from(kills));
            shared.hub.spawn(0, None, async move {
                loop {
                    scenario.hub.sleep(rng.within(every / 4, every * 7 / 4)).await;
                    if scenario.faulty().is_none() {
                        return;
                    }
                    let owner = scenario.workers()[number].owner;
                    if kills {
                        scenario.kill(owner);
                        continue;
                    }
                    scenario.hit("pause");
                    scenario.hub.note("pause", &owner);
                    scenario.hub.pause(owner);
                    scenario
                        .hub
                        .sleep(if rng.permille(700) {
                            rng.within(1_000, 20_000)
                        } else {
                            rng.within(20_000, 600_000)
                        })
                        .await;
                    scenario.hub.resume(owner);
                }
            });
        }
    }
}

/// Lets everything sleep for hours, up to a day, soon after a request, so that work is in progress when the sleep
/// begins. `asked` has the instants of the requests.
pub(crate) fn sleep(shared: &Arc<Shared>, seed: u64, asked: &[Millis]) {
    let mut rng = Rng::new(seed, 9);
    let spans = [26, 5, 5].map(|most| rng.within(3 * HOUR, most * HOUR));
    let scenario = Arc::clone(shared);
    let mut asked = asked.to_vec();
    shared.hub.spawn(0, None, async move {
        for span in spans {
            let ends = scenario.plan.faults_until - span - HOUR;
            let now = scenario.hub.now();
            asked.retain(|at| *at > now && *at < ends);
            // Takes an instant from the first half of the remaining requests, so that some are left for the next
            // sleep.
            let early = &asked[..asked.len().div_ceil(2)];
            if early.is_empty() {
                return;
            }
            let at = rng.pick(early) + rng.within(2_000, 90_000);
            scenario.hub.sleep_until(at).await;
            everybody_sleeps(&scenario, span).await;
        }
    });
}

/// Stops all workers and Azure's operations for `span` milliseconds.
async fn everybody_sleeps(scenario: &Arc<Shared>, span: Millis) {
    let owners = || -> Vec<usize> { scenario.workers().iter().map(|worker| worker.owner).collect() };
    let since = scenario.hub.now();
    scenario.hit("long sleep");
    scenario.hub.note("sleep", &span);
    scenario.asleep.store(true, Ordering::Relaxed);
    owners().into_iter().for_each(|owner| scenario.hub.pause(owner));
    scenario.hub.sleep(span).await;
    scenario.azure().sleep(since, span);
    scenario.asleep.store(false, Ordering::Relaxed);
    owners().into_iter().for_each(|owner| scenario.hub.resume(owner));
}

/// Deletes objects by hand at a random instant.
pub(crate) fn rob(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 13);
    let at = rng.within(120_000, shared.plan.faults_until - 1);
    let scenario = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        scenario.hub.sleep_until(at).await;
        scenario.hub.note("robber", &"");
        scenario.azure().rob(&mut rng);
    });
}

/// Makes rows unreadable: a document of an unknown tenant, a request record, and for a while the document of one of
/// the tenants, until a person repairs it.
pub(crate) fn unreadable(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 11);
    for name in ["aaa-of-another-schema", "zzz-of-another-schema"] {
        shared.tables.spoil(name.parse().unwrap());
    }
    shared.tables.spoil_request("a-record-of-another-schema");
    let from = rng.within(200_000, shared.plan.faults_until / 2);
    let to = from + rng.within(10_000, shared.plan.faults_until / 3);
    let Some(name) = shared.name_of(0) else { return };
    let scenario = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        let id = name.parse().unwrap();
        scenario.hub.sleep_until(from).await;
        scenario.hit("unreadable document");
        scenario.hub.note("spoil", &name);
        scenario.tables.spoil(TenantId::clone(&id));
        scenario.hub.sleep_until(to).await;
        scenario.tables.mend(&id);
        scenario.hub.note("mend", &name);
    });
}

/// Lets intruders give themselves access to existing objects at random instants.
pub(crate) fn intruders(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 7);
    for _ in 0..shared.plan.intruders {
        let at = rng.within(30_000, shared.plan.faults_until - 1);
        let scenario = Arc::clone(shared);
        shared.hub.spawn(0, None, async move {
            scenario.hub.sleep_until(at).await;
            scenario.hub.note("intruder", &"");
            scenario.azure().intrude(at);
        });
    }
}

/// Outages: within minutes one dependency after the other fails, and they recover in another order. Each is a
/// dependency's number with start and end.
pub(crate) fn outages(rng: &mut Rng, until: Millis) -> Vec<(u8, Millis, Millis)> {
    let mut found = Vec::new();
    let mut at = rng.within(20_000, 120_000);
    while at < until {
        let end = (at + 240_000).min(until);
        let mut from = at;
        for dependency in [1, 2, 3, 4] {
            from += rng.within(0, 30_000);
            found.push((dependency, from, rng.within(from, end.max(from))));
        }
        at = end + rng.within(60_000, 200_000);
    }
    found
}

/// Outages of one or two dependencies for most of a day.
pub(crate) fn long_outages(rng: &mut Rng, until: Millis) -> Vec<(u8, Millis, Millis)> {
    let from = rng.within(0, until - 30 * HOUR);
    let first = (rng.pick(&[1, 2, 3, 4]), from, from + rng.within(12 * HOUR, 26 * HOUR));
    let second = (rng.pick(&[1, 2, 3, 4]), from + HOUR, from + rng.within(2 * HOUR, 20 * HOUR));
    vec![first, second]
}
