//! Expressions in `{{ }}`: first in a stored plan, where nothing has checked them, then in a blueprint.
//!
//! The first line of an input is exported; each further line defines a named value: `v0`, `v1` and so on.

use std::collections::BTreeMap;

use azure_sim::local_stamp;
use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef, Desired, Kind, Outputs, Plan, PlannedStep},
    ids::StepName,
};

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "expression",
    check,
    seeds,
    tokens: &[
        "{{",
        "}}",
        "tenant.id",
        "tenant.tags",
        "parameters.list",
        "parameters.n",
        "stamp",
        "steps.s.id",
        "steps.s.nothing",
        "values.v0",
        "values.v1",
        "values.v2",
        "values",
        "deployment",
        "|default('x')",
        "|first",
        "|int",
        "|join('xx')",
        "|last",
        "|length",
        "|lower",
        "|replace('a','aaaaaaaaaa')",
        "|string",
        "|trim",
        "|upper",
        "|tojson",
        " is defined",
        " is none",
        " is in ",
        " if ",
        " else ",
        " and ",
        " or ",
        "not ",
        " in ",
        " ~ ",
        " * ",
        " ** ",
        " // ",
        " % ",
        "-",
        "99999999",
        "170141183460469231731687303715884105727",
        "1e308",
        "'a'",
        "\"b\"",
        "[0]",
        "[1, 2]",
        "{'a': 1}",
        "[1:]",
        "[::-1]",
        "(",
        ")",
        "loop",
        "range(9)",
        "self",
        "true",
        "none",
        "[0] * 99999999",
        "'a' * 99999999",
        "%}",
        "{%",
        "{#",
    ],
    most: 8 << 10,
};

/// The longest result of an evaluation, in bytes.
const MAX_RESULT: usize = 4 << 20;

fn seeds() -> Vec<Vec<u8>> {
    [
        "{{ tenant.id }}",
        "a {{ tenant.displayName }} b {{ steps.s.id }}\n",
        "{{ values.v0 ~ values.v1 }}\n{{ tenant.id|upper }}\n{{ values.v0 if true else 1 }}",
        "{{ parameters.list|join(',') }}",
        "{{ parameters.list[0] ~ parameters.list|length }}",
        "{{ {'a': [1, 2.5, none, 'x']} }}",
        "{{ (parameters.n * 2 + 1) // 3 % 2 - 1 }}",
        "{{ tenant.id is defined and 'a' in tenant.id or not stamp }}",
        "{{ values.v0 }}\n{{ values.v1 }}{{ values.v1 }}\n{{ values.v2 }}{{ values.v2 }}\n{{ 'x' * 10 }}",
        "{{ steps.s.text|replace('a', 'b')|trim|int|default(5) }}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn check(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let export = lines.next().unwrap_or_default().to_owned();
    let values: BTreeMap<String, String> =
        lines.take(20).enumerate().map(|(n, line)| (format!("v{n}"), line.to_owned())).collect();
    format!("{} {}", of_a_plan(&export, &values), of_a_file(&export, &values))
}

fn of_a_plan(export: &str, values: &BTreeMap<String, String>) -> String {
    let name: StepName = "s".parse().unwrap();
    let fields = json!({"id": "/subscriptions/s", "apiVersion": "2024-01-01", "expect": {"at": null, "list": [0, {}]}});
    let late = ["/expect/at", "/expect/list/1"].map(|at| (at.to_owned(), export.to_owned())).into();
    let step = PlannedStep {
        desired: Desired::read(Kind::Check, &fields, &late).unwrap(),
        needs: [].into(),
        outputs: [].into(),
        digest: String::new(),
    };
    let plan = Plan {
        blueprint: BlueprintRef { name: "x".into(), version: "1.0.0".into(), digest: String::new() },
        context: json!({"tenant": {"id": "contoso", "displayName": "{{ 7*7 }}", "tags": {"a": "b"}}, "deployment": "test",
            "parameters": {"list": ["a", "bb", "{{ 7*7 }}"], "n": 41}, "stamp": local_stamp(), "values": {}}),
        values: values.clone(),
        known: BTreeMap::new(),
        steps: [(name.clone(), step)].into(),
        exports: [("e".to_owned(), export.to_owned())].into(),
    };
    let of_step = Outputs::from([("id".into(), json!("/x")), ("text".into(), json!("a{{ b }}"))]);
    let outputs = BTreeMap::from([(name.clone(), of_step)]);
    let exports = plan.exports(&outputs);
    assert_eq!(exports, plan.exports(&outputs), "evaluated in two ways");
    let rendered = plan.render(&name, &outputs);
    assert_eq!(rendered.is_ok(), exports.is_ok());
    match exports {
        Ok(exports) => {
            let size = json!(exports).to_string().len();
            assert!(size <= MAX_RESULT + export.len() * 8, "a value of {size} bytes");
            match exports.get("e") {
                None => "null".to_owned(),
                Some(Value::String(text)) => {
                    let data_only = !export.contains("7*7") && !export.contains("49");
                    assert!(!(data_only && text == "49"), "data was evaluated");
                    format!("text {}", text.len().min(3))
                }
                Some(other) => format!("{other:.12}"),
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(
                said.len() <= 8192 + 4 * (export.len() + values.values().map(String::len).sum::<usize>()),
                "{said:.500}"
            );
            let why = error.to_string();
            why.rsplit(": ").next().unwrap_or_default().chars().take(20).collect()
        }
    }
}

fn of_a_file(export: &str, values: &BTreeMap<String, String>) -> String {
    let mut text = "blueprint: x\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [a]\nsteps:\n  s: { kind: arm, type: Microsoft.Resources/resourceGroups }\n".to_owned();
    let mut section = |name: &str, members: &mut dyn Iterator<Item = (&String, &String)>| {
        text.push_str(&format!("{name}:\n"));
        members.for_each(|(key, value)| text.push_str(&format!("  {key}: {}\n", json!(value))));
    };
    if !values.is_empty() {
        section("values", &mut values.iter());
    }
    section("exports", &mut std::iter::once((&"e".to_owned(), &export.to_owned())));
    match Blueprint::check(&text) {
        Ok(checked) => super::blueprint::planned(&checked.blueprint, &text),
        Err(findings) => findings[0].code.to_owned(),
    }
}
