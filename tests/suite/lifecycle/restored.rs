//! Somebody deletes a tenant's application by hand. Entra keeps it for thirty days, and it comes back as it was: with its
//! ids, which role assignments and federated credentials go by.

use azure_sim::Speed;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    ports::World,
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::{self, Api, Request},
    tenant::{Status, Tenant},
};

use crate::testkit::{
    gremlin::{Gremlin, Trouble},
    judge::{kinds, list, nothing_was_made_twice, text},
    lab::Lab,
    removal, request, signup,
    stage::Stage,
};

/// A tenant that is ready, and how it looks then.
async fn ready(stage: &Stage) -> Value {
    stage.accept(&signup("contoso")).await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    stage.until_is("contoso", "active").await
}

/// Deletes as a person does in the portal; an application takes its service principal along.
async fn delete(stage: &Stage, path: &str) {
    assert_eq!(stage.call(Method::DELETE, path, None).await.status, 204, "{path}");
}

fn application(tenant: &Value) -> String {
    format!("/v1.0/applications(appId='{}')", text(tenant, "/outputs/applicationId"))
}

fn principal(tenant: &Value) -> String {
    format!("/v1.0/servicePrincipals/{}", text(tenant, "/outputs/servicePrincipalObjectId"))
}

/// The requests that brought something back.
async fn restored(stage: &Stage) -> usize {
    let journal = stage.journal().await;
    list(&journal)
        .iter()
        .filter(|line| text(line, "/path").ends_with("/restore") && line["status"] == 200)
        .count()
}

/// The tenant is whole, with the ids of before.
async fn as_before(stage: &Stage, before: &Value, held: &Value) {
    let after = stage.until_is("contoso", "active").await;
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(kinds(&stage.objects("contoso").await), kinds(held));
    for path in [application(before), principal(before)] {
        assert_eq!(stage.call(Method::GET, &path, None).await.status, 200, "{path}");
    }
    let credentials = format!("{}/federatedIdentityCredentials", application(before));
    assert_eq!(
        list(&stage.get(&credentials).await["value"]).len(),
        2,
        "the customer's way in, and the probe's"
    );
    nothing_was_made_twice(&stage.journal().await, 1);
}

#[tokio::test]
async fn an_update_brings_back_what_somebody_has_deleted() {
    let changes = [
        ("of the name", json!({"displayName": "Contoso Group"})),
        ("of something else", json!({"parameters": {"instances": 2}})),
        ("of nothing", json!({"displayName": "Contoso Ltd"})),
    ];
    for (name, change) in changes {
        let stage = Stage::at(Speed::Factor(2000.0)).await;
        let before = ready(&stage).await;
        let held = stage.objects("contoso").await;
        delete(&stage, &application(&before)).await;
        assert_eq!(stage.call(Method::GET, &principal(&before), None).await.status, 404, "gone with it");
        stage.accept(&request("again", "update", "contoso", change)).await;
        stage.until_told("contoso", "tenant.update.succeeded", 1).await;
        as_before(&stage, &before, &held).await;
        assert_eq!(restored(&stage).await, 2, "{name}: the application and its service principal");
        let shown = stage.get(&application(&before)).await;
        let expected = if name == "of the name" { "Contoso Group" } else { "Contoso Ltd" };
        assert_eq!(text(&shown, "/displayName"), expected, "{name}: and it is as wanted");
    }
}

#[tokio::test]
async fn a_service_principal_alone_is_brought_back_too() {
    let stage = Stage::new().await;
    let before = ready(&stage).await;
    let held = stage.objects("contoso").await;
    delete(&stage, &principal(&before)).await;
    stage.accept(&request("again", "update", "contoso", json!({"displayName": "Contoso Ltd"}))).await;
    stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    as_before(&stage, &before, &held).await;
    assert_eq!(restored(&stage).await, 1);
}

#[tokio::test]
async fn a_retry_brings_it_back_for_what_stands_on_it() {
    let stage = Stage::new().await;
    let forbidden = json!({"match": {"method": "PATCH", "pathContains": "/federatedIdentityCredentials"}, "times": 1000,
        "answer": {"status": 403, "body": {"error": {"code": "Authorization_RequestDenied", "message": "no"}}}});
    stage.fault(forbidden).await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "waiting").await;
    let objects = stage.objects("contoso").await;
    let id = |kind: &str| {
        let found = list(&objects).iter().find(|object| object["kind"] == kind).unwrap();
        text(found, "/id").strip_prefix("graph").unwrap().to_owned()
    };
    let (application, principal) = (id("graph/application"), id("graph/servicePrincipal"));
    delete(&stage, &format!("/v1.0{application}")).await;
    stage.no_more_faults().await;
    assert_eq!(stage.retry("contoso", &json!({})).await.status, 202);
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    for path in [application, principal] {
        assert_eq!(stage.call(Method::GET, &format!("/v1.0{path}"), None).await.status, 200, "{path}");
    }
    assert_eq!(restored(&stage).await, 2);
}

/// Nobody knows the object's id any more; it is found in the list, by its marks.
#[tokio::test]
async fn a_sign_up_finds_it_although_the_state_is_lost() {
    let stage = Stage::new().await;
    let before = ready(&stage).await;
    delete(&stage, &application(&before)).await;
    let stage = stage.with_its_state_lost().await;
    stage.accept(&signup("contoso")).await;
    let after = stage.until_is("contoso", "active").await;
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(restored(&stage).await, 2);
}

/// A name that somebody else's deleted application holds: it stays where it is, and a person is asked.
#[tokio::test]
async fn a_strangers_deleted_application_is_never_touched() {
    let stage = Stage::new().await;
    let before = ready(&stage).await;
    let shown = stage.get(&application(&before)).await;
    let (id, name) = (text(&shown, "/id"), text(&shown, "/uniqueName"));
    stage.accept(&removal("go", "contoso")).await;
    stage.until_is("contoso", "deleted").await;
    let stage = stage.with_its_state_lost().await;
    assert_eq!(
        stage.call(Method::GET, &format!("/v1.0/directory/deletedItems/{id}"), None).await.status,
        404
    );

    let path = format!("/v1.0/applications(uniqueName='{name}')");
    let stranger = json!({"displayName": "Another team's", "tags": ["tenantry-tenant:contoso"]});
    let make = Request::new(Api::Graph, steps::Method::Patch, path.clone());
    let make = make.with_header("prefer", "create-if-missing").with_body(stranger);
    assert_eq!(stage.local.world.wire.send(make).await.unwrap().status, 201);
    delete(&stage, &path).await;
    stage.accept(&signup("contoso")).await;
    let stopped = stage.until_is("contoso", "waiting").await;
    let step = &stopped["steps"]["application"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("halted", "name-held"), "{step:#}");
    assert!(text(step, "/nextAction").contains("soft-deleted"), "{step:#}");
    assert_eq!(restored(&stage).await, 0);
    // Nor is it purged when the tenant goes.
    stage.accept(&removal("end", "contoso")).await;
    stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    let kept = stage.get("/v1.0/directory/deletedItems/microsoft.graph.application").await;
    assert_eq!(list(&kept["value"]).len(), 1, "{kept:#}");
}

/// What a person has deleted is purged with the rest.
#[tokio::test]
async fn a_removal_purges_what_somebody_has_deleted_before() {
    for path in [application, principal] {
        let stage = Stage::new().await;
        let before = ready(&stage).await;
        delete(&stage, &path(&before)).await;
        stage.accept(&removal("end", "contoso")).await;
        stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
        assert_eq!(list(&stage.objects("contoso").await), [] as [Value; 0], "{}", path(&before));
        assert_eq!(restored(&stage).await, 0);
    }
}

/// Drives with one worker after the other until nothing is left to do.
async fn rest(lab: &Lab, world: &World, gremlin: &Gremlin, id: &TenantId) -> Tenant {
    let settings = Settings::local("local");
    for worker in 0..400 {
        let reconciler = Reconciler::new(world.clone(), settings.clone(), format!("worker-{worker}"));
        match gremlin.mortal(reconciler.reconcile(id)).await {
            None => lab.clock.pass(settings.lease + settings.request_life),
            Some(Ok(Progress::Parked(at) | Progress::Held(at))) => lab.clock.jump_to(at),
            Some(Ok(Progress::Settled(_))) => return lab.world.store.load(id).await.unwrap().unwrap().value,
            Some(other) => panic!("{other:?}"),
        }
    }
    panic!("{id} never came to rest");
}

async fn take_in(lab: &Lab, message: &Value) -> TenantId {
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let answer = Lab::intake(&lab.world, &blueprint).take_in(message.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
    answer.tenant_id.unwrap()
}

async fn delete_in(lab: &Lab, path: &str) {
    let deleted = lab.world.wire.send(Request::new(Api::Graph, steps::Method::Delete, path));
    assert_eq!(deleted.await.unwrap().status, 204, "{path}");
}

/// The worker died before it could save the object's id, and then the object was deleted by hand: a removal finds it
/// among the deleted by its marks.
#[tokio::test]
async fn a_removal_finds_what_was_deleted_by_its_marks() {
    let mut met = 0;
    for at in 1..=3 {
        let lab = Lab::new(Speed::Max).await;
        let id = take_in(&lab, &signup("tailspin")).await;
        let gremlin = Gremlin::new(Trouble::DeathAfterChange, at);
        let reconciler = Reconciler::new(gremlin.haunt(&lab.world), Settings::local("local"), "mortal");
        assert!(gremlin.mortal(reconciler.reconcile(&id)).await.is_none(), "it was to die at {at}");
        let stored = lab.world.store.load(&id).await.unwrap().unwrap().value;
        let unknown = stored
            .steps()
            .iter()
            .any(|(name, step)| name.as_str() == "application" && step.outputs.is_empty());
        let objects = lab.sim("objects?tenant=tailspin").await;
        let made = list(&objects).iter().find(|object| object["kind"] == "graph/application");
        if let Some(made) = made.filter(|_| unknown) {
            met += 1;
            delete_in(&lab, &format!("/v1.0{}", text(made, "/id").strip_prefix("graph").unwrap())).await;
        }
        take_in(&lab, &removal("end", "tailspin")).await;
        let calm = Gremlin::new(Trouble::None, 0);
        assert_eq!(rest(&lab, &lab.world, &calm, &id).await.status, Status::Deleted);
        assert_eq!(lab.sim("objects?tenant=tailspin").await, json!([]), "dead at {at}");
    }
    assert!(met > 0, "no worker died with the application's id");
}

/// Bringing back is a write like any other: repeated, lost, unanswered or a worker's last act, it comes to the same.
#[tokio::test]
async fn bringing_back_survives_every_trouble() {
    let troubles = [
        Trouble::EveryChangeTwice,
        Trouble::AnswerLost,
        Trouble::ChangeLost,
        Trouble::NotSent,
        Trouble::DeathBeforeChange,
        Trouble::DeathAfterChange,
    ];
    // The changes of the update below: two to bring back, one for the new name.
    let changes = (1..=3).flat_map(|at| troubles.into_iter().map(move |trouble| (at, trouble)));
    for (at, trouble) in changes {
        for speed in [Speed::Max, Speed::Factor(30.0)] {
            let lab = Lab::new(speed).await;
            let calm = Gremlin::new(Trouble::None, 0);
            let id = take_in(&lab, &signup("tailspin")).await;
            let before = rest(&lab, &lab.world, &calm, &id).await;
            let held = lab.sim("objects?tenant=tailspin").await;
            let app_id = text(&before.exports["applicationId"], "").to_owned();
            delete_in(&lab, &format!("/v1.0/applications(appId='{app_id}')")).await;
            let update = request("again", "update", "tailspin", json!({"displayName": "Another Name"}));
            take_in(&lab, &update).await;
            let gremlin = Gremlin::new(trouble, at);
            let after = rest(&lab, &gremlin.haunt(&lab.world), &gremlin, &id).await;
            assert_eq!(after.status, Status::Active, "{trouble:?} at {at}");
            assert_eq!(after.exports, before.exports, "{trouble:?} at {at}");
            let objects = lab.sim("objects?tenant=tailspin").await;
            assert_eq!(kinds(&objects), kinds(&held), "{trouble:?} at {at}");
            assert!(gremlin.struck(), "{trouble:?} at {at}");
        }
    }
}
