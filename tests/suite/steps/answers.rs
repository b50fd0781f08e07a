//! Valid and invalid answers of services, for each kind of step.

use serde_json::{Value, json};
use tenantry_core::{blueprint::Kind, steps::Reply};

use super::kinds::Example;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) reply: Reply,
}

fn row(name: &'static str, status: u16, body: Value) -> Row {
    Row { name, reply: Reply { status, body, ..Reply::default() } }
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code, "message": "as the service says"}})
}

/// Answers to a read of an example step's object.
pub(crate) fn answers(example: &Example) -> Vec<Row> {
    let mut rows = vec![
        row("200 as desired", 200, example.seen.clone()),
        row("404", 404, error("ResourceNotFound")),
        row("404 without a body", 404, Value::Null),
        row("200 HTML", 200, Value::Null),
        row("200 {}", 200, json!({})),
        row("200 []", 200, json!([])),
        row("200 with an error", 200, error("InternalServerError")),
        row("204", 204, Value::Null),
        row("403", 403, error("AuthorizationFailed")),
        row("429", 429, error("TooManyRequests")),
        row("500 HTML", 500, Value::Null),
        row("302", 302, Value::Null),
    ];
    match example.planned.kind() {
        Kind::Arm | Kind::ArmUpdate => rows.extend(of_arm(&example.seen)),
        Kind::RoleAssignment => rows.extend(of_grants(&example.seen)),
        Kind::EntraApplication | Kind::ServicePrincipal => rows.extend(of_graph(&example.seen)),
        Kind::FederatedCredential => {
            rows.push(row("200 another subject", 200, set(&example.seen, "/subject", json!("other"))));
        }
        // An isolation check reads several answers; tests/suite/isolation covers it.
        Kind::Isolation => {}
        Kind::Check => rows.push(row(
            "200 another value",
            200,
            set(&example.seen, "/properties/publicNetworkAccess", json!("Enabled")),
        )),
    }
    rows
}

/// A copy of a body with another value at a JSON pointer.
fn set(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[member] = value;
    body
}

fn of_arm(seen: &Value) -> Vec<Row> {
    let state = |state: &str| set(seen, "/properties/provisioningState", json!(state));
    vec![
        row("200 of another id", 200, set(seen, "/id", json!("/subscriptions/other"))),
        row(
            "200 the id in other case",
            200,
            set(seen, "/id", json!(seen["id"].as_str().unwrap().to_uppercase())),
        ),
        row("200 without an id", 200, set(seen, "/id", Value::Null)),
        row("200 Creating", 200, state("Creating")),
        row("200 Deleting", 200, state("Deleting")),
        row("200 an unknown state", 200, state("Pondering")),
        row("200 Failed", 200, state("Failed")),
        row("200 canceled", 200, state("canceled")),
        row("200 without tags", 200, set(seen, "/tags", Value::Null)),
        row("200 another tenant's tags", 200, set(seen, "/tags/tenantry-tenant", json!("fabrikam"))),
        row("200 an earlier incarnation's tags", 200, set(seen, "/tags/tenantry-incarnation", json!("0"))),
        row("200 another deployment's tags", 200, set(seen, "/tags/tenantry-deployment", json!("test"))),
        row("200 another tag", 200, set(seen, "/tags/cost", json!("43"))),
        row("200 another location", 200, set(seen, "/location", json!("northeurope"))),
        row("200 the location's display name", 200, set(seen, "/location", json!("West Europe"))),
        row("200 no traffic", 200, set(seen, "/properties/traffic", json!({}))),
        row(
            "200 traffic elsewhere too",
            200,
            set(seen, "/properties/traffic", json!({"blue": 100, "green": 0})),
        ),
    ]
}

fn of_grants(seen: &Value) -> Vec<Row> {
    let grant = &seen["value"][0];
    vec![
        row("200 none", 200, json!({"value": []})),
        row("200 the assignment itself", 200, grant.clone()),
        row(
            "200 at a broader scope",
            200,
            json!({"value": [set(grant, "/properties/scope", json!("/subscriptions/sub-1"))]}),
        ),
        row(
            "200 of another role",
            200,
            json!({"value": [set(grant, "/properties/roleDefinitionId", json!("owner"))]}),
        ),
        row(
            "200 of another principal",
            200,
            json!({"value": [set(grant, "/properties/principalId", json!("other"))]}),
        ),
        row(
            "200 ids in other case",
            200,
            json!({"value": [set(grant, "/properties/principalId", json!("PRINCIPAL-1"))]}),
        ),
        row("200 the role with a subscription in front", 200, {
            let role = grant["properties"]["roleDefinitionId"].as_str().unwrap();
            let guid = role.rsplit('/').next().unwrap().to_uppercase();
            let shown = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{guid}");
            json!({"value": [set(grant, "/properties/roleDefinitionId", json!(shown))]})
        }),
        row("200 a page that is not the last", 200, json!({"value": [], "nextLink": "https://x/next"})),
        row("200 a last page with an empty link", 200, json!({"value": [grant], "nextLink": ""})),
    ]
}

fn of_graph(seen: &Value) -> Vec<Row> {
    vec![
        row("201", 201, seen.clone()),
        row("200 without an appId", 200, set(seen, "/appId", Value::Null)),
        row("200 without an id", 200, set(seen, "/id", Value::Null)),
        row("200 without tags", 200, set(seen, "/tags", Value::Null)),
        row(
            "200 another tenant's tags",
            200,
            set(seen, "/tags", json!(["tenantry-deployment:prod", "tenantry-tenant:fabrikam"])),
        ),
        row(
            "200 our tags and others",
            200,
            set(seen, "/tags", json!(["x", "tenantry-tenant:contoso", "tenantry-deployment:prod"])),
        ),
        row("200 another display name", 200, set(seen, "/displayName", json!("Other"))),
    ]
}

/// Answers to reads of soft-deleted objects: one object by id, or a list.
pub(crate) fn deleted(example: &Example) -> Vec<Row> {
    let mut seen = example.seen.clone();
    // A soft-deleted vault has another id, and shows the id that it had before.
    if example.planned.desired.resource_id().is_some() {
        seen = json!({"id": "/subscriptions/sub-1/deleted", "tags": seen["tags"], "properties": {"vaultId": seen["id"]}});
    }
    for key in ["uniqueName", "appId"] {
        if let Some(value) = example.fields().get(key) {
            seen[key] = value.clone();
        }
    }
    let mut rows = vec![
        row("404", 404, error("ResourceNotFound")),
        row("200 there", 200, seen.clone()),
        row("200 HTML", 200, Value::Null),
        row("200 {}", 200, json!({})),
        row("204", 204, Value::Null),
        row("403", 403, error("AuthorizationFailed")),
        row("500 HTML", 500, Value::Null),
    ];
    if example.planned.kind() == Kind::Arm {
        rows.push(row("200 of another", 200, set(&seen, "/properties/vaultId", json!("/other"))));
        rows.push(row("200 without a vault's id", 200, set(&seen, "/properties/vaultId", Value::Null)));
        rows.push(row("200 without tags", 200, set(&seen, "/tags", Value::Null)));
        rows.push(row(
            "200 another tenant's tags",
            200,
            set(&seen, "/tags/tenantry-tenant", json!("fabrikam")),
        ));
        return rows;
    }
    let key = if seen.get("uniqueName").is_some() { "/uniqueName" } else { "/appId" };
    let strangers = set(&seen, "/tags", json!(["tenantry-deployment:prod", "tenantry-tenant:fabrikam"]));
    let list = |objects: Value| json!({"value": objects});
    rows.extend([
        row("200 without tags", 200, set(&seen, "/tags", Value::Null)),
        row("200 another's tags", 200, strangers.clone()),
        row("200 another's key", 200, set(&seen, key, json!("other"))),
        row("200 without the key", 200, set(&seen, key, Value::Null)),
        row("200 a list with it", 200, list(json!([set(&seen, key, json!("other")), seen]))),
        row("200 a list without it", 200, list(json!([set(&seen, key, json!("other"))]))),
        row("200 a list with a stranger's", 200, list(json!([strangers]))),
        row("200 an empty list", 200, list(json!([]))),
        row("200 a list with more pages", 200, json!({"value": [], "@odata.nextLink": "https://next"})),
        row(
            "200 a list with it and more pages",
            200,
            json!({"value": [seen], "@odata.nextLink": "https://next"}),
        ),
        row("200 a list of something else", 200, json!({"value": "x"})),
        row("403 to a list", 403, json!({"value": [], "error": {"code": "Authorization_RequestDenied"}})),
        row("400 to a list", 400, json!({"value": [], "error": {"code": "Request_UnsupportedQuery"}})),
        row("503 to a list", 503, json!({"value": [], "error": {"code": "ServerBusy"}})),
    ]);
    rows
}

/// Errors by status and body.
pub(crate) fn errors() -> Vec<(u16, Value)> {
    let statuses = [
        301, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 423, 429, 500, 501, 502, 503, 504,
        507,
    ];
    let codes = [
        (500, "InternalServerError"),
        (409, "AnotherOperationInProgress"),
        (429, "RetryableErrorDueToAnotherOperation"),
        (409, "RetryableError"),
        (400, "ReferencedResourceNotProvisioned"),
        (409, "StorageAccountOperationInProgress"),
        (400, "OperationCanceled"),
        (400, "SecretsInjectionError"),
        (400, "PrincipalNotFound"),
        (400, "NoBackingApplicationObject"),
        (404, "Request_ResourceNotFound"),
        (404, "ResourceNotFound"),
        (404, "ParentResourceNotFound"),
        (404, "ResourceGroupNotFound"),
        (409, "ResourceGroupBeingDeleted"),
        (400, "WorkspaceManagedNetworkNotReady"),
        (409, "MissingSubscriptionRegistration"),
        (409, "InvalidSubscriptionRegistrationState"),
        (409, "FlagMustBeSetForRestore"),
        (409, "CustomDomainInUse"),
        (409, "VaultAlreadyExists"),
        (409, "StorageAccountAlreadyTaken"),
        (400, "RoleAssignmentUpdateNotPermitted"),
        (400, "RoleAssignmentLimitExceeded"),
        (400, "OutOfQuota"),
        (400, "ResourceQuotaExceeded"),
        (409, "QuotaExceeded"),
        (400, "Directory_QuotaExceeded"),
        (409, "SkuNotAvailable"),
        (403, "RequestDisallowedByPolicy"),
        (403, "LinkedAuthorizationFailed"),
        (403, "AuthorizationFailed"),
        (403, "Authorization_RequestDenied"),
        (401, "InvalidAuthenticationTokenTenant"),
        (409, "ScopeLocked"),
        (400, "PropertyChangeNotAllowed"),
        (400, "ImageBuildFailure"),
        (400, "BadArgument"),
        (500, "ResourceNotReady"),
        (400, "outofquota"),
        (409, "Unheard"),
    ];
    let wrapped = |inner: &str| json!({"error": {"code": "DeploymentFailed", "details": [{"code": "Conflict", "details": [{"code": inner}]}]}});
    let says = |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
    let mut rows: Vec<(u16, Value)> = statuses.into_iter().map(|status| (status, Value::Null)).collect();
    rows.extend(codes.into_iter().map(|(status, code)| (status, json!({"error": {"code": code}}))));
    rows.extend([
        (409, wrapped("OutOfQuota")),
        (409, wrapped("Unheard")),
        (400, says("BadRequest", "Soft-deleted workspace exists.")),
        (400, says("Request_BadRequest", "It does not reference a valid application object.")),
        (409, says("Conflict", "It is in Updating provisioning state.")),
    ]);
    rows
}
