//! What a plan would do, for people to read: late parts stand as `<steps.app.appId>`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Kind, Plan, PlannedStep,
    expression::{self, Piece},
    names::role_assignment_name,
    scope::{Early, Scope},
};

/// A request as it would be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The HTTP method.
    pub method: &'static str,
    /// Path and query; a path beginning `/subscriptions` is Azure Resource Manager's, `/v1.0` is Microsoft Graph's.
    pub url: String,
    /// The body, if there is one.
    pub body: Option<Value>,
}

/// The name of a kind as blueprints write it.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Arm => "arm",
        Kind::ArmUpdate => "arm-update",
        Kind::RoleAssignment => "role-assignment",
        Kind::EntraApplication => "entra-application",
        Kind::ServicePrincipal => "service-principal",
        Kind::FederatedCredential => "federated-credential",
        Kind::Check => "check",
    }
}

/// The fields of a step with `<...>` in place of whatever only Azure can tell.
pub fn shown(plan: &Plan, step: &PlannedStep) -> Value {
    let mut fields = step.fields.clone();
    for (pointer, text) in &step.late {
        if let Some(place) = fields.pointer_mut(pointer) {
            *place = Value::String(stand_in(plan, text));
        }
    }
    fields
}

/// The exports, likewise.
pub fn exports(plan: &Plan) -> BTreeMap<String, String> {
    plan.exports.iter().map(|(name, text)| (name.clone(), stand_in(plan, text))).collect()
}

/// The requests of a step with these fields: first the look, then the write that follows if need be.
pub fn requests(kind: Kind, fields: &Value) -> Vec<Preview> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = || fields.get("body").cloned();
    let look = |url: String| Preview { method: "GET", url, body: None };
    match kind {
        Kind::Arm | Kind::ArmUpdate | Kind::Check => {
            let url = format!("{}?api-version={}", text("id"), text("apiVersion"));
            let write = Preview { method: "PUT", url: url.clone(), body: body() };
            if kind == Kind::Check { vec![look(url)] } else { vec![look(url), write] }
        }
        Kind::RoleAssignment => {
            let (scope, role, principal) = (text("scope"), text("roleDefinitionId"), text("principalId"));
            // The name is made from the principal's id, so it is not known before that is.
            let name = if [&scope, &role, &principal].iter().any(|part| part.contains('<')) {
                format!("<guid of scope, role and {}>", principal.trim_matches(['<', '>']))
            } else {
                role_assignment_name(&scope, &principal, &role).to_string()
            };
            let url = format!(
                "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
            );
            let properties = serde_json::json!({"properties": {
                "roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal",
            }});
            vec![look(url.clone()), Preview { method: "PUT", url, body: Some(properties) }]
        }
        Kind::EntraApplication => {
            graph(format!("/v1.0/applications(uniqueName='{}')", text("uniqueName")), body())
        }
        Kind::ServicePrincipal => {
            graph(format!("/v1.0/servicePrincipals(appId='{}')", text("appId")), body())
        }
        Kind::FederatedCredential => {
            let (application, name) = (text("application"), text("name"));
            let url = format!("/v1.0/applications/{application}/federatedIdentityCredentials(name='{name}')");
            graph(url, body())
        }
    }
}

/// Graph's look and create-or-update by key.
fn graph(url: String, body: Option<Value>) -> Vec<Preview> {
    vec![Preview { method: "GET", url: url.clone(), body: None }, Preview { method: "PATCH", url, body }]
}

/// A text with what is known filled in, and each expression that is not known yet in angle brackets.
fn stand_in(plan: &Plan, text: &str) -> String {
    let mut scope = Scope::new(&plan.context, &plan.values);
    for step in plan.steps.keys() {
        scope.tell(step, plan.known.get(step).unwrap_or(&BTreeMap::new()));
    }
    let pieces = expression::pieces(text).unwrap_or_default();
    let show = |piece: &Piece<'_>| match piece {
        Piece::Literal(literal) => (*literal).to_owned(),
        Piece::Expression(expression) => match scope.early_expression(expression) {
            Ok(Early::Known(Value::String(text))) => text,
            Ok(Early::Known(value)) => value.to_string(),
            Ok(Early::Late) | Err(_) => format!("<{}>", follow(plan, expression)),
        },
    };
    pieces.iter().map(show).collect()
}

/// A named value that is one expression by itself is shown as that expression.
fn follow<'a>(plan: &'a Plan, expression: &'a str) -> &'a str {
    let text = expression.strip_prefix("values.").and_then(|name| plan.values.get(name));
    match text.map(|text| expression::pieces(text)) {
        Some(Ok(pieces)) if pieces.len() == 1 => match pieces.first() {
            Some(Piece::Expression(inner)) => inner,
            _ => expression,
        },
        _ => expression,
    }
}
