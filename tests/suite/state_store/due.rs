//! Which documents and request records a state store reports as due.

use std::time::Duration;

use jiff::Timestamp;
use tenantry::ports::{Due, ETag, StoreError};

use super::contract::{Store, id, tenant};

/// The instant `seconds` after the start of the scenarios.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let begin: Timestamp = "2026-11-22T17:00:00Z".parse().unwrap();
    begin + Duration::from_secs(seconds)
}

/// Saves a tenant's document that is due at `due_at`.
pub(crate) async fn save(
    store: &Store,
    name: &str,
    due_at: Option<Timestamp>,
    seen: Option<&ETag>,
) -> Result<ETag, StoreError> {
    let mut tenant = tenant(name);
    tenant.due_at = due_at;
    store.save(&tenant, seen).await
}

/// The ids of the due tenants and the keys of the due request records; the keys have the prefix `request`.
pub(crate) async fn due(store: &Store, now: Timestamp, limit: usize) -> Vec<String> {
    let due = store.due(now, limit).await.unwrap();
    let name = |due| match due {
        Due::Tenant(id) => id.to_string(),
        Due::Request(key) => format!("request {key}"),
    };
    due.into_iter().map(name).collect()
}

pub(crate) async fn in_order(store: Store) {
    assert_eq!(due(&store, at(100), 10).await, [""; 0]);
    for (name, seconds) in [("tailspin", 30), ("contoso", 10), ("wingtip", 40), ("fabrikam", 20)] {
        save(&store, name, Some(at(seconds)), None).await.unwrap();
    }
    save(&store, "northwind", None, None).await.unwrap();
    assert_eq!(due(&store, at(9), 10).await, [""; 0]);
    assert_eq!(due(&store, at(30), 10).await, ["contoso", "fabrikam", "tailspin"]);
    assert_eq!(due(&store, at(1000), 10).await, ["contoso", "fabrikam", "tailspin", "wingtip"]);
    assert_eq!(due(&store, at(1000), 2).await, ["contoso", "fabrikam"]);
    assert_eq!(due(&store, at(1000), 0).await, [""; 0]);
    // Reading what is due changes nothing.
    assert_eq!(due(&store, at(30), 10).await, ["contoso", "fabrikam", "tailspin"]);
}

pub(crate) async fn to_the_millisecond(store: Store) {
    let (instant, step) = (at(10), Duration::from_millis(1));
    let etag = save(&store, "contoso", Some(instant + step), None).await.unwrap();
    assert_eq!(due(&store, instant, 10).await, [""; 0]);
    assert_eq!(due(&store, instant + step, 10).await, ["contoso"]);
    save(&store, "contoso", Some(instant), Some(&etag)).await.unwrap();
    assert_eq!(due(&store, instant - step, 10).await, [""; 0]);
    assert_eq!(due(&store, instant, 10).await, ["contoso"]);
    // The first and the last possible timestamp are instants like any other.
    save(&store, "fabrikam", Some(Timestamp::MAX), None).await.unwrap();
    save(&store, "tailspin", Some(Timestamp::UNIX_EPOCH), None).await.unwrap();
    assert_eq!(due(&store, instant, 10).await, ["tailspin", "contoso"]);
    assert_eq!(due(&store, Timestamp::MAX, 10).await, ["tailspin", "contoso", "fabrikam"]);
}

pub(crate) async fn moves(store: Store) {
    let mut etag = save(&store, "contoso", Some(at(10)), None).await.unwrap();
    let far = 30 * 24 * 3600;
    for seconds in [20, 15, 16, far, 15, 7, far, 2 * far, 8] {
        etag = save(&store, "contoso", Some(at(seconds)), Some(&etag)).await.unwrap();
        assert_eq!(due(&store, at(seconds - 1), 10).await, [""; 0], "before {seconds}");
        assert_eq!(due(&store, at(seconds), 10).await, ["contoso"], "at {seconds}");
        assert_eq!(due(&store, at(3 * far), 10).await, ["contoso"], "once, long after {seconds}");
    }
    etag = save(&store, "contoso", None, Some(&etag)).await.unwrap();
    assert_eq!(due(&store, at(3 * far), 10).await, [""; 0]);
    save(&store, "contoso", Some(at(5)), Some(&etag)).await.unwrap();
    assert_eq!(due(&store, at(5), 10).await, ["contoso"]);
}

pub(crate) async fn extended(store: Store) {
    let mut etag = save(&store, "contoso", Some(at(150)), None).await.unwrap();
    save(&store, "fabrikam", Some(at(2000)), None).await.unwrap();
    for seconds in (10..900).step_by(30) {
        etag = save(&store, "contoso", Some(at(seconds + 150)), Some(&etag)).await.unwrap();
        assert_eq!(due(&store, at(seconds + 149), 10).await, [""; 0]);
        assert_eq!(due(&store, at(seconds + 150), 10).await, ["contoso"]);
    }
    // Documents are ordered by their due instants, whatever the order of the saves.
    etag = save(&store, "contoso", Some(at(1900)), Some(&etag)).await.unwrap();
    save(&store, "contoso", Some(at(2001)), Some(&etag)).await.unwrap();
    assert_eq!(due(&store, at(2001), 1).await, ["fabrikam"]);
    assert_eq!(due(&store, at(2001), 2).await, ["fabrikam", "contoso"]);
}

pub(crate) async fn overtaken(store: Store) {
    let first = save(&store, "contoso", None, None).await.unwrap();
    save(&store, "contoso", Some(at(50)), Some(&first)).await.unwrap();
    let late = save(&store, "contoso", Some(at(10)), Some(&first)).await;
    assert!(matches!(late, Err(StoreError::Overtaken)));
    let again = save(&store, "contoso", Some(at(10)), None).await;
    assert!(matches!(again, Err(StoreError::Overtaken)));
    assert_eq!(due(&store, at(49), 10).await, [""; 0]);
    assert_eq!(due(&store, at(50), 10).await, ["contoso"]);
    assert_eq!(store.load(&id("contoso")).await.unwrap().unwrap().value.due_at, Some(at(50)));
}
