//! A tenant stays what it was made from: whatever the folder and the settings hold today, it is changed, suspended, resumed
//! and removed by the blueprint and the stamp that it is pinned to, until an update names another version.

mod cut;

use std::{process::Stdio, sync::Arc};

use azure_sim::{Speed, local_stamp};
use serde_json::{Value, json};
use tenantry::{
    intake::{Intake, IntakeDecision, RequestAnswer, Stamp, clashes},
    ports::{StoreError, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    tenant::{Status, Tenant},
};

use super::spoilt::Spoilt;
use crate::testkit::{lab::Lab, over::Wrapped, removal, repository, request, signup, stage::Stage};

fn checked(text: &str) -> Blueprint {
    Blueprint::check(text).unwrap_or_else(|findings| panic!("{findings:#?}")).blueprint
}

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (past, new)| {
        assert!(text.contains(past), "{past} is not in the blueprint");
        text.replace(past, new)
    })
}

/// A later version of the default blueprint, with a change that no object bears and a parameter that nobody has given.
fn later() -> String {
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

/// A later version that asks for nothing new.
fn gentle(version: &str) -> String {
    changed(DEFAULT, &[("version: 1.0.0", &format!("version: {version}")), ("Standard_LRS", "Standard_ZRS")])
}

/// A deployment over one state, which starts anew with whatever folder and settings it has that day.
struct Place {
    lab: Lab,
}

impl Place {
    async fn new() -> Self {
        Self { lab: Lab::new(Speed::Max).await }
    }

    /// A process of the day.
    fn intake(&self, folder: &[&str], stamps: &[Value]) -> Intake {
        Self::over(&self.lab.world, folder, stamps)
    }

    fn over(world: &World, folder: &[&str], stamps: &[Value]) -> Intake {
        let stamps = stamps.iter().map(|value| Stamp { value: value.clone() }).collect();
        let blueprints = folder.iter().map(|text| checked(text)).collect();
        Intake::new(world.clone(), "local", blueprints, stamps)
    }

    async fn tenant(&self, id: &str) -> Tenant {
        let id: TenantId = id.parse().unwrap();
        self.lab.world.store.load(&id).await.unwrap().unwrap().value
    }

    /// Takes a request in that must be taken, and drives the tenant until nothing is left to do.
    async fn done(&self, intake: &Intake, request: &Value) -> Tenant {
        let answer = ask(intake, request).await;
        assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:#?}");
        let id = answer.tenant_id.unwrap();
        for worker in 0..400 {
            let settings = Settings::local("local");
            let reconciler = Reconciler::new(self.lab.world.clone(), settings, format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(_) => return self.tenant(id.as_str()).await,
                Progress::Parked(at) | Progress::Held(at) => self.lab.clock.jump_to(at),
                Progress::Unknown => panic!("nobody knows {id}"),
            }
        }
        panic!("never came to rest: {:#?}", self.tenant(id.as_str()).await.steps())
    }

    async fn signed_up(&self, folder: &[&str], sample: &str) -> Tenant {
        let tenant = self.done(&self.intake(folder, &[local_stamp()]), &signup(sample)).await;
        assert_eq!(tenant.status, Status::Active, "{:#?}", tenant.steps());
        tenant
    }

    fn told(&self, kind: &str) -> Vec<Value> {
        let told = self.lab.subscribers.told();
        told.into_iter().filter(|event| event["type"].as_str().unwrap().contains(kind)).collect()
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

/// Suspended, resumed and suspended again as it was made, then removed.
async fn is_cut_and_given_back(place: &Place, sample: &str, folder: &[&str], stamps: &[Value]) {
    let before = place.signed_up(&[DEFAULT], sample).await;
    let intake = place.intake(folder, stamps);
    let suspended = place.done(&intake, &billing("s", sample)).await;
    assert_eq!(suspended.status, Status::Suspended, "{:#?}", suspended.steps());
    assert!(!suspended.steps().keys().any(|name| name.as_str() == "scorer"), "it may still call");
    let resumed = place.done(&intake, &request("r", "resume", sample, json!({}))).await;
    assert_eq!((resumed.status, &resumed.plan), (Status::Active, &before.plan), "it is another one");
    assert_eq!(resumed.exports, before.exports);
    let stopped = request("q", "suspend", sample, json!({"reason": "operator", "mode": "compute"}));
    assert_eq!(place.done(&intake, &stopped).await.status, Status::Suspended);
    let update = request("u", "update", sample, json!({"tags": {"floor": "4"}}));
    let updated = place.done(&intake, &update).await;
    assert_eq!((updated.status, version(&updated)), (Status::Suspended, "1.0.0"));
    let gone = place.done(&intake, &removal("d", sample)).await;
    assert_eq!(gone.status, Status::Deleted);
}

#[tokio::test]
async fn a_new_version_with_all_that_an_update_would_refuse_hinders_no_suspension() {
    let place = Place::new().await;
    is_cut_and_given_back(&place, "contoso", &[&later()], &[local_stamp()]).await;
}

#[tokio::test]
async fn a_blueprint_that_is_gone_from_the_folder_hinders_no_suspension() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let place = Place::new().await;
    is_cut_and_given_back(&place, "contoso", &[&hello], &[local_stamp()]).await;
    let place = Place::new().await;
    is_cut_and_given_back(&place, "tailspin", &[], &[local_stamp()]).await;
}

#[tokio::test]
async fn a_stamp_that_is_gone_or_another_hinders_no_suspension() {
    let place = Place::new().await;
    is_cut_and_given_back(&place, "contoso", &[DEFAULT], &[]).await;
    let mut moved = local_stamp();
    moved["subnetId"] =
        "/subscriptions/x/resourceGroups/y/providers/Microsoft.Network/virtualNetworks/z/subnets/w".into();
    moved.as_object_mut().unwrap().remove("scorerRoleId");
    let place = Place::new().await;
    is_cut_and_given_back(&place, "contoso", &[&later()], &[moved]).await;
}

#[tokio::test]
async fn an_edit_without_another_version_changes_no_tenant() {
    let edited = changed(DEFAULT, &[("Standard_LRS", "Standard_ZRS")]);
    let place = Place::new().await;
    let before = place.signed_up(&[DEFAULT], "contoso").await;
    let intake = place.intake(&[&edited], &[local_stamp()]);
    // Not even where the update names the version that it has.
    let chosen = json!({"name": "secure-ai-service", "version": "1.0.0"});
    for (id, spec) in [
        ("u-1", json!({"tags": {"floor": "4"}})),
        ("u-2", json!({"tags": {"floor": "5"}, "blueprint": chosen})),
        ("u-3", json!({"tags": {"floor": "6"}, "blueprint": {"name": "secure-ai-service"}})),
    ] {
        let after = place.done(&intake, &request(id, "update", "contoso", spec)).await;
        assert_eq!(after.plan.blueprint, before.plan.blueprint);
    }
    let edit = clashes(&[checked(DEFAULT), checked(&edited)]);
    assert!(edit.len() == 1 && edit[0].contains("secure-ai-service 1.0.0"), "{edit:?}");
    assert_eq!(clashes(&[checked(DEFAULT), checked(DEFAULT), checked(&later())]), [""; 0]);
}

#[tokio::test]
async fn only_an_update_that_names_another_version_moves_a_tenant() {
    let (second, tenth) = (gentle("1.2.0"), gentle("1.10.0"));
    let place = Place::new().await;
    place.signed_up(&[DEFAULT], "contoso").await;
    let intake = place.intake(&[&second, &tenth, DEFAULT], &[local_stamp()]);
    assert_eq!(version(&place.done(&intake, &billing("s", "contoso")).await), "1.0.0");
    let update = request("u", "update", "contoso", json!({"tags": {"floor": "4"}}));
    assert_eq!(version(&place.done(&intake, &update).await), "1.0.0");
    let resumed = place.done(&intake, &request("r", "resume", "contoso", json!({}))).await;
    assert_eq!(version(&resumed), "1.0.0");

    // A sign-up gets the newest by its numbers, or the one that it names.
    assert_eq!(version(&place.done(&intake, &signup("tailspin")).await), "1.10.0");
    let mut named = signup("fabrikam");
    named["data"]["spec"]["blueprint"] = json!({"name": "secure-ai-service", "version": "1.2.0"});
    assert_eq!(version(&place.done(&intake, &named).await), "1.2.0");

    // The move shows before it happens, and needs a version that there is.
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
    assert_eq!(version(&place.tenant("contoso").await), "1.0.0");
    let moved = place.done(&intake, &move_to("m-3", "1.2.0", false)).await;
    assert_eq!((moved.status, version(&moved), moved.former.len()), (Status::Active, "1.2.0", 0));
}

#[tokio::test]
async fn what_a_step_made_that_a_version_dropped_counts_until_it_is_gone() {
    let dropped = changed(&gentle("2.0.0"), &[("\n  insights:\n", "\n  insights_of_no_use:\n")]);
    let dropped = changed(&dropped, &[("{{ steps.insights.id }}", "{{ steps.insights_of_no_use.id }}")]);
    let place = Place::new().await;
    let before = place.signed_up(&[DEFAULT], "tailspin").await;
    let intake = place.intake(&[&dropped], &[local_stamp()]);
    let chosen =
        json!({"blueprint": {"name": "secure-ai-service", "version": "2.0.0"}, "allowReplace": true});
    let answer = ask(&intake, &request("m", "update", "tailspin", chosen)).await;
    assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
    // Before the move is carried out both are in use; the first one's text is there although no folder has it.
    assert_eq!(place.tenant("tailspin").await.former, std::slice::from_ref(&before.plan.blueprint));
    let store = place.lab.world.store.as_ref();
    let in_use = intake.catalogue().in_use(store, &[local_stamp()]).await.unwrap();
    let seen: Vec<_> =
        in_use.iter().map(|one| (one.reference.version.as_str(), one.offered, one.tenants)).collect();
    assert_eq!(seen, [("1.0.0", false, 1), ("2.0.0", true, 1)]);
    assert_eq!(in_use[0].blueprint.as_ref().unwrap().source(), DEFAULT);
    assert_eq!(in_use[0].stamps, [local_stamp()]);
    place.done(&intake, &request("u", "update", "tailspin", json!({}))).await;
    let in_use = intake.catalogue().in_use(store, &[local_stamp()]).await.unwrap();
    assert_eq!(in_use.len(), 1, "nothing of the first is left");
}

#[tokio::test]
async fn a_text_that_can_not_be_read_concerns_its_own_tenants_alone() {
    let second = gentle("2.0.0");
    let place = Place::new().await;
    place.signed_up(&[DEFAULT], "tailspin").await;
    place.signed_up(&[&second], "contoso").await;
    for (number, text) in [
        Ok(None),
        Ok(Some("blueprint: other".to_owned())),
        Err(StoreError::Refused("a stored blueprint is not UTF-8".to_owned())),
    ]
    .into_iter()
    .enumerate()
    {
        let spoilt = Wrapped(Spoilt { inner: Arc::clone(&place.lab.world.store), text });
        let world = World { store: Arc::new(spoilt), ..place.lab.world.clone() };
        let intake = Place::over(&world, &[&second], &[local_stamp()]);
        let refused = ask(&intake, &billing(&format!("s-{number}"), "tailspin")).await;
        let fault = &refused.faults[0];
        assert_eq!(
            (refused.code.as_deref(), fault.pointer.as_str()),
            (Some("blueprint_unreadable"), "/tenantId")
        );
        assert!(fault.message.contains("secure-ai-service 1.0.0 (sha256:"), "{}", fault.message);
        assert!(fault.message.contains("TENANTRY_BLUEPRINTS"), "{}", fault.message);
        let others = ask(&intake, &billing(&format!("o-{number}"), "contoso")).await;
        assert_eq!(others.verdict, IntakeDecision::Accepted, "{others:?}");
        let in_use = intake.catalogue().in_use(world.store.as_ref(), &[local_stamp()]).await.unwrap();
        assert_eq!(in_use.iter().filter(|one| one.blueprint.is_err()).count(), 1);
    }
    // A state that does not answer says nothing about the text: the message comes again.
    let text = Err(StoreError::Unavailable("as told".to_owned()));
    let spoilt = Wrapped(Spoilt { inner: Arc::clone(&place.lab.world.store), text });
    let world = World { store: Arc::new(spoilt), ..place.lab.world.clone() };
    let intake = Place::over(&world, &[&second], &[local_stamp()]);
    let body = billing("s-later", "tailspin").to_string();
    assert!(matches!(intake.take_in(body.as_bytes()).await, Err(StoreError::Unavailable(_))));
    // The remedy that was told: the file is put into the folder again.
    let intake = place.intake(&[DEFAULT, &second], &[local_stamp()]);
    assert_eq!(place.done(&intake, &billing("s-last", "tailspin")).await.status, Status::Suspended);
    // A removal needs no blueprint at all.
    let intake = place.intake(&[], &[]);
    assert_eq!(place.done(&intake, &removal("d", "tailspin")).await.status, Status::Deleted);
}
