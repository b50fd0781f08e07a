//! What comes of a report: what is told, and what is put right.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{DriftClass, DriftReport, Healing, Item, Remedy};
use crate::{
    engine::{standing, wish},
    ids::{StepName, sha256_hex},
    tenant::{DriftTold, Tenant},
};

/// How often the same thing is put right within [`WITHIN`]; after that it is left to a person.
pub const GIVE_UP: usize = 3;
/// See [`GIVE_UP`].
pub const WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// How many items an event has at most, and how many bytes they have together.
const TOLD: (usize, usize) = (50, 32 * 1024);

/// Takes a report into the tenant's document: an event when what has drifted is something else than was last told, and
/// another look at the steps whose items are of a class that is to be put right. Marks in the report what is done about
/// which item. `false` if nothing has to be saved.
///
/// A step that could not be looked at counts as it was last told.
pub fn take_in(
    tenant: &mut Tenant,
    report: &mut DriftReport,
    heal: &BTreeSet<DriftClass>,
    now: Timestamp,
) -> bool {
    let mut past = tenant.drift.clone().unwrap_or_else(|| DriftTold::nothing(now));
    let (write, mut remake) = plan(report, &mut past, heal, now);
    let recovered = report.recovered.iter().filter(|_| !heal.is_empty()).cloned();
    let write: BTreeSet<StepName> = write.into_iter().chain(recovered).collect();
    remake.retain(|name| tenant.steps.contains_key(name));
    let mut told = digests(&report.items);
    for unread in &report.unread {
        if let Some(before) = past.told.get(&unread.step) {
            told.entry(unread.step.clone()).or_insert_with(|| before.clone());
        }
    }
    let is_news = told != past.told;
    if !is_news && write.is_empty() && remake.is_empty() {
        return false;
    }
    if is_news {
        let resolved = told.is_empty();
        if resolved && let Ok(exports) = tenant.plan.exports(&tenant.outputs()) {
            // What was made anew may have another id.
            tenant.exports = exports;
        }
        let data = data(tenant, report, resolved.then_some(past.since));
        let kind = if resolved { "tenant.drift.resolved" } else { "tenant.drift.detected" };
        tenant.tell_aside(kind, data, now);
        (past.told, past.since) = (told, now);
    }
    tenant.drift = Some(past);
    wish::reconcile(tenant, &write, &remake, now);
    true
}

/// The steps that are to write again, and those that are to make anew. Nothing is begun beside what Azure gave up on: making
/// that anew deletes it first, and that is for a person to ask for.
fn plan(
    report: &mut DriftReport,
    past: &mut DriftTold,
    heal: &BTreeSet<DriftClass>,
    now: Timestamp,
) -> (BTreeSet<StepName>, BTreeSet<StepName>) {
    let (mut write, mut remake) = (BTreeSet::new(), BTreeSet::new());
    if report.broken {
        return (write, remake);
    }
    for item in report.items.iter_mut().filter(|item| heal.contains(&item.severity)) {
        let steps = match item.remedy {
            Remedy::Person => continue,
            Remedy::Write => &mut write,
            Remedy::Remake => &mut remake,
        };
        if past.times(&item.key(), WITHIN, now) >= GIVE_UP {
            item.healing = Some(Healing::GivenUp);
            continue;
        }
        item.healing = Some(Healing::Begun);
        past.heals(item.key(), WITHIN, now);
        steps.insert(item.step.clone());
    }
    (write, remake)
}

/// Each step's items in short. Who it was is not part of it: that may become known later, and is no change.
fn digests(items: &[Item]) -> BTreeMap<StepName, String> {
    let mut of: BTreeMap<StepName, Vec<Value>> = BTreeMap::new();
    for item in items {
        let given_up = item.healing == Some(Healing::GivenUp);
        let told = json!([item.path, item.severity, item.wanted, item.seen, given_up]);
        of.entry(item.step.clone()).or_default().push(told);
    }
    let digest = |items: Vec<Value>| sha256_hex(Value::from(items).to_string().as_bytes());
    of.into_iter().map(|(name, items)| (name, digest(items))).collect()
}

/// The event's `data`.
fn data(tenant: &Tenant, report: &DriftReport, since: Option<Timestamp>) -> Value {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for item in &report.items {
        let item = json!(item);
        bytes += item.to_string().len();
        if items.len() >= TOLD.0 || bytes > TOLD.1 {
            break;
        }
        items.push(item);
    }
    let mut data = standing(tenant);
    data["more"] = json!(report.items.len() - items.len());
    data["items"] = Value::from(items);
    if let Some(next) = report.next.as_ref().filter(|_| since.is_none()) {
        data["nextAction"] = json!(next);
    }
    if let Some(since) = since {
        data["since"] = json!(since);
        data["outputs"] = json!(tenant.exports);
    }
    if !report.unread.is_empty() {
        let unread: BTreeSet<&StepName> = report.unread.iter().map(|unread| &unread.step).collect();
        data["unread"] = json!(unread);
    }
    data
}
