//! The remedies that commands print work: each printed command is run as it is.

use super::*;

/// Runs a printed command against a harness. Returns the exit code and the output.
async fn run_printed(harness: &Harness, command: &str) -> (Option<i32>, String) {
    let mut arguments = command.split_whitespace();
    assert_eq!(arguments.next(), Some("tenantry"), "{command}");
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
    program.args(arguments).args(["--url", &harness.base]).env_clear();
    let output = tokio::time::timeout(testkit::TIMEOUT, program.output()).await.unwrap().unwrap();
    let out = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), out)
}

/// The commands in a text: what stands between backticks and starts with the program's name.
fn printed_commands(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| quoted.starts_with("tenantry ")).map(str::to_owned).collect()
}

/// Sets a value of contoso's object of this kind, as a person does by hand.
async fn spoil(harness: &Harness, kind: &str, version: &str, pointer: &str, value: &Value) {
    let url = format!("{}?api-version={version}", object(harness, "contoso", kind).await);
    let mut body = harness.get(&url).await;
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap_or_else(|| panic!("{url}"))[name] = value.clone();
    let answer = harness.call(reqwest::Method::PUT, &url, Some(&body)).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

const STORAGE: &str = "Microsoft.Storage/storageAccounts";
const VAULT: &str = "Microsoft.KeyVault/vaults";
const WORKSPACE: &str = "Microsoft.MachineLearningServices/workspaces";

/// The command that `tenantry verify` and `tenantry drift` print makes the tenant verified again.
#[tokio::test]
async fn the_printed_remedy_makes_the_tenant_verified_again() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let versions = [(STORAGE, "2023-05-01"), (VAULT, "2023-07-01"), (WORKSPACE, "2024-10-01")];
    let version = |kind: &str| versions.iter().find(|(of, _)| *of == kind).unwrap().1;
    for (kind, pointer, value, code) in [
        (STORAGE, "/properties/publicNetworkAccess", json!("Enabled"), "storage-public"),
        (STORAGE, "/properties/allowSharedKeyAccess", json!(true), "storage-keys"),
        (STORAGE, "/properties/allowBlobPublicAccess", json!(true), "storage-anonymous"),
        (VAULT, "/properties/publicNetworkAccess", json!("Enabled"), "vault-public"),
        (WORKSPACE, "/properties/publicNetworkAccess", json!("Enabled"), "workspace-public"),
    ] {
        for from in ["verify", "drift"] {
            spoil(&harness, kind, version(kind), pointer, &value).await;
            let (exit, printed) = run_printed(&harness, &format!("tenantry {from} contoso")).await;
            assert_eq!(exit, Some(1), "{code}, {from}: {printed}");
            assert!(from == "drift" || printed.contains(code), "{code}: {printed}");
            let next: Vec<&str> = printed.lines().filter(|line| line.trim().starts_with("next: ")).collect();
            let mut commands: Vec<String> = next.iter().flat_map(|line| printed_commands(line)).collect();
            commands.dedup();
            assert_eq!(commands, ["tenantry reconcile contoso"], "{code}, {from}: {printed}");
            let (exit, said) = run_printed(&harness, &commands[0]).await;
            assert_eq!(exit, Some(0), "{code}, {from}: {said}");
            assert!(said.contains(pointer), "{code}, {from}: the output names what was changed: {said}");
            let (exit, printed) = run_printed(&harness, "tenantry verify contoso").await;
            assert_eq!(exit, Some(0), "{code}, {from}: {printed}");
            let (exit, printed) = run_printed(&harness, "tenantry drift contoso").await;
            assert_eq!(exit, Some(0), "{code}, {from}: {printed}");
        }
    }
    let (exit, said) = run_printed(&harness, "tenantry reconcile contoso").await;
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("nothing differed"), "{said}");
    let (exit, said) = run_printed(&harness, "tenantry retry contoso").await;
    assert_eq!(exit, Some(1), "{said}");
    let commands = printed_commands(&said);
    assert!(!commands.is_empty() && commands.iter().all(|one| one == "tenantry reconcile contoso"), "{said}");
}

/// The command that `tenantry verify` prints also recreates an object that was deleted by hand.
#[tokio::test]
async fn the_printed_remedy_recreates_what_was_deleted_by_hand() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let insights = object(&harness, "contoso", "Microsoft.Insights/components").await;
    let deleted =
        harness.call(reqwest::Method::DELETE, &format!("{insights}?api-version=2020-02-02"), None).await;
    assert!((200..300).contains(&deleted.status), "{deleted:?}");
    let (_, printed) = run_printed(&harness, "tenantry drift contoso").await;
    let commands = printed_commands(&printed);
    assert_eq!(commands, ["tenantry reconcile contoso"], "{printed}");
    let (exit, said) = run_printed(&harness, &commands[0]).await;
    assert_eq!((exit, said.contains("absent")), (Some(0), true), "{said}");
    assert_eq!(run_printed(&harness, "tenantry drift contoso").await.0, Some(0));
}

/// `tenantry list` and `tenantry status` show the last verdict, and what to do about a violation.
#[tokio::test]
async fn list_and_status_show_a_violation_and_what_to_do_about_it() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let (_, listed) = run_printed(&harness, "tenantry list").await;
    assert!(listed.contains("verified"), "{listed}");
    spoil(&harness, STORAGE, "2023-05-01", "/properties/publicNetworkAccess", &json!("Enabled")).await;
    assert_eq!(harness.run_function("audit", &json!({})).await, 202);
    testkit::until("the document shows it", async || {
        let tenant = harness.tenant("contoso").await;
        if tenant["isolation"]["verdict"] == "violated" { Ok(()) } else { Err(tenant) }
    })
    .await;
    let (_, listed) = run_printed(&harness, "tenantry list").await;
    assert!(listed.contains("violated"), "{listed}");
    let (_, status) = run_printed(&harness, "tenantry status contoso").await;
    assert!(status.contains("violated") && status.contains("storage-public"), "{status}");
    assert!(status.contains("tenantry verify contoso"), "{status}");
}
