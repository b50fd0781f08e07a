//! `verify` from end to end: tenants in the simulated Azure, evidence over HTTP, reports, exit codes, history.

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
    ports::{Listed, Wire, World},
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
use crate::testkit::{SAMPLES, judge::types, lab::Jumping, signup, stage::Stage};

/// The samples, all active: one dedicated tenant at least, and one pooled.
async fn active() -> Stage {
    let stage = Stage::new().await;
    for sample in SAMPLES {
        stage.accept(&signup(sample)).await;
    }
    for sample in SAMPLES {
        stage.until_is(sample, "active").await;
    }
    stage
}

/// `tenantry verify` against a stage: its exit code, and its lines of JSON.
async fn verify(stage: &Stage, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.arg("verify").args(arguments).args(["--json", "--url", &stage.base]).env_clear();
    let output = tokio::time::timeout(testkit::PATIENCE, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// What a step of a tenant told, e.g. its id.
async fn output(stage: &Stage, tenant: &str, export: &str) -> String {
    stage.tenant(tenant).await["outputs"][export].as_str().unwrap().to_owned()
}

/// The id of the one object of a tenant with this type.
async fn object(stage: &Stage, tenant: &str, kind: &str) -> String {
    let objects = stage.objects(tenant).await;
    let of_kind = objects.as_array().unwrap().iter().find(|object| object["kind"] == kind);
    of_kind.unwrap_or_else(|| panic!("{objects:#}"))["id"].as_str().unwrap().to_owned()
}

const ENDPOINT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
const SCORER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/providers/Microsoft.Authorization/roleDefinitions/5c0e0000-0000-4000-8000-00000000c0de";
const OWNER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

async fn plant(stage: &Stage, scope: &str, role: &str, principal: &str) {
    let path = format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000f1?api-version=2022-04-01"
    );
    let body = json!({"properties": {
        "roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal",
    }});
    let answer = stage.call(reqwest::Method::PUT, &path, Some(&body)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
}

#[tokio::test]
async fn what_tenantry_makes_is_verified_and_what_is_planted_is_found() {
    let stage = active().await;
    let (code, lines) = verify(&stage, &["--all"]).await;
    assert_eq!(code, Some(0), "{lines:#?}");
    let seen: Vec<&str> = lines.iter().map(|line| line["tenantId"].as_str().unwrap()).collect();
    assert_eq!(seen, SAMPLES);
    assert!(lines.iter().all(|line| line["verdict"] == "verified"), "{lines:#?}");

    // One tenant's principal gets into another one's endpoint.
    let endpoint = object(&stage, SAMPLES[0], ENDPOINT).await;
    let principal = output(&stage, SAMPLES[1], "servicePrincipalObjectId").await;
    plant(&stage, &endpoint, SCORER, &principal).await;
    let (code, lines) = verify(&stage, &["--all"]).await;
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
    let (code, lines) = verify(&stage, &[SAMPLES[2]]).await;
    assert_eq!((code, lines.len()), (Some(0), 1));
    let (code, _) = verify(&stage, &["nobody"]).await;
    assert_eq!(code, Some(1));
}

#[tokio::test]
async fn a_role_inherited_from_the_subscription_is_found_at_every_other_tenant() {
    let stage = active().await;
    let principal = output(&stage, SAMPLES[0], "servicePrincipalObjectId").await;
    plant(&stage, "/subscriptions/00000000-0000-0000-0000-00000000a001", OWNER, &principal).await;
    let (code, lines) = verify(&stage, &["--all"]).await;
    assert_eq!(code, Some(1));
    let codes: Vec<&str> = lines.iter().map(|line| line["findings"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["reaches-beyond", "other-tenant-can-reach", "other-tenant-can-reach"]);
    assert_eq!(lines[1]["findings"][0]["can"].as_array().unwrap().len(), 7, "an owner can do everything");
}

#[tokio::test]
async fn the_timer_records_verdicts_when_they_change() {
    let stage = active().await;
    let told = async || {
        let history = stage.get(&format!("/api/tenants/{}?view=history", SAMPLES[0])).await;
        let rows = history["history"].as_array().unwrap().iter().rev();
        let told = rows.filter_map(|row| {
            let verdict = row["what"].as_str()?.strip_prefix("tenant.isolation.")?;
            Some(format!("{verdict} {}", row["cause"]["message"].as_str().unwrap_or_default()))
        });
        told.collect::<Vec<_>>()
    };
    let until = async |states: &[&str]| {
        testkit::until("the verdicts are in history", async || {
            assert_eq!(stage.run_function("audit", &json!({})).await, 202);
            let told = told().await;
            // A look that was under way while the role was planted may have seen it by a call alone.
            let ends = |all: &[String]| (all.first().cloned(), all.last().cloned());
            let wanted: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
            if ends(&told) == ends(&wanted) { Ok(()) } else { Err(json!(told)) }
        })
        .await;
    };
    // The first one is the sign-up's own; to look again and see the same is no news.
    until(&["verified "]).await;
    assert_eq!(stage.tenant(SAMPLES[0]).await["isolation"]["verdict"], "verified");
    let endpoint = object(&stage, SAMPLES[0], ENDPOINT).await;
    let principal = output(&stage, SAMPLES[1], "servicePrincipalObjectId").await;
    plant(&stage, &endpoint, SCORER, &principal).await;
    until(&["verified ", "violated other-tenant-can-reach; probe-accepted"]).await;
    let tenant = stage.tenant(SAMPLES[0]).await;
    assert_eq!((&tenant["status"], &tenant["halted"]), (&json!("active"), &Value::Null));
    assert_eq!(tenant["isolation"]["reasons"], json!(["other-tenant-can-reach", "probe-accepted"]));
}

/// A wire that answers some questions otherwise than Azure does.
struct Bent<F> {
    inner: Arc<dyn Wire>,
    bend: F,
    asked: Mutex<Vec<String>>,
}

impl<F: Fn(&Request) -> Option<Reply> + Send + Sync> Wire for Bent<F> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        assert_eq!(request.method, Method::Get, "a proof only reads");
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

/// The reports on all tenants over a bent wire, and what was asked.
async fn bent(
    stage: &Stage,
    bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> (Vec<IsolationReport>, Vec<String>) {
    bent_for(stage, 100, bend).await
}

/// The same for the first tenants only: few are looked at each by itself.
async fn bent_for(
    stage: &Stage,
    most: usize,
    bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> (Vec<IsolationReport>, Vec<String>) {
    let inner = Arc::clone(&stage.local.world.wire);
    let wire = Arc::new(Bent { inner, bend, asked: Mutex::new(Vec::new()) });
    // Nobody waits before asking again.
    let clock = Jumping::new();
    let world = World { wire: Arc::clone(&wire) as Arc<dyn Wire>, clock, ..stage.local.world.clone() };
    let (tenants, _) = Listed::sorted_out(world.store.list(None, most).await.unwrap());
    let reports = IsolationScanner::new(world, &Isolation::default()).verify(&tenants).await;
    let asked = wire.asked.lock().unwrap().clone();
    (reports, asked)
}

fn verdicts(reports: &[IsolationReport]) -> Vec<IsolationVerdict> {
    reports.iter().map(|report| report.verdict).collect()
}

#[tokio::test]
async fn what_is_refused_or_cut_short_is_never_taken_for_proof() {
    let stage = active().await;
    let all = |verdict| vec![verdict; SAMPLES.len()];
    let (reports, asked) = bent(&stage, |_| None).await;
    assert_eq!(verdicts(&reports), all(IsolationVerdict::Verified));
    let definitions = asked.iter().filter(|path| path.contains("/roleDefinitions")).count();
    assert_eq!(definitions, 1, "the definitions are read once for all tenants");

    // No right to list at the subscription: each resource's own list shows the same.
    let at_subscription = |request: &Request| {
        request.path.matches('/').count() == 5 && request.path.contains("/roleAssignments?")
    };
    let (reports, _) =
        bent(&stage, move |request| at_subscription(request).then(|| refusal(403, "AuthorizationFailed")))
            .await;
    assert_eq!(verdicts(&reports), all(IsolationVerdict::Verified), "{reports:#?}");

    for part in ["/roleAssignments?", "onlineEndpoints/", "/owners", "/applications("] {
        for status in [403, 429, 500] {
            let (reports, _) =
                bent(&stage, move |request| request.path.contains(part).then(|| refusal(status, "No"))).await;
            assert_eq!(verdicts(&reports), all(IsolationVerdict::Inconclusive), "{part} {status}");
        }
    }

    // What a tenant's own principals hold elsewhere: nothing is said where nobody may read it, but an answer may come yet.
    for (status, verdict) in [
        (403, IsolationVerdict::Verified),
        (429, IsolationVerdict::Inconclusive),
        (500, IsolationVerdict::Inconclusive),
    ] {
        let elsewhere = |request: &Request| request.path.contains("principalId%20eq");
        let (reports, asked) =
            bent_for(&stage, 1, move |request| elsewhere(request).then(|| refusal(status, "No"))).await;
        assert_eq!(verdicts(&reports), [verdict], "{status}");
        assert!(asked.iter().any(|path| path.contains("principalId%20eq")), "{asked:?}");
    }

    // A replica of Entra's that is behind: the application is there, and lists of it are not.
    for part in ["/federatedIdentityCredentials", "/owners"] {
        let behind = move |request: &Request| request.api == Api::Graph && request.path.contains(part);
        let (reports, _) =
            bent(&stage, move |request| behind(request).then(|| refusal(404, "Request_ResourceNotFound")))
                .await;
        assert_eq!(verdicts(&reports), all(IsolationVerdict::Inconclusive), "{part}");
    }
}

#[tokio::test]
async fn long_lists_are_read_to_their_end_and_only_on_their_own_host() {
    let stage = active().await;
    let endpoint = object(&stage, SAMPLES[0], ENDPOINT).await;
    let principal = output(&stage, SAMPLES[1], "servicePrincipalObjectId").await;
    plant(&stage, &endpoint, SCORER, &principal).await;
    // The first page is empty and points at the real one.
    let paged = |next: String| {
        move |request: &Request| {
            let first = request.path.contains("/roleAssignments?") && !request.path.contains("&page=2");
            (first && request.api == Api::Arm).then(|| {
                let next = format!("{next}{}&page=2", request.path);
                Reply { status: 200, body: json!({"value": [], "nextLink": next}), ..Reply::default() }
            })
        }
    };
    let (reports, _) = bent(&stage, paged(String::new())).await;
    assert_eq!(reports[0].verdict, IsolationVerdict::Violated, "{reports:#?}");
    let (reports, _) = bent(&stage, paged("https://elsewhere.example".to_owned())).await;
    // What the lists hide a call has shown: the planted role lets in.
    let only_called =
        [IsolationVerdict::Violated, IsolationVerdict::Inconclusive, IsolationVerdict::Inconclusive];
    assert_eq!(verdicts(&reports), only_called);
    assert_eq!(
        reports[0].findings.iter().map(|one| one.code.as_ref()).collect::<Vec<_>>(),
        ["probe-accepted"]
    );
    // A list without end.
    let endless = |request: &Request| {
        let path = request.path.clone();
        path.contains("/roleAssignments?").then(|| Reply {
            status: 200,
            body: json!({"value": [], "nextLink": path}),
            ..Reply::default()
        })
    };
    let (reports, asked) = bent(&stage, endless).await;
    assert_eq!(verdicts(&reports), only_called);
    assert!(asked.len() < 50_000, "{}", asked.len());
}

#[tokio::test]
async fn every_process_goes_on_where_the_last_one_stopped() {
    let stage = active().await;
    let mut seen = Vec::new();
    for _ in 0..=SAMPLES.len() {
        // Each run is another process's, as it is where nothing lives from one tick to the next.
        let scanner = IsolationScanner::new(stage.local.world.clone(), &Isolation::default());
        let (reports, _) = scanner.run(1).await.unwrap();
        seen.extend(reports.iter().map(|report| report.tenant_id.to_string()));
    }
    assert_eq!(seen, [SAMPLES[0], SAMPLES[1], SAMPLES[2], SAMPLES[0]]);
}

/// The federated credentials of a tenant's application.
async fn credentials(stage: &Stage, tenant: &str) -> (String, Vec<Value>) {
    let name = output(stage, tenant, "applicationId").await;
    let application = stage.get(&format!("/v1.0/applications(appId='{name}')")).await;
    let path =
        format!("/v1.0/applications/{}/federatedIdentityCredentials", application["id"].as_str().unwrap());
    let listed = stage.get(&path).await;
    (path, listed["value"].as_array().unwrap().clone())
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_again() {
    let stage = active().await;
    // The first two times each question gets no answer that says anything.
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
    let (reports, _) = bent(&stage, deaf).await;
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);
    // What is refused stays refused, and is asked once.
    let (reports, paths) = bent(&stage, |request: &Request| {
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
    let stage = active().await;
    let folder = testkit::folder();
    let evidence = folder.path().join("evidence");
    let (code, _) = verify(&stage, &["--all", "--evidence", evidence.to_str().unwrap()]).await;
    assert_eq!(code, Some(0));
    for sample in SAMPLES {
        let json = std::fs::read(evidence.join(format!("{sample}.json"))).unwrap();
        let report: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&report["tenantId"], &report["probing"]), (&json!(sample), &json!("made")));
        assert!(report["probes"].as_array().unwrap().len() >= 6, "{report:#}");
        for member in ["at", "place", "seed", "digest", "verdict"] {
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
