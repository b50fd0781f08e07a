//! The whole production path on loopback: the program as the Functions host runs it, with the settings of the Azure
//! world, against the simulated Azure and Azurite; driven by the embedded host.
//!
//! Ignored unless asked for, because Azurite has to be running: `cargo xtask test` brings it, and asks for them.

pub(crate) mod plant;
pub(crate) mod trouble;

use serde_json::{Value, json};

use crate::testkit::{
    judge::{list, nothing_was_made_twice, tell_one_story},
    removal, request, signup, until,
};
use plant::{Plant, Settings};

const TENANTS: usize = 20;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("tenant-{number:02}")).collect()
}

/// Everybody gets ready and is told so, nothing is made twice, and no token goes to a service that it is not for.
async fn all_get_ready(plant: &Plant) {
    let names = names(TENANTS);
    plant.sign_up(&names).await;
    for name in &names {
        plant.until_status(name, "active").await;
        let events = plant.until_told(name, "tenant.provision.succeeded").await;
        tell_one_story(name, &events);
    }
    nothing_was_made_twice(&plant.sim("journal").await, usize::MAX);
    let mut unauthorised = plant.journalled(401, "/").await;
    // A proof calls services with what they have to turn away.
    unauthorised.retain(|line| line["path"] != "/score");
    assert_eq!(unauthorised, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn twenty_tenants_are_provisioned_with_parked_operations() {
    let plant = Plant::new(Settings::default()).await;
    all_get_ready(&plant).await;
    let woken = plant.journalled(201, "/tenant-wakeups/messages").await;
    assert!(woken.len() >= TENANTS / 2, "long operations were parked; {} wake-ups", woken.len());
    let topic = plant.sim("topics/tenant-events").await;
    let ready = list(&topic).iter().filter(|message| message.to_string().contains("provision.succeeded"));
    assert_eq!(ready.count(), TENANTS, "events went to the topic as well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn twenty_tenants_are_provisioned_while_every_tenth_answer_is_bad() {
    let plant = Plant::new(Settings { trouble: true, ..Settings::default() }).await;
    plant.chaos(json!({"percent": 10, "seed": 7, "stallMs": 2500})).await;
    all_get_ready(&plant).await;
    let dealt = plant.sim("chaos").await;
    for kind in ["throttle", "unavailable", "timeout", "lost"] {
        assert!(dealt["dealt"][kind].as_u64().unwrap_or_default() > 5, "trouble of each kind: {dealt}");
    }
    assert!(plant.table_trouble() > 20, "the state's answers were bad too");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_handler_that_is_killed_again_and_again_loses_nobody() {
    let plant = Plant::new(Settings { kills: &[1, 3, 6], ..Settings::default() }).await;
    let names = names(6);
    plant.sign_up(&names).await;
    for name in &names {
        plant.until_status(name, "active").await;
    }
    nothing_was_made_twice(&plant.sim("journal").await, usize::MAX);
    plant.remove(&names).await;
    for name in &names {
        plant.until_status(name, "deleted").await;
    }
    assert_eq!(plant.sim("objects").await, json!([]), "after removal nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_handler_that_is_told_to_end_lets_go_of_all_tenants_within_five_seconds() {
    // Operations that take minutes, and more patience than a platform has.
    let settings = Settings { patience: Some("120"), speed: Some("1"), ..Settings::default() };
    let plant = Plant::new(settings).await;
    plant.sign_up(&names(6)).await;
    let ended = until("six tenants to be in hand", async || match plant.held().await {
        (6, holders) if holders.len() == 6 => Ok(holders),
        (tenants, holders) => Err(json!([tenants, holders])),
    })
    .await;
    let life = plant.handler_life().await;
    let took = plant.tell_to_end().await;
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
    // The host has started another one, which may have taken some of them up by now.
    let (tenants, holders) = plant.held().await;
    assert_eq!(tenants, 6);
    let stayed: Vec<_> = holders.iter().filter(|holder| ended.contains(holder)).collect();
    assert!(stayed.is_empty(), "nobody has to wait for the end of a lease: {stayed:?}");
    assert_eq!(plant.handler_life().await, life + 1, "it is started again");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_whole_life_with_exactly_the_sample_of_local_settings() {
    let plant = Plant::new(Settings { sample: true, ..Settings::default() }).await;
    // Over HTTP, where nobody drives in the same invocation, and by queue.
    let spec = signup("tailspin")["spec"].clone();
    plant.post(&request("signup-http", "signup", "by-http", spec)).await;
    plant.sign_up(&names(1)).await;
    for tenant in ["by-http", "tenant-00"] {
        plant.until_status(tenant, "active").await;
        plant.until_told(tenant, "tenant.provision.succeeded").await;
    }
    plant.post(&request("suspend", "suspend", "by-http", json!({"reason": "operator"}))).await;
    plant.until_status("by-http", "suspended").await;
    plant.post(&request("resume", "resume", "by-http", json!({}))).await;
    plant.until_status("by-http", "active").await;
    plant.post(&removal("remove-http", "by-http")).await;
    plant.until_status("by-http", "deleted").await;
    plant.until_told("by-http", "tenant.deprovision.succeeded").await;
    nothing_was_made_twice(&plant.sim("journal").await, usize::MAX);
    assert_eq!(plant.journalled(201, "/tenant-wakeups/messages").await, Vec::<Value>::new());
}

/// What a secret looks like on its way in.
const CANARIES: [&str; 5] = [
    "canaryAccountKey0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ==",
    "canary-password-7Q~abc",
    "eyJjYW5hcnkiOiJ0b2tlbiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "canarysig%2Babcdef",
    "canary-connection-secret",
];
/// How each token of the simulated Azure begins, and Azurite's well-known key.
const BEGINNINGS: [&str; 2] =
    ["eyJhdWQiOiJodHRwczov", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6"];

/// An error of Azure's that repeats what it should not.
fn leaky_error(code: &str) -> Value {
    let [key, password, token, signature, connection] = CANARIES;
    json!({"error": {
        "code": code,
        "message": format!(
            "Failed with AccountKey={key};EndpointSuffix=x and Authorization: Bearer {token} at \
             https://x.blob.core.windows.net/c?sv=2024&sig={signature}"
        ),
        "details": [{"code": code, "password": password, "connectionString": connection, "accessToken": token}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn no_secret_is_in_any_log_event_row_or_document() {
    let plant = Plant::new(Settings { log: Some("trace"), ..Settings::default() }).await;
    for path in ["/applications", "storageAccounts", "roleAssignments", "/api/events"] {
        let answer = json!({"status": 500, "body": leaky_error("Leak")});
        plant.fault(json!({"match": {"pathContains": path}, "answer": answer})).await;
    }
    plant.sign_up(&["contoso".to_owned()]).await;
    plant.until_status("contoso", "active").await;
    plant.until_told("contoso", "tenant.provision.succeeded").await;
    let mut sinks = plant.sinks("contoso").await;

    // What is known to be permanent is told at once.
    let answer = json!({"status": 400, "body": leaky_error("InvalidRequestContent")});
    plant.fault(json!({"match": {"pathContains": "vaults", "method": "PUT"}, "answer": answer})).await;
    plant.sign_up(&["fabrikam".to_owned()]).await;
    plant.until_told("fabrikam", "tenant.provision.failed").await;
    sinks.extend(plant.sinks("fabrikam").await);
    for (place, text) in &sinks {
        assert!(!text.contains("SharedKey "), "{place} has the signature of a request to the state");
    }
    let secrets = CANARIES.iter().chain(&BEGINNINGS).copied().chain([plant.identity_header()]);
    for secret in secrets {
        for (place, text) in &sinks {
            assert!(text.len() > 100, "{place} was looked at");
            if let Some(at) = text.find(secret) {
                let from = (0..=at.saturating_sub(300)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                panic!("{secret} is in {place}: {}", &text[from..at]);
            }
        }
    }
    assert!(sinks.iter().any(|(_, text)| text.contains("Leak")), "the errors themselves are told");
}
