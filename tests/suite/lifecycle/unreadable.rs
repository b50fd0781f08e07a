//! Rows that this version of the program can't read are listed, reported and left unchanged, and all other tenants
//! are served.

use std::{sync::Arc, time::Duration};

use azure_sim::{Speed, db::Db};
use redb::{Database, TableDefinition};
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    azure::service_bus::NoScheduler,
    intake::IntakeDecision,
    local::state::LocalState,
    ports::{Ports, StateStore},
    reconciler::{Reconciler, Settings},
};
use tenantry_core::{blueprint::Blueprint, tenant::Status};

use crate::testkit::{
    fixture::Fixture, folder, harness::Harness, judge::text, repository, request, signup, until,
};

const HELLO: &str = include_str!("../../../blueprints/hello.yaml");

type Documents = TableDefinition<'static, &'static str, (u64, &'static str)>;
const TENANTS: Documents = TableDefinition::new("tenants");
const REQUESTS: Documents = TableDefinition::new("requests");
const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("due");
const DUE_OF: TableDefinition<'static, &str, i64> = TableDefinition::new("due-of");

/// Writes a state file with `many` unreadable tenants that are due, other unreadable rows, and unreadable cursors of
/// both timers.
fn spoilt(path: &std::path::Path, many: usize) {
    let text = std::fs::read_to_string(repository().join("tests/fixtures/tenant-v1.json")).unwrap();
    let mut newer: Value = serde_json::from_str(&text).unwrap();
    (newer["schema"], newer["id"]) = (json!("tenantry.tenant/9"), json!("later"));
    let database = Database::create(path.join("state.redb")).unwrap();
    let change = database.begin_write().unwrap();
    {
        let mut tenants = change.open_table(TENANTS).unwrap();
        for (key, json) in [
            ("invalid", "nonsense".to_owned()),
            ("empty", "{}".to_owned()),
            ("later", newer.to_string()),
            ("other", text),
            ("No Id!", "{}".to_owned()),
        ] {
            tenants.insert(key, (1, json.as_str())).unwrap();
        }
        let (mut due, mut due_of) = (change.open_table(DUE).unwrap(), change.open_table(DUE_OF).unwrap());
        let mut requests = change.open_table(REQUESTS).unwrap();
        for cursor in ["audit-cursor", "drift-cursor"] {
            requests.insert(cursor, (1, "nonsense")).unwrap();
        }
        for number in 0..many {
            let key = format!("request{number}");
            requests.insert(key.as_str(), (1, "{\"key\":")).unwrap();
            let key = format!("r/{key}");
            due.insert((0, key.as_str()), ()).unwrap();
            due_of.insert(key.as_str(), 0).unwrap();
        }
        due.insert((0, "t/invalid"), ()).unwrap();
        due_of.insert("t/invalid", 0).unwrap();
    }
    change.commit().unwrap();
}

#[tokio::test]
async fn unreadable_rows_do_not_affect_other_tenants() {
    let folder = Arc::new(folder());
    spoilt(folder.path(), 250);
    let harness = Harness::in_folder(folder).await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.until_published("contoso", "tenant.provision.succeeded", 1).await;

    let listed = harness.call(Method::GET, "/api/tenants", None).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let rows: Vec<(&str, &str)> = listed.body["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(row, "/tenantId"), text(row, "/status")))
        .collect();
    let unreadable = |id| (id, "unreadable");
    let expected = [
        ("contoso", "active"),
        unreadable("empty"),
        unreadable("invalid"),
        unreadable("later"),
        unreadable("other"),
    ];
    assert_eq!(rows, expected);
    assert!(text(&listed.body, "/tenants/3/why").contains("tenantry.tenant/9"), "{listed:?}");

    for timer in ["audit", "drift", "sweep", "audit", "drift", "sweep"] {
        assert_eq!(harness.run_function(timer, &json!({})).await, 202, "{timer}");
    }
    for view in ["isolation", "drift"] {
        let answer = harness.call(Method::GET, &format!("/api/tenants?view={view}"), None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["unreadable"].as_array().unwrap().len(), 4, "{answer:?}");
        assert_eq!(text(&answer.body, "/reports/0/tenantId"), "contoso", "{answer:?}");
    }
    let one = harness.call(Method::GET, "/api/tenants/later", None).await;
    assert_eq!(one.status, 500, "{one:?}");
    assert!(text(&one.body, "/detail").contains("tenantry.tenant/9"), "{one:?}");
}

/// If more unreadable rows are due than one sweep handles, the next sweeps reach the tenants that are due after them.
#[tokio::test]
async fn a_sweep_continues_after_unreadable_rows() {
    let folder = Arc::new(folder());
    spoilt(folder.path(), 250);
    let harness = Harness::in_folder(folder).await;
    let refused = harness.submit(&json!({"schema": "tenantry.request/1", "requestId": "bad"})).await;
    assert_eq!(refused.status, 400);
    until("the sweep ends", async || match harness.local.app.reconciler.sweep().await {
        Ok(swept) if swept.unreadable == 251 => Ok(()),
        other => Err(json!(format!("{other:?}"))),
    })
    .await;
}

/// Tenants that are due after unreadable rows are reconciled even if they get no wake-up.
#[tokio::test]
async fn tenants_after_unreadable_rows_are_reconciled() {
    let folder = Arc::new(folder());
    // As after a downgrade from a newer version of the program.
    spoilt(folder.path(), 1500);
    // There is no host and no queue, so only the sweep starts reconcile passes.
    let db = Db::open(&folder.path().join("state.redb")).unwrap();
    let fixture = Fixture::new(Speed::Max).await;
    let store: Arc<dyn StateStore> = Arc::new(LocalState::open(db).await.unwrap());
    let ports = Ports { store, scheduler: Arc::new(NoScheduler), ..fixture.ports.clone() };
    let intake = Fixture::intake(&ports, &Blueprint::check(HELLO).unwrap().blueprint);
    let ids: Vec<String> = (0..5).map(|number| format!("behind-{number}")).collect();
    for id in &ids {
        let spec = json!({"displayName": id, "tier": "dedicated"});
        let asked = request(&format!("signup-{id}"), "signup", id, spec).to_string();
        assert_eq!(intake.take_in(asked.as_bytes()).await.unwrap().decision, IntakeDecision::Accepted);
    }
    let settings = Settings { overdue: Duration::ZERO, ..Settings::azure("local") };
    let reconciler = Reconciler::new(ports.clone(), settings, "worker");
    let mut reconciled = 0;
    for _ in 0..20 {
        fixture.clock.pass(Duration::from_secs(60));
        reconciled += reconciler.sweep().await.unwrap().reconciled;
    }
    for id in &ids {
        let tenant = ports.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value;
        assert_eq!(tenant.status, Status::Active, "{id}, after {reconciled} passes: {:#?}", tenant.steps());
    }
}
