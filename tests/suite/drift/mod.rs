//! Drift from end to end: changes behind tenantry's back in the simulated Azure are found, classed, told once, and put right
//! where a setting says so.

mod calls;
mod classes;
mod healing;
mod rig;
mod telling;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_core::drift::DriftClass;

use rig::{MALLORY, Rig, short};

/// What somebody does to one step's object.
pub(crate) enum Deed {
    /// A value at a pointer; `null` takes it away.
    Change(&'static str, Value),
    /// All of it.
    Delete,
}

/// Step, deed, and the item that follows: its path (`None` for the resource's id) and severity.
pub(crate) type Row = (&'static str, Deed, Option<&'static str>, DriftClass);

pub(crate) fn rows() -> Vec<Row> {
    use Deed::{Change, Delete};
    use DriftClass::{Availability, Cosmetic, Isolation};
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
async fn every_planted_change_is_found_and_classed_and_its_author_named() {
    for (step, deed, path, class) in rows() {
        let rig = Rig::new(&["contoso"]).await;
        assert!(rig.scan("contoso").await.is_clean());
        let what = rig.do_it(step, &deed).await;
        let report = rig.scan("contoso").await;
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
async fn what_azure_adds_by_itself_is_no_drift() {
    let rig = Rig::new(&["contoso", "tailspin"]).await;
    rig.change("contoso", "storage", "/tags/extra", json!("mine")).await;
    rig.change("contoso", "endpoint", "/properties/description", json!("of the service")).await;
    rig.change("contoso", "vault", "/location", json!("West Europe")).await;
    rig.send(Method::GET, &rig.place("contoso", "workspace").await, None).await;
    for tenant in ["contoso", "tailspin"] {
        let report = rig.scan(tenant).await;
        assert!(report.is_clean(), "{report:#?}");
    }
    assert_eq!(rig.tick().await, []);
}
