//! Rows that this version can't read are listed, told and left alone; everybody else is served.

use std::{sync::Arc, time::Duration};

use azure_sim::{Speed, db::Db};
use redb::{Database, TableDefinition};
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    azure::service_bus::NoAlarm,
    intake::IntakeDecision,
    local::state::LocalState,
    ports::{StateStore, World},
    reconciler::{Reconciler, Settings},
};
use tenantry_core::{blueprint::Blueprint, tenant::Status};

use crate::testkit::{folder, judge::text, lab::Lab, repository, request, signup, stage::Stage, until};

const HELLO: &str = include_str!("../../../blueprints/hello.yaml");

type Documents = TableDefinition<'static, &'static str, (u64, &'static str)>;
const TENANTS: Documents = TableDefinition::new("tenants");
const REQUESTS: Documents = TableDefinition::new("requests");
const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("due");
const DUE_OF: TableDefinition<'static, &str, i64> = TableDefinition::new("due-of");

/// A state file with rows of no worth, more of them due than a sweep takes on, and the places of both timers.
fn spoilt(path: &std::path::Path, many: usize) {
    let text = std::fs::read_to_string(repository().join("tests/fixtures/tenant-v1.json")).unwrap();
    let mut later: Value = serde_json::from_str(&text).unwrap();
    (later["schema"], later["id"]) = (json!("tenantry.tenant/9"), json!("later"));
    let database = Database::create(path.join("state.redb")).unwrap();
    let change = database.begin_write().unwrap();
    {
        let mut tenants = change.open_table(TENANTS).unwrap();
        for (key, json) in [
            ("broken", "nonsense".to_owned()),
            ("empty", "{}".to_owned()),
            ("later", later.to_string()),
            ("other", text.replace("\"later\"", "\"somebody\"")),
            ("No Id!", "{}".to_owned()),
        ] {
            tenants.insert(key, (1, json.as_str())).unwrap();
        }
        let (mut due, mut due_of) = (change.open_table(DUE).unwrap(), change.open_table(DUE_OF).unwrap());
        let mut requests = change.open_table(REQUESTS).unwrap();
        for place in ["audit-place", "drift-place"] {
            requests.insert(place, (1, "nonsense")).unwrap();
        }
        for number in 0..many {
            let key = format!("request{number}");
            requests.insert(key.as_str(), (1, "{\"key\":")).unwrap();
            let key = format!("r/{key}");
            due.insert((0, key.as_str()), ()).unwrap();
            due_of.insert(key.as_str(), 0).unwrap();
        }
        due.insert((0, "t/broken"), ()).unwrap();
        due_of.insert("t/broken", 0).unwrap();
    }
    change.commit().unwrap();
}

#[tokio::test]
async fn rows_that_can_not_be_read_stop_nobody_else() {
    let folder = Arc::new(folder());
    spoilt(folder.path(), 250);
    let stage = Stage::in_folder(folder).await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.until_told("contoso", "tenant.provision.succeeded", 1).await;

    let listed = stage.call(Method::GET, "/api/tenants", None).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let rows: Vec<(&str, &str)> = listed.body["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(row, "/tenantId"), text(row, "/status")))
        .collect();
    let unreadable = |id| (id, "unreadable");
    let wanted = [
        unreadable("broken"),
        ("contoso", "active"),
        unreadable("empty"),
        unreadable("later"),
        unreadable("other"),
    ];
    assert_eq!(rows, wanted);
    assert!(text(&listed.body, "/tenants/3/why").contains("tenantry.tenant/9"), "{listed:?}");

    for timer in ["audit", "drift", "sweep", "audit", "drift", "sweep"] {
        assert_eq!(stage.run_function(timer, &json!({})).await, 202, "{timer}");
    }
    for view in ["isolation", "drift"] {
        let answer = stage.call(Method::GET, &format!("/api/tenants?view={view}"), None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["unreadable"].as_array().unwrap().len(), 4, "{answer:?}");
        assert_eq!(text(&answer.body, "/reports/0/tenantId"), "contoso", "{answer:?}");
    }
    let one = stage.call(Method::GET, "/api/tenants/later", None).await;
    assert_eq!(one.status, 500, "{one:?}");
    assert!(text(&one.body, "/detail").contains("tenantry.tenant/9"), "{one:?}");
}

/// What is due behind more rows of no worth than one sweep takes on is found by the next ones.
#[tokio::test]
async fn a_sweep_gets_past_what_can_not_be_read() {
    let folder = Arc::new(folder());
    spoilt(folder.path(), 250);
    let stage = Stage::in_folder(folder).await;
    let refused = stage.submit(&json!({"schema": "tenantry.request/1", "requestId": "bad"})).await;
    assert_eq!(refused.status, 400);
    until("the sweep comes to its end", async || match stage.local.app.reconciler.sweep().await {
        Ok(swept) if swept.unreadable == 251 => Ok(()),
        other => Err(json!(format!("{other:?}"))),
    })
    .await;
}

/// Those who are due behind more rows of no worth than one sweep takes on are driven, although nobody wakes them.
#[tokio::test]
async fn tenants_behind_what_can_not_be_read_are_taken_up() {
    let folder = Arc::new(folder());
    // As after the way back from a later version.
    spoilt(folder.path(), 1500);
    // Nothing but the state: neither a host nor a queue, so that the sweep is all there is.
    let db = Db::open(&folder.path().join("state.redb")).unwrap();
    let lab = Lab::new(Speed::Max).await;
    let store: Arc<dyn StateStore> = Arc::new(LocalState::open(db).await.unwrap());
    let world = World { store, alarm: Arc::new(NoAlarm), ..lab.world.clone() };
    let intake = Lab::intake(&world, &Blueprint::check(HELLO).unwrap().blueprint);
    let ids: Vec<String> = (0..5).map(|number| format!("behind-{number}")).collect();
    for id in &ids {
        let spec = json!({"displayName": id, "tier": "dedicated"});
        let asked = request(&format!("signup-{id}"), "signup", id, spec).to_string();
        assert_eq!(intake.take_in(asked.as_bytes()).await.unwrap().verdict, IntakeDecision::Accepted);
    }
    let settings = Settings { overdue: Duration::ZERO, ..Settings::azure("local") };
    let reconciler = Reconciler::new(world.clone(), settings, "worker");
    let mut driven = 0;
    for _ in 0..20 {
        lab.clock.pass(Duration::from_secs(60));
        driven += reconciler.sweep().await.unwrap().driven;
    }
    for id in &ids {
        let tenant = world.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value;
        assert_eq!(tenant.status, Status::Active, "{id}, after {driven} drives: {:#?}", tenant.steps());
    }
}
