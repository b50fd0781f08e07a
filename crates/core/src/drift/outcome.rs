//! What follows from a drift report: which events are published, and what is repaired.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{DriftClass, DriftReport, Healing, Item, Remedy};
use crate::{
    engine::{desired, standing},
    ids::{StepName, sha256_hex},
    tenant::{DriftReported, Tenant},
};

/// How often the same difference (step and path) is repaired within [`WITHIN`]; after that it is left to a person.
pub const GIVE_UP: usize = 3;
/// The time within which repairs of the same difference are counted (see [`GIVE_UP`]).
pub const WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// The maximum number of items that an event contains, and the maximum bytes of JSON of all items together.
const REPORTED_AT_MOST: (usize, usize) = (50, 32 * 1024);

/// Records a report in the tenant's document: enqueues an event if the drift differs from what was last reported, and
/// restarts the steps that can repair items of a class in `heal`. Sets in the report what is done about each item.
/// Returns `false` if nothing has to be saved.
///
/// If `heal` is not empty, blocked steps that match again are restarted too. For a step that could not be read, the
/// last report stays valid.
pub fn take_in(
    tenant: &mut Tenant,
    report: &mut DriftReport,
    heal: &BTreeSet<DriftClass>,
    now: Timestamp,
) -> bool {
    let mut past = tenant.drift.clone().unwrap_or_else(|| DriftReported::nothing(now));
    let (write, mut remake) = plan(report, &mut past, heal, now);
    let recovered = report.recovered.iter().filter(|_| !heal.is_empty()).cloned();
    let write: BTreeSet<StepName> = write.into_iter().chain(recovered).collect();
    remake.retain(|name| tenant.steps.contains_key(name));
    let mut reported = digests(&report.items);
    for unread in &report.unread {
        if let Some(before) = past.reported.get(&unread.step) {
            reported.entry(unread.step.clone()).or_insert_with(|| before.clone());
        }
    }
    let is_news = reported != past.reported;
    if !is_news && write.is_empty() && remake.is_empty() {
        return false;
    }
    if is_news {
        let resolved = reported.is_empty();
        if resolved && let Ok(exports) = tenant.plan.exports(&tenant.outputs()) {
            // Recreated objects may have other ids.
            tenant.exports = exports;
        }
        let data = data(tenant, report, resolved.then_some(past.since));
        let kind = if resolved { "tenant.drift.resolved" } else { "tenant.drift.detected" };
        tenant.enqueue_event_without_operation(kind, data, now);
        (past.reported, past.since) = (reported, now);
    }
    tenant.drift = Some(past);
    desired::reconcile(tenant, &write, &remake, now);
    true
}

/// The steps that write their objects again, and the steps that recreate them. Both are empty if a provisioning state
/// is Failed: recreating that object deletes it first, which only a person may request.
fn plan(
    report: &mut DriftReport,
    past: &mut DriftReported,
    heal: &BTreeSet<DriftClass>,
    now: Timestamp,
) -> (BTreeSet<StepName>, BTreeSet<StepName>) {
    let (mut write, mut remake) = (BTreeSet::new(), BTreeSet::new());
    if report.has_failed {
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

/// A digest of each step's items. Who made a change is left out, because that may become known later and is no new
/// drift.
fn digests(items: &[Item]) -> BTreeMap<StepName, String> {
    let mut of: BTreeMap<StepName, Vec<Value>> = BTreeMap::new();
    for item in items {
        let given_up = item.healing == Some(Healing::GivenUp);
        let reported = json!([item.path, item.severity, item.desired, item.observed, given_up]);
        of.entry(item.step.clone()).or_default().push(reported);
    }
    let digest = |items: Vec<Value>| sha256_hex(Value::from(items).to_string().as_bytes());
    of.into_iter().map(|(name, items)| (name, digest(items))).collect()
}

/// The `data` of the event `tenant.drift.detected`, or of `tenant.drift.resolved` if `since` is set.
fn data(tenant: &Tenant, report: &DriftReport, since: Option<Timestamp>) -> Value {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for item in &report.items {
        let item = json!(item);
        bytes += item.to_string().len();
        if items.len() >= REPORTED_AT_MOST.0 || bytes > REPORTED_AT_MOST.1 {
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
