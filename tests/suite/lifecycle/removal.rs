//! Removal: none of a tenant's objects is left, whenever it is removed, and the tenant is not provisioned again by
//! itself.

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    SAMPLES, example,
    harness::Harness,
    judge::{check_event_sequence, list, text, types},
    removal, signup, until,
};

/// Asserts that all objects of a tenant are deleted, including soft-deleted ones.
async fn nothing_is_left(harness: &Harness, tenant: &str) {
    assert_eq!(list(&harness.objects(tenant).await), [] as [Value; 0], "{tenant}");
}

#[tokio::test]
async fn adopted_objects_are_removed_as_well() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;

    let harness = harness.with_its_state_lost().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&removal("end", "contoso")).await;
    harness.until_is("contoso", "deleted").await;
    nothing_is_left(&harness, "contoso").await;
}

#[tokio::test]
async fn removed_tenants_leave_nothing_and_their_events_are_complete() {
    let harness = Harness::at(Speed::Factor(2000.0)).await;
    for sample in SAMPLES {
        harness.enqueue(&signup(sample)).await;
        harness.enqueue(&example(&format!("updates/{sample}.json"))).await;
    }
    for sample in SAMPLES {
        harness.until_published(sample, "tenant.update.succeeded", 1).await;
        harness.enqueue(&example(&format!("deprovisions/{sample}.json"))).await;
    }
    for sample in SAMPLES {
        let events = harness.until_published(sample, "tenant.deprovision.succeeded", 1).await;
        nothing_is_left(&harness, sample).await;
        assert_eq!(text(&harness.tenant(sample).await, "/status"), "deleted");
        assert_eq!(harness.tenant(sample).await["outputs"], json!({}));
        check_event_sequence(sample, &events);
        let reported = types(&events);
        assert_eq!(reported.first(), Some(&"tenant.request.accepted"));
        let end = ["tenant.request.accepted", "tenant.deprovision.started", "tenant.deprovision.succeeded"];
        assert_eq!(reported[reported.len() - 3..], end);
        for outcome in ["tenant.provision.succeeded", "tenant.update.succeeded"] {
            assert_eq!(reported.iter().filter(|kind| **kind == outcome).count(), 1, "{reported:#?}");
        }
    }
}

#[tokio::test]
async fn a_removed_tenant_can_be_removed_again() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&removal("first", "contoso")).await;
    harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    harness.accept(&removal("second", "contoso")).await;
    let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 2).await;
    check_event_sequence("contoso", &events);
    nothing_is_left(&harness, "contoso").await;
}

#[tokio::test]
async fn an_old_signup_message_does_not_bring_a_removed_tenant_back() {
    let harness = Harness::new().await;
    let old = harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&removal("removal", "contoso")).await;
    let before = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    let replayed = harness.repeat(&signup("contoso"), &old).await;
    assert_eq!((text(&replayed, "/status"), &replayed["superseded"]), ("deleted", &json!(true)));
    harness.enqueue(&signup("contoso")).await;
    // Both requests share the tenant's session, so the removal is handled after the old sign-up.
    harness.enqueue(&removal("again", "contoso")).await;
    let after = harness.until_published("contoso", "tenant.deprovision.succeeded", 2).await;
    assert_eq!(after.len(), before.len() + 3, "{after:#?}");
    nothing_is_left(&harness, "contoso").await;
}

#[tokio::test]
async fn a_new_signup_after_a_removal_is_a_new_incarnation_with_other_names() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    let first = harness.until_is("contoso", "active").await;
    harness.accept(&removal("removal", "contoso")).await;
    harness.until_is("contoso", "deleted").await;
    let mut again = signup("contoso");
    again["requestId"] = json!("signup-contoso-again");
    harness.accept(&again).await;
    let second = harness.until_is("contoso", "active").await;
    assert_eq!((first["incarnation"].as_u64(), second["incarnation"].as_u64()), (Some(1), Some(2)));
    for name in ["applicationId", "servicePrincipalObjectId", "workspaceName", "endpointName", "endpointUrl"]
    {
        assert_ne!(first["outputs"][name], second["outputs"][name], "{name}");
    }
    let events = harness.until_published("contoso", "tenant.provision.succeeded", 2).await;
    check_event_sequence("contoso", &events);
}

#[tokio::test]
async fn a_partly_provisioned_tenant_can_be_removed_at_any_point() {
    // Slow enough that each tenant can be removed while it is being provisioned.
    let harness = Harness::at(Speed::Factor(200.0)).await;
    for (number, ready) in [0, 1, 4, 8, 12, 15].into_iter().enumerate() {
        let id = format!("halfway-{number}");
        let mut request = signup("contoso");
        request["tenantId"] = json!(id);
        request["requestId"] = json!(format!("signup-{id}"));
        let accepted = harness.accept(&request).await;
        until(&format!("{id} has {ready} steps"), async || {
            let tenant = harness.tenant(&id).await;
            if tenant["progress"]["ready"].as_u64() >= Some(ready) { Ok(()) } else { Err(tenant) }
        })
        .await;
        harness.accept(&removal(&format!("remove-{id}"), &id)).await;
        let events = harness.until_published(&id, "tenant.deprovision.succeeded", 1).await;
        nothing_is_left(&harness, &id).await;
        check_event_sequence(&id, &events);
        let reported = types(&events);
        if reported.contains(&"tenant.provision.succeeded") {
            continue;
        }
        let cancelled = events.iter().find(|event| text(event, "/type").contains("cancelled")).unwrap();
        assert_eq!(cancelled["operationid"], accepted["operationId"], "{cancelled:#}");
        assert_eq!(text(cancelled, "/data/reason"), "superseded");
    }
}
