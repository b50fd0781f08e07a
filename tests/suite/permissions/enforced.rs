//! The derived roles are enough and not too much, compared with what the simulated Azure requires for each request.
//! The simulated Azure determines that independently of the product.

mod graph;

use std::collections::BTreeSet;

use azure_sim::{
    BLOB_READER_ROLE, RESOURCE_GROUP, SCORER_ROLE, SUBSCRIPTION_ID,
    access::{HOST, PROVISIONER, REMOVER},
    local_stamp,
};
use serde_json::{Value, json};
use tenantry::local::access;
use tenantry_core::{
    blueprint::Blueprint,
    isolation::IsolationVerdict,
    permissions::{OPTIONAL, Permissions, Reach, Role},
    tenant::{Cause, FailureClass, Status},
};

use super::life::{CLIENT, Case, Life, Used};
use crate::testkit::{removal, repository, request};

fn blueprint(name: &str) -> Blueprint {
    let file = repository().join("blueprints").join(format!("{name}.yaml"));
    Blueprint::check(&std::fs::read_to_string(file).unwrap()).unwrap().blueprint
}

/// Every shipped blueprint in every tier, with all optional features.
fn cases() -> Vec<Case> {
    let federated = || {
        json!({
            "redirectUris": ["https://front.example/signed-in"],
            "federatedIdentity": {"issuer": "https://login.example/v2.0", "subject": "workload"},
        })
    };
    let case =
        |name: &'static str, tier, parameters| Case { name, blueprint: blueprint(name), tier, parameters };
    vec![
        case("hello", "dedicated", json!({"replication": "Standard_ZRS"})),
        case("hello", "pooled", json!({})),
        case("language-service", "dedicated", json!({})),
        case("secure-ai-service", "dedicated", federated()),
        case("secure-ai-service", "pooled", federated()),
        case("secure-ai-service", "dedicated", json!({})),
        case("secure-ai-service", "pooled", json!({})),
    ]
}

/// The update that is part of each lifecycle.
fn change() -> Value {
    request(
        "change",
        "update",
        "northwind",
        json!({"displayName": "Northwind Group", "tags": {"floor": "4"}}),
    )
}

/// Runs a sign-up, an update, the isolation check of the timer, and a removal in which everything is purged. Returns
/// the actions that were used.
async fn live(case: &Case, permissions: &Permissions) -> Used {
    let life = Life::new(case, permissions).await;
    // Lists the granted permissions as both identities, as the program does when it starts.
    for token in ["provisioner", CLIENT] {
        let url = format!(
            "{}/subscriptions/{}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01",
            life.fixture.base(),
            SUBSCRIPTION_ID
        );
        let url = match permissions.reach {
            Reach::StampGroup => url.replace(
                "/providers/Microsoft.Authorization",
                &format!("/resourceGroups/{}/providers/Microsoft.Authorization", RESOURCE_GROUP),
            ),
            Reach::Subscription(_) => url,
        };
        let answer = crate::testkit::client().get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(life.ask(&case.signup()).await, Status::Active, "{}: {:#?}", case.name, life.stopped().await);
    assert_eq!(life.ask(&change()).await, Status::Active, "{}: {:#?}", case.name, life.stopped().await);
    life.audit().await;
    let status = life.ask(&removal("end", "northwind")).await;
    assert_eq!(status, Status::Deleted, "{}: {:#?}", case.name, life.stopped().await);
    let left = life.fixture.sim("objects?tenant=northwind").await;
    assert_eq!(left, json!([]), "{}", case.name);
    life.used().await
}

#[tokio::test]
async fn every_lifecycle_uses_exactly_the_derived_permissions() {
    for case in cases() {
        let permissions = case.permissions();
        let used = live(&case, &permissions).await;
        let names = |role: &Role| role.names().map(str::to_lowercase).collect::<BTreeSet<_>>();
        let lower = |used: &BTreeSet<String>| used.iter().map(|a| a.to_lowercase()).collect::<BTreeSet<_>>();
        assert_eq!(used.refused, refused_first(&permissions), "{} {}", case.name, case.tier);
        // The process with the provisioner's identity also runs the isolation check.
        let mut provisioner = names(&permissions.provisioner);
        provisioner.extend(names(&permissions.auditor));
        // The activity log is read only when drift is found (tests/suite/drift).
        assert!(provisioner.remove(&OPTIONAL.to_lowercase()));
        assert_eq!(lower(&used.provisioner), provisioner, "{} {}", case.name, case.tier);
        assert_eq!(lower(&used.remover), names(&permissions.remover), "{} {}", case.name, case.tier);
    }
}

/// Actions that are refused once at the subscription, because they are granted only in the stamp's resource group.
fn refused_first(permissions: &Permissions) -> BTreeSet<String> {
    match permissions.reach {
        Reach::Subscription(_) => BTreeSet::new(),
        Reach::StampGroup => ["roleAssignments", "roleDefinitions"]
            .map(|of| format!("Microsoft.Authorization/{of}/read"))
            .into(),
    }
}

/// Signs a tenant up with these permissions. Returns the verdict of the isolation check and the actions that were
/// used.
async fn proved(case: &Case, permissions: &Permissions) -> (IsolationVerdict, Used) {
    let life = Life::new(case, permissions).await;
    let status = life.ask(&case.signup()).await;
    let proof = life.document().await.proof.unwrap();
    assert_eq!(status == Status::Active, proof.verdict == IsolationVerdict::Verified, "{status:?} {proof:?}");
    assert_eq!(life.audit().await, proof.verdict, "the timer has the same verdict");
    (proof.verdict, life.used().await)
}

#[tokio::test]
async fn an_isolation_check_uses_every_derived_permission_and_needs_each_of_them() {
    for case in cases() {
        let permissions = case.permissions();
        let (verdict, used) = proved(&case, &permissions).await;
        let name = format!("{} {}", case.name, case.tier);
        assert_eq!(verdict, IsolationVerdict::Verified, "{name}");
        assert_eq!(used.refused, refused_first(&permissions), "{name}");
        let asked: BTreeSet<String> = used.provisioner.iter().map(|action| action.to_lowercase()).collect();
        for action in permissions.auditor.names().filter(|action| *action != OPTIONAL) {
            assert!(asked.contains(&action.to_lowercase()), "{name}: {action} is not used");
            // No intruder has a role here, so no role definition has to be read.
            if action == "Microsoft.Authorization/roleDefinitions/read" {
                continue;
            }
            let mut less = permissions.clone();
            less.auditor.actions.remove(action);
            let (verdict, _) = proved(&case, &less).await;
            assert_eq!(verdict, IsolationVerdict::Inconclusive, "{name} without {action}");
        }
    }
}

/// These permissions without one of the actions of the provisioner's or the remover's role.
fn without(permissions: &Permissions, identity: &str, action: &str) -> Permissions {
    let mut less = permissions.clone();
    let role = if identity == "provisioner" { &mut less.provisioner } else { &mut less.remover };
    assert!(role.actions.remove(action).is_some());
    less
}

/// Signs a tenant up, and removes it if it becomes active.
async fn until_it_stops(case: &Case, permissions: &Permissions) -> Life {
    let life = Life::new(case, permissions).await;
    if life.ask(&case.signup()).await == Status::Active {
        life.ask(&removal("end", "northwind")).await;
    }
    life
}

/// Runs a lifecycle without each action, one at a time, and asserts that a blocked step names the action. Returns the
/// number of actions.
async fn stops_without_any(name: &str, tier: &str) -> usize {
    let case = cases().into_iter().find(|case| case.name == name && case.tier == tier).unwrap();
    let permissions = case.permissions();
    let of = |identity: &'static str, role: &Role| {
        role.names().map(|action| (identity, action.to_owned())).collect::<Vec<_>>()
    };
    let mut all = of("provisioner", &permissions.provisioner);
    all.extend(of("remover", &permissions.remover));
    // The program uses this action only when it starts.
    all.retain(|(_, action)| action != "Microsoft.Authorization/permissions/read");
    for (identity, action) in &all {
        let life = until_it_stops(&case, &without(&permissions, identity, action)).await;
        let stopped = life.stopped().await;
        let case = format!("{name} {tier} without {action}: {stopped:#?}");
        let names_it = |cause: &&Cause| {
            cause.class == FailureClass::Denied
                && cause.message.to_lowercase().contains(&format!("'{}'", action.to_lowercase()))
        };
        let cause = stopped.iter().find(names_it).unwrap_or_else(|| panic!("{case}"));
        assert!(
            ["AuthorizationFailed", "LinkedAuthorizationFailed"].contains(&cause.code.as_str()),
            "{case}"
        );
        assert!(cause.class.next_action().contains("the missing permission"), "{case}");
    }
    all.len()
}

#[tokio::test]
async fn each_missing_action_blocks_the_smallest_blueprint_and_is_named() {
    assert_eq!(stops_without_any("hello", "dedicated").await, 7);
}

#[tokio::test]
async fn each_missing_action_blocks_a_language_service_and_is_named() {
    assert_eq!(stops_without_any("language-service", "dedicated").await, 19);
}

#[tokio::test]
async fn each_missing_action_blocks_a_dedicated_service_and_is_named() {
    assert_eq!(stops_without_any("secure-ai-service", "dedicated").await, 47);
}

#[tokio::test]
async fn each_missing_action_blocks_a_pooled_service_and_is_named() {
    assert_eq!(stops_without_any("secure-ai-service", "pooled").await, 16);
}

/// An active tenant. The tests try to use the product's identities for something else.
struct Ready {
    life: Life,
    endpoint: String,
    principal: String,
}

impl Ready {
    async fn new(case: &Case) -> Self {
        let life = Life::new(case, &case.permissions()).await;
        assert_eq!(life.ask(&case.signup()).await, Status::Active);
        let document = life.document().await;
        let (endpoint, principal) = ("endpoint".parse().unwrap(), "service_principal".parse().unwrap());
        let text = |id: &Value| id.as_str().unwrap().to_owned();
        let endpoint = text(&document.plan.known[&endpoint]["id"]);
        let principal = text(&document.steps()[&principal].outputs["id"]);
        Self { life, endpoint, principal }
    }

    /// Sends a request with a token. With an empty token, the caller is a person who has every permission.
    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}{path}?api-version=2022-04-01", self.life.fixture.base());
        let mut request = crate::testkit::client().request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Tries to create a role assignment with a new name.
    async fn grant(
        &self,
        token: &str,
        name: u8,
        (scope, role): (&str, &str),
        (principal, kind): (&str, Option<&str>),
    ) -> (u16, Value) {
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000{name:02}"
        );
        let role = format!(
            "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        );
        let mut properties = json!({"roleDefinitionId": role, "principalId": principal});
        if let Some(kind) = kind {
            properties["principalType"] = json!(kind);
        }
        self.send(reqwest::Method::PUT, &path, token, Some(json!({"properties": properties}))).await
    }
}

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const SERVICE: Option<&str> = Some("ServicePrincipal");

#[tokio::test]
async fn the_provisioners_token_can_not_be_used_to_grant_further_permissions() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let ready = Ready::new(&case).await;
    let (endpoint, principal) = (ready.endpoint.as_str(), ready.principal.as_str());
    let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
    let attempts = [
        ("Owner", endpoint, OWNER, principal, SERVICE),
        ("to itself", endpoint, SCORER_ROLE, PROVISIONER, SERVICE),
        ("to the remover", endpoint, SCORER_ROLE, REMOVER, SERVICE),
        ("to the host", endpoint, SCORER_ROLE, HOST, SERVICE),
        ("to a person", endpoint, SCORER_ROLE, principal, Some("User")),
        ("to a group", endpoint, SCORER_ROLE, principal, Some("Group")),
        ("to whom it does not say", endpoint, SCORER_ROLE, principal, None),
        ("another role", endpoint, BLOB_READER_ROLE, principal, SERVICE),
        ("at the subscription", subscription.as_str(), SCORER_ROLE, principal, SERVICE),
    ];
    for (number, (what, scope, role, to, kind)) in attempts.into_iter().enumerate() {
        for token in ["provisioner", CLIENT] {
            let (status, body) = ready.grant(token, number as u8, (scope, role), (to, kind)).await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (403, &json!("AuthorizationFailed")),
                "{what}: {body}"
            );
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains("'Microsoft.Authorization/roleAssignments/write'"), "{what}: {message}");
        }
    }
    // Only these errors caused the refusals: the same assignment without them is accepted, and exists already.
    let (status, body) = ready.grant("provisioner", 50, (endpoint, SCORER_ROLE), (principal, SERVICE)).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("RoleAssignmentExists")), "{body}");
}

#[tokio::test]
async fn the_removers_token_can_not_delete_what_others_have_granted() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let ready = Ready::new(&case).await;
    let (endpoint, principal) = (ready.endpoint.as_str(), ready.principal.as_str());
    // A person has assigned another role to the tenant's principal.
    let (status, body) = ready.grant("", 60, (endpoint, BLOB_READER_ROLE), (principal, SERVICE)).await;
    assert_eq!(status, 201, "{body}");
    let id = body["id"].as_str().unwrap();
    for token in ["provisioner", CLIENT] {
        let (status, body) = ready.send(reqwest::Method::DELETE, id, token, None).await;
        assert_eq!((status, &body["error"]["code"]), (403, &json!("AuthorizationFailed")), "{body}");
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .contains("'Microsoft.Authorization/roleAssignments/delete'")
        );
    }
    // The remover can delete an assignment of the role that the blueprint assigns.
    let (status, _) = ready.send(reqwest::Method::DELETE, id, "", None).await;
    assert_eq!(status, 200);
    let (_, all) = ready
        .send(
            reqwest::Method::GET,
            &format!("{endpoint}/providers/Microsoft.Authorization/roleAssignments"),
            "",
            None,
        )
        .await;
    let own = crate::testkit::judge::list(&all["value"])
        .iter()
        .find(|a| a["properties"]["principalId"] == principal);
    let own = own.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        ready.send(reqwest::Method::DELETE, &own, "provisioner", None).await.0,
        403,
        "it only creates"
    );
    assert_eq!(ready.send(reqwest::Method::DELETE, &own, CLIENT, None).await.0, 200);
}

/// The condition of a role assignment can't restrict the scope at which roles are assigned. If tenants have their own
/// resource groups, the permission to assign roles covers the whole subscription, and only the blueprint's rules
/// limit the scope. docs/permissions.md says so.
#[tokio::test]
async fn only_the_blueprints_rules_limit_the_scope_of_an_assignment() {
    let case = cases()
        .into_iter()
        .find(|case| case.tier == "dedicated" && case.name == "secure-ai-service")
        .unwrap();
    let ready = Ready::new(&case).await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
    let (status, _) =
        ready.grant("provisioner", 70, (&subscription, SCORER_ROLE), (&ready.principal, SERVICE)).await;
    assert_eq!(status, 201);
    let text = "blueprint: odd\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [one]\nsteps:
  grant: { kind: role-assignment, scope: '/subscriptions/{{ stamp.subscriptionId }}', role: '{{ stamp.scorerRoleId }}', principal: x }
";
    let findings = Blueprint::check(text).unwrap_err();
    assert!(findings.iter().any(|finding| finding.code == "broad-scope"), "{findings:#?}");
}

#[tokio::test]
async fn one_identity_for_everything_needs_only_the_derived_permissions() {
    let case = cases().into_iter().find(|case| case.name == "secure-ai-service").unwrap();
    let permissions = case.permissions();
    // No second identity is registered, so the simulated Azure takes both tokens for the first identity's.
    let life = Life::with(&case, access::granted(&permissions, &[local_stamp()], None).unwrap()).await;
    assert_eq!(life.ask(&case.signup()).await, Status::Active, "{:#?}", life.stopped().await);
    assert_eq!(life.ask(&removal("end", "northwind")).await, Status::Deleted, "{:#?}", life.stopped().await);
    assert_eq!(life.used().await.refused, BTreeSet::new());
}
