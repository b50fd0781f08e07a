//! What the permissions of Graph allow.

use super::*;

fn directory_roles(roles: &[&str]) -> BTreeSet<String> {
    roles.iter().map(|role| (*role).to_owned()).collect()
}

#[tokio::test]
async fn the_one_permission_of_graph_is_enough_and_what_it_does_not_show_is_left_to_entra() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let mut access = access::granted(&case.permissions(), &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[0].graph = directory_roles(&["Application.ReadWrite.OwnedBy"]);
    let life = Life::with(&case, access).await;
    assert_eq!(life.ask(&case.signup()).await, Status::Active, "{:#?}", life.stopped().await);
    assert_eq!(life.ask(&removal("end", "northwind")).await, Status::Deleted, "{:#?}", life.stopped().await);
    let left = life.lab.sim("objects?tenant=northwind").await;
    let kinds: BTreeSet<_> =
        crate::testkit::judge::list(&left).iter().map(|o| o["state"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["SoftDeleted"]), "{left:#}");
}

#[tokio::test]
async fn without_a_permission_of_graph_a_life_stops_as_denied() {
    let case =
        cases().into_iter().find(|case| case.tier == "pooled" && case.name == "secure-ai-service").unwrap();
    let mut access = access::granted(&case.permissions(), &[local_stamp()], Some(CLIENT)).unwrap();
    access.holders[0].graph = BTreeSet::new();
    let life = Life::with(&case, access).await;
    assert_ne!(life.ask(&case.signup()).await, Status::Active);
    let stopped = life.stopped().await;
    assert!(stopped.iter().any(|cause| cause.code == "Authorization_RequestDenied"), "{stopped:#?}");
}

/// An application can be deleted by whoever has made it: the reason why the remover does not.
#[tokio::test]
async fn another_identity_can_not_delete_an_application_that_it_has_not_made() {
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
    let url = format!("{}/v1.0/applications/{id}", life.lab.base());
    let delete = |token: &'static str| reqwest::Client::new().delete(&url).bearer_auth(token).send();
    assert_eq!(delete(CLIENT).await.unwrap().status(), 403);
    assert_eq!(delete("provisioner").await.unwrap().status(), 204);
}
