//! The activity log: who changed which resource in Resource Manager, derived from the journal.
//!
//! Source: Microsoft, "Activity Logs - List": the filter accepts only a few patterns and begins with a time. In Azure
//! an entry takes minutes to appear and is kept for 90 days. The simulated Azure shows an entry at once and keeps it as
//! long as the state file, but refuses a filter that begins more than 90 days ago.

use crate::{
    api_version,
    call::Call,
    path::{ResourcePath, group_id},
    reply::{Outcome, Reply, refuse},
    stamp::SUBSCRIPTION_ID,
    store::{Entry, Snapshot},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Lines of concurrent requests can be in the wrong order, but their times differ by less than this.
const OUT_OF_ORDER: SignedDuration = SignedDuration::from_mins(1);
/// The most entries of an answer.
const MOST_ENTRIES: usize = 1000;

/// A parsed `$filter` of a request for the log: a time range, and optionally a resource or a resource group.
struct Filter {
    from: Timestamp,
    to: Timestamp,
    resource: Option<String>,
    group: Option<String>,
}

impl Filter {
    /// Parses a filter; `None` if it is not of the few patterns that the service accepts.
    fn parse(text: &str) -> Option<Self> {
        let (mut from, mut to, mut resource, mut group) = (None, None, None, None);
        for clause in text.split(" and ") {
            let (head, value) = clause.split_once(" '")?;
            let value = value.strip_suffix('\'')?.replace("''", "'");
            match head {
                "eventTimestamp ge" => from = Some(value.parse().ok()?),
                "eventTimestamp le" => to = Some(value.parse().ok()?),
                "resourceUri eq" if group.is_none() => resource = Some(value),
                "resourceGroupName eq" if resource.is_none() => group = Some(value),
                _ => return None,
            }
        }
        Some(Self { from: from?, to: to.unwrap_or(Timestamp::MAX), resource, group })
    }

    fn takes(&self, entry: &Entry, id: &str) -> bool {
        let group = || ResourcePath::of(id).and_then(|path| path.group);
        (self.from..=self.to).contains(&entry.at)
            && self.resource.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(id))
            && self.group.as_ref().is_none_or(|name| group().is_some_and(|g| g.eq_ignore_ascii_case(name)))
    }
}

/// The id that a caller needs read permission for to read the activity log: the resource or resource group in the
/// filter. `None` if the filter names neither or is invalid, and for any other request.
pub(crate) fn scope(call: &Call) -> Option<String> {
    let log = call.path.to_lowercase();
    if !log.ends_with("/providers/microsoft.insights/eventtypes/management/values") {
        return None;
    }
    let filter = Filter::parse(call.query.get("$filter")?)?;
    filter.resource.or_else(|| Some(group_id(SUBSCRIPTION_ID, &filter.group?)))
}

/// Lists the entries that match the filter of a request, the newest first, at most 1000.
pub(crate) fn list(view: &Snapshot, call: &Call) -> Outcome {
    api_version::check(call, "eventtypes", "2015-04-01")?;
    let Some(filter) = call.query.get("$filter").and_then(|text| Filter::parse(text)) else {
        return refuse(400, "BadRequest", "The $filter is missing, or is none of those that are supported.");
    };
    if filter.from < view.now.checked_sub(KEPT).unwrap_or(filter.from) {
        return refuse(400, "BadRequest", "The start time cannot be more than 90 days in the past.");
    }
    let first = filter.from.checked_sub(OUT_OF_ORDER).unwrap_or(filter.from);
    let mut entries: Vec<Value> = Vec::new();
    view.journal_backwards(|entry| {
        entries.extend(shown(&entry, &filter));
        entry.at >= first && entries.len() < MOST_ENTRIES
    })?;
    Ok(Reply::json(200, json!({ "value": entries })))
}

/// A journal entry in the form of the log; `None` if the filter does not match it. Reads, and requests to services
/// other than Resource Manager, are never in the log.
fn shown(entry: &Entry, filter: &Filter) -> Option<Value> {
    let id = entry.path.split('?').next()?;
    let provider = ResourcePath::of(id)?;
    let verb = match entry.method.as_str() {
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        "POST" => "action",
        _ => return None,
    };
    if !filter.takes(entry, id) {
        return None;
    }
    // An extension resource, such as a role assignment, belongs to the provider that is named last.
    let kind = match id.rsplit_once("/providers/") {
        Some((_, rest)) => {
            let segments: Vec<&str> = rest.split('/').collect();
            let types = segments.iter().skip(1).step_by(2).copied();
            segments.iter().take(1).copied().chain(types).collect::<Vec<_>>().join("/")
        }
        None => "Microsoft.Resources/subscriptions/resourceGroups".to_owned(),
    };
    let (status, at) = (if entry.status < 400 { "Succeeded" } else { "Failed" }, entry.at);
    let named = |value: &str| json!({ "value": value, "localizedValue": value });
    let operation = format!("{kind}/{verb}");
    Some(json!({
        "authorization": { "action": operation, "scope": id },
        "caller": entry.caller,
        "claims": {},
        "category": named("Administrative"),
        "eventName": named("EndRequest"),
        "eventTimestamp": at,
        "submissionTimestamp": at,
        "httpRequest": { "method": entry.method },
        "level": if entry.status < 400 { "Informational" } else { "Error" },
        "operationName": named(&operation),
        "resourceGroupName": provider.group,
        "resourceId": id,
        "status": named(status),
        "subStatus": named(&entry.status.to_string()),
        "subscriptionId": SUBSCRIPTION_ID,
    }))
}
