//! Asks Azure's activity log who made the changes that a drift report shows. If it has no answer, the report gives the
//! reason.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tenantry_core::{
    drift::{By, DriftReport, newest, question},
    steps::{Request, items},
    tenant::Tenant,
};

use super::super::AT_ONCE;
use crate::{paging, ports::Transport};

/// How many resources the activity log is asked about. More drift than that is an incident for which people read the
/// activity log themselves.
const MOST_RESOURCES: usize = 50;

pub(super) async fn ask(
    transport: &dyn Transport,
    tenant: &Tenant,
    report: &mut DriftReport,
    now: Timestamp,
) {
    let resources: BTreeSet<String> = report.items.iter().map(|item| item.resource.clone()).collect();
    let from = since(tenant).min(now);
    let read_log = |resource: String| async move {
        let answer = match question(&resource, from, now) {
            Some(first) => answer(transport, first).await,
            None => {
                Err("changes in Entra are not in Azure's activity log; Entra's audit log has them".into())
            }
        };
        (resource, answer)
    };
    let asked = stream::iter(resources).take(MOST_RESOURCES).map(read_log).buffer_unordered(AT_ONCE);
    let answers: BTreeMap<String, Result<By, String>> = asked.collect().await;
    for item in &mut report.items {
        match answers.get(&item.resource) {
            Some(Ok(by)) => item.by = Some(by.clone()),
            Some(Err(why)) => item.by_unknown = Some(why.clone()),
            None => item.by_unknown = Some("too much has drifted at once to ask about each".to_owned()),
        }
    }
}

/// The time after which changes were not made by tenantry: after the last work on the tenant and after the last write.
/// Two seconds are added, because clocks differ: no author is better than tenantry itself as the author.
fn since(tenant: &Tenant) -> Timestamp {
    let worked = tenant.concluded.as_ref().map(|conclusion| conclusion.finished_at);
    let right = tenant.drift.as_ref().filter(|past| past.reported.is_empty()).map(|past| past.since);
    let wrote = tenant.steps().values().filter_map(|step| step.wrote_at).max();
    let last = worked.max(right).max(wrote).unwrap_or(tenant.created_at);
    last.checked_add(SignedDuration::from_secs(2)).unwrap_or(last)
}

async fn answer(transport: &dyn Transport, list: Request) -> Result<By, String> {
    let reply = paging::ask(transport, list).await.map_err(|failure| unreadable(&failure.cause.message))?;
    if reply.status != 200 {
        let code = reply.body.pointer("/error/code").or_else(|| reply.body.get("code"));
        let code: String = code.and_then(Value::as_str).unwrap_or("no code").chars().take(80).collect();
        return Err(unreadable(&format!("HTTP {} ({code})", reply.status)));
    }
    let entries = items(&reply).map_err(|failure| unreadable(&failure.cause.message))?;
    newest(entries).ok_or_else(|| "the activity log has no entry; one may take some minutes".to_owned())
}

fn unreadable(why: &str) -> String {
    format!("the activity log can't be read: {why}")
}
