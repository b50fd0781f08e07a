//! The package that is deployed, unpacked into an empty folder and started there as the Functions host starts it.
//!
//! Ignored by default, because these tests need a package: `cargo xtask package --check` builds one and runs them.

#![cfg(unix)]

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

use crate::production::deployment::{Settings, TestDeployment};
use crate::testkit::{
    folder,
    judge::{check_event_sequence, nothing_was_made_twice},
    payloads,
};

/// The path that `cargo xtask package --check` passes in the variable `TENANTRY_TEST_` plus `name`.
#[expect(clippy::disallowed_methods, reason = "it holds where the package is")]
fn given(name: &str) -> PathBuf {
    let path = std::env::var(format!("TENANTRY_TEST_{name}"));
    path.unwrap_or_else(|_| {
        panic!("run these tests with `cargo xtask package --check`, which sets TENANTRY_TEST_{name}")
    })
    .into()
}

/// The folder into which the package was unpacked.
fn unpacked() -> PathBuf {
    given("PACKAGE")
}

async fn deployment() -> TestDeployment {
    TestDeployment::new(Settings { package: Some(unpacked()), ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a package: `cargo xtask package --check` makes one"]
async fn the_package_provisions_and_removes_a_tenant() {
    let (deployment, names) = (deployment().await, ["tenant-00".to_owned()]);
    deployment.sign_up(&names).await;
    deployment.until_status(&names[0], "active").await;
    check_event_sequence(
        &names[0],
        &deployment.until_published(&names[0], "tenant.provision.succeeded").await,
    );
    deployment.remove(&names).await;
    deployment.until_published(&names[0], "tenant.deprovision.succeeded").await;
    nothing_was_made_twice(&deployment.sim("journal").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a package: `cargo xtask package --check` makes one"]
async fn the_package_answers_every_payload() {
    payloads::all_are_answered(deployment().await.handler_url().port().unwrap()).await;
}

#[test]
#[ignore = "needs a package: `cargo xtask package --check` makes one"]
fn the_bill_of_materials_conforms_to_cyclonedx() {
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    // CycloneDX's official schemas, as its Python library contains them.
    let schema = |name: &str| read(given("SCHEMAS").join(format!("{name}.SNAPSHOT.schema.json")));
    let mut known = jsonschema::Registry::new();
    for name in ["spdx", "jsf-0.82"] {
        let address = format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json");
        known = known.add(address, schema(name)).unwrap();
    }
    let known = known.prepare().unwrap();
    let validator = jsonschema::options().with_registry(&known).build(&schema("bom-1.6")).unwrap();
    let mut bill = read(given("BILL"));
    let faults: Vec<String> =
        validator.iter_errors(&bill).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    bill["components"][0]["type"] = "gadget".into();
    assert!(!validator.is_valid(&bill), "the validator accepts an unknown type");
}

/// Runs the package's program in an empty folder, without any settings.
fn run(arguments: &[&str]) -> Output {
    let folder = folder();
    let mut program = Command::new(unpacked().join("tenantry"));
    program.args(arguments).current_dir(folder.path()).env_clear().output().unwrap()
}

#[test]
#[ignore = "needs a package: `cargo xtask package --check` makes one"]
fn the_package_has_no_local_environment_and_prints_what_to_do() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    let commands: Vec<&str> = help.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"serve") && commands.contains(&"permissions"), "{help}");
    assert!(!commands.contains(&"local") && !commands.contains(&"cloud"), "{help}");
    assert_eq!(run(&["local"]).status.code(), Some(2));
    let served = run(&["serve"]);
    let said = String::from_utf8(served.stderr).unwrap();
    assert_eq!(served.status.code(), Some(2), "{said}");
    assert!(said.contains("TENANTRY_ENVIRONMENT=azure") && said.contains("docs/operating.md"), "{said}");
}
