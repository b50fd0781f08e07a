//! Drift from end to end: changes made outside tenantry in the simulated Azure are found, classified, reported once,
//! and corrected where a setting says so.

mod calls;
mod classes;
mod harness;
mod healing;
mod reporting;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_core::drift::DriftClass;

use harness::{DriftHarness, MALLORY, short};

/// A change of one step's object from outside.
pub(crate) enum Mutation {
    /// Sets a value at a pointer; `null` removes it.
    Change(&'static str, Value),
    /// Deletes the object.
    Delete,
}

/// Step, mutation, and the item that follows: its path (`None` for the resource's id) and severity.
pub(crate) type Row = (&'static str, Mutation, Option<&'static str>, DriftClass);

pub(crate) fn rows() -> Vec<Row> {
    use DriftClass::{Availability, Cosmetic, Isolation};
    use Mutation::{Change, Delete};
    let change = |step, at, value, class| (step, Change(at, value), Some(at), class);
    vec![
        change("endpoint", "/properties/publicNetworkAccess", json!("Enabled"), Isolation),
        change("workspace", "/properties/publicNetworkAccess", json!("Enabled"), Isolation),
        change("storage", "/properties/allowSharedKeyAccess", json!(true), Isolation),
        change("storage", "/properties/allowBlobPublicAccess", json!(true), Isolation),
        change("storage", "/properties/minimumTlsVersion", json!("TLS1_0"), Isolation),
        change("vault", "/properties/enableRbacAuthorization", json!(false), Isolation),
        change("application", "/web/redirectUris", json!(["https://evil.example/"]), Isolation),
        change("federated_credential", "/subject", json!("somebody-else"), Isolation),
        change("application", "/displayName", json!("Evil Corp"), Cosmetic),
        change("workspace", "/properties/friendlyName", json!("Evil"), Cosmetic),
        change("storage", "/tags/costcentre", json!("1"), Cosmetic),
        change("vault", "/tags/costcentre", Value::Null, Cosmetic),
        change("service_principal", "/accountEnabled", json!(false), Availability),
        change("traffic", "/properties/traffic", json!({}), Availability),
        ("storage", Change("/tags/tenantry-tenant", json!("fabrikam")), Some("/tags"), Isolation),
        ("scorer", Delete, None, Isolation),
        ("data_reader", Delete, None, Isolation),
        ("federated_credential", Delete, None, Isolation),
        ("service_principal", Delete, None, Isolation),
        ("insights", Delete, None, Availability),
    ]
}

#[tokio::test]
async fn every_change_is_found_and_classified_and_its_author_named() {
    for (step, mutation, path, class) in rows() {
        let harness = DriftHarness::new(&["contoso"]).await;
        assert!(harness.scan("contoso").await.is_clean());
        let what = harness.mutate(step, &mutation).await;
        let report = harness.scan("contoso").await;
        let found: Vec<_> = report.items.iter().map(short).collect();
        assert!(report.unread.is_empty(), "{what}: {:?}", report.unread);
        let item = report.items.iter().find(|item| item.step.as_str() == step);
        let item = item.unwrap_or_else(|| panic!("{what}: {found:?}"));
        assert_eq!((item.path.as_str(), item.severity), (path.unwrap_or(&item.resource), class), "{what}");
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        if item.resource.starts_with("/subscriptions/") {
            assert_eq!(item.by.as_ref().map(|by| by.caller.as_str()), Some(MALLORY), "{what}: {item:?}");
        } else {
            assert!(item.by_unknown.as_ref().unwrap().contains("Entra"), "{what}: {item:?}");
        }
    }
}

#[tokio::test]
async fn additions_by_azure_are_no_drift() {
    let harness = DriftHarness::new(&["contoso", "tailspin"]).await;
    harness.change("contoso", "storage", "/tags/extra", json!("mine")).await;
    harness.change("contoso", "endpoint", "/properties/description", json!("of the service")).await;
    harness.change("contoso", "vault", "/location", json!("West Europe")).await;
    harness.send(Method::GET, &harness.object_path("contoso", "workspace").await, None).await;
    for tenant in ["contoso", "tailspin"] {
        let report = harness.scan(tenant).await;
        assert!(report.is_clean(), "{report:#?}");
    }
    assert_eq!(harness.tick().await, []);
}
