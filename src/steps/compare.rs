//! Whether a resource is as wanted: every wanted member is there with the wanted value; what Azure adds is its own.

use serde_json::Value;

/// The JSON pointers at which `seen` is not as `wanted`. Pointers in `skip` are not compared; those in `exact` are
/// maps that are wanted as a whole, so that a member too many is a difference.
pub(super) fn differences(wanted: &Value, seen: &Value, skip: &[&str], exact: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    compare(wanted, Some(seen), &mut String::new(), &Rules { skip, exact }, &mut found);
    found
}

struct Rules<'a> {
    skip: &'a [&'a str],
    exact: &'a [&'a str],
}

fn compare(
    wanted: &Value,
    seen: Option<&Value>,
    at: &mut String,
    rules: &Rules<'_>,
    found: &mut Vec<String>,
) {
    if rules.skip.contains(&at.as_str()) {
        return;
    }
    match (wanted, seen) {
        (Value::Null, None | Some(Value::Null)) => {}
        (Value::Object(wanted), Some(Value::Object(seen))) => {
            if rules.exact.contains(&at.as_str()) && wanted.len() != seen.len() {
                found.push(at.clone());
                return;
            }
            for (name, value) in wanted {
                let length = at.len();
                at.push('/');
                at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                compare(value, member(seen, name), at, rules, found);
                at.truncate(length);
            }
        }
        // An empty map asks for nothing, and services leave it out; a map that counts as a whole is in `exact`.
        (Value::Object(wanted), None | Some(Value::Null)) if wanted.is_empty() => {}
        (Value::Array(wanted), Some(Value::Array(seen))) if wanted.len() == seen.len() => {
            for (index, (wanted, seen)) in wanted.iter().zip(seen).enumerate() {
                let length = at.len();
                at.push_str(&format!("/{index}"));
                compare(wanted, Some(seen), at, rules, found);
                at.truncate(length);
            }
        }
        (Value::String(wanted), Some(Value::String(seen))) if same_text(wanted, seen, at) => {}
        (wanted, Some(seen)) if wanted == seen => {}
        (Value::Number(wanted), Some(Value::Number(seen))) if wanted.as_f64() == seen.as_f64() => {}
        _ => found.push(at.clone()),
    }
}

/// A member by name; ids used as names come back with altered case.
fn member<'a>(seen: &'a serde_json::Map<String, Value>, name: &str) -> Option<&'a Value> {
    seen.get(name).or_else(|| {
        let (_, value) = seen.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    })
}

fn same_text(wanted: &str, seen: &str, at: &str) -> bool {
    if wanted == seen {
        return true;
    }
    if at == "/location" {
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        return plain(wanted) == plain(seen);
    }
    // ARM compares ids and most enumerations without case, and answers in its own.
    !at.starts_with("/tags/") && wanted.eq_ignore_ascii_case(seen)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn what_azure_adds_or_spells_differently_is_no_difference() {
        let wanted = json!({"location": "westeurope", "properties": {"id": "/subscriptions/A", "n": 1, "list": [{"a": 1}]},
            "identity": {"userAssignedIdentities": {"/subscriptions/x/ID": {}}}, "tags": {"k": "v"}});
        let seen = json!({"location": "West Europe", "properties": {"id": "/SUBSCRIPTIONS/a", "n": 1.0, "list": [{"a": 1, "b": 2}],
            "provisioningState": "Succeeded"}, "identity": {"userAssignedIdentities": {"/subscriptions/X/id": {"principalId": "p"}}},
            "tags": {"k": "v", "more": "x"}});
        assert!(differences(&wanted, &seen, &[], &[]).is_empty());
    }

    #[test]
    fn what_differs_is_named_by_pointer() {
        let wanted = json!({"a": 1, "b": {"c": "x"}, "l": [1, 2], "tags": {"k": "V"}, "traffic": {}});
        let seen = json!({"a": 2, "b": {}, "l": [1], "tags": {"k": "v"}, "traffic": {"blue": 100}});
        let found = differences(&wanted, &seen, &["/l"], &["/traffic"]);
        assert_eq!(found, ["/a", "/b/c", "/tags/k", "/traffic"]);
    }
}
