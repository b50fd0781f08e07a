//! What several tests use: examples, folders, waiting, fault injection, and checks of journals and events.

#![allow(dead_code, reason = "each test takes its part")]

pub(crate) mod fixture;
pub(crate) mod harness;
pub(crate) mod injector;
pub(crate) mod judge;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod moody;
pub(crate) mod over;
pub(crate) mod payloads;
pub(crate) mod rng;

use std::{path::PathBuf, time::Duration};

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::ports::{Clock as _, SystemClock};
use tenantry_core::{
    blueprint::{Desired, IsolationProof, Kind, Plan},
    tenant::{FailureClass, Tenant},
};

/// The longest time that a test waits for something.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(180);

/// Whether this is a thorough run, as each night (`cargo xtask test --thorough`). Other runs are part of checking a
/// change, so they inject faults at fewer points.
#[expect(clippy::disallowed_methods, reason = "the caller of the tests sets it")]
pub(crate) fn thorough() -> bool {
    std::env::var_os("TENANTRY_TEST_THOROUGH").is_some()
}

/// The tenants in `examples/signups`.
pub(crate) const SAMPLES: [&str; 3] = ["contoso", "fabrikam", "tailspin"];

/// A tenant whose stored document was edited, so that it has content which the program itself does not write.
pub(crate) fn edited(tenant: &Tenant, edit: impl FnOnce(&mut Value)) -> Tenant {
    let mut document = serde_json::from_str(&tenant.to_json().unwrap()).unwrap();
    edit(&mut document);
    Tenant::from_json(document.to_string().as_bytes()).unwrap()
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The content of an example, by its path below `examples/`.
pub(crate) fn example(path: &str) -> Value {
    let file = repository().join("examples").join(path);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

pub(crate) fn signup(tenant: &str) -> Value {
    example(&format!("signups/{tenant}.json"))
}

/// A request about a tenant, as a signup app sends it.
#[expect(clippy::needless_pass_by_value, reason = "a spec is written where it is used")]
pub(crate) fn request(id: &str, action: &str, tenant: &str, spec: Value) -> Value {
    json!({
        "schema": "tenantry.request/1", "requestId": id, "action": action, "tenantId": tenant, "spec": spec,
    })
}

pub(crate) fn removal(id: &str, tenant: &str) -> Value {
    request(id, "deprovision", tenant, json!({"reason": "contract ended", "gracePeriod": "PT0S"}))
}

/// An HTTP client with default settings.
pub(crate) fn client() -> reqwest::Client {
    tenantry::azure::client::builder().build().unwrap()
}

/// Sends a GET.
pub(crate) async fn get(url: impl reqwest::IntoUrl) -> reqwest::Result<reqwest::Response> {
    client().get(url).send().await
}

/// A new folder, in memory if the machine has `/dev/shm`, because most tests do not depend on durability.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Waits a moment before something that changes by itself is read again.
pub(crate) async fn a_moment() {
    SystemClock.sleep_until(SystemClock.now() + Duration::from_millis(15)).await;
}

/// Calls `read` until it returns `Ok`, at most for [`TIMEOUT`]. The `Err` is the state so far, for the message of a
/// failure.
pub(crate) async fn until<T, F: Future<Output = Result<T, Value>>>(
    what: &str,
    mut read: impl FnMut() -> F,
) -> T {
    let deadline = SystemClock.now() + TIMEOUT;
    loop {
        match read().await {
            Ok(found) => return found,
            Err(so_far) if SystemClock.now() > deadline => panic!("never happened: {what}\n{so_far:#}"),
            Err(_) => a_moment().await,
        }
    }
}

/// The same tenant three times, for a check of several tenants. Its isolation is checked by configuration only: a
/// call with its own token in the name of another tenant would succeed, and rightly.
pub(crate) fn as_three(mut tenant: Tenant) -> Vec<Tenant> {
    let mut plan = Plan::clone(&tenant.plan);
    let proofs = plan.steps.values_mut().filter(|step| step.kind() == Kind::Isolation);
    proofs.for_each(|step| step.desired = Desired::Isolation(IsolationProof::default()));
    tenant.plan = plan.into();
    vec![tenant; 3]
}

/// Every failure class. If a class is added, `class_name` in tests/suite/documentation no longer compiles.
pub(crate) const CLASSES: [FailureClass; 13] = [
    FailureClass::Transient,
    FailureClass::Throttled,
    FailureClass::Ambiguous,
    FailureClass::ReplicationLag,
    FailureClass::Wait,
    FailureClass::NeedsProvider,
    FailureClass::NameHeld,
    FailureClass::Foreign,
    FailureClass::Quota,
    FailureClass::Denied,
    FailureClass::Unknown,
    FailureClass::NeedsConsent,
    FailureClass::Permanent,
];

/// The configuration of a property test with this many cases. The cases are the same in every run, so a test fails
/// only because of a change of the code. `PROPTEST_RNG_SEED` draws other cases.
pub(crate) fn same_cases(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed = match usual.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig { cases, failure_persistence: None, rng_seed, ..usual }
}
