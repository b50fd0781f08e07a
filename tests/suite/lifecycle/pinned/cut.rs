//! How soon a suspension ends a tenant's access, and which blueprints the derived permissions cover.

use super::*;

#[tokio::test]
async fn a_suspension_disables_the_principal_and_says_when_access_was_cut() {
    let deployment = Deployment::new().await;
    let tenant = deployment.signed_up(&[DEFAULT], "contoso").await;
    let principal = tenant.exports["servicePrincipalObjectId"].as_str().unwrap().to_owned();
    let url = format!("{}/v1.0/servicePrincipals/{principal}", deployment.fixture.base());
    let enabled = async || -> Value {
        let shown: Value = crate::testkit::get(&url).await.unwrap().json().await.unwrap();
        shown["accountEnabled"].clone()
    };
    assert_eq!(enabled().await, true);
    let intake = deployment.intake(&[], &[]);
    let mut dry = billing("s-0", "contoso");
    dry["dryRun"] = true.into();
    let planned = ask(&intake, &dry).await.plan.unwrap();
    assert_eq!(planned["steps"]["service_principal"]["fields"]["body"]["accountEnabled"], false);

    let asked_at = deployment.fixture.ports.clock.now();
    let suspended = deployment.done(&intake, &billing("s", "contoso")).await;
    assert_eq!((suspended.status, enabled().await), (Status::Suspended, json!(false)));
    let cut = suspended.cut.clone().unwrap();
    let names: Vec<&str> = cut.steps.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["scorer", "service_principal"]);
    let reported = deployment.reported("tenant.suspend.succeeded");
    let took = reported[0]["data"]["accessCutMs"].as_i64().unwrap();
    assert_eq!(i128::from(took), cut.at.unwrap().duration_since(asked_at).as_millis());
    // The suspension takes longer than that: the isolation check, for example, follows.
    assert!(took <= reported[0]["data"]["durationMs"].as_i64().unwrap(), "{:#}", reported[0]);

    let resumed = deployment.done(&intake, &request("r", "resume", "contoso", json!({}))).await;
    assert_eq!((resumed.status, resumed.cut, enabled().await), (Status::Active, None, json!(true)));
    assert_eq!(deployment.reported("tenant.resume.succeeded")[0]["data"].get("accessCutMs"), None);
}

#[tokio::test]
async fn access_counts_as_cut_after_the_last_access_step() {
    let deployment = Deployment::new().await;
    deployment.signed_up(&[DEFAULT], "tailspin").await;
    let intake = deployment.intake(&[DEFAULT], &[local_stamp()]);
    assert_eq!(ask(&intake, &billing("s", "tailspin")).await.decision, IntakeDecision::Accepted);
    let cut = deployment.tenant("tailspin").await.cut.unwrap();
    assert_eq!(cut.at, None, "nothing has been done yet");
    // The suspension is superseded before it has changed anything: access was never cut, so the event has no
    // `accessCutMs`.
    let resumed = deployment.done(&intake, &request("r", "resume", "tailspin", json!({}))).await;
    assert_eq!((resumed.status, resumed.cut.as_ref()), (Status::Active, None));
    let reported = deployment.reported("tenant.suspend.succeeded");
    assert_eq!((reported.len(), reported[0]["data"].get("accessCutMs")), (1, None));
    assert!(resumed.steps().values().all(|record| record.state.is_ready()));
}

#[tokio::test]
async fn a_running_instance_lists_the_blueprints_its_permissions_are_derived_from() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let vault = "\n  vault:\n    kind: arm\n    type: Microsoft.KeyVault/vaults\n    in: group\n    body:\n      properties:\n        \
                 tenantId: \"{{ stamp.directoryId }}\"\n        sku: { family: A, name: standard }\n        \
                 enableRbacAuthorization: true\n        publicNetworkAccess: Disabled\n";
    let with_vault = changed(&hello, &[("\n  # The last step", &format!("{vault}\n  # The last step"))]);
    let harness = Harness::with(Speed::Max, &[&with_vault]).await;
    let mut signup = signup("tailspin");
    signup["spec"]["parameters"] = json!({});
    harness.accept(&signup).await;
    harness.until_is("tailspin", "active").await;
    // Version 2.0.0 has no vault, and the folder now has only that version.
    let without = changed(&hello, &[("version: 1.0.0", "version: 2.0.0")]);
    let harness = harness.again(&[&without]).await;
    let listed = harness.get("/api/tenants?view=blueprints").await["blueprints"].clone();
    let seen: Vec<(&Value, &Value, &Value)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["version"], &one["offered"], &one["tenants"]))
        .collect();
    assert_eq!(
        seen,
        [(&json!("1.0.0"), &json!(false), &json!(1)), (&json!("2.0.0"), &json!(true), &json!(0))]
    );
    assert_eq!(listed[0]["source"], json!(with_vault));
    let printed = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command.arg("permissions").args(arguments).env_clear().stdin(Stdio::null());
        let ended = command.output().await.unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    };
    let deletes = "Microsoft.KeyVault/vaults/delete";
    let text = printed(&["--url", &harness.base]).await;
    assert!(text.contains("hello 1.0.0, hello 2.0.0") && text.contains(deletes), "{text}");
    let folder = crate::testkit::folder();
    let file = folder.path().join("hello.yaml");
    std::fs::write(&file, &without).unwrap();
    assert!(!printed(&[file.to_str().unwrap()]).await.contains(deletes));
    // The tenant is updated to version 2.0.0; then the permission that only version 1.0.0 needs is no longer derived.
    let chosen = json!({"blueprint": {"name": "hello", "version": "2.0.0"}});
    harness.accept(&request("m", "update", "tailspin", chosen)).await;
    let events = harness.until_published("tailspin", "tenant.update.succeeded", 1).await;
    assert!(!harness.objects("tailspin").await.to_string().contains("Microsoft.KeyVault"), "{events:#?}");
    let listed = harness.get("/api/tenants?view=blueprints").await["blueprints"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
}
