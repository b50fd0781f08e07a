//! What subscribers are told of drift, and when; and what is not known is neither told nor forgotten.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;
use tenantry::scan::DriftScanner;
use tenantry_core::{
    drift::{DriftClass, Item, take_in},
    steps::Reply,
    tenant::Story,
};

use super::rig::{MALLORY, Rig, bent, refusal};
use crate::testkit::{
    gremlin::{Gremlin, Trouble},
    signup,
};

#[tokio::test]
async fn a_change_is_told_once_and_its_end_is_too() {
    let rig = Rig::new(&["contoso", "tailspin"]).await;
    assert_eq!(rig.tick().await, []);
    assert_eq!(
        rig.tenant("contoso").await.drift,
        None,
        "nothing is written about a tenant that is as it was left"
    );
    rig.change("contoso", "storage", "/properties/allowSharedKeyAccess", json!(true)).await;
    for _ in 0..3 {
        rig.tick().await;
    }
    let told = rig.told("contoso");
    assert_eq!(rig.kinds("contoso"), ["detected"], "{told:#?}");
    let item = &told[0].1["items"][0];
    assert_eq!(item["path"], "/properties/allowSharedKeyAccess");
    assert_eq!((&item["wanted"], &item["seen"]), (&json!(false), &json!(true)));
    assert_eq!((&item["severity"], &item["by"]["caller"]), (&json!("isolation"), &json!(MALLORY)));
    assert_eq!(item.get("healing"), None, "report first");
    assert_eq!((&told[0].1["more"], &told[0].1["status"]), (&json!(0), &json!("active")));
    // Something else drifts too, and then the first is put back.
    rig.change("contoso", "vault", "/tags/costcentre", json!("1")).await;
    rig.tick().await;
    rig.change("contoso", "storage", "/properties/allowSharedKeyAccess", json!(false)).await;
    rig.tick().await;
    rig.change("contoso", "vault", "/tags/costcentre", json!("4711")).await;
    rig.tick().await;
    rig.tick().await;
    let counts: Vec<_> =
        rig.told("contoso").iter().map(|(_, data)| data["items"].as_array().unwrap().len()).collect();
    assert_eq!(
        (rig.kinds("contoso").join(" "), counts),
        ("detected detected detected resolved".into(), vec![1, 2, 1, 0])
    );
    assert_eq!(rig.kinds("tailspin"), [""; 0]);
}

const KEYS: &str = "/properties/allowSharedKeyAccess";

#[tokio::test]
async fn a_scan_that_breaks_off_loses_nothing_and_tells_nothing_twice() {
    for trouble in
        [Trouble::SaveLost, Trouble::SaveUnanswered, Trouble::DeathBeforeSave, Trouble::DeathAfterSave]
    {
        let rig = Rig::new(&["contoso"]).await;
        rig.change("contoso", "storage", KEYS, json!(true)).await;
        let gremlin = Gremlin::new(trouble, 1);
        let world = gremlin.haunt(&rig.lab.world);
        // Whoever dies never answers.
        let _ = tokio::time::timeout(Duration::from_secs(2), rig.tick_in(world)).await;
        for _ in 0..3 {
            rig.reconcile("contoso").await;
            rig.tick().await;
        }
        assert_eq!(rig.kinds("contoso"), ["detected"], "{trouble:?}");
        rig.change("contoso", "storage", KEYS, json!(false)).await;
        rig.tick().await;
        assert_eq!(rig.kinds("contoso"), ["detected", "resolved"], "{trouble:?}");
    }
}

#[tokio::test]
async fn events_name_the_operation_that_ended_last_and_keep_their_place_in_the_sequence() {
    let rig = Rig::new(&["contoso"]).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    rig.tick().await;
    let events = rig.lab.subscribers.told();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "io.tenantry.tenant.drift.detected.v1");
    let concluded = rig.tenant("contoso").await.concluded.unwrap().operation_id;
    assert_eq!(last["operationid"], json!(concluded));
    assert_eq!(last["correlationid"], signup("contoso")["requestId"], "the request of that operation");
    assert_eq!(last["sequence"], format!("{:020}", events.len()));
    assert_eq!(last["id"], format!("{concluded}/{:04}", events.len()));
}

#[tokio::test]
async fn a_step_that_cannot_be_read_counts_as_it_was_last_told() {
    let rig = Rig::new(&["contoso"]).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    rig.tick().await;
    for status in [401, 403, 429, 500, 503] {
        let world = bent(&rig.lab.world, move |request| {
            request.path.contains("/storageAccounts/").then(|| refusal(status, "No"))
        });
        let report = rig.scanner_in(world.clone()).scan(&rig.tenant("contoso").await).await.unwrap();
        let unread: Vec<&str> = report.unread.iter().map(|unread| unread.step.as_str()).collect();
        assert!(!report.is_clean() && unread.contains(&"storage"), "{status}: {report:#?}");
        assert!(rig.tick_in(world).await);
        rig.reconcile("contoso").await;
    }
    assert_eq!(rig.kinds("contoso"), ["detected"]);
    // What can be read is told meanwhile, and the rest is named.
    rig.change("contoso", "vault", "/tags/costcentre", json!("1")).await;
    let world = bent(&rig.lab.world, |request| {
        request.path.contains("/storageAccounts/").then(|| refusal(403, "AuthorizationFailed"))
    });
    rig.tick_in(world).await;
    rig.reconcile("contoso").await;
    let told = rig.told("contoso");
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].1["items"].as_array().unwrap().len(), 1);
    assert!(told[1].1["unread"].as_array().unwrap().contains(&json!("storage")), "{:#}", told[1].1);
}

#[tokio::test]
async fn whoever_it_was_is_told_where_the_log_can_be_read_and_else_why_not() {
    let log = "/eventtypes/management/values";
    let answers: [(Option<Reply>, &str); 5] = [
        (Some(refusal(403, "AuthorizationFailed")), "HTTP 403 (AuthorizationFailed)"),
        (Some(refusal(429, "TooManyRequests")), "HTTP 429"),
        (Some(Reply { status: 200, body: json!({"value": []}), ..Reply::default() }), "some minutes"),
        (Some(Reply { status: 200, body: json!("odd"), ..Reply::default() }), "no items"),
        (None, ""),
    ];
    for (answer, why) in answers {
        let rig = Rig::new(&["contoso"]).await;
        rig.change("contoso", "storage", KEYS, json!(true)).await;
        let is_refused = answer.is_some();
        let world =
            bent(&rig.lab.world, move |request| answer.clone().filter(|_| request.path.contains(log)));
        let report = rig.scanner_in(world).scan(&rig.tenant("contoso").await).await.unwrap();
        let item = &report.items[0];
        assert_eq!(item.by.as_ref().map(|by| by.caller.as_str()), (!is_refused).then_some(MALLORY));
        assert!(item.by_unknown.clone().unwrap_or_default().contains(why), "{item:?}");
        assert_eq!(item.severity, DriftClass::Isolation, "who it was decides nothing");
    }
}

#[tokio::test]
async fn the_log_is_read_with_the_derived_right_and_without_it_drift_is_told_all_the_same() {
    use tenantry_core::permissions::OPTIONAL;
    let rig = Rig::with(&["contoso"], |permissions| {
        assert!(permissions.auditor.actions.remove(OPTIONAL).is_some());
    })
    .await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    rig.tick().await;
    let (_, data) = &rig.told("contoso")[0];
    let why = data["items"][0]["byUnknown"].as_str().unwrap();
    assert!(why.contains("HTTP 403 (AuthorizationFailed)"), "{why}");
}

#[tokio::test]
async fn the_newest_page_counts_and_earlier_work_of_our_own_is_nobodys() {
    let rig = Rig::new(&["contoso"]).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    // The first page has an older change, a newer one that failed, and a newer one that changes nothing.
    let entry = |caller: &str, operation: &str, status: &str, at: &str| {
        json!({"caller": caller, "operationName": {"value": operation}, "status": {"value": status},
               "eventTimestamp": at, "claims": {"appid": "an-app"}})
    };
    let write = "Microsoft.Storage/storageAccounts/write";
    let first = json!({"nextLink": "/subscriptions/next-page", "value": [
        entry("old@contoso.example", write, "Succeeded", "2026-11-22T17:00:30.1Z"),
        entry("failed@contoso.example", write, "Failed", "2026-11-22T17:00:50Z"),
        entry("keys@contoso.example", "Microsoft.Storage/storageAccounts/listKeys/action", "Succeeded", "2026-11-22T17:00:51Z"),
        entry("", write, "Succeeded", "2026-11-22T17:00:52Z"),
    ]});
    let second = json!({"value": [entry("new@contoso.example", write, "Succeeded", "2026-11-22T17:00:40Z"), json!({"odd": 1})]});
    let world = bent(&rig.lab.world, move |request| {
        let body = match request.path.as_str() {
            "/subscriptions/next-page" => second.clone(),
            path if path.contains("/eventtypes/") => first.clone(),
            _ => return None,
        };
        Some(Reply { status: 200, body, ..Reply::default() })
    });
    let report = rig.scanner_in(world).scan(&rig.tenant("contoso").await).await.unwrap();
    let by = report.items[0].by.clone().unwrap();
    assert_eq!((by.caller.as_str(), by.app_id.as_deref()), ("new@contoso.example", Some("an-app")));
    assert_eq!(by.operation, write);
}

#[tokio::test]
async fn a_tenant_that_is_worked_on_is_left_alone() {
    let rig = Rig::new(&["contoso", "tailspin"]).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    let store = &rig.lab.world.store;
    let id = "contoso".parse().unwrap();
    let stored = store.load(&id).await.unwrap().unwrap();
    let until = stored.value.updated_at + Duration::from_secs(100_000);
    let mut held = stored.value.clone();
    held.give_lease("somebody", until);
    store.save(&held, Some(&stored.etag)).await.unwrap();
    assert!(rig.scanner().scan(&rig.tenant("contoso").await).await.is_none());
    assert_eq!(rig.tick().await, []);
    let stored = store.load(&id).await.unwrap().unwrap();
    let mut free = stored.value.clone();
    free.end_lease();
    store.save(&free, Some(&stored.etag)).await.unwrap();
    assert_eq!(rig.tick().await.len(), 1);
}

#[tokio::test]
async fn values_are_cut_and_secrets_are_not_shown() {
    let rig = Rig::new(&["contoso"]).await;
    let long = format!(
        "https://evil.example/?sig=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%3D&x={}",
        "x".repeat(900)
    );
    rig.change("contoso", "application", "/web/redirectUris", json!([long])).await;
    rig.change(
        "contoso",
        "application",
        "/passwordCredentials",
        json!([{"displayName": "back door", "secretText": "hunter2hunter2"}]),
    )
    .await;
    rig.tick().await;
    let (_, data) = &rig.told("contoso")[0];
    let text = data.to_string();
    assert!(text.contains("/passwordCredentials") && text.contains("back door"), "{data:#}");
    assert!(!text.contains("hunter2") && !text.contains("aaaaaaaa"), "{data:#}");
    assert!(text.len() < 8 * 1024 && !text.contains(&"x".repeat(400)), "{}", text.len());
}

#[tokio::test]
async fn every_process_goes_on_where_the_last_one_stopped() {
    let rig = Rig::new(&["contoso", "tailspin"]).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (reports, _) = rig.scanner().run(1).await.unwrap();
        seen.extend(reports.iter().map(|report| report.tenant_id.to_string()));
    }
    assert_eq!(seen, ["contoso", "tailspin", "contoso"]);
}

#[tokio::test]
async fn a_run_that_takes_long_stops_and_the_next_goes_on_there() {
    let rig = Rig::new(&["contoso", "tailspin"]).await;
    let slow = || {
        let clock = Arc::clone(&rig.lab.clock);
        bent(&rig.lab.world, move |_| {
            clock.pass(Duration::from_secs(60));
            None
        })
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (reports, _) = rig.scanner_in(slow()).run(100).await.unwrap();
        seen.push(reports.iter().map(|report| report.tenant_id.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(seen, [["contoso"], ["tailspin"], ["contoso"]]);
}

#[tokio::test]
async fn what_was_just_written_is_left_for_later() {
    let rig = Rig::new(&["contoso"]).await;
    let scanner = |lag| DriftScanner::new(rig.lab.world.clone(), Duration::from_secs(lag));
    let tenant = rig.tenant("contoso").await;
    assert!(scanner(900).scan(&tenant).await.is_none(), "replicas may lag");
    assert!(scanner(900).run(100).await.unwrap().0.is_empty());
    rig.lab.clock.pass(Duration::from_secs(900));
    assert!(scanner(900).scan(&tenant).await.unwrap().is_clean());
}

#[tokio::test]
async fn an_event_has_room_for_so_much_and_says_what_is_left_out() {
    let rig = Rig::new(&["contoso"]).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    let report = rig.scan("contoso").await;
    for (wide, items) in [("x".repeat(290), 200), ("x".into(), 200), ("x".into(), 50), ("x".into(), 51)] {
        let mut report = report.clone();
        let one = report.items[0].clone();
        let item = |number| {
            let seen = json!(wide);
            Item { path: format!("/properties/p{number}/{wide}"), wanted: seen.clone(), seen, ..one.clone() }
        };
        report.items = (0..items).map(item).collect();
        let mut tenant = rig.tenant("contoso").await;
        let now = tenant.updated_at;
        assert!(take_in(&mut tenant, &mut report, &BTreeSet::new(), now));
        let Story::Event { kind, data, .. } = &tenant.notices().last().unwrap().story else {
            panic!("no event")
        };
        let told = data["items"].as_array().unwrap().len();
        assert_eq!(
            (kind.as_str(), data["more"].as_u64()),
            ("tenant.drift.detected", Some((items - told) as u64))
        );
        assert!(
            told > 10 && told <= 50 && data.to_string().len() < 40 * 1024,
            "{told} items, {}",
            data.to_string().len()
        );
        assert!(!take_in(&mut tenant, &mut report, &BTreeSet::new(), now), "the same again is no news");
    }
}
