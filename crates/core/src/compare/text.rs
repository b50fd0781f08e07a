//! Single values: words, ids, numbers, times.

use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

use super::known::Rule;

/// Whether two resource ids are one. Resource Manager compares them without case, and a slash at the end is no part.
pub fn same_id(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

/// Whether two ids are of one role definition: its GUID alone counts, for the same built-in role is shown with and
/// without a subscription in front (hashicorp/terraform-provider-azurerm#13993).
pub fn same_role(one: &str, other: &str) -> bool {
    let guid =
        |id: &str| id.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    !one.is_empty() && guid(one) == guid(other)
}

/// Whether two words of a service are one: names of states, of kinds, of groups.
pub fn same_word(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether two scalars mean the same. Graph's texts count to the letter, Resource Manager's words don't.
pub(super) fn same_scalar(desired: &Value, observed: &Value, rule: Option<Rule>, letters: bool) -> bool {
    match (desired, observed) {
        (Value::String(desired), Value::String(observed)) => same_text(desired, observed, rule, letters),
        (Value::Number(desired), Value::Number(observed)) => {
            desired == observed || desired.as_f64() == observed.as_f64()
        }
        // Some services take a number or a truth value as text and answer with itself, and some the other way round.
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
    let same_words = match rule {
        Some(Rule::Exact) => return false,
        Some(Rule::Word) => same_word(desired, observed),
        Some(Rule::Role) => same_role(desired, observed),
        Some(Rule::Region) => region(desired) == region(observed),
        Some(Rule::Address) => same_id(desired, observed),
        _ if letters => is_guid(desired) && same_word(desired, observed),
        _ => same_word(desired, observed) || is_id(desired) && same_id(desired, observed),
    };
    same_words || is_same_time(desired, observed) || is_same_span(desired, observed)
}

/// `West Europe` is `westeurope`.
fn region(text: &str) -> String {
    text.replace(' ', "").to_ascii_lowercase()
}

fn is_id(text: &str) -> bool {
    text.starts_with('/')
}

pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()
}

/// Whether both are the same instant of RFC 3339, in whichever zone and with however many digits.
fn is_same_time(desired: &str, observed: &str) -> bool {
    let read = |text: &str| {
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if begins { text.parse::<Timestamp>().ok() } else { None }
    };
    read(desired).is_some_and(|instant| read(observed) == Some(instant))
}

/// Whether both are durations of ISO 8601 and equally long.
fn is_same_span(desired: &str, observed: &str) -> bool {
    let read = |text: &str| {
        let span = text.starts_with(['P', 'p']).then(|| text.parse::<Span>().ok()).flatten()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
    };
    read(desired).is_some_and(|span| read(observed) == Some(span))
}
