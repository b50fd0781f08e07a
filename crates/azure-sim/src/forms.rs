//! The form of answers: Azure may send the same content in several forms (pages, order, case), and a test chooses one.
//! The choice is kept in memory.
//!
//! Sources: public reports about clients of Azure for an empty first page (Azure/azure-sdk-for-java#999), an empty link
//! to the next page (Azure/azure-powershell#19166) and a denial because of replication lag
//! (hashicorp/terraform-provider-azuread#611); RFC 9110 for `Retry-After`. Resource Manager promises neither the case
//! of an id nor the order of a list.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    call::Call,
    reply::{Body, Reply},
    service::Service,
};

/// The members of a body that are lists without a meaningful order. They are reversed if a test asks for another order.
const UNORDERED: [&str; 15] = [
    "accessPolicies",
    "audiences",
    "groupIds",
    "identifierUris",
    "ipRules",
    "logs",
    "metrics",
    "privateDnsZoneConfigs",
    "privateEndpointConnections",
    "privateLinkServiceConnections",
    "redirectUris",
    "requiredResourceAccess",
    "resourceAccess",
    "tags",
    "virtualNetworkRules",
];
/// The query parameter with the number of the page, in links to the next page.
const TOKEN: &str = "$skiptoken";

/// The forms of a `Retry-After` other than whole seconds: a date, a fraction of seconds, or milliseconds in the header
/// `x-ms-retry-after-ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pause {
    Date,
    Fraction,
    Milliseconds,
}

/// The form of answers, as a test posts it to `/_sim/forms`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Form {
    /// The number of items in a page; with 0 every list has one page.
    page_size: usize,
    /// Whether an empty page precedes every page.
    empty_pages: bool,
    /// Whether the last page has a link to the next page that is an empty text, instead of no link.
    empty_links: bool,
    /// Whether lists without a meaningful order are reversed.
    reordered: bool,
    /// Whether resource ids and GUIDs are in upper case, except in tags.
    recased: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Pause>,
    /// Whether a service principal of an application that replicas do not show yet is refused with 403 instead of 400.
    pub(crate) denies_lag: bool,
}

/// The current form of answers.
#[derive(Debug, Default)]
pub(crate) struct Forms(Mutex<Form>);

impl Forms {
    fn form(&self) -> MutexGuard<'_, Form> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the form of all answers from now on.
    pub(crate) fn set(&self, form: Form) {
        *self.form() = form;
    }

    /// The current form of answers.
    pub(crate) fn get(&self) -> Form {
        self.form().clone()
    }
}

impl Form {
    /// Applies the form to an answer of Resource Manager or Graph; answers of other services stay as they are.
    pub(crate) fn of(&self, mut reply: Reply, call: &Call, service: Service, now: Timestamp) -> Reply {
        if !matches!(service, Service::Arm | Service::Graph) {
            return reply;
        }
        self.pause(&mut reply, now);
        if let (Some(Body::Json(body)), true) = (&mut reply.body, reply.status < 300) {
            self.body(body, "");
            if call.method == "GET" && self.page_size > 0 {
                self.page(body, call, service);
            }
        }
        reply
    }

    fn pause(&self, reply: &mut Reply, now: Timestamp) {
        let Some(pause) = self.retry_after else { return };
        let dated =
            |at: Timestamp| DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default();
        let mut added = Vec::new();
        for (name, value) in &mut reply.headers {
            let Some(seconds) =
                value.parse::<i64>().ok().filter(|_| name.eq_ignore_ascii_case("retry-after"))
            else {
                continue;
            };
            match pause {
                Pause::Date => {
                    *value = dated(now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now));
                    added.push(("Date".to_owned(), dated(now)));
                }
                Pause::Fraction => *value = format!("{}.5", (seconds - 1).max(0)),
                Pause::Milliseconds => {
                    (*name, *value) = ("x-ms-retry-after-ms".to_owned(), format!("{seconds}000"));
                }
            }
        }
        reply.headers.extend(added);
    }

    fn body(&self, value: &mut Value, name: &str) {
        match value {
            Value::String(text) if self.recased && is_id(text) => *text = text.to_uppercase(),
            Value::Array(items) => {
                if self.reordered && (name == "value" || UNORDERED.contains(&name)) {
                    items.reverse();
                }
                items.iter_mut().for_each(|item| self.body(item, ""));
            }
            // The values of tags are case-sensitive, so they stay as they are.
            Value::Object(_) if name == "tags" => {}
            Value::Object(members) => {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, mut value)| {
                        self.body(&mut value, &name);
                        (if self.recased && is_id(&name) { name.to_uppercase() } else { name }, value)
                    })
                    .collect::<Map<String, Value>>();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Reduces a list to the page that the request asks for, and adds the link to the next page.
    fn page(&self, body: &mut Value, call: &Call, service: Service) {
        let Some(Value::Array(all)) = body.get_mut("value").map(Value::take) else { return };
        let asked: usize = call.query.get(TOKEN).and_then(|token| token.parse().ok()).unwrap_or_default();
        let steps = if self.empty_pages { 2 } else { 1 };
        let last = steps * all.len().div_ceil(self.page_size).max(1) - 1;
        let empty = self.empty_pages && asked.is_multiple_of(2);
        let items = all.into_iter().skip(asked / steps * self.page_size).take(self.page_size);
        body["value"] = if empty { Value::Array(Vec::new()) } else { items.collect() };
        let query = call.query_text.split('&').filter(|pair| !pair.starts_with(TOKEN) && !pair.is_empty());
        let mut query: Vec<String> = query.map(str::to_owned).collect();
        query.push(format!("{TOKEN}={}", asked + 1));
        let link = if service == Service::Graph { "@odata.nextLink" } else { "nextLink" };
        if asked < last {
            body[link] = format!("{}{}?{}", call.base, call.path, query.join("&")).into();
        } else if self.empty_links {
            body[link] = "".into();
        }
    }
}

fn is_id(text: &str) -> bool {
    let begins = |root: &str| text.get(..root.len()).is_some_and(|head| head.eq_ignore_ascii_case(root));
    begins("/subscriptions/") || (text.len() == 36 && text.parse::<Uuid>().is_ok())
}
