//! Comparison of single values: enum values, ids, numbers, times.

use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

use super::known::Rule;

/// Whether two resource ids are equal. Resource Manager compares them without case; a trailing slash is ignored.
pub fn same_id(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

/// Whether two ids are of the same role definition. Only the GUID counts, because a built-in role is shown with and
/// without a subscription prefix (hashicorp/terraform-provider-azurerm#13993).
pub fn same_role(one: &str, other: &str) -> bool {
    let guid =
        |id: &str| id.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    !one.is_empty() && guid(one) == guid(other)
}

/// Whether two enum values of a service are equal: states, kinds, group names.
pub fn eq_ignore_case(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether two scalars mean the same. With `letters`, texts are compared with case, as Graph does; without, they are
/// compared without case, as Resource Manager does.
pub(super) fn same_scalar(desired: &Value, observed: &Value, rule: Option<Rule>, letters: bool) -> bool {
    match (desired, observed) {
        (Value::String(desired), Value::String(observed)) => same_text(desired, observed, rule, letters),
        (Value::Number(desired), Value::Number(observed)) => {
            desired == observed || desired.as_f64() == observed.as_f64()
        }
        // Some services take a number or Boolean as text and return it as a number or Boolean, and some the other way
        // round.
        (Value::String(text), other @ (Value::Number(_) | Value::Bool(_)))
        | (other @ (Value::Number(_) | Value::Bool(_)), Value::String(text)) => {
            let read = serde_json::from_str::<Value>(&text.trim().to_ascii_lowercase());
            rule != Some(Rule::Exact)
                && read.is_ok_and(|read| !read.is_string() && same_scalar(&read, other, rule, letters))
        }
        (desired, observed) => desired == observed,
    }
}

fn same_text(desired: &str, observed: &str, rule: Option<Rule>, letters: bool) -> bool {
    if desired == observed {
        return true;
    }
    let eq_ignore_case_all = match rule {
        Some(Rule::Exact) => return false,
        Some(Rule::Token) => eq_ignore_case(desired, observed),
        Some(Rule::Role) => same_role(desired, observed),
        Some(Rule::Region) => region(desired) == region(observed),
        Some(Rule::Address) => same_id(desired, observed),
        _ if letters => is_guid(desired) && eq_ignore_case(desired, observed),
        _ => eq_ignore_case(desired, observed) || is_id(desired) && same_id(desired, observed),
    };
    eq_ignore_case_all || is_same_time(desired, observed) || is_same_span(desired, observed)
}

/// Brings the name of a region into one form: `West Europe` becomes `westeurope`.
fn region(text: &str) -> String {
    text.replace(' ', "").to_ascii_lowercase()
}

fn is_id(text: &str) -> bool {
    text.starts_with('/')
}

pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()
}

/// Whether both texts are the same instant in RFC 3339, whatever the time zone and number of digits.
fn is_same_time(desired: &str, observed: &str) -> bool {
    let read = |text: &str| {
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if begins { text.parse::<Timestamp>().ok() } else { None }
    };
    read(desired).is_some_and(|instant| read(observed) == Some(instant))
}

/// Whether both texts are ISO 8601 durations of equal length.
fn is_same_span(desired: &str, observed: &str) -> bool {
    let read = |text: &str| {
        let span = text.starts_with(['P', 'p']).then(|| text.parse::<Span>().ok()).flatten()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
    };
    read(desired).is_some_and(|span| read(observed) == Some(span))
}
