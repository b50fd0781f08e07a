//! Reads the definitions of parameters.

use serde_json::Value;

use super::{
    file::{entries, identifier, only, slugs},
    findings::Findings,
    parameter::{Parameter, Type},
    rules,
    tree::{Key, Node, Shape},
};
use crate::spelling::did_you_mean;

const KEYS: [&str; 12] = [
    "type",
    "description",
    "default",
    "optional",
    "allowed",
    "minLength",
    "maxLength",
    "min",
    "max",
    "tiers",
    "items",
    "properties",
];

/// Reads the definition of a parameter (or of its items or one of its properties).
pub(super) fn read(key: &Key, node: &Node, tiers: &[String], findings: &mut Findings) -> Option<Parameter> {
    rules::secret_name(key, "a parameter", findings);
    let entries = entries(node, &format!("parameter `{}`", key.text), findings)?;
    if let Some((mark, _)) =
        entries.iter().find(|(key, _)| matches!(key.text.as_str(), "secret" | "secure" | "sensitive"))
    {
        rules::no_secrets(mark.position, &format!("parameter `{}`", key.text), findings);
    } else {
        only(entries, &KEYS, "a parameter", findings);
    }
    let mut parameter = Parameter::of(of_type(key, node, findings)?);
    parameter.optional = matches!(node.get("optional").map(Node::to_json), Some(Value::Bool(true)));
    parameter.length = (count(node.get("minLength"), findings), count(node.get("maxLength"), findings));
    parameter.size = (size(node.get("min"), findings), size(node.get("max"), findings));
    limits_fit(&parameter, node, findings);
    parameter.tiers = slugs(node.get("tiers"), "tiers", findings);
    if let Some(unknown) = parameter.tiers.iter().find(|tier| !tiers.contains(tier)) {
        let hint = did_you_mean(unknown, tiers.iter().map(String::as_str));
        let message = format!("the blueprint has no tier `{unknown}`");
        findings.error_with_hint(node.position, "unknown-tier", message, hint);
    }
    if let Some(items) = node.get("items") {
        parameter.items = read(key, items, tiers, findings).map(Box::new);
    }
    if let Some(properties) = node.get("properties") {
        for (name, node) in super::file::entries(properties, "`properties`", findings).unwrap_or_default() {
            identifier(name, "a property", findings);
            if let Some(property) = read(name, node, tiers, findings) {
                parameter.properties.insert(name.text.clone(), property);
            }
        }
    }
    allowed_and_default(&mut parameter, node, findings);
    Some(parameter)
}

fn of_type(key: &Key, node: &Node, findings: &mut Findings) -> Option<Type> {
    let Some(written) = node.get("type") else {
        findings.error(key.position, "missing-key", format!("parameter `{}` has no `type`", key.text));
        return None;
    };
    let written_type = written.text().unwrap_or_default();
    let found = Type::NAMES.iter().find(|(name, _)| *name == written_type).map(|(_, of)| *of);
    if found.is_none() {
        let near = did_you_mean(written_type, Type::NAMES.iter().map(|(name, _)| *name));
        let all: Vec<_> = Type::NAMES.iter().map(|(name, _)| *name).collect();
        let hint = if near.is_empty() { format!("there are {}", all.join(", ")) } else { near };
        findings.error_with_hint(
            written.position,
            "unknown-type",
            format!("there is no parameter type `{written_type}`"),
            hint,
        );
    }
    found
}

fn limits_fit(parameter: &Parameter, node: &Node, findings: &mut Findings) {
    let limits = [
        ("minLength", parameter.of.has_length()),
        ("maxLength", parameter.of.has_length()),
        ("min", parameter.of.has_size()),
        ("max", parameter.of.has_size()),
        ("items", parameter.of == Type::Array),
        ("properties", parameter.of == Type::Object),
    ];
    for (limit, fits) in limits {
        if let Some(written) = node.get(limit).filter(|_| !fits) {
            let message = format!("`{limit}` says nothing about a parameter of this type");
            findings.error(written.position, "wrong-limit", message);
        }
    }
}

/// `allowed` and `default` are data, and have to be valid values of the parameter.
fn allowed_and_default(parameter: &mut Parameter, node: &Node, findings: &mut Findings) {
    if let Some(allowed) = node.get("allowed") {
        match &allowed.shape {
            Shape::List(items) if !items.is_empty() => {
                for item in items {
                    fits(parameter, item, "an allowed value", findings);
                }
                parameter.allowed = items.iter().map(Node::to_json).collect();
            }
            Shape::List(_) | Shape::Map(_) | Shape::Plain(_) | Shape::Text(..) => {
                findings.error(allowed.position, "wrong-type", "`allowed` is a list of at least one value");
            }
        }
    }
    if let Some(default) = node.get("default") {
        fits(parameter, default, "the default", findings);
        parameter.default = Some(default.to_json());
    }
}

fn fits(parameter: &Parameter, node: &Node, what: &str, findings: &mut Findings) {
    for fault in parameter.faults(&node.to_json(), "") {
        let inside = if fault.pointer.is_empty() { String::new() } else { format!(" at {}", fault.pointer) };
        findings.error(node.position, "bad-default", format!("{what}{inside}: {}", fault.message));
    }
    if node.text().is_some_and(super::expression::is_dynamic) {
        let hint = "put the expression under `values:`";
        findings.error_with_hint(
            node.position,
            "bad-default",
            format!("{what} is data, not an expression"),
            hint,
        );
    }
}

fn count(node: Option<&Node>, findings: &mut Findings) -> Option<usize> {
    let node = node?;
    let number = node.to_json().as_u64().and_then(|number| usize::try_from(number).ok());
    if number.is_none() {
        findings.error(node.position, "wrong-type", "a length is a whole number");
    }
    number
}

fn size(node: Option<&Node>, findings: &mut Findings) -> Option<f64> {
    let node = node?;
    let number = node.to_json().as_f64();
    if number.is_none() {
        findings.error(node.position, "wrong-type", "a limit is a number");
    }
    number
}
