//! What happens to a run's world beside what its dependencies do by themselves: deaths, sleep, outages, and people who meddle.

use std::sync::{Arc, atomic::Ordering};

use tenantry_core::ids::TenantId;

use super::{exec::Millis, profile::HOUR, rng::Rng, world::Shared};

/// Workers die and stand still, each in its own rhythm.
pub(crate) fn trouble(shared: &Arc<Shared>, seed: u64) {
    for number in 0..shared.plan.workers {
        for (every, kills) in [(shared.plan.kills_every, true), (shared.plan.pauses_every, false)] {
            if every == 0 {
                continue;
            }
            let world = Arc::clone(shared);
            let mut rng = Rng::new(seed, 100 + 2 * number as u64 + u64::from(kills));
            shared.hub.spawn(0, None, async move {
                loop {
                    world.hub.sleep(rng.within(every / 4, every * 7 / 4)).await;
                    if world.faulty().is_none() {
                        return;
                    }
                    let owner = world.workers()[number].owner;
                    if kills {
                        world.kill(owner);
                        continue;
                    }
                    world.hit("pause");
                    world.hub.note("pause", &owner);
                    world.hub.pause(owner);
                    world
                        .hub
                        .sleep(if rng.permille(700) {
                            rng.within(1_000, 20_000)
                        } else {
                            rng.within(20_000, 600_000)
                        })
                        .await;
                    world.hub.resume(owner);
                }
            });
        }
    }
}

/// Everything sleeps for hours or a day, in the middle of what somebody has just asked for, and wakes up with all that it was
/// doing.
pub(crate) fn sleep(shared: &Arc<Shared>, seed: u64, asked: &[Millis]) {
    let mut rng = Rng::new(seed, 9);
    let spans = [26, 5, 5].map(|most| rng.within(3 * HOUR, most * HOUR));
    let world = Arc::clone(shared);
    let mut asked = asked.to_vec();
    shared.hub.spawn(0, None, async move {
        for span in spans {
            let ends = world.plan.faults_until - span - HOUR;
            let now = world.hub.now();
            asked.retain(|at| *at > now && *at < ends);
            // The first half of what is still to come, so that there is something left for the next time.
            let early = &asked[..asked.len().div_ceil(2)];
            if early.is_empty() {
                return;
            }
            let at = rng.pick(early) + rng.within(2_000, 90_000);
            world.hub.sleep_until(at).await;
            everybody_sleeps(&world, span).await;
        }
    });
}

/// All workers stand still, and so does what Azure was at.
async fn everybody_sleeps(world: &Arc<Shared>, span: Millis) {
    let owners = || -> Vec<usize> { world.workers().iter().map(|worker| worker.owner).collect() };
    let since = world.hub.now();
    world.hit("long sleep");
    world.hub.note("sleep", &span);
    world.asleep.store(true, Ordering::Relaxed);
    owners().into_iter().for_each(|owner| world.hub.pause(owner));
    world.hub.sleep(span).await;
    world.azure().sleep(since, span);
    world.asleep.store(false, Ordering::Relaxed);
    owners().into_iter().for_each(|owner| world.hub.resume(owner));
}

/// Somebody deletes things by hand.
pub(crate) fn rob(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 13);
    let at = rng.within(120_000, shared.plan.faults_until - 1);
    let world = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        world.hub.sleep_until(at).await;
        world.hub.note("robber", &"");
        world.azure().rob(&mut rng);
    });
}

/// Rows that nobody can read: a tenant that nobody knows, a request record, and for a while the document of one of the
/// tenants, until a person puts it right.
pub(crate) fn unreadable(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 11);
    for name in ["aaa-of-another-schema", "zzz-of-another-schema"] {
        shared.shelf.spoil(name.parse().unwrap());
    }
    shared.shelf.spoil_request("a-record-of-another-schema");
    let from = rng.within(200_000, shared.plan.faults_until / 2);
    let to = from + rng.within(10_000, shared.plan.faults_until / 3);
    let Some(name) = shared.name_of(0) else { return };
    let world = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        let id = name.parse().unwrap();
        world.hub.sleep_until(from).await;
        world.hit("unreadable document");
        world.hub.note("spoil", &name);
        world.shelf.spoil(TenantId::clone(&id));
        world.hub.sleep_until(to).await;
        world.shelf.mend(&id);
        world.hub.note("mend", &name);
    });
}

/// Others give themselves access to what is there, at any time.
pub(crate) fn intruders(shared: &Arc<Shared>, seed: u64) {
    let mut rng = Rng::new(seed, 7);
    for _ in 0..shared.plan.intruders {
        let at = rng.within(30_000, shared.plan.faults_until - 1);
        let world = Arc::clone(shared);
        shared.hub.spawn(0, None, async move {
            world.hub.sleep_until(at).await;
            world.hub.note("intruder", &"");
            world.azure().intrude(at);
        });
    }
}

/// One dependency after the other goes down, and they come back in another order.
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

/// One dependency or two are away for most of a day.
pub(crate) fn long_outages(rng: &mut Rng, until: Millis) -> Vec<(u8, Millis, Millis)> {
    let from = rng.within(0, until - 30 * HOUR);
    let first = (rng.pick(&[1, 2, 3, 4]), from, from + rng.within(12 * HOUR, 26 * HOUR));
    let second = (rng.pick(&[1, 2, 3, 4]), from + HOUR, from + rng.within(2 * HOUR, 20 * HOUR));
    vec![first, second]
}
