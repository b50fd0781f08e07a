//! A tenant goes: nothing of it is left, whenever it was removed, and it does not come back by itself.

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    SAMPLES, example,
    judge::{list, tell_one_story, text, types},
    removal, signup,
    stage::Stage,
    until,
};

/// Everything of theirs, soft-deleted things included, is gone.
async fn nothing_is_left(stage: &Stage, tenant: &str) {
    assert_eq!(list(&stage.objects(tenant).await), [] as [Value; 0], "{tenant}");
}

#[tokio::test]
async fn what_was_found_rather_than_made_is_removed_as_well() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;

    let stage = stage.with_its_state_lost().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&removal("end", "contoso")).await;
    stage.until_is("contoso", "deleted").await;
    nothing_is_left(&stage, "contoso").await;
}

#[tokio::test]
async fn removed_tenants_leave_nothing_and_their_events_tell_the_story() {
    let stage = Stage::at(Speed::Factor(2000.0)).await;
    for sample in SAMPLES {
        stage.enqueue(&signup(sample)).await;
        stage.enqueue(&example(&format!("updates/{sample}.json"))).await;
    }
    for sample in SAMPLES {
        stage.until_told(sample, "tenant.update.succeeded", 1).await;
        stage.enqueue(&example(&format!("deprovisions/{sample}.json"))).await;
    }
    for sample in SAMPLES {
        let events = stage.until_told(sample, "tenant.deprovision.succeeded", 1).await;
        nothing_is_left(&stage, sample).await;
        assert_eq!(text(&stage.tenant(sample).await, "/status"), "deleted");
        assert_eq!(stage.tenant(sample).await["outputs"], json!({}));
        tell_one_story(sample, &events);
        let told = types(&events);
        assert_eq!(told.first(), Some(&"tenant.request.accepted"));
        let end = ["tenant.request.accepted", "tenant.deprovision.started", "tenant.deprovision.succeeded"];
        assert_eq!(told[told.len() - 3..], end);
        for outcome in ["tenant.provision.succeeded", "tenant.update.succeeded"] {
            assert_eq!(told.iter().filter(|kind| **kind == outcome).count(), 1, "{told:#?}");
        }
    }
}

#[tokio::test]
async fn a_removed_tenant_can_be_removed_again() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&removal("first", "contoso")).await;
    stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    stage.accept(&removal("second", "contoso")).await;
    let events = stage.until_told("contoso", "tenant.deprovision.succeeded", 2).await;
    tell_one_story("contoso", &events);
    nothing_is_left(&stage, "contoso").await;
}

#[tokio::test]
async fn an_old_signup_message_does_not_bring_a_removed_tenant_back() {
    let stage = Stage::new().await;
    let old = stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&removal("gone", "contoso")).await;
    let before = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    let replayed = stage.repeat(&signup("contoso"), &old).await;
    assert_eq!((text(&replayed, "/status"), &replayed["superseded"]), ("deleted", &json!(true)));
    stage.enqueue(&signup("contoso")).await;
    // A later request of the same tenant is handled after the old one, for they share a session.
    stage.enqueue(&removal("again", "contoso")).await;
    let after = stage.until_told("contoso", "tenant.deprovision.succeeded", 2).await;
    assert_eq!(after.len(), before.len() + 3, "{after:#?}");
    nothing_is_left(&stage, "contoso").await;
}

#[tokio::test]
async fn a_new_signup_after_a_removal_is_a_new_life_with_other_names() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    let first = stage.until_is("contoso", "active").await;
    stage.accept(&removal("gone", "contoso")).await;
    stage.until_is("contoso", "deleted").await;
    let mut again = signup("contoso");
    again["requestId"] = json!("signup-contoso-again");
    stage.accept(&again).await;
    let second = stage.until_is("contoso", "active").await;
    assert_eq!((first["incarnation"].as_u64(), second["incarnation"].as_u64()), (Some(1), Some(2)));
    for name in ["applicationId", "servicePrincipalObjectId", "workspaceName", "endpointName", "endpointUrl"]
    {
        assert_ne!(first["outputs"][name], second["outputs"][name], "{name}");
    }
    let events = stage.until_told("contoso", "tenant.provision.succeeded", 2).await;
    tell_one_story("contoso", &events);
}

#[tokio::test]
async fn a_half_made_tenant_can_be_removed_at_any_point() {
    // As fast as there is still a middle to be met in.
    let stage = Stage::at(Speed::Factor(200.0)).await;
    for (number, ready) in [0, 1, 4, 8, 12, 15].into_iter().enumerate() {
        let id = format!("halfway-{number}");
        let mut request = signup("contoso");
        request["tenantId"] = json!(id);
        request["requestId"] = json!(format!("signup-{id}"));
        let accepted = stage.accept(&request).await;
        until(&format!("{id} has {ready} steps"), async || {
            let tenant = stage.tenant(&id).await;
            if tenant["progress"]["ready"].as_u64() >= Some(ready) { Ok(()) } else { Err(tenant) }
        })
        .await;
        stage.accept(&removal(&format!("remove-{id}"), &id)).await;
        let events = stage.until_told(&id, "tenant.deprovision.succeeded", 1).await;
        nothing_is_left(&stage, &id).await;
        tell_one_story(&id, &events);
        let told = types(&events);
        if told.contains(&"tenant.provision.succeeded") {
            continue;
        }
        let cancelled = events.iter().find(|event| text(event, "/type").contains("cancelled")).unwrap();
        assert_eq!(cancelled["operationid"], accepted["operationId"], "{cancelled:#}");
        assert_eq!(text(cancelled, "/data/reason"), "superseded");
    }
}
