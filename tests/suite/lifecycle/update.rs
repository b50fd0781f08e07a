//! Update: only what differs is written, and what can't be changed in place is recreated only with consent.

use std::collections::BTreeSet;

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    SAMPLES, example,
    harness::Harness,
    judge::{changes, check_event_sequence, kinds, list, nothing_was_made_twice, text, types},
    request, signup,
};

/// Method and path, without the query, of each change in the journal after its first `before` lines.
fn changed_since(journal: &Value, before: usize) -> Vec<(String, String)> {
    let after = Value::from(list(journal)[before..].to_vec());
    let short = |line: &Value| {
        let path = text(line, "/path").split('?').next().unwrap_or_default().to_owned();
        (text(line, "/method").to_owned(), path)
    };
    changes(&after).into_iter().map(short).collect()
}

#[tokio::test]
async fn an_update_writes_what_differs_and_nothing_else() {
    let harness = Harness::new().await;
    for sample in SAMPLES {
        harness.accept(&signup(sample)).await;
        harness.until_published(sample, "tenant.provision.succeeded", 1).await;
        let (before, held) = (harness.tenant(sample).await, harness.objects(sample).await);
        let lines = list(&harness.journal().await).len();
        harness.enqueue(&example(&format!("updates/{sample}.json"))).await;
        let events = harness.until_published(sample, "tenant.update.succeeded", 1).await;
        check_event_sequence(sample, &events);
        let content = [
            "tenant.request.accepted",
            "tenant.update.started",
            "tenant.isolation.verified",
            "tenant.update.succeeded",
        ];
        assert_eq!(types(&events)[4..], content);

        let after = harness.until_is(sample, "active").await;
        assert_eq!(after["outputs"], before["outputs"], "an update in place keeps every name");
        assert_eq!(kinds(&harness.objects(sample).await), kinds(&held));
        // Everything that can have tags is written; the display name is also in the application and its credential.
        let sent = changed_since(&harness.journal().await, lines);
        let unlike = |(method, path): &&(String, String)| {
            let untouched = ["/roleAssignments/", "/privateDnsZoneGroups/", "/servicePrincipals"];
            matches!(method.as_str(), "POST" | "DELETE") || untouched.iter().any(|part| path.contains(part))
        };
        assert_eq!(sent.iter().find(unlike), None, "{sample}: {sent:#?}");
        assert_eq!(
            sent.iter().collect::<BTreeSet<_>>().len(),
            sent.len(),
            "the same change twice: {sent:#?}"
        );
    }
}

/// The changes that an update of an active tenant's display name makes in Azure: method and path.
async fn changed_by_name(name: &str) -> Vec<(String, String)> {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;
    let lines = list(&harness.journal().await).len();
    harness.accept(&request("name", "update", "contoso", json!({"displayName": name}))).await;
    harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    changed_since(&harness.journal().await, lines)
}

#[tokio::test]
async fn an_update_of_the_name_writes_only_objects_with_the_name() {
    let sent = changed_by_name("Contoso Group").await;
    assert_eq!(sent.len(), 3, "the application, its credential, the workspace: {sent:#?}");
    for part in ["/applications(", "/federatedIdentityCredentials(", "/workspaces/"] {
        assert!(sent.iter().any(|(_, path)| path.contains(part)), "{part}: {sent:#?}");
    }
}

#[tokio::test]
async fn an_update_without_differences_changes_nothing_in_azure() {
    assert_eq!(changed_by_name("Contoso Ltd").await, []);
}

#[tokio::test]
async fn an_update_scales_the_existing_deployment() {
    let harness = Harness::at(Speed::Factor(2000.0)).await;
    harness.accept(&signup("tailspin")).await;
    harness.until_published("tailspin", "tenant.provision.succeeded", 1).await;
    let lines = list(&harness.journal().await).len();
    harness.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 3}}))).await;
    harness.until_published("tailspin", "tenant.update.succeeded", 1).await;
    let sent = changed_since(&harness.journal().await, lines);
    assert!(!sent.is_empty() && sent.iter().all(|(_, path)| path.contains("/deployments/main")), "{sent:#?}");
}

/// A blueprint with a storage account whose kind is a parameter. Azure can't change the kind of an existing account.
const REPLACEABLE: &str = "
blueprint: replaceable
version: 1.0.0
schema: tenantry.blueprint/1
description: A storage account of a kind that the request names.
tiers: [dedicated]
parameters:
  kind: { type: string, default: StorageV2, allowed: [StorageV2, BlockBlobStorage], description: Its kind. }
steps:
  group: { kind: arm, type: Microsoft.Resources/resourceGroups }
  identity: { kind: arm, type: Microsoft.ManagedIdentity/userAssignedIdentities, in: group, outputs: { principalId: /properties/principalId } }
  storage:
    kind: arm
    type: Microsoft.Storage/storageAccounts
    in: group
    body:
      kind: \"{{ parameters.kind }}\"
      sku: { name: Standard_LRS }
      properties: { allowSharedKeyAccess: false, publicNetworkAccess: Disabled, minimumTlsVersion: TLS1_2 }
  reader:
    kind: role-assignment
    scope: \"{{ steps.storage.id }}\"
    role: \"{{ stamp.blobReaderRoleId }}\"
    principal: \"{{ steps.identity.principalId }}\"
exports:
  storage: \"{{ steps.storage.name }}\"
";

#[tokio::test]
async fn what_can_not_be_changed_is_replaced_only_with_consent() {
    let harness = Harness::with(Speed::Factor(2000.0), &[REPLACEABLE]).await;
    let spec = json!({"displayName": "Contoso", "tier": "dedicated"});
    harness.accept(&request("new", "signup", "contoso", spec)).await;
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;
    let (held, lines) = (harness.objects("contoso").await, list(&harness.journal().await).len());

    let change = json!({"parameters": {"kind": "BlockBlobStorage"}});
    let refused = harness.submit(&request("refused", "update", "contoso", change.clone())).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "replace_not_allowed"), "{refused:#?}");
    assert!(text(&refused.body, "/detail").contains("storage"), "{refused:#?}");
    harness.until_published("contoso", "tenant.request.rejected", 1).await;
    assert_eq!(changed_since(&harness.journal().await, lines), []);
    assert_eq!(text(&harness.tenant("contoso").await, "/status"), "active");

    let mut allowed = change;
    allowed["allowReplace"] = json!(true);
    harness.accept(&request("allowed", "update", "contoso", allowed)).await;
    let events = harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    assert_eq!(kinds(&harness.objects("contoso").await), kinds(&held), "one object per slot");
    assert_eq!(text(&harness.tenant("contoso").await, "/status"), "active");
    let sent = changed_since(&harness.journal().await, lines);
    assert!(
        sent.iter().any(|(method, path)| method == "DELETE" && path.contains("/storageAccounts/")),
        "{sent:#?}"
    );
    assert!(sent.iter().all(|(_, path)| !path.contains("/userAssignedIdentities/")), "{sent:#?}");
    nothing_was_made_twice(&harness.journal().await, 1);
    check_event_sequence("contoso", &events);
}
