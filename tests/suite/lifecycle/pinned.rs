//! A tenant is pinned to its blueprint and stamp: it is changed, suspended, resumed and removed with them, whatever
//! the blueprint folder and the settings contain now, until an update names another version.

mod cut;

use std::{process::Stdio, sync::Arc};

use azure_sim::{Speed, local_stamp};
use serde_json::{Value, json};
use tenantry::{
    intake::{Intake, IntakeDecision, RequestAnswer, Stamp, clashes},
    ports::{Ports, StoreError},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    tenant::{Status, Tenant},
};

use super::spoilt::Spoilt;
use crate::testkit::{
    fixture::Fixture, harness::Harness, over::Wrapped, removal, repository, request, signup,
};

fn checked(text: &str) -> Blueprint {
    Blueprint::check(text).unwrap_or_else(|findings| panic!("{findings:#?}")).blueprint
}

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (past, new)| {
        assert!(text.contains(past), "{past} is not in the blueprint");
        text.replace(past, new)
    })
}

/// A later version of the default blueprint with a change that needs new objects, and with a parameter that existing
/// tenants have no value for.
fn newer_version() -> String {
    let parameter = "parameters:\n  costCentre: { type: string, description: Who pays. }\n";
    changed(
        DEFAULT,
        &[
            ("version: 1.0.0", "version: 2.0.0"),
            ("parameters:\n", parameter),
            (
                "authMode: AADToken, publicNetworkAccess",
                "authMode: AADToken, description: new, publicNetworkAccess",
            ),
            ("name: main\n", "name: other\n"),
            ("traffic: { main: 100 }", "traffic: { other: 100 }"),
            ("/properties/traffic/main", "/properties/traffic/other"),
        ],
    )
}

/// A later version of the default blueprint, to which existing tenants can be updated.
fn gentle(version: &str) -> String {
    changed(DEFAULT, &[("version: 1.0.0", &format!("version: {version}")), ("Standard_LRS", "Standard_ZRS")])
}

/// A deployment that keeps its state when it is restarted with another blueprint folder and other settings.
struct Deployment {
    fixture: Fixture,
}

impl Deployment {
    async fn new() -> Self {
        Self { fixture: Fixture::new(Speed::Max).await }
    }

    /// The intake of a process that is started with these blueprints and stamps.
    fn intake(&self, folder: &[&str], stamps: &[Value]) -> Intake {
        Self::over(&self.fixture.ports, folder, stamps)
    }

    fn over(ports: &Ports, folder: &[&str], stamps: &[Value]) -> Intake {
        let stamps = stamps.iter().map(|value| Stamp { value: value.clone() }).collect();
        let blueprints = folder.iter().map(|text| checked(text)).collect();
        Intake::new(ports.clone(), "local", blueprints, stamps)
    }

    async fn tenant(&self, id: &str) -> Tenant {
        let id: TenantId = id.parse().unwrap();
        self.fixture.ports.store.load(&id).await.unwrap().unwrap().value
    }

    /// Takes in a request, which must be accepted, and reconciles the tenant until its status is settled.
    async fn done(&self, intake: &Intake, request: &Value) -> Tenant {
        let answer = ask(intake, request).await;
        assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:#?}");
        let id = answer.tenant_id.unwrap();
        for worker in 0..400 {
            let settings = Settings::local("local");
            let reconciler =
                Reconciler::new(self.fixture.ports.clone(), settings, format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(_) => return self.tenant(id.as_str()).await,
                Progress::Requeued(at) | Progress::Held(at) => self.fixture.clock.jump_to(at),
                Progress::Unknown => panic!("{id} is unknown"),
            }
        }
        panic!("never settled: {:#?}", self.tenant(id.as_str()).await.steps())
    }

    async fn signed_up(&self, folder: &[&str], sample: &str) -> Tenant {
        let tenant = self.done(&self.intake(folder, &[local_stamp()]), &signup(sample)).await;
        assert_eq!(tenant.status, Status::Active, "{:#?}", tenant.steps());
        tenant
    }

    fn reported(&self, kind: &str) -> Vec<Value> {
        let reported = self.fixture.subscribers.published();
        reported.into_iter().filter(|event| event["type"].as_str().unwrap().contains(kind)).collect()
    }
}

async fn ask(intake: &Intake, request: &Value) -> RequestAnswer {
    intake.take_in(request.to_string().as_bytes()).await.unwrap()
}

fn billing(id: &str, tenant: &str) -> Value {
    request(id, "suspend", tenant, json!({"reason": "billing"}))
}

fn version(tenant: &Tenant) -> &str {
    &tenant.plan.blueprint.version
}

/// Asserts that a tenant can be suspended, resumed and suspended again with its pinned blueprint, and then removed.
async fn is_suspended_resumed_and_removed(
    deployment: &Deployment,
    sample: &str,
    folder: &[&str],
    stamps: &[Value],
) {
    let before = deployment.signed_up(&[DEFAULT], sample).await;
    let intake = deployment.intake(folder, stamps);
    let suspended = deployment.done(&intake, &billing("s", sample)).await;
    assert_eq!(suspended.status, Status::Suspended, "{:#?}", suspended.steps());
    assert!(!suspended.steps().keys().any(|name| name.as_str() == "scorer"), "it may still call");
    let resumed = deployment.done(&intake, &request("r", "resume", sample, json!({}))).await;
    assert_eq!((resumed.status, &resumed.plan), (Status::Active, &before.plan), "its plan has changed");
    assert_eq!(resumed.exports, before.exports);
    let stopped = request("q", "suspend", sample, json!({"reason": "operator", "mode": "compute"}));
    assert_eq!(deployment.done(&intake, &stopped).await.status, Status::Suspended);
    let update = request("u", "update", sample, json!({"tags": {"floor": "4"}}));
    let updated = deployment.done(&intake, &update).await;
    assert_eq!((updated.status, version(&updated)), (Status::Suspended, "1.0.0"));
    let deleted = deployment.done(&intake, &removal("d", sample)).await;
    assert_eq!(deleted.status, Status::Deleted);
}

#[tokio::test]
async fn a_new_version_that_an_update_would_refuse_prevents_no_suspension() {
    let deployment = Deployment::new().await;
    is_suspended_resumed_and_removed(&deployment, "contoso", &[&newer_version()], &[local_stamp()]).await;
}

#[tokio::test]
async fn a_blueprint_that_is_missing_in_the_folder_prevents_no_suspension() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let deployment = Deployment::new().await;
    is_suspended_resumed_and_removed(&deployment, "contoso", &[&hello], &[local_stamp()]).await;
    let deployment = Deployment::new().await;
    is_suspended_resumed_and_removed(&deployment, "tailspin", &[], &[local_stamp()]).await;
}

#[tokio::test]
async fn a_missing_or_changed_stamp_prevents_no_suspension() {
    let deployment = Deployment::new().await;
    is_suspended_resumed_and_removed(&deployment, "contoso", &[DEFAULT], &[]).await;
    let mut moved = local_stamp();
    moved["subnetId"] =
        "/subscriptions/x/resourceGroups/y/providers/Microsoft.Network/virtualNetworks/z/subnets/w".into();
    moved.as_object_mut().unwrap().remove("scorerRoleId");
    let deployment = Deployment::new().await;
    is_suspended_resumed_and_removed(&deployment, "contoso", &[&newer_version()], &[moved]).await;
}

#[tokio::test]
async fn an_edited_blueprint_with_the_same_version_changes_no_tenant() {
    let edited = changed(DEFAULT, &[("Standard_LRS", "Standard_ZRS")]);
    let deployment = Deployment::new().await;
    let before = deployment.signed_up(&[DEFAULT], "contoso").await;
    let intake = deployment.intake(&[&edited], &[local_stamp()]);
    // A changed blueprint without a new version is not used even if the update names the tenant's present version.
    let chosen = json!({"name": "secure-ai-service", "version": "1.0.0"});
    for (id, spec) in [
        ("u-1", json!({"tags": {"floor": "4"}})),
        ("u-2", json!({"tags": {"floor": "5"}, "blueprint": chosen})),
        ("u-3", json!({"tags": {"floor": "6"}, "blueprint": {"name": "secure-ai-service"}})),
    ] {
        let after = deployment.done(&intake, &request(id, "update", "contoso", spec)).await;
        assert_eq!(after.plan.blueprint, before.plan.blueprint);
    }
    let edit = clashes(&[checked(DEFAULT), checked(&edited)]);
    assert!(edit.len() == 1 && edit[0].contains("secure-ai-service 1.0.0"), "{edit:?}");
    assert_eq!(clashes(&[checked(DEFAULT), checked(DEFAULT), checked(&newer_version())]), [""; 0]);
}

#[tokio::test]
async fn only_an_update_that_names_another_version_moves_a_tenant() {
    let (second, tenth) = (gentle("1.2.0"), gentle("1.10.0"));
    let deployment = Deployment::new().await;
    deployment.signed_up(&[DEFAULT], "contoso").await;
    let intake = deployment.intake(&[&second, &tenth, DEFAULT], &[local_stamp()]);
    assert_eq!(version(&deployment.done(&intake, &billing("s", "contoso")).await), "1.0.0");
    let update = request("u", "update", "contoso", json!({"tags": {"floor": "4"}}));
    assert_eq!(version(&deployment.done(&intake, &update).await), "1.0.0");
    let resumed = deployment.done(&intake, &request("r", "resume", "contoso", json!({}))).await;
    assert_eq!(version(&resumed), "1.0.0");

    // A sign-up uses the highest version, or the version that it names.
    assert_eq!(version(&deployment.done(&intake, &signup("tailspin")).await), "1.10.0");
    let mut named = signup("fabrikam");
    named["data"]["spec"]["blueprint"] = json!({"name": "secure-ai-service", "version": "1.2.0"});
    assert_eq!(version(&deployment.done(&intake, &named).await), "1.2.0");

    // A dry run shows the change of version; the version has to exist.
    let move_to = |id: &str, version: &str, dry: bool| {
        let chosen = json!({"blueprint": {"name": "secure-ai-service", "version": version}});
        let mut update = request(id, "update", "contoso", chosen);
        update["dryRun"] = dry.into();
        update
    };
    let planned = ask(&intake, &move_to("m-0", "1.2.0", true)).await.plan.unwrap();
    assert_eq!(
        (&planned["movesFrom"]["version"], &planned["blueprint"]["version"]),
        (&json!("1.0.0"), &json!("1.2.0"))
    );
    let stays = ask(&intake, &move_to("m-1", "1.0.0", true)).await.plan.unwrap();
    assert_eq!((stays.get("movesFrom"), &stays["blueprint"]["version"]), (None, &json!("1.0.0")));
    let unknown = ask(&intake, &move_to("m-2", "3.0.0", false)).await;
    let fault = &unknown.faults[0];
    assert_eq!(
        (fault.code.as_str(), fault.pointer.as_str()),
        ("unknown_blueprint", "/spec/blueprint/version")
    );
    assert!(fault.message.contains("1.0.0, 1.2.0, 1.10.0"), "{}", fault.message);
    assert_eq!(version(&deployment.tenant("contoso").await), "1.0.0");
    let moved = deployment.done(&intake, &move_to("m-3", "1.2.0", false)).await;
    assert_eq!((moved.status, version(&moved), moved.former.len()), (Status::Active, "1.2.0", 0));
}

#[tokio::test]
async fn a_former_blueprint_is_in_use_until_its_objects_are_deleted() {
    let dropped = changed(&gentle("2.0.0"), &[("\n  insights:\n", "\n  insights_of_no_use:\n")]);
    let dropped = changed(&dropped, &[("{{ steps.insights.id }}", "{{ steps.insights_of_no_use.id }}")]);
    let deployment = Deployment::new().await;
    let before = deployment.signed_up(&[DEFAULT], "tailspin").await;
    let intake = deployment.intake(&[&dropped], &[local_stamp()]);
    let chosen =
        json!({"blueprint": {"name": "secure-ai-service", "version": "2.0.0"}, "allowReplace": true});
    let answer = ask(&intake, &request("m", "update", "tailspin", chosen)).await;
    assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
    // Until the update is carried out, both versions are in use. The text of the first is stored, although the folder
    // does not have it.
    assert_eq!(deployment.tenant("tailspin").await.former, std::slice::from_ref(&before.plan.blueprint));
    let store = deployment.fixture.ports.store.as_ref();
    let in_use = intake.catalogue().in_use(store, &[local_stamp()]).await.unwrap();
    let seen: Vec<_> =
        in_use.iter().map(|one| (one.reference.version.as_str(), one.offered, one.tenants)).collect();
    assert_eq!(seen, [("1.0.0", false, 1), ("2.0.0", true, 1)]);
    assert_eq!(in_use[0].blueprint.as_ref().unwrap().source(), DEFAULT);
    assert_eq!(in_use[0].stamps, [local_stamp()]);
    deployment.done(&intake, &request("u", "update", "tailspin", json!({}))).await;
    let in_use = intake.catalogue().in_use(store, &[local_stamp()]).await.unwrap();
    assert_eq!(in_use.len(), 1, "the first one is not in use any more");
}

#[tokio::test]
async fn an_unreadable_blueprint_text_affects_only_its_tenants() {
    let second = gentle("2.0.0");
    let deployment = Deployment::new().await;
    deployment.signed_up(&[DEFAULT], "tailspin").await;
    deployment.signed_up(&[&second], "contoso").await;
    for (number, text) in [
        Ok(None),
        Ok(Some("blueprint: other".to_owned())),
        Err(StoreError::Refused("a stored blueprint is not UTF-8".to_owned())),
    ]
    .into_iter()
    .enumerate()
    {
        let spoilt = Wrapped(Spoilt { inner: Arc::clone(&deployment.fixture.ports.store), text });
        let ports = Ports { store: Arc::new(spoilt), ..deployment.fixture.ports.clone() };
        let intake = Deployment::over(&ports, &[&second], &[local_stamp()]);
        let refused = ask(&intake, &billing(&format!("s-{number}"), "tailspin")).await;
        let fault = &refused.faults[0];
        assert_eq!(
            (refused.code.as_deref(), fault.pointer.as_str()),
            (Some("blueprint_unreadable"), "/tenantId")
        );
        assert!(fault.message.contains("secure-ai-service 1.0.0 (sha256:"), "{}", fault.message);
        assert!(fault.message.contains("TENANTRY_BLUEPRINTS"), "{}", fault.message);
        let others = ask(&intake, &billing(&format!("o-{number}"), "contoso")).await;
        assert_eq!(others.decision, IntakeDecision::Accepted, "{others:?}");
        let in_use = intake.catalogue().in_use(ports.store.as_ref(), &[local_stamp()]).await.unwrap();
        assert_eq!(in_use.iter().filter(|one| one.blueprint.is_err()).count(), 1);
    }
    // If the store does not answer, nothing is known about the text, so the message is delivered again.
    let text = Err(StoreError::Unavailable("injected".to_owned()));
    let spoilt = Wrapped(Spoilt { inner: Arc::clone(&deployment.fixture.ports.store), text });
    let ports = Ports { store: Arc::new(spoilt), ..deployment.fixture.ports.clone() };
    let intake = Deployment::over(&ports, &[&second], &[local_stamp()]);
    let body = billing("s-later", "tailspin").to_string();
    assert!(matches!(intake.take_in(body.as_bytes()).await, Err(StoreError::Unavailable(_))));
    // The remedy that the message names: the file is put into the folder again.
    let intake = deployment.intake(&[DEFAULT, &second], &[local_stamp()]);
    assert_eq!(deployment.done(&intake, &billing("s-last", "tailspin")).await.status, Status::Suspended);
    // A removal needs no blueprint.
    let intake = deployment.intake(&[], &[]);
    assert_eq!(deployment.done(&intake, &removal("d", "tailspin")).await.status, Status::Deleted);
}
