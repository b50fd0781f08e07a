//! Unknown members are rejected, and every known member is checked.

use serde_json::{Value, json};
use tenantry::intake::{Fault, IntakeDecision, RequestDocument};
use tenantry_core::tenant::Action;

use super::{live, refused, request, signup, take_in};
use crate::bad_inputs::harness::{Harness, LIVE};

#[tokio::test]
async fn a_misspelt_dry_run_is_not_carried_out() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let before = live(&harness).await;
    for (n, name) in ["dryrun", "DryRun", "dry_run", "dryRuns"].into_iter().enumerate() {
        let mut update = request("update", &format!("u-{n}"), LIVE, json!({"displayName": "Other"}));
        update[name] = true.into();
        let answer = take_in(&harness, &update).await;
        refused(&answer, "unknown_member", &format!("/{name}"));
        assert!(answer.faults[0].message.contains("did you mean `dryRun`?"), "{answer:?}");
    }
    assert_eq!(live(&harness).await, before);
}

#[tokio::test]
async fn all_unknown_members_are_reported_together_with_suggestions() {
    let harness = Harness::open().await;
    let mut message = signup("m-1", LIVE);
    message["Deadline"] = json!("2099-01-01T00:00:00Z");
    message["requestedBy"] = json!({"type": "user", "id": "7", "ID ": "8"});
    message["spec"]["display_name"] = json!("x");
    message["spec"]["mode"] = json!("access");
    message["spec"]["blueprint"] = json!({"name": "hello", "verison": "1.0.0"});
    let event = json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "io.tenantry.request.signup.v1",
        "data": message, "dryrun": "an attribute of the sender's own"});
    let answer = take_in(&harness, &event).await;
    let reported: Vec<(&str, &str)> =
        answer.faults.iter().map(|fault| (fault.pointer.as_str(), fault.code.as_str())).collect();
    let expected = [
        "/data/Deadline",
        "/data/requestedBy/ID ",
        "/data/spec/blueprint/verison",
        "/data/spec/display_name",
        "/data/spec/mode",
    ];
    assert_eq!(reported, expected.map(|at| (at, "unknown_member")), "{answer:?}");
    let messages: Vec<&str> = answer.faults.iter().map(|fault| fault.message.as_str()).collect();
    assert!(messages[0].contains("`deadline`") && messages[2].contains("`version`"), "{messages:?}");
    assert!(messages[3].contains("`displayName`") && messages[4].contains("suspend"), "{messages:?}");
}

/// The JSON pointers of all properties in a part of the published schema, each with its schema; `$ref` is resolved.
fn properties(schema: &Value, of: &Value) -> Vec<(String, Value)> {
    let resolved = |of: &Value| -> Value {
        let of = of["anyOf"].get(0).unwrap_or(of);
        let name = of["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        name.map_or_else(|| of.clone(), |name| schema["$defs"][name].clone())
    };
    let of = resolved(of);
    if of["additionalProperties"] != false {
        return Vec::new();
    }
    let own = of["properties"].as_object().into_iter().flatten();
    own.flat_map(|(name, member)| {
        let below = properties(schema, member).into_iter();
        let below = below.map(|(at, of)| (format!("/{name}{at}"), of)).collect::<Vec<_>>();
        [vec![(format!("/{name}"), member.clone())], below].concat()
    })
    .collect()
}

fn put(value: &mut Value, at: &str, what: Value) {
    let mut here = value;
    for name in at.split('/').skip(1) {
        if !here[name].is_object() && !here[name].is_null() {
            here[name] = json!({});
        }
        here = &mut here[name];
    }
    *here = what;
}

/// A member that is in the types but not in the intake would be accepted and ignored.
#[tokio::test]
async fn every_member_of_the_schema_is_read() {
    let harness = Harness::open().await;
    let schema = schemars::schema_for!(RequestDocument).to_value();
    let mut tried = 0;
    for action in Action::ALL.map(Action::as_str) {
        let rule = schema["allOf"].as_array().unwrap().iter();
        let rule = rule.filter(|rule| rule["if"]["properties"]["action"]["const"] == action);
        let [rule] = rule.collect::<Vec<_>>().try_into().unwrap();
        let spec = properties(&schema, &rule["then"]["properties"]["spec"]).into_iter();
        let spec = spec.map(|(at, _)| format!("/spec{at}"));
        let top = properties(&schema, &schema).into_iter().map(|(at, _)| at);
        for at in top.chain(spec) {
            let mut message = request(action, &format!("{action}-{tried}"), LIVE, json!({}));
            put(&mut message, &at, json!([[7]]));
            let answer = take_in(&harness, &message).await;
            assert_eq!(answer.decision, IntakeDecision::Rejected, "{action} {at}");
            let judged = answer.faults.iter().any(|fault| {
                fault.pointer.starts_with(&at)
                    && !["missing", "unknown_member"].contains(&fault.code.as_str())
            });
            assert!(judged, "{action}: {at} is not read: {answer:?}");
            tried += 1;
        }
    }
    assert!(tried > 80, "only {tried} members were tried");
}

/// `Action::ALL` is complete; the spec of an action that it lacks would not be checked.
#[tokio::test]
async fn no_action_accepts_unknown_members_in_its_spec() {
    let schema = schemars::schema_for!(Action).to_value();
    let actions = schema["oneOf"].as_array().unwrap().iter().map(|of| of["const"].as_str().unwrap());
    assert_eq!(actions.collect::<Vec<_>>(), Action::ALL.map(Action::as_str));
    let harness = Harness::open().await;
    for action in Action::ALL.map(Action::as_str) {
        let message = request(action, &format!("{action}-odd"), LIVE, json!({"dryrun": true}));
        let answer = take_in(&harness, &message).await;
        assert_eq!(answer.decision, IntakeDecision::Rejected, "{action}");
        let reported = |fault: &Fault| {
            (fault.code.as_str(), fault.pointer.as_str()) == ("unknown_member", "/spec/dryrun")
        };
        assert!(answer.faults.iter().any(reported), "{action}: {answer:?}");
    }
}

/// Member names are compared exactly.
#[tokio::test]
async fn every_other_spelling_of_a_member_is_refused() {
    let harness = Harness::open().await;
    let mut n = 0;
    for name in ["tenantId", "requestedAt", "deadline", "expectedVersion", "dryRun", "external", "spec"] {
        for spelling in
            [name.to_uppercase(), format!("{name} "), format!("{name}\u{200b}"), name.replace('e', "\u{435}")]
        {
            if spelling == name {
                continue;
            }
            n += 1;
            let mut message = signup(&format!("n-{n}"), LIVE);
            // Beside the correct name, the other spelling would be a duplicate member.
            message.as_object_mut().unwrap().remove(name);
            message[&spelling] = json!({});
            let answer = take_in(&harness, &message).await;
            assert_eq!(answer.decision, IntakeDecision::Rejected, "{spelling:?}");
            assert!(answer.faults.iter().any(|fault| fault.code == "unknown_member"), "{answer:?}");
        }
    }
    assert!(harness.census().await.tenants.is_empty());
}
