//! Which events about drift are published, and when. A step that can't be read keeps the drift that was published last.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;
use tenantry::scan::DriftScanner;
use tenantry_core::{
    drift::{DriftClass, Item, take_in},
    steps::Reply,
    tenant::EntryContent,
};

use super::harness::{DriftHarness, MALLORY, bent, refusal};
use crate::testkit::{
    injector::{Fault, FaultInjector},
    signup,
};

#[tokio::test]
async fn drift_is_published_once_and_so_is_its_end() {
    let harness = DriftHarness::new(&["contoso", "tailspin"]).await;
    assert_eq!(harness.tick().await, []);
    assert_eq!(
        harness.tenant("contoso").await.drift,
        None,
        "nothing is written about a tenant without drift"
    );
    harness.change("contoso", "storage", "/properties/allowSharedKeyAccess", json!(true)).await;
    for _ in 0..3 {
        harness.tick().await;
    }
    let events = harness.events("contoso");
    assert_eq!(harness.kinds("contoso"), ["detected"], "{events:#?}");
    let item = &events[0].1["items"][0];
    assert_eq!(item["path"], "/properties/allowSharedKeyAccess");
    assert_eq!((&item["desired"], &item["observed"]), (&json!(false), &json!(true)));
    assert_eq!((&item["severity"], &item["by"]["caller"]), (&json!("isolation"), &json!(MALLORY)));
    assert_eq!(item.get("healing"), None, "report first");
    assert_eq!((&events[0].1["more"], &events[0].1["status"]), (&json!(0), &json!("active")));
    // Another value drifts too, and then the first one is corrected.
    harness.change("contoso", "vault", "/tags/costcentre", json!("1")).await;
    harness.tick().await;
    harness.change("contoso", "storage", "/properties/allowSharedKeyAccess", json!(false)).await;
    harness.tick().await;
    harness.change("contoso", "vault", "/tags/costcentre", json!("4711")).await;
    harness.tick().await;
    harness.tick().await;
    let counts: Vec<_> =
        harness.events("contoso").iter().map(|(_, data)| data["items"].as_array().unwrap().len()).collect();
    assert_eq!(
        (harness.kinds("contoso").join(" "), counts),
        ("detected detected detected resolved".into(), vec![1, 2, 1, 0])
    );
    assert_eq!(harness.kinds("tailspin"), [""; 0]);
}

const KEYS: &str = "/properties/allowSharedKeyAccess";

#[tokio::test]
async fn an_interrupted_scan_loses_nothing_and_publishes_nothing_twice() {
    for fault in [Fault::SaveLost, Fault::SaveUnanswered, Fault::DeathBeforeSave, Fault::DeathAfterSave] {
        let harness = DriftHarness::new(&["contoso"]).await;
        harness.change("contoso", "storage", KEYS, json!(true)).await;
        let injector = FaultInjector::new(fault, 1);
        let ports = injector.inject(&harness.fixture.ports);
        // A worker that the fault stops never answers.
        let _ = tokio::time::timeout(Duration::from_secs(2), harness.tick_in(ports)).await;
        for _ in 0..3 {
            harness.reconcile("contoso").await;
            harness.tick().await;
        }
        assert_eq!(harness.kinds("contoso"), ["detected"], "{fault:?}");
        harness.change("contoso", "storage", KEYS, json!(false)).await;
        harness.tick().await;
        assert_eq!(harness.kinds("contoso"), ["detected", "resolved"], "{fault:?}");
    }
}

#[tokio::test]
async fn events_name_the_operation_that_ended_last_and_continue_its_sequence() {
    let harness = DriftHarness::new(&["contoso"]).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    harness.tick().await;
    let events = harness.fixture.subscribers.published();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "io.tenantry.tenant.drift.detected.v1");
    let concluded = harness.tenant("contoso").await.concluded.unwrap().operation_id;
    assert_eq!(last["operationid"], json!(concluded));
    assert_eq!(last["correlationid"], signup("contoso")["requestId"], "the request of that operation");
    assert_eq!(last["sequence"], format!("{:020}", events.len()));
    assert_eq!(last["id"], format!("{concluded}/{:04}", events.len()));
}

#[tokio::test]
async fn a_step_that_cannot_be_read_keeps_its_published_drift() {
    let harness = DriftHarness::new(&["contoso"]).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    harness.tick().await;
    for status in [401, 403, 429, 500, 503] {
        let ports = bent(&harness.fixture.ports, move |request| {
            request.path.contains("/storageAccounts/").then(|| refusal(status, "No"))
        });
        let report = harness.scanner_in(ports.clone()).scan(&harness.tenant("contoso").await).await.unwrap();
        let unread: Vec<&str> = report.unread.iter().map(|unread| unread.step.as_str()).collect();
        assert!(!report.is_clean() && unread.contains(&"storage"), "{status}: {report:#?}");
        assert!(harness.tick_in(ports).await);
        harness.reconcile("contoso").await;
    }
    assert_eq!(harness.kinds("contoso"), ["detected"]);
    // Drift that can be read is published meanwhile, and the unread steps are named.
    harness.change("contoso", "vault", "/tags/costcentre", json!("1")).await;
    let ports = bent(&harness.fixture.ports, |request| {
        request.path.contains("/storageAccounts/").then(|| refusal(403, "AuthorizationFailed"))
    });
    harness.tick_in(ports).await;
    harness.reconcile("contoso").await;
    let events = harness.events("contoso");
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].1["items"].as_array().unwrap().len(), 1);
    assert!(events[1].1["unread"].as_array().unwrap().contains(&json!("storage")), "{:#}", events[1].1);
}

#[tokio::test]
async fn the_author_is_named_or_the_reason_why_the_log_does_not_show_it() {
    let log = "/eventtypes/management/values";
    let answers: [(Option<Reply>, &str); 5] = [
        (Some(refusal(403, "AuthorizationFailed")), "HTTP 403 (AuthorizationFailed)"),
        (Some(refusal(429, "TooManyRequests")), "HTTP 429"),
        (Some(Reply { status: 200, body: json!({"value": []}), ..Reply::default() }), "some minutes"),
        (Some(Reply { status: 200, body: json!("odd"), ..Reply::default() }), "no items"),
        (None, ""),
    ];
    for (answer, why) in answers {
        let harness = DriftHarness::new(&["contoso"]).await;
        harness.change("contoso", "storage", KEYS, json!(true)).await;
        let is_refused = answer.is_some();
        let ports = bent(&harness.fixture.ports, move |request| {
            answer.clone().filter(|_| request.path.contains(log))
        });
        let report = harness.scanner_in(ports).scan(&harness.tenant("contoso").await).await.unwrap();
        let item = &report.items[0];
        assert_eq!(item.by.as_ref().map(|by| by.caller.as_str()), (!is_refused).then_some(MALLORY));
        assert!(item.by_unknown.clone().unwrap_or_default().contains(why), "{item:?}");
        assert_eq!(item.severity, DriftClass::Isolation, "the author does not change the class");
    }
}

#[tokio::test]
async fn without_the_permission_for_the_log_drift_is_still_published() {
    use tenantry_core::permissions::OPTIONAL;
    let harness = DriftHarness::with(&["contoso"], |permissions| {
        assert!(permissions.auditor.actions.remove(OPTIONAL).is_some());
    })
    .await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    harness.tick().await;
    let (_, data) = &harness.events("contoso")[0];
    let why = data["items"][0]["byUnknown"].as_str().unwrap();
    assert!(why.contains("HTTP 403 (AuthorizationFailed)"), "{why}");
}

#[tokio::test]
async fn the_author_is_that_of_the_newest_change_on_all_pages() {
    let harness = DriftHarness::new(&["contoso"]).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
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
    let ports = bent(&harness.fixture.ports, move |request| {
        let body = match request.path.as_str() {
            "/subscriptions/next-page" => second.clone(),
            path if path.contains("/eventtypes/") => first.clone(),
            _ => return None,
        };
        Some(Reply { status: 200, body, ..Reply::default() })
    });
    let report = harness.scanner_in(ports).scan(&harness.tenant("contoso").await).await.unwrap();
    let by = report.items[0].by.clone().unwrap();
    assert_eq!((by.caller.as_str(), by.app_id.as_deref()), ("new@contoso.example", Some("an-app")));
    assert_eq!(by.operation, write);
}

#[tokio::test]
async fn a_tenant_under_a_lease_is_not_scanned() {
    let harness = DriftHarness::new(&["contoso", "tailspin"]).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    let store = &harness.fixture.ports.store;
    let id = "contoso".parse().unwrap();
    let stored = store.load(&id).await.unwrap().unwrap();
    let until = stored.value.updated_at + Duration::from_secs(100_000);
    let mut held = stored.value.clone();
    held.give_lease("somebody", until);
    store.save(&held, Some(&stored.etag)).await.unwrap();
    assert!(harness.scanner().scan(&harness.tenant("contoso").await).await.is_none());
    assert_eq!(harness.tick().await, []);
    let stored = store.load(&id).await.unwrap().unwrap();
    let mut free = stored.value.clone();
    free.end_lease();
    store.save(&free, Some(&stored.etag)).await.unwrap();
    assert_eq!(harness.tick().await.len(), 1);
}

#[tokio::test]
async fn values_are_cut_and_secrets_are_not_shown() {
    let harness = DriftHarness::new(&["contoso"]).await;
    let long = format!(
        "https://evil.example/?sig=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%3D&x={}",
        "x".repeat(900)
    );
    harness.change("contoso", "application", "/web/redirectUris", json!([long])).await;
    harness
        .change(
            "contoso",
            "application",
            "/passwordCredentials",
            json!([{"displayName": "back door", "secretText": "hunter2hunter2"}]),
        )
        .await;
    harness.tick().await;
    let (_, data) = &harness.events("contoso")[0];
    let text = data.to_string();
    assert!(text.contains("/passwordCredentials") && text.contains("back door"), "{data:#}");
    assert!(!text.contains("hunter2") && !text.contains("aaaaaaaa"), "{data:#}");
    assert!(text.len() < 8 * 1024 && !text.contains(&"x".repeat(400)), "{}", text.len());
}

#[tokio::test]
async fn a_new_process_continues_the_scan_where_the_last_one_stopped() {
    let harness = DriftHarness::new(&["contoso", "tailspin"]).await;
    let mut observed = Vec::new();
    for _ in 0..3 {
        let (reports, _) = harness.scanner().run(1).await.unwrap();
        observed.extend(reports.iter().map(|report| report.tenant_id.to_string()));
    }
    assert_eq!(observed, ["contoso", "tailspin", "contoso"]);
}

#[tokio::test]
async fn a_long_run_stops_and_the_next_one_continues_there() {
    let harness = DriftHarness::new(&["contoso", "tailspin"]).await;
    let slow = || {
        let clock = Arc::clone(&harness.fixture.clock);
        bent(&harness.fixture.ports, move |_| {
            clock.pass(Duration::from_secs(60));
            None
        })
    };
    let mut observed = Vec::new();
    for _ in 0..3 {
        let (reports, _) = harness.scanner_in(slow()).run(100).await.unwrap();
        observed.push(reports.iter().map(|report| report.tenant_id.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(observed, [["contoso"], ["tailspin"], ["contoso"]]);
}

#[tokio::test]
async fn a_recently_written_tenant_is_not_scanned_yet() {
    let harness = DriftHarness::new(&["contoso"]).await;
    let scanner = |lag| DriftScanner::new(harness.fixture.ports.clone(), Duration::from_secs(lag));
    let tenant = harness.tenant("contoso").await;
    assert!(scanner(900).scan(&tenant).await.is_none(), "replicas may lag");
    assert!(scanner(900).run(100).await.unwrap().0.is_empty());
    harness.fixture.clock.pass(Duration::from_secs(900));
    assert!(scanner(900).scan(&tenant).await.unwrap().is_clean());
}

#[tokio::test]
async fn an_event_has_a_size_limit_and_counts_what_is_left_out() {
    let harness = DriftHarness::new(&["contoso"]).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    let report = harness.scan("contoso").await;
    for (wide, items) in [("x".repeat(290), 200), ("x".into(), 200), ("x".into(), 50), ("x".into(), 51)] {
        let mut report = report.clone();
        let one = report.items[0].clone();
        let item = |number| {
            let observed = json!(wide);
            Item {
                path: format!("/properties/p{number}/{wide}"),
                desired: observed.clone(),
                observed,
                ..one.clone()
            }
        };
        report.items = (0..items).map(item).collect();
        let mut tenant = harness.tenant("contoso").await;
        let now = tenant.updated_at;
        assert!(take_in(&mut tenant, &mut report, &BTreeSet::new(), now));
        let EntryContent::Event { kind, data, .. } = &tenant.outbox().last().unwrap().content else {
            panic!("no event")
        };
        let shown = data["items"].as_array().unwrap().len();
        assert_eq!(
            (kind.as_str(), data["more"].as_u64()),
            ("tenant.drift.detected", Some((items - shown) as u64))
        );
        assert!(
            shown > 10 && shown <= 50 && data.to_string().len() < 40 * 1024,
            "{shown} items, {}",
            data.to_string().len()
        );
        assert!(!take_in(&mut tenant, &mut report, &BTreeSet::new(), now), "the same again is no news");
    }
}
