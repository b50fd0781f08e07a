//! Changes JSON as JSON: removes, doubles and moves members and items, and changes their types.

use serde_json::{Map, Value, json};

use super::draw::Draw;

/// The input with one change to its JSON; `None` if it is not JSON. `other` is an input from which a part may be
/// copied.
pub(crate) fn bend(draw: &mut Draw, input: &[u8], other: &[u8], tokens: &[&str]) -> Option<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(input).ok()?;
    let all = pointers(&whole);
    let at = draw.of_these(&all).clone();
    match draw.below(6) {
        0 => remove(&mut whole, &at),
        1 => {
            let from = whole.pointer(draw.of_these(&all).as_str()).cloned()?;
            *whole.pointer_mut(&at)? = from;
        }
        2 => {
            let other: Value = serde_json::from_slice(other).ok()?;
            let from = other.pointer(draw.of_these(&pointers(&other)).as_str()).cloned()?;
            *whole.pointer_mut(&at)? = from;
        }
        3 => {
            let node = whole.pointer_mut(&at)?;
            *node = drawn(draw, node, tokens);
        }
        4 => add(draw, whole.pointer_mut(&at)?, tokens),
        _ => return twice(draw, &whole),
    }
    Some(whole.to_string().into_bytes())
}

/// The JSON pointers of all nodes of a value, including the root; of a large value, of about its first 4096 nodes.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let (mut all, mut at) = (Vec::new(), 0);
    all.push(String::new());
    while at < all.len() && all.len() < 4096 {
        let here = all[at].clone();
        match value.pointer(&here) {
            Some(Value::Object(members)) => {
                let names = members.keys().map(|name| name.replace('~', "~0").replace('/', "~1"));
                all.extend(names.map(|name| format!("{here}/{name}")));
            }
            Some(Value::Array(items)) => all.extend((0..items.len()).map(|n| format!("{here}/{n}"))),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
        }
        at += 1;
    }
    all
}

fn remove(whole: &mut Value, at: &str) {
    let Some((parent, name)) = at.rsplit_once('/') else { return };
    match whole.pointer_mut(parent) {
        Some(Value::Object(members)) => _ = members.remove(&name.replace("~1", "/").replace("~0", "~")),
        Some(Value::Array(items)) => _ = name.parse().map(|n: usize| items.remove(n)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
    }
}

/// A random value to replace a node: of another type, a boundary value, or made from the node.
fn drawn(draw: &mut Draw, node: &Value, tokens: &[&str]) -> Value {
    match draw.below(16) {
        0 => Value::Null,
        1 => json!(draw.one_in(2)),
        2 => json!([0, 1, -1, i64::MIN, i64::MAX, (1_i64 << 53) + 1][draw.below(6)]),
        3 => json!([0.5, -0.0, 1e308, 5e-324, 1e15][draw.below(5)]),
        4 => json!(u64::MAX),
        5 => json!(""),
        6 => json!([]),
        7 => json!({}),
        8 => json!([node]),
        9 => json!({ "a": node }),
        10 => json!(node.to_string()),
        // Repeats a letter of one to four bytes: code that cuts a text at a byte can hit the middle of a letter.
        11 => {
            let letter = draw.of_these(&["x", "é", "€", "🚀"]);
            json!(format!("{}{}", "x".repeat(draw.below(4)), letter.repeat(1 << draw.below(13))))
        }
        12 => json!("{{ tenant.id }} {{ 7*7 }}"),
        13 => json!(vec![node.clone(); draw.below(6)]),
        _ if tokens.is_empty() => json!("text"),
        14 => json!(draw.of_these(tokens)),
        _ => {
            let text = node.as_str().unwrap_or_default();
            json!(format!("{text}{}", draw.of_these(tokens)))
        }
    }
}

fn add(draw: &mut Draw, node: &mut Value, tokens: &[&str]) {
    let name = if tokens.is_empty() { "more" } else { draw.of_these(tokens) };
    let value = drawn(draw, &json!("new"), tokens);
    match node {
        Value::Object(members) => _ = members.insert(name.to_owned(), value),
        Value::Array(items) => items.push(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => *node = json!({ name: value }),
    }
}

/// The JSON text of an object in which one member occurs twice, possibly with its name in upper case or with the
/// value null.
fn twice(draw: &mut Draw, whole: &Value) -> Option<Vec<u8>> {
    let members: &Map<String, Value> = whole.as_object().filter(|members| !members.is_empty())?;
    let (name, value) = members.iter().nth(draw.below(members.len()))?;
    let name = if draw.one_in(2) { name.to_uppercase() } else { name.clone() };
    let value = if draw.one_in(2) { Value::Null } else { value.clone() };
    let text = whole.to_string().replacen('{', &format!("{{{}:{value},", json!(name)), 1);
    Some(text.into_bytes())
}
