//! Finds in Azure's activity log who made a change.
//!
//! Sources: Microsoft, "Activity Logs - List" (the filter takes these patterns and no other; entries have `caller`,
//! `claims`, `operationName`, `status`, `eventTimestamp`) and "Azure Monitor activity log" (kept for 90 days; an entry
//! shows after some minutes; changes in Entra are not in it).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::By;
use crate::{
    compare::text_at,
    ids::{ApiVersion, ResourceId},
    steps::{Method, Request, odata_key},
};

const API_VERSION: ApiVersion = ApiVersion::known("2015-04-01");
/// How far back the log is read: less than the 90 days for which Azure keeps it, so that no request is refused.
const KEPT: SignedDuration = SignedDuration::from_hours(89 * 24);
/// How many characters of each text in the log are kept.
const CHARACTERS: usize = 200;

/// The request for the log of a resource in Azure Resource Manager between two instants; `None` for objects that the
/// log does not cover.
pub fn question(resource: &str, from: Timestamp, to: Timestamp) -> Option<Request> {
    let id: ResourceId = resource.parse().ok()?;
    let subscription = ResourceId::of_subscription(id.subscription()?).ok()?;
    let from = from.max(to.checked_sub(KEPT).unwrap_or(from)).min(to);
    let filter = format!(
        "eventTimestamp%20ge%20'{}'%20and%20eventTimestamp%20le%20'{}'%20and%20resourceUri%20eq%20'{}'",
        odata_key(&from.to_string()),
        odata_key(&to.to_string()),
        odata_key(resource),
    );
    let list = "/providers/Microsoft.Insights/eventtypes/management/values";
    let list = Request::arm_of(Method::Get, &subscription, list, &API_VERSION);
    Some(list.with_query("$filter", &filter).every_page())
}

/// The latest write or delete in these log entries that did not fail and shows its caller; `None` if there is none.
pub fn newest(entries: &[Value]) -> Option<By> {
    let text = |entry: &Value, pointer: &str| {
        text_at(entry, pointer).chars().filter(|c| !c.is_control()).take(CHARACTERS).collect::<String>()
    };
    let changes = entries.iter().filter(|entry| {
        let operation = text(entry, "/operationName/value").to_ascii_lowercase();
        (operation.ends_with("/write") || operation.ends_with("/delete"))
            && !text(entry, "/status/value").eq_ignore_ascii_case("Failed")
            && !text(entry, "/caller").is_empty()
    });
    let instant = |entry: &&Value| text(entry, "/eventTimestamp").parse::<Timestamp>().ok();
    let entry = changes.max_by_key(instant)?;
    Some(By {
        caller: text(entry, "/caller"),
        app_id: Some(text(entry, "/claims/appid")).filter(|id| !id.is_empty()),
        operation: text(entry, "/operationName/value"),
        at: text(entry, "/eventTimestamp"),
    })
}
