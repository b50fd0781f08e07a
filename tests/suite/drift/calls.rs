//! The ways to run a drift scan: the timer function, HTTP, and the command; and the setting that chooses what is
//! corrected.

use reqwest::Method;
use serde_json::{Value, json};
use tenantry::config::Config;
use tenantry_core::drift::DriftClass;

use crate::testkit::{self, harness::Harness, signup};

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

async fn active(samples: &[&str]) -> Harness {
    let harness = Harness::new().await;
    for sample in samples {
        harness.accept(&signup(sample)).await;
    }
    for sample in samples {
        harness.until_is(sample, "active").await;
        // The tenant's last events may still be in its outbox, and until they are published it is not scanned.
        testkit::until("it is at rest", async || {
            let path = format!("/api/tenants/{sample}?view=drift");
            let answer = harness.call(Method::GET, &path, None).await;
            if answer.status == 200 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    }
    harness
}

/// Allows or forbids access with keys to contoso's storage account.
async fn keys(harness: &Harness, open: bool) {
    let objects = harness.objects("contoso").await;
    let account = objects.as_array().unwrap().iter().find(|object| object["kind"] == STORAGE).unwrap();
    let path = format!("{}?api-version=2023-05-01", account["id"].as_str().unwrap());
    let mut body = harness.get(&path).await;
    body["properties"]["allowSharedKeyAccess"] = json!(open);
    let answer = harness.call(Method::PUT, &path, Some(&body)).await;
    assert!(answer.status < 300, "{:#}", answer.body);
}

/// Runs `tenantry drift` against an instance; returns the exit code and the printed lines.
async fn command(url: &str, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.arg("drift").args(arguments).args(["--url", url]).env_clear();
    let output = tokio::time::timeout(testkit::TIMEOUT, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_command_prints_the_drift_and_has_its_exit_code() {
    let harness = active(&["contoso", "tailspin"]).await;
    let (code, lines) = command(&harness.base, &["--all"]).await;
    assert_eq!(code, Some(0), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "2 of 2 tenants match their desired state");
    keys(&harness, true).await;
    let (code, lines) = command(&harness.base, &["contoso"]).await;
    assert_eq!((code, lines[0].as_str()), (Some(1), "contoso  1 drifted"), "{lines:#?}");
    assert_eq!(lines[1], "  isolation: storage /properties/allowSharedKeyAccess");
    assert_eq!(lines[2], "    desired: false  observed: true");
    assert!(lines[3].starts_with("    by "), "{lines:#?}");
    let (code, lines) = command(&harness.base, &["--all", "--json"]).await;
    let reports: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, reports.len()), (Some(1), 2));
    assert_eq!(reports[0]["schema"], "tenantry.drift/1");
    assert_eq!(reports[0]["items"][0]["severity"], "isolation");
    assert_eq!(reports[1]["items"], json!([]));
    assert_eq!(command(&harness.base, &["tailspin"]).await.0, Some(0));
    assert_eq!(command(&harness.base, &["nobody"]).await.0, Some(1));
    assert_eq!(command("http://127.0.0.1:9", &["--all"]).await.0, Some(2));
}

#[tokio::test]
async fn the_function_publishes_drift_and_the_view_shows_it() {
    let harness = active(&["contoso", "tailspin"]).await;
    assert_eq!(harness.tenant("contoso").await["drift"], Value::Null);
    keys(&harness, true).await;
    assert_eq!(harness.run_function("drift", &json!({})).await, 202);
    let events = harness.until_published("contoso", "tenant.drift.detected", 1).await;
    let event = events.iter().find(|event| event["type"] == "io.tenantry.tenant.drift.detected.v1").unwrap();
    assert_eq!(event["data"]["items"][0]["path"], "/properties/allowSharedKeyAccess");
    let tenant = harness.tenant("contoso").await;
    assert_eq!((&tenant["status"], &tenant["drift"]["steps"]), (&json!("active"), &json!(["storage"])));
    keys(&harness, false).await;
    assert_eq!(harness.run_function("drift", &json!({})).await, 202);
    harness.until_published("contoso", "tenant.drift.resolved", 1).await;
    assert_eq!(harness.tenant("contoso").await["drift"], Value::Null);
    let history = harness.get("/api/tenants/contoso?view=history").await;
    let rows = history["history"].as_array().unwrap().iter();
    let drift = rows.filter(|row| row["what"].as_str().unwrap().starts_with("tenant.drift.")).count();
    assert_eq!(drift, 2);
}

#[tokio::test]
async fn a_tenant_that_is_not_at_rest_has_no_report() {
    let harness = active(&["tailspin"]).await;
    let one = harness.call(Method::GET, "/api/tenants/tailspin?view=drift", None).await;
    assert_eq!((one.status, &one.body["items"]), (200, &json!([])));
    harness.accept(&testkit::removal("end", "tailspin")).await;
    harness.until_is("tailspin", "deleted").await;
    let one = harness.call(Method::GET, "/api/tenants/tailspin?view=drift", None).await;
    assert_eq!((one.status, &one.body["title"]), (409, &json!("not at rest")));
    let all = harness.get("/api/tenants?view=drift").await;
    assert_eq!((&all["reports"], &all["notAtRest"]), (&json!([]), &json!(["tailspin"])));
    let missing = harness.call(Method::GET, "/api/tenants/nobody?view=drift", None).await;
    assert_eq!(missing.status, 404);
    let bad = harness.call(Method::GET, "/api/tenants?view=drift&after=NO%20ID", None).await;
    assert_eq!(bad.status, 400);
}

#[test]
fn the_setting_is_a_list_of_classes_and_nothing_else() {
    let read = |value: &str| {
        Config::read(|name| (name == "TENANTRY_HEAL").then(|| value.to_owned())).map(|config| config.heal)
    };
    let all: std::collections::BTreeSet<DriftClass> = DriftClass::ALL.into();
    assert_eq!(read("").unwrap(), [].into(), "report first");
    assert_eq!(read("cosmetic").unwrap(), [DriftClass::Cosmetic].into());
    assert_eq!(read(" isolation , availability,cosmetic,isolation ").unwrap(), all);
    for wrong in ["all", "Isolation", "isolation;cosmetic", "isolation,,cosmetic", "isolation,", "*"] {
        let faults = read(wrong).unwrap_err();
        let fault = faults[0].to_string();
        assert!(faults.len() <= 2 && fault.starts_with("TENANTRY_HEAL: "), "{wrong}: {fault}");
        assert!(fault.ends_with("for example TENANTRY_HEAL=isolation,availability"), "{fault}");
    }
}
