//! What no blueprint may do, however it is written: open a resource to the public, use keys, grant broad roles, hold secrets.
//!
//! Each rule is applied twice: to the text of the file, where a finding has a line, and to the planned fields, where
//! whatever an expression yielded can be seen.

use serde_json::Value;

use super::{
    Kind, address,
    file::File,
    findings::{Findings, Place},
    tree::{Key, Node, Shape},
};

pub(super) use super::address::https_objection;

/// Something that a rule forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

/// Members that decide about safety: name, values that are refused (lower case), code, why, hint.
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
        "allows broken versions of TLS",
        "write `TLS1_2`",
    ),
    ("supportsHttpsTrafficOnly", &["false"], "old-tls", "allows plain http", "write `true`"),
];

/// Members of Entra bodies that hold credentials.
const CREDENTIALS: [&str; 5] =
    ["passwordCredentials", "keyCredentials", "secretText", "administratorLoginPassword", "adminPassword"];

/// Built-in roles that can do nearly everything or hand out roles, by id and name (Azure docs, built-in roles).
const BROAD_ROLES: [(&str, &str); 4] = [
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
    ("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator"),
];

/// What the rules say of one member with a plain value.
fn member(name: &str, value: &Value) -> Option<Objection> {
    if CREDENTIALS.iter().any(|credential| credential.eq_ignore_ascii_case(name)) {
        let message = format!("`{name}` would put a secret into the blueprint");
        return Some(Objection { code: "secret-in-body", message, hint: "use a federated credential" });
    }
    let written = match value {
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (_, _, code, why, hint) = MEMBERS.iter().find(|(member, refused, ..)| {
        member.eq_ignore_ascii_case(name) && refused.contains(&written.as_str())
    })?;
    Some(Objection { code, message: format!("`{name}: {}` {why}", bare(value)), hint })
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the rules say of any text.
fn text(text: &str) -> Option<Objection> {
    let message = format!("the address {}", address::objection(text)?);
    Some(Objection { code: "forbidden-address", message, hint: "use https and a public name, or remove it" })
}

/// What the rules say of a role.
fn role(role: &str) -> Option<Objection> {
    let last = role.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let (_, name) = BROAD_ROLES
        .iter()
        .find(|(id, name)| id.eq_ignore_ascii_case(last) || name.eq_ignore_ascii_case(last))?;
    let message = format!("the role {name} is far more than a tenant needs");
    Some(Objection { code: "broad-role", message, hint: "name the narrowest role that will do" })
}

/// What the rules say of a scope.
fn scope(scope: &str) -> Option<Objection> {
    let segments: Vec<String> =
        scope.split('/').filter(|part| !part.is_empty()).map(str::to_ascii_lowercase).collect();
    let management = segments.iter().any(|part| part == "managementgroups");
    let broad = segments.len() <= 2 && segments.first().is_none_or(|part| part == "subscriptions");
    let hint = "grant at the resource, e.g. `scope: \"{{ steps.endpoint.id }}\"`";
    if broad || management {
        let message = "the scope reaches beyond one tenant".to_owned();
        return Some(Objection { code: "broad-scope", message, hint });
    }
    None
}

/// Applies the rules to the texts of a file.
pub(super) fn inspect(file: &File, findings: &mut Findings) {
    for step in &file.steps {
        for (field, node) in &step.fields {
            walk(field, node, findings);
        }
        if step.kind != Kind::RoleAssignment {
            continue;
        }
        if let Some(node) = step.fields.get("role") {
            tell(node.place, node.text().and_then(role), findings);
        }
        if let Some(node) = step.fields.get("scope") {
            let written = node.text().unwrap_or_default();
            let literal = (!super::expression::is_dynamic(written)).then(|| Objection {
                code: "scope-outside-tenant",
                message: "a written-out scope can't belong to each tenant".into(),
                hint: "grant at a resource of the tenant, e.g. `scope: \"{{ steps.endpoint.id }}\"`",
            });
            tell(node.place, scope_of_text(written).or(literal), findings);
        }
    }
    for node in file.values.values().chain(file.exports.values()) {
        walk("", node, findings);
    }
}

/// A scope with expressions is judged by what stands around them: `/subscriptions/{{ x }}` is a whole subscription.
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
                    tell(key.place, member(&key.text, &Value::Null), findings);
                }
                tell(key.place, text(&key.text), findings);
                walk(&key.text, node, findings);
            }
        }
        Shape::List(items) => items.iter().for_each(|item| walk("", item, findings)),
        Shape::Plain(value) => tell(node.place, member(name, value), findings),
        Shape::Text(written, _) => {
            tell(node.place, member(name, &Value::String(written.clone())), findings);
            tell(node.place, text(written), findings);
        }
    }
}

fn tell(at: Place, objection: Option<Objection>, findings: &mut Findings) {
    if let Some(Objection { code, message, hint }) = objection {
        findings.error_with_hint(at, code, message, hint);
    }
}

/// Applies the rules to what was planned for a step; `own` are the ids of the tenant's own resources.
pub(super) fn planned(kind: Kind, fields: &Value, own: &[&str]) -> Vec<Objection> {
    let mut objections = Vec::new();
    if !matches!(kind, Kind::Check | Kind::Isolation) {
        planned_value("", fields, &mut objections);
    }
    if kind == Kind::RoleAssignment {
        let field = |name: &str| fields.get(name).and_then(Value::as_str);
        objections.extend(field("roleDefinitionId").and_then(role));
        let target = field("scope").unwrap_or_default();
        let inside = |id: &str| {
            let (target, id) = (target.to_ascii_lowercase(), id.to_ascii_lowercase());
            target == id || target.starts_with(&format!("{id}/"))
        };
        let outside = (!own.iter().any(|id| inside(id))).then(|| Objection {
            code: "scope-outside-tenant",
            message: format!("the scope `{target}` is no resource of this tenant"),
            hint: "",
        });
        objections.extend(scope(target).or(outside));
    }
    objections
}

fn planned_value(name: &str, value: &Value, objections: &mut Vec<Objection>) {
    // What people write about themselves is shown, never followed.
    if matches!(name, "tags" | "displayName" | "friendlyName" | "description") {
        return;
    }
    objections.extend(member(name, value));
    objections.extend(value.as_str().and_then(text));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| planned_value(name, value, objections));
        }
        Value::Array(items) => items.iter().for_each(|item| planned_value("", item, objections)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Finds names that speak of secrets: what stands in a request or an output is stored, logged and announced.
pub(super) fn secret_name(key: &Key, what: &str, findings: &mut Findings) {
    const WORDS: [&str; 11] = [
        "password",
        "passwd",
        "secret",
        "connectionstring",
        "apikey",
        "accesskey",
        "accountkey",
        "privatekey",
        "primarykey",
        "secondarykey",
        "sastoken",
    ];
    let plain: String = key.text.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    if WORDS.iter().any(|word| plain.contains(word))
        || matches!(plain.as_str(), "key" | "token" | "credential")
    {
        no_secrets(key.place, &format!("{what} named `{}`", key.text), findings);
    }
}

/// Finds something that is declared to be a secret.
pub(super) fn no_secrets(at: Place, what: &str, findings: &mut Findings) {
    findings.error_with_hint(
        at,
        "secret",
        format!("{what} would be a secret, and nothing here keeps secrets"),
        "use an identity or a federated credential, or refer to a key vault",
    );
}
