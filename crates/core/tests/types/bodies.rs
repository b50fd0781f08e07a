use serde_json::{Map, Value};
use tenantry_core::types::{BodyFinding, Grade, ResourceTypes};

use crate::{blueprints::steps, yaml};

/// The faults in the bodies of the shipped blueprints.
const IN_BLUEPRINTS: &str = include_str!("in_blueprints.yaml");
/// Bodies of other types.
const OTHERS: &str = include_str!("others.yaml");

/// A finding as the tables write it.
fn written(finding: &BodyFinding) -> [String; 3] {
    let code = match finding.grade {
        Grade::Error => finding.code.to_string(),
        Grade::Hint => format!("{} (hint)", finding.code),
    };
    [finding.pointer.clone(), code, finding.hint.clone().unwrap_or_default()]
}

/// The finding that a row of a table expects.
fn expected(row: &Value) -> [String; 3] {
    ["at", "finds", "hint"].map(|name| row[name].as_str().unwrap_or_default().to_owned())
}

/// Sets the value at a JSON pointer, or removes it if the value is null.
fn set(body: &mut Value, pointer: &str, to: &Value) {
    let (outer, name) = pointer.rsplit_once('/').unwrap();
    let outer = body.pointer_mut(outer).unwrap_or_else(|| panic!("{pointer} is in nothing"));
    match outer {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = to.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("{pointer}"),
        Value::Object(members) => {
            if to.is_null() {
                members.remove(name).unwrap_or_else(|| panic!("no {pointer}"));
            } else {
                members.insert(name.to_owned(), to.clone());
            }
        }
    }
}

fn changes(row: &Value) -> &Map<String, Value> {
    row["set"].as_object().unwrap()
}

#[test]
fn each_fault_gives_its_finding() {
    let (steps, mut wrong) = (steps(), Vec::new());
    let rows = yaml::value(IN_BLUEPRINTS);
    for row in rows.as_array().unwrap() {
        // A later blueprint's step stands for the steps of the same name.
        let step = steps.iter().rfind(|step| row["step"] == step.name.as_str()).unwrap();
        let mut body = step.body.clone();
        for (pointer, to) in changes(row) {
            set(&mut body, pointer, to);
        }
        let found: Vec<_> = step.check(&body).iter().map(written).collect();
        if found != [expected(row)] {
            wrong.push(format!("{row}\n  found {found:?}"));
        }
    }
    assert!(rows.as_array().unwrap().len() >= 30);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bodies_of_other_types_give_their_findings() {
    let mut wrong = Vec::new();
    for row in yaml::value(OTHERS).as_array().unwrap() {
        let late = |at: &str| row["late"].as_array().is_some_and(|late| late.contains(&at.into()));
        let (name, version) = row["of"].as_str().unwrap().split_once('@').unwrap();
        let found = ResourceTypes::known().check_body(name, version, &row["body"], &late).unwrap();
        let found: Vec<_> = found.iter().map(written).collect();
        let expected: Vec<_> = row["all"].as_array().unwrap().iter().map(expected).collect();
        if found != expected {
            wrong.push(format!("{row}\n  found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_message_says_plainly_what_is_wrong() {
    let steps = steps();
    let storage = steps.iter().rfind(|step| step.name == "storage").unwrap();
    let rows = [
        ("/properties/accessTier", r#""Frozen""#, "`Frozen` is none of the possible values"),
        ("/properties/accessTier", r#""hot""#, "`hot` differs in case from the value `Hot`"),
        ("/properties/isHnsEnabled", r#""true""#, "this has to be true or false, but it is a text"),
        ("/properties/colour", "1", "there is no member `colour` here"),
        ("/Kind", r#""StorageV2""#, "`Kind` differs in case from the member `kind`"),
        ("/id", r#""x""#, "`id` is read-only: only the service sets it"),
        ("/name", r#""ab""#, "this has 2 characters, but needs at least 3"),
        ("/name", r#""Fabrikam""#, "the text does not match the pattern `^[a-z0-9]+$`"),
    ];
    for (pointer, to, message) in rows {
        let mut body = storage.body.clone();
        set(&mut body, pointer, &serde_json::from_str(to).unwrap());
        let found: Vec<_> = storage.check(&body).into_iter().map(|finding| finding.message).collect();
        assert_eq!(found, [message]);
    }
}
