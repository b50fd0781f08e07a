//! The whole production path on the loopback interface: the embedded host runs the program with the settings for
//! Azure, against the simulated Azure and Azurite.
//!
//! Ignored by default, because these tests need Azurite: `cargo xtask test` starts it and runs them.

pub(crate) mod deployment;
pub(crate) mod fault_proxy;

use serde_json::{Value, json};

use crate::testkit::{
    judge::{check_event_sequence, list, nothing_was_made_twice},
    removal, request, signup, until,
};
use deployment::{Settings, TestDeployment};

const TENANTS: usize = 20;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("tenant-{number:02}")).collect()
}

/// Asserts that all tenants become active with their events, that nothing is created twice, and that no service
/// rejects a token.
async fn all_get_ready(deployment: &TestDeployment) {
    let names = names(TENANTS);
    deployment.sign_up(&names).await;
    for name in &names {
        deployment.until_status(name, "active").await;
        let events = deployment.until_published(name, "tenant.provision.succeeded").await;
        check_event_sequence(name, &events);
    }
    nothing_was_made_twice(&deployment.sim("journal").await, usize::MAX);
    let mut unauthorised = deployment.journalled(401, "/").await;
    // The isolation check makes calls that services have to reject.
    unauthorised.retain(|line| line["path"] != "/score");
    assert_eq!(unauthorised, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn twenty_tenants_are_provisioned_with_requeued_operations() {
    let deployment = TestDeployment::new(Settings::default()).await;
    all_get_ready(&deployment).await;
    let wake_ups = deployment.journalled(201, "/tenant-wakeups/messages").await;
    assert!(wake_ups.len() >= TENANTS / 2, "long operations are requeued: {} wake-ups", wake_ups.len());
    let topic = deployment.sim("topics/tenant-events").await;
    let ready = list(&topic).iter().filter(|message| message.to_string().contains("provision.succeeded"));
    assert_eq!(ready.count(), TENANTS, "events went to the topic as well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn twenty_tenants_are_provisioned_while_every_tenth_answer_is_bad() {
    let deployment = TestDeployment::new(Settings { fault_proxy: true, ..Settings::default() }).await;
    deployment.chaos(json!({"percent": 10, "seed": 7, "stallMs": 2500})).await;
    all_get_ready(&deployment).await;
    let dealt = deployment.sim("chaos").await;
    for kind in ["throttle", "unavailable", "timeout", "lost"] {
        assert!(dealt["dealt"][kind].as_u64().unwrap_or_default() > 5, "faults of each kind: {dealt}");
    }
    assert!(deployment.table_error() > 20, "the state's answers were bad too");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_handler_that_is_killed_repeatedly_loses_no_tenant() {
    let deployment = TestDeployment::new(Settings { kills: &[1, 3, 6], ..Settings::default() }).await;
    let names = names(6);
    deployment.sign_up(&names).await;
    for name in &names {
        deployment.until_status(name, "active").await;
    }
    nothing_was_made_twice(&deployment.sim("journal").await, usize::MAX);
    deployment.remove(&names).await;
    for name in &names {
        deployment.until_status(name, "deleted").await;
    }
    assert_eq!(deployment.sim("objects").await, json!([]), "after removal nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_handler_releases_all_leases_within_five_seconds_of_sigterm() {
    // Operations take minutes, and the wait budget is longer than the platform's shutdown grace period.
    let settings = Settings { wait_budget: Some("120"), speed: Some("1"), ..Settings::default() };
    let deployment = TestDeployment::new(settings).await;
    deployment.sign_up(&names(6)).await;
    let ended = until("six tenants to be leased", async || match deployment.held().await {
        (6, holders) if holders.len() == 6 => Ok(holders),
        (tenants, holders) => Err(json!([tenants, holders])),
    })
    .await;
    let life = deployment.handler_life().await;
    let took = deployment.terminate().await;
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
    // The host has started another handler, which may have leased some of the tenants by now.
    let (tenants, holders) = deployment.held().await;
    assert_eq!(tenants, 6);
    let stayed: Vec<_> = holders.iter().filter(|holder| ended.contains(holder)).collect();
    assert!(stayed.is_empty(), "no lease of the ended handler is left: {stayed:?}");
    assert_eq!(deployment.handler_life().await, life + 1, "it is started again");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_lifecycle_succeeds_with_exactly_the_sample_of_local_settings() {
    let deployment = TestDeployment::new(Settings { sample: true, ..Settings::default() }).await;
    // One sign-up comes over HTTP, where no pass runs in the same invocation; the other one comes through the queue.
    let spec = signup("tailspin")["spec"].clone();
    deployment.post(&request("signup-http", "signup", "by-http", spec)).await;
    deployment.sign_up(&names(1)).await;
    for tenant in ["by-http", "tenant-00"] {
        deployment.until_status(tenant, "active").await;
        deployment.until_published(tenant, "tenant.provision.succeeded").await;
    }
    deployment.post(&request("suspend", "suspend", "by-http", json!({"reason": "operator"}))).await;
    deployment.until_status("by-http", "suspended").await;
    deployment.post(&request("resume", "resume", "by-http", json!({}))).await;
    deployment.until_status("by-http", "active").await;
    deployment.post(&removal("remove-http", "by-http")).await;
    deployment.until_status("by-http", "deleted").await;
    deployment.until_published("by-http", "tenant.deprovision.succeeded").await;
    nothing_was_made_twice(&deployment.sim("journal").await, usize::MAX);
    assert_eq!(deployment.journalled(201, "/tenant-wakeups/messages").await, Vec::<Value>::new());
}

/// Secrets in the forms in which services write them into answers.
const CANARIES: [&str; 5] = [
    "canaryAccountKey0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ==",
    "canary-password-7Q~abc",
    "eyJjYW5hcnkiOiJ0b2tlbiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "canarysig%2Babcdef",
    "canary-connection-secret",
];
/// The starts of every token of the simulated Azure, and of Azurite's well-known key.
const BEGINNINGS: [&str; 2] =
    ["eyJhdWQiOiJodHRwczov", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6"];

/// An error of Azure that contains all these secrets.
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
    let deployment = TestDeployment::new(Settings { log: Some("trace"), ..Settings::default() }).await;
    for path in ["/applications", "storageAccounts", "roleAssignments", "/api/events"] {
        let answer = json!({"status": 500, "body": leaky_error("Leak")});
        deployment.fault(json!({"match": {"pathContains": path}, "answer": answer})).await;
    }
    deployment.sign_up(&["contoso".to_owned()]).await;
    deployment.until_status("contoso", "active").await;
    deployment.until_published("contoso", "tenant.provision.succeeded").await;
    let mut sinks = deployment.sinks("contoso").await;

    // A permanent error, which is reported at once.
    let answer = json!({"status": 400, "body": leaky_error("InvalidRequestContent")});
    deployment.fault(json!({"match": {"pathContains": "vaults", "method": "PUT"}, "answer": answer})).await;
    deployment.sign_up(&["fabrikam".to_owned()]).await;
    deployment.until_published("fabrikam", "tenant.provision.failed").await;
    sinks.extend(deployment.sinks("fabrikam").await);
    for (sink, text) in &sinks {
        assert!(!text.contains("SharedKey "), "{sink} has the signature of a request to the state");
    }
    let secrets = CANARIES.iter().chain(&BEGINNINGS).copied().chain([deployment.identity_header()]);
    for secret in secrets {
        for (sink, text) in &sinks {
            assert!(text.len() > 100, "{sink} is nearly empty");
            if let Some(at) = text.find(secret) {
                let from = (0..=at.saturating_sub(300)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                panic!("{secret} is in {sink}: {}", &text[from..at]);
            }
        }
    }
    assert!(sinks.iter().any(|(_, text)| text.contains("Leak")), "the errors themselves are recorded");
}
