//! A tenant's application is deleted by hand. Entra keeps deleted applications for thirty days, so tenantry restores
//! it with its ids, to which role assignments and federated credentials refer.

use azure_sim::Speed;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    ports::Ports,
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::{self, Api, Request},
    tenant::{Status, Tenant},
};

use crate::testkit::{
    fixture::Fixture,
    harness::Harness,
    injector::{Fault, FaultInjector},
    judge::{kinds, list, nothing_was_made_twice, text},
    removal, request, signup,
};

/// Signs up `contoso` and returns the tenant as the HTTP API shows it when it is active.
async fn ready(harness: &Harness) -> Value {
    harness.accept(&signup("contoso")).await;
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;
    harness.until_is("contoso", "active").await
}

/// Deletes an object by hand. Entra deletes the service principal of an application with it.
async fn delete(harness: &Harness, path: &str) {
    assert_eq!(harness.call(Method::DELETE, path, None).await.status, 204, "{path}");
}

fn application(tenant: &Value) -> String {
    format!("/v1.0/applications(appId='{}')", text(tenant, "/outputs/applicationId"))
}

fn principal(tenant: &Value) -> String {
    format!("/v1.0/servicePrincipals/{}", text(tenant, "/outputs/servicePrincipalObjectId"))
}

/// The number of requests to restore an object that have succeeded.
async fn restored(harness: &Harness) -> usize {
    let journal = harness.journal().await;
    list(&journal)
        .iter()
        .filter(|line| text(line, "/path").ends_with("/restore") && line["status"] == 200)
        .count()
}

/// Asserts that the tenant is complete and that its objects have their former ids.
async fn as_before(harness: &Harness, before: &Value, held: &Value) {
    let after = harness.until_is("contoso", "active").await;
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(kinds(&harness.objects("contoso").await), kinds(held));
    for path in [application(before), principal(before)] {
        assert_eq!(harness.call(Method::GET, &path, None).await.status, 200, "{path}");
    }
    let credentials = format!("{}/federatedIdentityCredentials", application(before));
    assert_eq!(
        list(&harness.get(&credentials).await["value"]).len(),
        2,
        "the federated credentials of the customer and of the probe"
    );
    nothing_was_made_twice(&harness.journal().await, 1);
}

#[tokio::test]
async fn an_update_restores_what_was_deleted_by_hand() {
    let changes = [
        ("of the name", json!({"displayName": "Contoso Group"})),
        ("of something else", json!({"parameters": {"instances": 2}})),
        ("of nothing", json!({"displayName": "Contoso Ltd"})),
    ];
    for (name, change) in changes {
        let harness = Harness::at(Speed::Factor(2000.0)).await;
        let before = ready(&harness).await;
        let held = harness.objects("contoso").await;
        delete(&harness, &application(&before)).await;
        assert_eq!(harness.call(Method::GET, &principal(&before), None).await.status, 404, "deleted with it");
        harness.accept(&request("again", "update", "contoso", change)).await;
        harness.until_published("contoso", "tenant.update.succeeded", 1).await;
        as_before(&harness, &before, &held).await;
        assert_eq!(restored(&harness).await, 2, "{name}: the application and its service principal");
        let shown = harness.get(&application(&before)).await;
        let expected = if name == "of the name" { "Contoso Group" } else { "Contoso Ltd" };
        assert_eq!(text(&shown, "/displayName"), expected, "{name}: it has the new name");
    }
}

#[tokio::test]
async fn a_service_principal_that_was_deleted_alone_is_restored() {
    let harness = Harness::new().await;
    let before = ready(&harness).await;
    let held = harness.objects("contoso").await;
    delete(&harness, &principal(&before)).await;
    harness.accept(&request("again", "update", "contoso", json!({"displayName": "Contoso Ltd"}))).await;
    harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    as_before(&harness, &before, &held).await;
    assert_eq!(restored(&harness).await, 1);
}

#[tokio::test]
async fn a_retry_restores_the_application_for_the_steps_that_depend_on_it() {
    let harness = Harness::new().await;
    let forbidden = json!({"match": {"method": "PATCH", "pathContains": "/federatedIdentityCredentials"}, "times": 1000,
        "answer": {"status": 403, "body": {"error": {"code": "Authorization_RequestDenied", "message": "no"}}}});
    harness.fault(forbidden).await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "waiting").await;
    let objects = harness.objects("contoso").await;
    let id = |kind: &str| {
        let found = list(&objects).iter().find(|object| object["kind"] == kind).unwrap();
        text(found, "/id").strip_prefix("graph").unwrap().to_owned()
    };
    let (application, principal) = (id("graph/application"), id("graph/servicePrincipal"));
    delete(&harness, &format!("/v1.0{application}")).await;
    harness.no_more_faults().await;
    assert_eq!(harness.retry("contoso", &json!({})).await.status, 202);
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;
    for path in [application, principal] {
        assert_eq!(harness.call(Method::GET, &format!("/v1.0{path}"), None).await.status, 200, "{path}");
    }
    assert_eq!(restored(&harness).await, 2);
}

/// The application's id is lost with the state; the list of deleted applications shows it by its tags.
#[tokio::test]
async fn a_sign_up_restores_the_application_although_the_state_is_lost() {
    let harness = Harness::new().await;
    let before = ready(&harness).await;
    delete(&harness, &application(&before)).await;
    let harness = harness.with_its_state_lost().await;
    harness.accept(&signup("contoso")).await;
    let after = harness.until_is("contoso", "active").await;
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(restored(&harness).await, 2);
}

/// If a foreign deleted application has the name, it stays deleted, and the step is blocked.
#[tokio::test]
async fn a_foreign_deleted_application_is_neither_restored_nor_purged() {
    let harness = Harness::new().await;
    let before = ready(&harness).await;
    let shown = harness.get(&application(&before)).await;
    let (id, name) = (text(&shown, "/id"), text(&shown, "/uniqueName"));
    harness.accept(&removal("go", "contoso")).await;
    harness.until_is("contoso", "deleted").await;
    let harness = harness.with_its_state_lost().await;
    assert_eq!(
        harness.call(Method::GET, &format!("/v1.0/directory/deletedItems/{id}"), None).await.status,
        404
    );

    let path = format!("/v1.0/applications(uniqueName='{name}')");
    let stranger = json!({"displayName": "Another team's", "tags": ["tenantry-tenant:contoso"]});
    let make = Request::new(Api::Graph, steps::Method::Patch, path.clone());
    let make = make.with_header("prefer", "create-if-missing").with_body(stranger);
    assert_eq!(harness.local.ports.transport.send(make).await.unwrap().status, 201);
    delete(&harness, &path).await;
    harness.accept(&signup("contoso")).await;
    let stopped = harness.until_is("contoso", "waiting").await;
    let step = &stopped["steps"]["application"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("blocked", "name-held"), "{step:#}");
    assert!(text(step, "/nextAction").contains("soft-deleted"), "{step:#}");
    assert_eq!(restored(&harness).await, 0);
    // A removal of the tenant does not purge the foreign application, either.
    harness.accept(&removal("end", "contoso")).await;
    harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    let kept = harness.get("/v1.0/directory/deletedItems/microsoft.graph.application").await;
    assert_eq!(list(&kept["value"]).len(), 1, "{kept:#}");
}

/// A removal purges objects that were deleted by hand before.
#[tokio::test]
async fn a_removal_purges_what_was_deleted_by_hand_before() {
    for path in [application, principal] {
        let harness = Harness::new().await;
        let before = ready(&harness).await;
        delete(&harness, &path(&before)).await;
        harness.accept(&removal("end", "contoso")).await;
        harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
        assert_eq!(list(&harness.objects("contoso").await), [] as [Value; 0], "{}", path(&before));
        assert_eq!(restored(&harness).await, 0);
    }
}

/// Reconciles with a new worker after each interruption until the tenant's status is settled, and returns its
/// document.
async fn rest(fixture: &Fixture, ports: &Ports, injector: &FaultInjector, id: &TenantId) -> Tenant {
    let settings = Settings::local("local");
    for worker in 0..400 {
        let reconciler = Reconciler::new(ports.clone(), settings.clone(), format!("worker-{worker}"));
        match injector.mortal(reconciler.reconcile(id)).await {
            None => fixture.clock.pass(settings.lease + settings.request_life),
            Some(Ok(Progress::Requeued(at) | Progress::Held(at))) => fixture.clock.jump_to(at),
            Some(Ok(Progress::Settled(_))) => {
                return fixture.ports.store.load(id).await.unwrap().unwrap().value;
            }
            Some(other) => panic!("{other:?}"),
        }
    }
    panic!("{id} never settled");
}

async fn take_in(fixture: &Fixture, message: &Value) -> TenantId {
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let answer =
        Fixture::intake(&fixture.ports, &blueprint).take_in(message.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
    answer.tenant_id.unwrap()
}

async fn delete_in(fixture: &Fixture, path: &str) {
    let deleted = fixture.ports.transport.send(Request::new(Api::Graph, steps::Method::Delete, path));
    assert_eq!(deleted.await.unwrap().status, 204, "{path}");
}

/// A worker crashes before it has saved an object's id, and the object is deleted by hand: a removal finds it among the
/// deleted objects by its tags.
#[tokio::test]
async fn a_removal_finds_deleted_objects_by_their_tags() {
    let mut met = 0;
    for at in 1..=3 {
        let fixture = Fixture::new(Speed::Max).await;
        let id = take_in(&fixture, &signup("tailspin")).await;
        let injector = FaultInjector::new(Fault::DeathAfterChange, at);
        let reconciler = Reconciler::new(injector.inject(&fixture.ports), Settings::local("local"), "mortal");
        assert!(injector.mortal(reconciler.reconcile(&id)).await.is_none(), "the worker did not die at {at}");
        let stored = fixture.ports.store.load(&id).await.unwrap().unwrap().value;
        let unknown = stored
            .steps()
            .iter()
            .any(|(name, step)| name.as_str() == "application" && step.outputs.is_empty());
        let objects = fixture.sim("objects?tenant=tailspin").await;
        let made = list(&objects).iter().find(|object| object["kind"] == "graph/application");
        if let Some(made) = made.filter(|_| unknown) {
            met += 1;
            delete_in(&fixture, &format!("/v1.0{}", text(made, "/id").strip_prefix("graph").unwrap())).await;
        }
        take_in(&fixture, &removal("end", "tailspin")).await;
        let calm = FaultInjector::new(Fault::None, 0);
        assert_eq!(rest(&fixture, &fixture.ports, &calm, &id).await.status, Status::Deleted);
        assert_eq!(fixture.sim("objects?tenant=tailspin").await, json!([]), "dead at {at}");
    }
    assert!(met > 0, "no worker died with the application's id");
}

/// A restore is safe like any other write: if it is repeated, lost or unanswered, or if the worker crashes, the result
/// is the same.
#[tokio::test]
async fn a_restore_survives_every_fault() {
    let faults = [
        Fault::EveryChangeTwice,
        Fault::AnswerLost,
        Fault::ChangeLost,
        Fault::NotSent,
        Fault::DeathBeforeChange,
        Fault::DeathAfterChange,
    ];
    // The update below makes three changes: two restores and a write of the new name.
    let changes = (1..=3).flat_map(|at| faults.into_iter().map(move |fault| (at, fault)));
    for (at, fault) in changes {
        for speed in [Speed::Max, Speed::Factor(30.0)] {
            let fixture = Fixture::new(speed).await;
            let calm = FaultInjector::new(Fault::None, 0);
            let id = take_in(&fixture, &signup("tailspin")).await;
            let before = rest(&fixture, &fixture.ports, &calm, &id).await;
            let held = fixture.sim("objects?tenant=tailspin").await;
            let app_id = text(&before.exports["applicationId"], "").to_owned();
            delete_in(&fixture, &format!("/v1.0/applications(appId='{app_id}')")).await;
            let update = request("again", "update", "tailspin", json!({"displayName": "Another Name"}));
            take_in(&fixture, &update).await;
            let injector = FaultInjector::new(fault, at);
            let after = rest(&fixture, &injector.inject(&fixture.ports), &injector, &id).await;
            assert_eq!(after.status, Status::Active, "{fault:?} at {at}");
            assert_eq!(after.exports, before.exports, "{fault:?} at {at}");
            let objects = fixture.sim("objects?tenant=tailspin").await;
            assert_eq!(kinds(&objects), kinds(&held), "{fault:?} at {at}");
            assert!(injector.struck(), "{fault:?} at {at}");
        }
    }
}
