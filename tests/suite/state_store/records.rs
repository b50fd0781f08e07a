//! Request records and history rows in a state store.

use serde_json::json;
use tenantry::ports::{RequestRecord, StoreError, Stored};
use tenantry_core::tenant::{HistoryRow, RawAnswer};

use super::{
    contract::{Store, id, tenant},
    due::{at, due, save},
};

pub(crate) fn record(key: &str) -> RequestRecord {
    RequestRecord {
        key: key.to_owned(),
        body_sha256: "5f7f".to_owned(),
        tenant_id: Some(id("contoso")),
        answer: json!({"decision": "accepted", "faults": [{"message": "straße 🚀"}]}),
        kept_body: None,
        outbox: Vec::new(),
        at: at(0),
    }
}

pub(crate) async fn requests(store: Store) {
    let longest = "k".repeat(64);
    let keys = ["0", "x", "3t8b123k17qeb8h7", "ABCdef-_09", "abcdef-_09", "-", "_", longest.as_str()];
    assert_eq!(store.request("0").await.unwrap(), None);
    for key in keys {
        let mut record = record(key);
        let first = store.save_request(&record, None).await.unwrap();
        assert!(matches!(store.save_request(&record, None).await, Err(StoreError::Overtaken)));
        // The body of a rejected message is stored as it was received.
        record.kept_body = Some("QUJD".repeat(64 << 10));
        let second = store.save_request(&record, Some(&first)).await.unwrap();
        assert!(matches!(store.save_request(&record, Some(&first)).await, Err(StoreError::Overtaken)));
        assert_eq!(store.request(key).await.unwrap(), Some(Stored { value: record, etag: second }));
    }
    for key in keys {
        assert_eq!(store.request(key).await.unwrap().unwrap().value.key, key);
    }
    assert_eq!(store.request("absent").await.unwrap(), None);
}

pub(crate) async fn to_be_published(store: Store) {
    let outbox = tenant("contoso").outbox().to_vec();
    assert!(!outbox.is_empty());
    let mut unpublished = RequestRecord { outbox, at: at(20), ..record("3t8b123k17qeb8h7") };
    let etag = store.save_request(&unpublished, None).await.unwrap();
    store.save_request(&record("empty-outbox"), None).await.unwrap();
    save(&store, "contoso", Some(at(10)), None).await.unwrap();
    save(&store, "fabrikam", Some(at(30)), None).await.unwrap();
    assert_eq!(due(&store, at(19), 10).await, ["contoso"]);
    assert_eq!(due(&store, at(30), 10).await, ["contoso", "request 3t8b123k17qeb8h7", "fabrikam"]);
    unpublished.outbox.clear();
    store.save_request(&unpublished, Some(&etag)).await.unwrap();
    assert_eq!(due(&store, at(30), 10).await, ["contoso", "fabrikam"]);
}

fn row(tenant: &str, number: u64, what: &str) -> HistoryRow {
    HistoryRow {
        tenant_id: id(tenant),
        number,
        at: at(number.min(1000)),
        what: what.to_owned(),
        step: Some("endpoint".to_owned()),
        state: None,
        operation_id: Some("16d26c7f".to_owned()),
        cause: None,
        raw: Some(RawAnswer { status: 409, azure_request_id: None, body: "🚀".repeat(2000) }),
    }
}

/// The first `count` rows of a tenant's history.
pub(crate) fn rows(tenant: &str, count: u64) -> Vec<HistoryRow> {
    (1..=count).map(|number| row(tenant, number, "step")).collect()
}

pub(crate) async fn appended_once(store: Store) {
    store.append(&[]).await.unwrap();
    let (first, second) = (row("contoso", 1, "step 🚀"), row("contoso", 2, "step"));
    store.append(&[first.clone(), first.clone()]).await.unwrap();
    // A row is written once, even if another version of the program repeats it with another text.
    store.append(&[row("contoso", 1, "in other words"), second.clone()]).await.unwrap();
    store.append(&[first.clone(), second.clone()]).await.unwrap();
    assert_eq!(store.history(&id("contoso"), 10).await.unwrap(), [second, first]);
}

pub(crate) async fn newest_first(store: Store) {
    let numbers = [9, 10, 11, 99, 100, 101, u64::from(u32::MAX), u64::MAX - 1];
    for number in numbers {
        store.append(&[row("contoso", number, "step"), row("contoso-eu", number, "other")]).await.unwrap();
    }
    let all = store.history(&id("contoso"), 100).await.unwrap();
    assert!(all.iter().all(|row| row.what == "step"));
    assert_eq!(all.iter().rev().map(|row| row.number).collect::<Vec<_>>(), numbers);
    assert_eq!(store.history(&id("contoso"), 3).await.unwrap(), all[..3]);
    assert_eq!(store.history(&id("contoso"), 0).await.unwrap(), []);
    assert_eq!(store.history(&id("contos0"), 100).await.unwrap(), []);
    let many: Vec<HistoryRow> = (0..1200).map(|number| row("fabrikam", number, "step")).collect();
    store.append(&many).await.unwrap();
    let history = store.history(&id("fabrikam"), 1100).await.unwrap();
    assert_eq!(history.len(), 1100);
    assert!(history.iter().rev().eq(&many[100..]));
}
