//! What no blueprint may do: open a resource to the public, use keys, grant broad roles, contain secrets.
//!
//! Each rule is written once. This file applies it to the blueprint's text, where a finding has a line; `judge` applies
//! it to planned fields, rendered fields and requests. Members and their values are compared without case, as Azure
//! does.

use serde_json::Value;

use super::{
    Kind, address,
    file::File,
    findings::{Findings, Position},
    tree::{Key, Node, Shape},
};
use crate::{
    ids::ResourceId,
    pointer,
    secrets::{carried_as, is_credential_name, is_secret_name, speaks_of_secret},
};

pub(super) use super::address::https_objection;

/// A violation of a rule about what blueprints, steps and requests may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The code of the rule, in kebab case; stable.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: &'static str,
}

/// Members that matter for security: name, refused values (lower case), code, why, hint.
const MEMBERS: [(&str, &[&str], &str, &str, &str); 8] = [
    (
        "publicNetworkAccess",
        &["enabled", "true"],
        "public-network",
        "opens the resource to the internet",
        "write `publicNetworkAccess: Disabled` and reach it through a private endpoint",
    ),
    (
        "authMode",
        &["key", "amltoken"],
        "key-auth",
        "lets whoever holds a key call the endpoint",
        "write `authMode: AADToken` and grant the caller a role at the endpoint",
    ),
    (
        "allowSharedKeyAccess",
        &["true"],
        "key-auth",
        "lets whoever holds the account key in",
        "write `allowSharedKeyAccess: false` and grant roles",
    ),
    ("allowBlobPublicAccess", &["true"], "public-network", "lets anybody read blobs", "write `false`"),
    ("disableLocalAuth", &["false"], "key-auth", "leaves keys in use beside roles", "write `true`"),
    ("enableRbacAuthorization", &["false"], "key-auth", "replaces roles by access policies", "write `true`"),
    (
        "minimumTlsVersion",
        &["tls1_0", "tls1_1"],
        "old-tls",
        "allows insecure versions of TLS",
        "write `TLS1_2`",
    ),
    ("supportsHttpsTrafficOnly", &["false"], "old-tls", "allows plain http", "write `true`"),
];

/// Built-in roles that can do nearly everything or assign roles, by id and name (Azure docs, built-in roles).
const BROAD_ROLES: [(&str, &str); 4] = [
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
    ("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator"),
];

/// Judges one member by its name and value: credentials, and insecure values of security settings.
pub(super) fn member(name: &str, value: &Value) -> Option<Objection> {
    let empty = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    if !empty && is_credential_name(name) {
        let message = format!("`{name}` would put a secret into the blueprint");
        return Some(Objection { code: "secret-in-body", message, hint: "use a federated credential" });
    }
    let (_, refused, code, why, hint) =
        MEMBERS.iter().find(|(member, ..)| member.eq_ignore_ascii_case(name))?;
    let written = match value {
        Value::String(text) => text.as_str(),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if !refused.iter().any(|refused| refused.eq_ignore_ascii_case(written)) {
        return None;
    }
    Some(Objection { code, message: format!("`{name}: {}` {why}", bare(value)), hint })
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Judges a text that may be or contain a secret, by its content and its member's name; the message repeats nothing of
/// the text.
pub(super) fn secret(name: &str, value: &Value) -> Option<Objection> {
    let what = carried_as(name, value.as_str()?)?;
    Some(Objection {
        code: "secret-value",
        message: format!("this is {what}, and nothing here keeps secrets"),
        hint: "use an identity or a federated credential, or refer to a key vault",
    })
}

/// Judges a text by the URLs in it.
pub(super) fn text(text: &str) -> Option<Objection> {
    let message = format!("the address {}", address::objection(text)?);
    Some(Objection { code: "forbidden-address", message, hint: "use https and a public name, or remove it" })
}

/// Judges a role by its id or name: built-in roles with broad rights are refused.
pub(super) fn role(role: &str) -> Option<Objection> {
    let last = role.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let (_, name) = BROAD_ROLES
        .iter()
        .find(|(id, name)| id.eq_ignore_ascii_case(last) || name.eq_ignore_ascii_case(last))?;
    let message = format!("the role {name} is far more than a tenant needs");
    Some(Objection { code: "broad-role", message, hint: "name the narrowest role that will do" })
}

/// Judges the scope of a role assignment: a directory, a management group or a subscription is too broad for any
/// tenant.
pub(super) fn scope(scope: &str) -> Option<Objection> {
    let broad = match scope.parse::<ResourceId>() {
        Ok(id) => {
            let managed = |of: &String| of.eq_ignore_ascii_case("Microsoft.Management/managementGroups");
            id.subscription().is_none() || id.resource_type().is_none() || id.types().iter().any(managed)
        }
        Err(_) => scope.split('/').filter(|part| !part.is_empty()).count() <= 2,
    };
    broad.then(|| Objection {
        code: "broad-scope",
        message: "the scope reaches beyond one tenant".to_owned(),
        hint: "grant at the resource, e.g. `scope: \"{{ steps.endpoint.id }}\"`",
    })
}

/// Applies the rules to the text of a blueprint.
pub(super) fn inspect(file: &File, findings: &mut Findings) {
    for step in &file.steps {
        for (field, node) in &step.keys {
            walk(field, node, findings);
        }
        if step.kind != Kind::RoleAssignment {
            continue;
        }
        if let Some(node) = step.keys.get("role") {
            report(node.position, node.text().and_then(role), findings);
        }
        if let Some(node) = step.keys.get("scope") {
            let written = node.text().unwrap_or_default();
            let literal = (!super::expression::is_dynamic(written)).then(|| Objection {
                code: "scope-outside-tenant",
                message: "a written-out scope can't belong to each tenant".into(),
                hint: "grant at a resource of the tenant, e.g. `scope: \"{{ steps.endpoint.id }}\"`",
            });
            report(node.position, scope_of_text(written).or(literal), findings);
        }
    }
    for node in file.values.values().chain(file.exports.values()) {
        walk("", node, findings);
    }
}

/// Judges a scope with expressions by the text around them: `/subscriptions/{{ x }}` is a whole subscription.
fn scope_of_text(text: &str) -> Option<Objection> {
    let pieces = super::expression::pieces(text).ok()?;
    let [super::expression::Piece::Expression(_)] = pieces.as_slice() else {
        let filled: String = pieces
            .iter()
            .map(|piece| match piece {
                super::expression::Piece::Literal(literal) => *literal,
                super::expression::Piece::Expression(_) => "x",
            })
            .collect();
        return scope(&filled);
    };
    None
}

fn walk(name: &str, node: &Node, findings: &mut Findings) {
    match &node.shape {
        Shape::Map(entries) => {
            for (key, node) in entries {
                if node.map().is_some() || node.list().is_some() {
                    report(key.position, member(&key.text, &node.to_json()), findings);
                }
                report(key.position, text(&key.text), findings);
                walk(&key.text, node, findings);
            }
        }
        Shape::List(items) => items.iter().for_each(|item| walk("", item, findings)),
        Shape::Plain(value) => report(node.position, member(name, value), findings),
        Shape::Text(written, _) => {
            report(node.position, member(name, &Value::String(written.clone())), findings);
            report(node.position, text(written), findings);
        }
    }
}

fn report(at: Position, objection: Option<Objection>, findings: &mut Findings) {
    if let Some(Objection { code, message, hint }) = objection {
        findings.error_with_hint(at, code, message, hint);
    }
}

/// Reports secrets anywhere in the file, by their value.
pub(super) fn no_secret_values(root: &Node, findings: &mut Findings) {
    match &root.shape {
        Shape::Map(entries) => {
            for (key, node) in entries {
                report(key.position, secret("", &Value::String(key.text.clone())), findings);
                match &node.shape {
                    Shape::Text(written, _) => {
                        report(node.position, secret(&key.text, &Value::String(written.clone())), findings);
                    }
                    Shape::Plain(_) | Shape::List(_) | Shape::Map(_) => no_secret_values(node, findings),
                }
            }
        }
        Shape::List(items) => items.iter().for_each(|item| no_secret_values(item, findings)),
        Shape::Text(written, _) => {
            report(root.position, secret("", &Value::String(written.clone())), findings);
        }
        Shape::Plain(_) => {}
    }
}

/// Reports an output whose JSON pointer leads to a secret, by the names in the pointer.
pub(super) fn no_secret_pointer(at: Position, pointer: &str, findings: &mut Findings) {
    let names = pointer.split('/').skip(1).map(pointer::name);
    if let Some(name) = names.into_iter().find(|name| is_secret_name(name)) {
        findings.error_with_hint(
            at,
            "secret-output",
            format!("`{name}` would be a secret, and outputs are stored and published"),
            "use an identity or a federated credential, so that no secret exists",
        );
    }
}

/// Reports a parameter or output whose name mentions a secret, because its value would be stored, logged and published.
pub(super) fn secret_name(key: &Key, what: &str, findings: &mut Findings) {
    if speaks_of_secret(&key.text) {
        no_secrets(key.position, &format!("{what} named `{}`", key.text), findings);
    }
}

/// Reports that `what` would be a secret.
pub(super) fn no_secrets(at: Position, what: &str, findings: &mut Findings) {
    findings.error_with_hint(
        at,
        "secret",
        format!("{what} would be a secret, and nothing here keeps secrets"),
        "use an identity or a federated credential, or refer to a key vault",
    );
}
