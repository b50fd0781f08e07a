//! `tenantry verify` from end to end: tenants in the simulated Azure, evidence over HTTP, reports, exit codes,
//! history.

mod quarantine;
mod remedies;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use azure_sim::local_stamp;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    app::App,
    config::{Isolation, Quarantine},
    host::{Answer, Functions as _, Invocation, Trigger, functions::Function},
    ports::{Listed, Ports, Transport},
    reconciler::Settings,
    scan::IsolationScanner,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    isolation::{IsolationReport, IsolationVerdict},
    steps::{Api, Failure, Method, Reply, Request},
};

use crate::testkit;
use crate::testkit::{SAMPLES, fixture::Jumping, harness::Harness, judge::types, signup};

/// A harness with the sample tenants, all active; some are dedicated, others pooled.
async fn active() -> Harness {
    let harness = Harness::new().await;
    for sample in SAMPLES {
        harness.accept(&signup(sample)).await;
    }
    for sample in SAMPLES {
        harness.until_is(sample, "active").await;
    }
    harness
}

/// Runs `tenantry verify` against a harness. Returns the exit code and the printed lines of JSON.
async fn verify(harness: &Harness, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.arg("verify").args(arguments).args(["--json", "--url", &harness.base]).env_clear();
    let output = tokio::time::timeout(testkit::TIMEOUT, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The value of a tenant's export, for example the id of its principal.
async fn output(harness: &Harness, tenant: &str, export: &str) -> String {
    harness.tenant(tenant).await["outputs"][export].as_str().unwrap().to_owned()
}

/// The id of a tenant's object of this kind.
async fn object(harness: &Harness, tenant: &str, kind: &str) -> String {
    let objects = harness.objects(tenant).await;
    let of_kind = objects.as_array().unwrap().iter().find(|object| object["kind"] == kind);
    of_kind.unwrap_or_else(|| panic!("{objects:#}"))["id"].as_str().unwrap().to_owned()
}

const ENDPOINT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
const SCORER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/providers/Microsoft.Authorization/roleDefinitions/5c0e0000-0000-4000-8000-00000000c0de";
const OWNER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

/// Creates a role assignment that violates a tenant's isolation.
async fn add_violation(harness: &Harness, scope: &str, role: &str, principal: &str) {
    let path = format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000f1?api-version=2022-04-01"
    );
    let body = json!({"properties": {
        "roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal",
    }});
    let answer = harness.call(reqwest::Method::PUT, &path, Some(&body)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
}

#[tokio::test]
async fn provisioned_tenants_are_verified_and_an_added_violation_is_found() {
    let harness = active().await;
    let (code, lines) = verify(&harness, &["--all"]).await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let seen: Vec<&str> = lines.iter().map(|line| line["tenantId"].as_str().unwrap()).collect();
    assert_eq!(seen, SAMPLES);
    assert!(lines.iter().all(|line| line["verdict"] == "verified"), "{lines:#?}");

    // The principal of one tenant gets access to the endpoint of another.
    let endpoint = object(&harness, SAMPLES[0], ENDPOINT).await;
    let principal = output(&harness, SAMPLES[1], "servicePrincipalObjectId").await;
    add_violation(&harness, &endpoint, SCORER, &principal).await;
    let (code, lines) = verify(&harness, &["--all"]).await;
    assert_eq!(code, Some(1));
    let codes: Vec<(&Value, &Value)> =
        lines.iter().map(|line| (&line["verdict"], &line["findings"][0]["code"])).collect();
    assert_eq!(
        codes,
        [
            (&json!("violated"), &json!("other-tenant-can-reach")),
            (&json!("violated"), &json!("reaches-beyond")),
            (&json!("verified"), &Value::Null),
        ]
    );
    let says = lines[0]["findings"][0]["says"].as_str().unwrap();
    assert!(says.contains(&principal) && says.contains(SAMPLES[1]) && says.contains(&endpoint), "{says}");
    let (code, lines) = verify(&harness, &[SAMPLES[2]]).await;
    assert_eq!((code, lines.len()), (Some(0), 1));
    let (code, _) = verify(&harness, &["nobody"]).await;
    assert_eq!(code, Some(1));
}

#[tokio::test]
async fn a_role_inherited_from_the_subscription_is_found_at_every_other_tenant() {
    let harness = active().await;
    let principal = output(&harness, SAMPLES[0], "servicePrincipalObjectId").await;
    add_violation(&harness, "/subscriptions/00000000-0000-0000-0000-00000000a001", OWNER, &principal).await;
    let (code, lines) = verify(&harness, &["--all"]).await;
    assert_eq!(code, Some(1));
    let codes: Vec<&str> = lines.iter().map(|line| line["findings"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["reaches-beyond", "other-tenant-can-reach", "other-tenant-can-reach"]);
    assert_eq!(lines[1]["findings"][0]["can"].as_array().unwrap().len(), 7, "an owner can do everything");
}

#[tokio::test]
async fn the_timer_records_verdicts_when_they_change() {
    let harness = active().await;
    let reported = async || {
        let history = harness.get(&format!("/api/tenants/{}?view=history", SAMPLES[0])).await;
        let rows = history["history"].as_array().unwrap().iter().rev();
        let reported = rows.filter_map(|row| {
            let verdict = row["what"].as_str()?.strip_prefix("tenant.isolation.")?;
            Some(format!("{verdict} {}", row["cause"]["message"].as_str().unwrap_or_default()))
        });
        reported.collect::<Vec<_>>()
    };
    let until = async |states: &[&str]| {
        testkit::until("the verdicts are in history", async || {
            assert_eq!(harness.run_function("audit", &json!({})).await, 202);
            let reported = reported().await;
            // A check during the change may have found the role by a call only, so rows in the middle may differ.
            let ends = |all: &[String]| (all.first().cloned(), all.last().cloned());
            let expected: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
            if ends(&reported) == ends(&expected) { Ok(()) } else { Err(json!(reported)) }
        })
        .await;
    };
    // The first verdict is that of the sign-up. A verdict that has not changed is not recorded again.
    until(&["verified "]).await;
    assert_eq!(harness.tenant(SAMPLES[0]).await["isolation"]["verdict"], "verified");
    let endpoint = object(&harness, SAMPLES[0], ENDPOINT).await;
    let principal = output(&harness, SAMPLES[1], "servicePrincipalObjectId").await;
    add_violation(&harness, &endpoint, SCORER, &principal).await;
    until(&["verified ", "violated other-tenant-can-reach; probe-accepted"]).await;
    let tenant = harness.tenant(SAMPLES[0]).await;
    assert_eq!((&tenant["status"], &tenant["blocked"]), (&json!("active"), &Value::Null));
    assert_eq!(tenant["isolation"]["reasons"], json!(["other-tenant-can-reach", "probe-accepted"]));
}

/// A transport that replaces Azure's answer where `bend` returns one, and records the requested paths.
struct Bent<F> {
    inner: Arc<dyn Transport>,
    bend: F,
    asked: Mutex<Vec<String>>,
}

impl<F: Fn(&Request) -> Option<Reply> + Send + Sync> Transport for Bent<F> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        assert_eq!(request.method, Method::Get, "an isolation check only reads");
        self.asked.lock().unwrap().push(request.path.clone());
        match (self.bend)(&request) {
            Some(reply) => Box::pin(async move { Ok(reply) }),
            None => self.inner.send(request),
        }
    }
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply { status, body: json!({"error": {"code": code}}), ..Reply::default() }
}

/// Checks the isolation of all tenants with some answers replaced. Returns the reports and the requested paths.
async fn bent(
    harness: &Harness,
    bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> (Vec<IsolationReport>, Vec<String>) {
    bent_for(harness, 100, bend).await
}

/// As `bent`, but for the first `most` tenants: the evidence on a few tenants is read tenant by tenant.
async fn bent_for(
    harness: &Harness,
    most: usize,
    bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> (Vec<IsolationReport>, Vec<String>) {
    let inner = Arc::clone(&harness.local.ports.transport);
    let transport = Arc::new(Bent { inner, bend, asked: Mutex::new(Vec::new()) });
    // Its waits before retries take no time.
    let clock = Jumping::new();
    let ports = Ports {
        transport: Arc::clone(&transport) as Arc<dyn Transport>,
        clock,
        ..harness.local.ports.clone()
    };
    let (tenants, _) = Listed::sorted_out(ports.store.list(None, most).await.unwrap());
    let reports = IsolationScanner::new(ports, &Isolation::default()).verify(&tenants).await;
    let asked = transport.asked.lock().unwrap().clone();
    (reports, asked)
}

fn verdicts(reports: &[IsolationReport]) -> Vec<IsolationVerdict> {
    reports.iter().map(|report| report.verdict).collect()
}

#[tokio::test]
async fn refused_or_incomplete_evidence_is_never_taken_for_proof() {
    let harness = active().await;
    let all = |verdict| vec![verdict; SAMPLES.len()];
    let (reports, asked) = bent(&harness, |_| None).await;
    assert_eq!(verdicts(&reports), all(IsolationVerdict::Verified));
    let definitions = asked.iter().filter(|path| path.contains("/roleDefinitions")).count();
    assert_eq!(definitions, 1, "the definitions are read once for all tenants");

    // If listing role assignments at the subscription is not permitted, the list of each resource shows the same.
    let at_subscription = |request: &Request| {
        request.path.matches('/').count() == 5 && request.path.contains("/roleAssignments?")
    };
    let (reports, _) =
        bent(&harness, move |request| at_subscription(request).then(|| refusal(403, "AuthorizationFailed")))
            .await;
    assert_eq!(verdicts(&reports), all(IsolationVerdict::Verified), "{reports:#?}");

    for part in ["/roleAssignments?", "onlineEndpoints/", "/owners", "/applications("] {
        for status in [403, 429, 500] {
            let (reports, _) =
                bent(&harness, move |request| request.path.contains(part).then(|| refusal(status, "No")))
                    .await;
            assert_eq!(verdicts(&reports), all(IsolationVerdict::Inconclusive), "{part} {status}");
        }
    }

    // Role assignments of a tenant's own principals outside the tenant: a refusal is accepted, a temporary error is a
    // gap.
    for (status, verdict) in [
        (403, IsolationVerdict::Verified),
        (429, IsolationVerdict::Inconclusive),
        (500, IsolationVerdict::Inconclusive),
    ] {
        let elsewhere = |request: &Request| request.path.contains("principalId%20eq");
        let (reports, asked) =
            bent_for(&harness, 1, move |request| elsewhere(request).then(|| refusal(status, "No"))).await;
        assert_eq!(verdicts(&reports), [verdict], "{status}");
        assert!(asked.iter().any(|path| path.contains("principalId%20eq")), "{asked:?}");
    }

    // A lagging Entra replica: it shows the application, but not the application's lists.
    for part in ["/federatedIdentityCredentials", "/owners"] {
        let behind = move |request: &Request| request.api == Api::Graph && request.path.contains(part);
        let (reports, _) =
            bent(&harness, move |request| behind(request).then(|| refusal(404, "Request_ResourceNotFound")))
                .await;
        assert_eq!(verdicts(&reports), all(IsolationVerdict::Inconclusive), "{part}");
    }
}

#[tokio::test]
async fn long_lists_are_read_to_their_end_and_only_on_their_own_host() {
    let harness = active().await;
    let endpoint = object(&harness, SAMPLES[0], ENDPOINT).await;
    let principal = output(&harness, SAMPLES[1], "servicePrincipalObjectId").await;
    add_violation(&harness, &endpoint, SCORER, &principal).await;
    // The first page is empty and has a link to the page with the content.
    let paged = |next: String| {
        move |request: &Request| {
            let first = request.path.contains("/roleAssignments?") && !request.path.contains("&page=2");
            (first && request.api == Api::Arm).then(|| {
                let next = format!("{next}{}&page=2", request.path);
                Reply { status: 200, body: json!({"value": [], "nextLink": next}), ..Reply::default() }
            })
        }
    };
    let (reports, _) = bent(&harness, paged(String::new())).await;
    assert_eq!(reports[0].verdict, IsolationVerdict::Violated, "{reports:#?}");
    let (reports, _) = bent(&harness, paged("https://elsewhere.example".to_owned())).await;
    // The added role is not in the lists that were read, but a call shows that it gives access.
    let only_called =
        [IsolationVerdict::Violated, IsolationVerdict::Inconclusive, IsolationVerdict::Inconclusive];
    assert_eq!(verdicts(&reports), only_called);
    assert_eq!(
        reports[0].findings.iter().map(|one| one.code.as_ref()).collect::<Vec<_>>(),
        ["probe-accepted"]
    );
    // A list that never ends: each page has a link to itself.
    let endless = |request: &Request| {
        let path = request.path.clone();
        path.contains("/roleAssignments?").then(|| Reply {
            status: 200,
            body: json!({"value": [], "nextLink": path}),
            ..Reply::default()
        })
    };
    let (reports, asked) = bent(&harness, endless).await;
    assert_eq!(verdicts(&reports), only_called);
    assert!(asked.len() < 50_000, "{}", asked.len());
}

#[tokio::test]
async fn every_process_continues_where_the_last_one_stopped() {
    let harness = active().await;
    let mut seen = Vec::new();
    for _ in 0..=SAMPLES.len() {
        // Each run uses a new scanner, as in production, where no process is kept between the calls of the timer.
        let scanner = IsolationScanner::new(harness.local.ports.clone(), &Isolation::default());
        let (reports, _) = scanner.run(1).await.unwrap();
        seen.extend(reports.iter().map(|report| report.tenant_id.to_string()));
    }
    assert_eq!(seen, [SAMPLES[0], SAMPLES[1], SAMPLES[2], SAMPLES[0]]);
}

/// The path and the items of the list of federated credentials of a tenant's application.
async fn credentials(harness: &Harness, tenant: &str) -> (String, Vec<Value>) {
    let name = output(harness, tenant, "applicationId").await;
    let application = harness.get(&format!("/v1.0/applications(appId='{name}')")).await;
    let path =
        format!("/v1.0/applications/{}/federatedIdentityCredentials", application["id"].as_str().unwrap());
    let listed = harness.get(&path).await;
    (path, listed["value"].as_array().unwrap().clone())
}

#[tokio::test]
async fn a_request_without_an_answer_is_repeated() {
    let harness = active().await;
    // The first two attempts of each request get a temporary error.
    let asked = Mutex::new(BTreeMap::<String, usize>::new());
    let deaf = move |request: &Request| {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(request.path.clone()).or_default();
        *times += 1;
        match *times {
            1 => Some(refusal(503, "ServiceUnavailable")),
            2 => Some(refusal(429, "TooManyRequests")),
            _ => None,
        }
    };
    let (reports, _) = bent(&harness, deaf).await;
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);
    // A refusal for a missing permission is final: the request is sent once.
    let (reports, paths) = bent(&harness, |request: &Request| {
        request.path.contains("/workspaces/").then(|| refusal(403, "AuthorizationFailed"))
    })
    .await;
    assert!(reports.iter().all(|report| report.verdict == IsolationVerdict::Inconclusive));
    let mut once = paths.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), paths.len(), "{paths:#?}");
}

#[tokio::test]
async fn the_evidence_of_each_tenant_is_kept_in_two_files() {
    let harness = active().await;
    let folder = testkit::folder();
    let evidence = folder.path().join("evidence");
    let (code, _) = verify(&harness, &["--all", "--evidence", evidence.to_str().unwrap()]).await;
    assert_eq!(code, Some(0));
    for sample in SAMPLES {
        let json = std::fs::read(evidence.join(format!("{sample}.json"))).unwrap();
        let report: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&report["tenantId"], &report["probing"]), (&json!(sample), &json!("made")));
        assert!(report["probes"].as_array().unwrap().len() >= 6, "{report:#}");
        for member in ["at", "location", "seed", "digest", "verdict"] {
            assert!(report[member].is_string(), "{member}: {report:#}");
        }
        let page = std::fs::read_to_string(evidence.join(format!("{sample}.html"))).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains("its own token for another service"));
        assert!(
            page.contains(sample) && !SAMPLES.iter().all(|other| page.contains(&format!("<h2>{other}:")))
        );
    }
    assert_eq!(std::fs::read_dir(evidence).unwrap().count(), 2 * SAMPLES.len());
}
