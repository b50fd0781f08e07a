//! The commands that read files, and those that call a running instance.

use std::path::Path;

use serde_json::Value;

use super::program::{Run, local, run, tenantry};
use crate::testkit::{SAMPLES, folder, judge::text, repository, request, until};

/// Runs a command against a running instance.
async fn ask(folder: &Path, base: &str, arguments: &[&str]) -> Run {
    let mut command = tenantry(folder, arguments);
    command.args(["--url", base]);
    run(command).await
}

/// The path of a request in `examples`.
fn file(action: &str, sample: &str) -> String {
    repository().join("examples").join(action).join(format!("{sample}.json")).display().to_string()
}

#[tokio::test]
async fn check_reports_ten_faults_with_line_and_column() {
    let folder = folder();
    let file = repository().join("tests/suite/blueprint_findings/ten-faults.yaml");
    let file = file.to_str().unwrap();
    let run = run(tenantry(folder.path(), &["check", file])).await;
    assert_eq!(run.code, Some(1), "{run:#?}");
    let is_position = |rest: &str| {
        let mut parts = rest.split(':');
        let mut number = || parts.next().is_some_and(|part| part.parse::<usize>().is_ok_and(|n| n > 0));
        number() && number()
    };
    let begin = format!("{file}:");
    let faults = run.out.lines().filter(|line| line.contains(": error[") || line.contains(": warning["));
    let positions =
        faults.filter_map(|line| line.strip_prefix(&begin)).filter(|rest| is_position(rest)).count();
    assert!(positions >= 10, "{}", run.out);
}

#[tokio::test]
async fn plan_prints_every_request_and_writes_no_file() {
    let folder = folder();
    let file = repository().join("examples/signups/contoso.json");
    let run = run(tenantry(folder.path(), &["plan", "--tenant", file.to_str().unwrap()])).await;
    assert_eq!(run.code, Some(0), "{run:#?}");
    for part in
        ["PUT ", "PATCH ", "/onlineEndpoints/", "/privateEndpoints/", "/roleAssignments/", "endpointUrl"]
    {
        assert!(run.out.contains(part), "{part} is missing in {}", run.out);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it needs no state");
}

#[tokio::test]
async fn the_commands_work_with_a_running_instance() {
    let folder = folder();
    let running = local(folder.path()).await;
    let call = async |arguments: &[&str]| ask(folder.path(), &running.base, arguments).await;
    let settled = async |sample: &str, status: &str| {
        until(&format!("{sample} is {status}"), async || {
            let shown = call(&["status", sample, "--json"]).await;
            let tenant: Value = serde_json::from_str(&shown.out).unwrap_or_default();
            if text(&tenant, "/status") == status { Ok(()) } else { Err(tenant) }
        })
        .await;
    };
    let files = SAMPLES.map(|sample| file("signups", sample));
    let submitted = call(&["submit", &files[0], &files[1], &files[2]]).await;
    assert_eq!(submitted.code, Some(0), "{submitted:#?}");
    for sample in SAMPLES {
        assert!(submitted.out.contains(&format!("tenant {sample}")), "{submitted:#?}");
        settled(sample, "active").await;
    }
    let listed = call(&["list"]).await;
    assert!(SAMPLES.iter().all(|sample| listed.out.contains(sample)), "{listed:#?}");
    let history = call(&["history", "contoso"]).await;
    assert_eq!(history.code, Some(0), "{history:#?}");
    assert!(history.out.contains("tenant.provision.succeeded"), "{history:#?}");
    let refused = call(&["retry", "contoso"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.err.contains("nothing_to_retry") || refused.err.contains("nothing is blocked"),
        "{refused:#?}"
    );
    assert_eq!(call(&["status", "nobody"]).await.code, Some(1));
    assert_eq!(call(&["submit", &file("deprovisions", "tailspin")]).await.code, Some(0));
    settled("tailspin", "deleted").await;
}

#[tokio::test]
async fn without_a_running_instance_the_error_says_how_to_start_one() {
    let folder = folder();
    let run = run(tenantry(folder.path(), &["list", "--url", "http://127.0.0.1:9"])).await;
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.err.contains("tenantry local"), "{run:#?}");
}

#[tokio::test]
async fn a_repeated_request_is_reported_as_text_and_by_the_exit_code() {
    let folder = folder();
    let running = local(folder.path()).await;
    let call = async |arguments: &[&str]| ask(folder.path(), &running.base, arguments).await;
    let [signup, suspend, resume] =
        ["signups", "suspensions", "resumptions"].map(|action| file(action, "contoso"));
    for (asked, status) in [(&signup, "active"), (&suspend, "suspended"), (&resume, "active")] {
        let first = call(&["submit", asked]).await;
        assert!(first.code == Some(0) && first.out.contains("accepted"), "{first:#?}");
        until(&format!("contoso is {status}"), async || {
            let shown = call(&["status", "contoso", "--json"]).await;
            let tenant: Value = serde_json::from_str(&shown.out).unwrap_or_default();
            if text(&tenant, "/status") == status { Ok(()) } else { Err(tenant) }
        })
        .await;
        // The tenant is in the requested state.
        let again = call(&["submit", asked]).await;
        assert_eq!(again.code, Some(0), "{again:#?}");
        let outcome = format!("tenant contoso, which is {status} now");
        assert!(again.out.contains("nothing was done") && again.out.contains(&outcome), "{again:#?}");
    }
    // The tenant was resumed, so it is no longer in the state that `suspend` requests.
    let again = call(&["submit", &suspend]).await;
    assert_eq!(again.code, Some(1), "{again:#?}");
    for text in ["nothing was done", "which is active now", "another requestId"] {
        assert!(again.out.contains(text) && !again.out.contains("accepted, "), "{text}: {again:#?}");
    }
    let again = call(&["submit", "--json", &suspend]).await;
    let answer: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(
        answer["replayed"] == true && answer["superseded"] == true && answer["status"] == "active",
        "{answer}"
    );
    // An update that another one superseded: the status `active` does not show which name the tenant has.
    let named = |id: &str, name: &str| {
        let path = folder.path().join(format!("{id}.json"));
        let update = request(id, "update", "contoso", serde_json::json!({"displayName": name}));
        std::fs::write(&path, update.to_string()).unwrap();
        path.display().to_string()
    };
    let (first, second) = (named("first-name", "Contoso One"), named("second-name", "Contoso Two"));
    for (update, code) in [(&first, 0), (&first, 0), (&second, 0), (&second, 0), (&first, 1)] {
        let submitted = call(&["submit", update]).await;
        assert_eq!(submitted.code, Some(code), "{submitted:#?}");
        until("contoso is active", async || {
            let shown = call(&["status", "contoso", "--json"]).await;
            let tenant: Value = serde_json::from_str(&shown.out).unwrap_or_default();
            if text(&tenant, "/status") == "active" { Ok(()) } else { Err(tenant) }
        })
        .await;
    }
    // A file as PowerShell writes it, in UTF-16 with a byte order mark.
    let marked: Vec<u8> = format!("\u{feff}{}", std::fs::read_to_string(&signup).unwrap())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let path = folder.path().join("marked.json");
    std::fs::write(&path, marked).unwrap();
    let again = call(&["submit", path.to_str().unwrap()]).await;
    assert!(again.code == Some(0) && again.out.contains("nothing was done"), "{again:#?}");
}
