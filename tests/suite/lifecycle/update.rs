//! A tenant changes: only what differs is done, and what can't be changed is replaced only when that is allowed.

use std::collections::BTreeSet;

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    SAMPLES, example,
    judge::{changes, kinds, list, nothing_was_made_twice, tell_one_story, text, types},
    request, signup,
    stage::Stage,
};

/// The changes in the journal after its first `before` lines, without query: method and last part of the path.
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
    let stage = Stage::new().await;
    for sample in SAMPLES {
        stage.accept(&signup(sample)).await;
        stage.until_told(sample, "tenant.provision.succeeded", 1).await;
        let (before, held) = (stage.tenant(sample).await, stage.objects(sample).await);
        let lines = list(&stage.journal().await).len();
        stage.enqueue(&example(&format!("updates/{sample}.json"))).await;
        let events = stage.until_told(sample, "tenant.update.succeeded", 1).await;
        tell_one_story(sample, &events);
        let story = [
            "tenant.request.accepted",
            "tenant.update.started",
            "tenant.isolation.verified",
            "tenant.update.succeeded",
        ];
        assert_eq!(types(&events)[4..], story);

        let after = stage.until_is(sample, "active").await;
        assert_eq!(after["outputs"], before["outputs"], "an update in place keeps every name");
        assert_eq!(kinds(&stage.objects(sample).await), kinds(&held));
        // The tags are on all that can have tags, the name in the application and its credential.
        let sent = changed_since(&stage.journal().await, lines);
        let unlike = |(method, path): &&(String, String)| {
            let untouched = ["/roleAssignments/", "/privateDnsZoneGroups/", "/servicePrincipals"];
            matches!(method.as_str(), "POST" | "DELETE") || untouched.iter().any(|part| path.contains(part))
        };
        assert_eq!(sent.iter().find(unlike), None, "{sample}: {sent:#?}");
        assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), sent.len(), "twice the same: {sent:#?}");
    }
}

#[tokio::test]
async fn an_update_of_the_name_writes_only_what_bears_the_name() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    let lines = list(&stage.journal().await).len();
    stage.accept(&request("name", "update", "contoso", json!({"displayName": "Contoso Group"}))).await;
    stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    let sent = changed_since(&stage.journal().await, lines);
    assert_eq!(sent.len(), 3, "the application, its credential, the workspace: {sent:#?}");
    for part in ["/applications(", "/federatedIdentityCredentials(", "/workspaces/"] {
        assert!(sent.iter().any(|(_, path)| path.contains(part)), "{part}: {sent:#?}");
    }
}

#[tokio::test]
async fn an_update_to_what_is_there_already_changes_nothing_in_azure() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    let lines = list(&stage.journal().await).len();
    stage.accept(&request("same", "update", "contoso", json!({"displayName": "Contoso Ltd"}))).await;
    stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    assert_eq!(changed_since(&stage.journal().await, lines), []);
}

#[tokio::test]
async fn an_update_scales_the_deployment_in_place() {
    let stage = Stage::at(Speed::Factor(2000.0)).await;
    stage.accept(&signup("tailspin")).await;
    stage.until_told("tailspin", "tenant.provision.succeeded", 1).await;
    let lines = list(&stage.journal().await).len();
    stage.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 3}}))).await;
    stage.until_told("tailspin", "tenant.update.succeeded", 1).await;
    let sent = changed_since(&stage.journal().await, lines);
    assert!(!sent.is_empty() && sent.iter().all(|(_, path)| path.contains("/deployments/main")), "{sent:#?}");
}

/// A storage account whose kind is a parameter, which Azure can't change afterwards.
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
async fn what_can_not_be_changed_is_replaced_only_when_allowed() {
    let stage = Stage::with(Speed::Factor(2000.0), &[REPLACEABLE]).await;
    let spec = json!({"displayName": "Contoso", "tier": "dedicated"});
    stage.accept(&request("new", "signup", "contoso", spec)).await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    let (held, lines) = (stage.objects("contoso").await, list(&stage.journal().await).len());

    let change = json!({"parameters": {"kind": "BlockBlobStorage"}});
    let refused = stage.submit(&request("refused", "update", "contoso", change.clone())).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "replace_not_allowed"), "{refused:#?}");
    assert!(text(&refused.body, "/detail").contains("storage"), "{refused:#?}");
    stage.until_told("contoso", "tenant.request.rejected", 1).await;
    assert_eq!(changed_since(&stage.journal().await, lines), []);
    assert_eq!(text(&stage.tenant("contoso").await, "/status"), "active");

    let mut allowed = change;
    allowed["allowReplace"] = json!(true);
    stage.accept(&request("allowed", "update", "contoso", allowed)).await;
    let events = stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    assert_eq!(kinds(&stage.objects("contoso").await), kinds(&held), "one object per slot");
    assert_eq!(text(&stage.tenant("contoso").await, "/status"), "active");
    let sent = changed_since(&stage.journal().await, lines);
    assert!(
        sent.iter().any(|(method, path)| method == "DELETE" && path.contains("/storageAccounts/")),
        "{sent:#?}"
    );
    assert!(sent.iter().all(|(_, path)| !path.contains("/userAssignedIdentities/")), "{sent:#?}");
    nothing_was_made_twice(&stage.journal().await, 1);
    tell_one_story("contoso", &events);
}
