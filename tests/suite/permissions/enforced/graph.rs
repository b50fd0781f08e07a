//! Which permissions the product needs in Microsoft Graph.

use super::*;

fn directory_roles(roles: &[&str]) -> BTreeSet<String> {
    roles.iter().map(|role| (*role).to_owned()).collect()
}

#[tokio::test]
async fn the_one_graph_permission_is_enough_and_deleted_objects_are_left_to_entra() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let mut access = access::granted(&case.permissions(), &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[0].graph = directory_roles(&["Application.ReadWrite.OwnedBy"]);
    let life = Life::with(&case, access).await;
    assert_eq!(life.ask(&case.signup()).await, Status::Active, "{:#?}", life.stopped().await);
    assert_eq!(life.ask(&removal("end", "northwind")).await, Status::Deleted, "{:#?}", life.stopped().await);
    let left = life.fixture.sim("objects?tenant=northwind").await;
    let kinds: BTreeSet<_> =
        crate::testkit::judge::list(&left).iter().map(|o| o["state"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["SoftDeleted"]), "{left:#}");
}

#[tokio::test]
async fn without_a_graph_permission_provisioning_is_denied() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let mut access = access::granted(&case.permissions(), &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[0].graph = BTreeSet::new();
    let life = Life::with(&case, access).await;
    assert_ne!(life.ask(&case.signup()).await, Status::Active);
    let stopped = life.stopped().await;
    assert!(stopped.iter().any(|cause| cause.code == "Authorization_RequestDenied"), "{stopped:#?}");
}

/// Only the identity that created an application may delete it. That is why the provisioner deletes applications, not
/// the remover.
#[tokio::test]
async fn an_identity_can_not_delete_an_application_of_another_one() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let mut access = access::granted(&case.permissions(), &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[1].graph = directory_roles(&["Application.ReadWrite.OwnedBy"]);
    let life = Life::with(&case, access).await;
    assert_eq!(life.ask(&case.signup()).await, Status::Active);
    let id = life.document().await.steps()[&"application".parse().unwrap()].outputs["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!("{}/v1.0/applications/{id}", life.fixture.base());
    let delete = |token: &'static str| crate::testkit::client().delete(&url).bearer_auth(token).send();
    assert_eq!(delete(CLIENT).await.unwrap().status(), 403);
    assert_eq!(delete("provisioner").await.unwrap().status(), 204);
}
