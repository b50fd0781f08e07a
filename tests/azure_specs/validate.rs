//! Compares requests and answers with the operation that describes them.

use std::collections::BTreeMap;

use jsonschema::Draft;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tenantry_core::steps::{Api, Method, Reply, Request};

use crate::{
    coverage::says_something,
    description::Operation,
    schema::{Way, plain},
};

/// The headers that carry poll URLs.
const POLLED: [&str; 2] = ["azure-asyncoperation", "location"];

/// Path and query of a request; the query by name, percent-decoded.
pub(crate) fn address(request: &Request) -> (&str, BTreeMap<String, String>) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    (path, pairs.map(pair).collect())
}

/// The differences between a request and its operation's description.
pub(crate) fn request(operation: &Operation<'_>, request: &Request) -> Vec<String> {
    let mut wrong = Vec::new();
    let (_, query) = address(request);
    let header = |name: &str| {
        let found = request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    for (location, name, declared) in operation.parameters() {
        let given = match location {
            "path" => operation.given.get(name).cloned(),
            "query" => query.get(name).cloned(),
            // The HTTP client sets these.
            "header" if ["content-type", "accept"].contains(&name.to_lowercase().as_str()) => continue,
            "header" => header(name),
            _ => continue,
        };
        match given {
            Some(given) => wrong.extend(parameter(operation, location, name, declared, &given)),
            None if declared.get("required") == Some(&Value::Bool(true)) => {
                wrong.push(format!("the {location} has no {name}"));
            }
            None => {}
        }
    }
    let declared: Vec<(&str, &str)> =
        operation.parameters().iter().map(|(location, name, _)| (*location, *name)).collect();
    let unknown = query.keys().filter(|name| !declared.contains(&("query", name)));
    wrong.extend(unknown.map(|name| format!("the query's {name} is not declared")));
    let known = |name: &str| {
        let declares =
            |(location, other): &(&str, &str)| *location == "header" && other.eq_ignore_ascii_case(name);
        declared.iter().any(declares) || (upserts(operation, request.method) && name == "prefer")
    };
    let unknown = request.headers.iter().filter(|(name, _)| !known(name));
    wrong.extend(unknown.map(|(name, _)| format!("the header {name} is not declared")));
    if request.api == Api::Arm && query.get("api-version") != Some(&operation.of.version) {
        wrong.push(format!("the version is {:?}, not {}", query.get("api-version"), operation.of.version));
    }
    if upserts(operation, request.method) && header("prefer").as_deref() != Some("create-if-missing") {
        wrong.push("an upsert needs `Prefer: create-if-missing`".to_owned());
    }
    match (operation.body(), &request.body) {
        (Some((schema, _)), Some(body)) => {
            wrong.extend(faults(&plain(operation.of, schema, Way::Request), body));
        }
        (Some((_, true)), None) => wrong.push("there is no body".to_owned()),
        (None, Some(_)) => wrong.push("there is a body, and none is declared".to_owned()),
        (Some((_, false)) | None, None) => {}
    }
    wrong
}

/// Whether a request is Graph's upsert by an alternate key. The description does not distinguish upserts from other
/// changes. Graph's documentation does ("Upsert application"): 201 with the object if the request created it, 204
/// without a body if it changed it.
fn upserts(operation: &Operation<'_>, method: Method) -> bool {
    method == Method::Patch && operation.template.contains("='{")
}

/// The faults of one parameter's value. A path parameter has to follow its declaration and one of the manifest's
/// rules.
fn parameter(
    operation: &Operation<'_>,
    location: &str,
    name: &str,
    declared: &Value,
    given: &str,
) -> Vec<String> {
    let of_text = operation.of.resolved(declared.get("schema").unwrap_or(declared));
    let value = match of_text["type"].as_str() {
        Some("boolean" | "integer" | "number") => serde_json::from_str(given).unwrap_or(Value::Null),
        Some("array") => given.split(',').collect(),
        _ => Value::from(given),
    };
    let fault_of = |fault: String| format!("the {location}'s {name}: {fault}");
    let mut wrong: Vec<String> = faults(&rule(of_text), &value).into_iter().map(fault_of).collect();
    let rules = if location == "path" { operation.rules(name) } else { Vec::new() };
    if !rules.is_empty() && !rules.iter().any(|any| faults(&rule(any), &value).is_empty()) {
        wrong.push(fault_of(format!("{given} keeps to none of {rules:?}")));
    }
    wrong
}

/// A JSON Schema for a parameter's value, from the parameter's declaration. A pattern applies to the whole value.
fn rule(declared: &Value) -> Value {
    let mut rule = Map::new();
    for name in ["type", "minLength", "maxLength", "minimum", "maximum", "enum", "uniqueItems", "items"] {
        if let Some(value) = declared.get(name) {
            rule.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(pattern) = declared.get("pattern").and_then(Value::as_str) {
        rule.insert("pattern".to_owned(), Value::from(format!("^(?:{pattern})$")));
    }
    Value::Object(rule)
}

/// The schema of ARM's errors, for descriptions that declare none (Azure, common types, `ErrorResponse`).
fn arm_error() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    json!({
        "type": "object", "required": ["error"], "properties": {"error": {
            "type": "object", "required": ["code", "message"], "properties": {"code": text, "message": text},
        }},
    })
}

/// The differences between an answer and its operation's description.
pub(crate) fn answer(operation: &Operation<'_>, method: Method, reply: &Reply) -> Vec<String> {
    let refused_by_arm = reply.status >= 400 && !operation.of.is_graph();
    let mut wrong = if refused_by_arm { faults(&arm_error(), &reply.body) } else { Vec::new() };
    if upserts(operation, method)
        && reply.is_success()
        && !matches!((reply.status, reply.body.is_null()), (201, false) | (204, true))
    {
        wrong.push("an upsert answers 201 with a body or 204 without".to_owned());
    }
    // `Retry-After` may be absent even where it is declared (Azure docs, async-operations); a poll URL may not.
    let declared = operation.headers(reply.status);
    let absent = POLLED.iter().filter(|name| declared.contains(**name) && reply.header(name).is_none());
    wrong.extend(absent.map(|name| format!("the header {name} is not there")));
    if reply.status == 202 && POLLED.iter().all(|name| reply.header(name).is_none()) {
        wrong.push("nothing says where to ask for progress".to_owned());
    }
    match operation.response(reply.status) {
        // Some descriptions show an error without its envelope, which ARM always sends.
        Some(Some(schema)) if refused_by_arm && bare(operation, schema) => {}
        // Graph's description knows only "2XX", which covers the 204 of an upsert.
        Some(Some(_)) if reply.status == 204 && reply.body.is_null() => {}
        Some(Some(schema)) => {
            wrong.extend(faults(&plain(operation.of, &shown(schema, reply), Way::Answer), &reply.body));
        }
        Some(None) if reply.body.is_null() => {}
        Some(None) => wrong.push("there is a body, and none is declared".to_owned()),
        None if refused_by_arm => {}
        None => wrong.push("the status is not declared".to_owned()),
    }
    wrong
}

/// The faults of an answer from an `Azure-AsyncOperation` URL: it has to be 200 with a status, and with an error if
/// the status is a failure.
pub(crate) fn operation_answer(reply: &Reply) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = reply.body.get("status").and_then(Value::as_str).unwrap_or_default();
    if reply.status != 200 || status.is_empty() {
        wrong.push(format!("{} with the status {status:?}", reply.status));
    }
    let bad = ["Failed", "Canceled"].contains(&status);
    if bad && !["/error/code", "/error/message"].iter().all(|at| says_something(reply.body.pointer(at))) {
        wrong.push(format!("{status} without an error: {}", reply.body));
    }
    wrong
}

/// The faults of an answer from a `Location` URL: it has to be 202 while the operation runs, 200 or 204 once the
/// operation is done, or an error.
pub(crate) fn location_answer(reply: &Reply) -> Vec<String> {
    match reply.status {
        200 | 202 | 204 => Vec::new(),
        400.. => faults(&arm_error(), &reply.body),
        other => vec![format!("the status {other}")],
    }
}

fn bare(operation: &Operation<'_>, schema: &Value) -> bool {
    operation.of.resolved(schema).pointer("/properties/code").is_some()
}

/// The schema for an answer's body. Where Graph declares only a base type, the answer names the actual type.
fn shown(declared: &Value, reply: &Reply) -> Value {
    match reply.body.get("@odata.type").and_then(Value::as_str) {
        Some(name) => json!({"$ref": format!("#/components/schemas/{}", name.trim_start_matches('#'))}),
        None => declared.clone(),
    }
}

fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::options().with_draft(Draft::Draft4).build(schema).unwrap();
    let errors = validator.iter_errors(value);
    errors.map(|error| format!("{error} at {:?}", error.instance_path().to_string())).collect()
}
