//! Tenants' documents in a state store: versions, sizes, keys, pages.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tenantry::ports::{Listed, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{MAX_DOCUMENT_BYTES, Tenant},
};

use super::contract::{Store, id, tenant};

/// A tenant whose document contains a long text.
fn with_text(id: &str, text: &str) -> Tenant {
    let mut tenant = tenant(id);
    tenant.spec.parameters.insert("long".to_owned(), json!(text));
    tenant
}

/// A tenant whose document has this many bytes.
fn of_size(id: &str, bytes: usize) -> Tenant {
    let rest = with_text(id, "").to_json().unwrap().len();
    with_text(id, &"x".repeat(bytes - rest))
}

pub(crate) async fn inserted_once(store: Store) {
    let (first, mut second) = (tenant("contoso"), tenant("contoso"));
    second.raise_version();
    assert_eq!(store.load(&first.id).await.unwrap(), None);
    let etag = store.save(&first, None).await.unwrap();
    assert!(matches!(store.save(&second, None).await, Err(StoreError::Overtaken)));
    assert_eq!(store.load(&first.id).await.unwrap(), Some(Stored { value: first, etag }));
}

pub(crate) async fn only_what_was_read(store: Store) {
    let mut tenant = tenant("contoso");
    let first = store.save(&tenant, None).await.unwrap();
    tenant.raise_version();
    let second = store.save(&tenant, Some(&first)).await.unwrap();
    assert_ne!(first, second);
    let mut late = tenant.clone();
    late.raise_version();
    assert!(matches!(store.save(&late, Some(&first)).await, Err(StoreError::Overtaken)));
    assert_eq!(
        store.load(&tenant.id).await.unwrap(),
        Some(Stored { value: tenant.clone(), etag: second.clone() })
    );
    // Saving the same content again makes a new version, too.
    let third = store.save(&tenant, Some(&second)).await.unwrap();
    assert_ne!(second, third);
    assert!(matches!(store.save(&late, Some(&second)).await, Err(StoreError::Overtaken)));
}

pub(crate) async fn nothing_to_replace(store: Store) {
    let elsewhere = store.save(&tenant("contoso"), None).await.unwrap();
    let absent = tenant("fabrikam");
    assert!(matches!(store.save(&absent, Some(&elsewhere)).await, Err(StoreError::Overtaken)));
    assert_eq!(store.load(&absent.id).await.unwrap(), None);
}

pub(crate) async fn largest(store: Store) {
    let refused = |tenant| {
        let store = &store;
        async move {
            let Err(StoreError::Refused(why)) = store.save(&tenant, None).await else {
                panic!("it was not refused")
            };
            assert!(why.starts_with("the tenant's document has 921601 bytes of 921600; use fewer"), "{why}");
            assert_eq!(store.load(&tenant.id).await.unwrap(), None);
        }
    };
    let fits = of_size("contoso", MAX_DOCUMENT_BYTES);
    let etag = store.save(&fits, None).await.unwrap();
    assert_eq!(store.load(&fits.id).await.unwrap(), Some(Stored { value: fits, etag }));
    refused(of_size("fabrikam", MAX_DOCUMENT_BYTES + 1)).await;
    // The limit counts bytes, not characters.
    let rest = with_text("tailspin", "").to_json().unwrap().len();
    let room = MAX_DOCUMENT_BYTES - rest;
    let (long, odd) = ("🚀".repeat(room / 4), "x".repeat(room % 4));
    let fits = with_text("tailspin", &format!("{long}{odd}"));
    store.save(&fits, None).await.unwrap();
    assert_eq!(store.load(&fits.id).await.unwrap().unwrap().value, fits);
    let rest = with_text("wingtip", "").to_json().unwrap().len();
    let room = MAX_DOCUMENT_BYTES + 1 - rest;
    refused(with_text("wingtip", &format!("{}{}", "🚀".repeat(room / 4), "x".repeat(room % 4)))).await;
}

pub(crate) async fn grows_and_shrinks(store: Store) {
    let mut etag = store.save(&of_size("contoso", 30 * 1024), None).await.unwrap();
    // The sizes stay well below the limit, because Azurite counts a replacement's base64 text; Table Storage counts
    // bytes.
    for bytes in [500_000, 61_440, 61_441, 65_537, 750_000, 20_000] {
        let tenant = of_size("contoso", bytes);
        etag = store.save(&tenant, Some(&etag)).await.unwrap();
        assert_eq!(
            store.load(&tenant.id).await.unwrap(),
            Some(Stored { value: tenant, etag: etag.clone() }),
            "{bytes} bytes"
        );
    }
}

/// A character outside the Basic Multilingual Plane has four bytes in UTF-8 and two units in UTF-16. Wherever a store
/// splits a long document, one of these texts has such a character there.
pub(crate) async fn any_text(store: Store) {
    let mut etag = None;
    for text in ["é", "漢", "🚀", "\u{0}\u{1f}\"\\/'", "a\u{301}\u{200f}\u{feff}"] {
        for before in 0..4 {
            let tenant = with_text("contoso", &("x".repeat(before) + &text.repeat(20_000)));
            etag = Some(store.save(&tenant, etag.as_ref()).await.unwrap());
            assert_eq!(store.load(&tenant.id).await.unwrap().unwrap().value, tenant, "{text} after {before}");
        }
    }
}

pub(crate) async fn keys(store: Store) {
    let longest = "z".repeat(32);
    let odd = "a1-2-3-4-5-6-7-8-9-0-1-2-3-4-5-6";
    let mut ids = [
        "abc",
        "zz0",
        "a-b",
        "a0b",
        "aab",
        "a--b",
        "a-0",
        "contoso",
        "contoso-eu",
        "contoso0",
        odd,
        &longest,
    ];
    for id in ids {
        store.save(&tenant(id), None).await.unwrap();
    }
    for name in ids {
        assert_eq!(store.load(&id(name)).await.unwrap().unwrap().value.id, id(name));
    }
    ids.sort_unstable();
    let listed = store.list(None, 100).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id().as_str()).collect::<Vec<_>>(), ids);
    for (at, name) in ids.iter().enumerate() {
        let after = store.list(Some(&id(name)), 1).await.unwrap();
        assert_eq!(after.first().map(|row| row.id().as_str()), ids.get(at + 1).copied());
    }
}

pub(crate) async fn pages(store: Store) {
    let ids: Vec<TenantId> = (0..1000).map(|number| id(&format!("tenant-{number:04}"))).collect();
    assert_eq!(store.list(None, 10).await.unwrap(), []);
    let saves = stream::iter(ids.iter().rev().cloned()).map(|id| {
        let store = Store::clone(&store);
        async move { store.save(&tenant(id.as_str()), None).await }
    });
    saves.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    for limit in [333, 1000] {
        let mut seen: Vec<TenantId> = Vec::new();
        loop {
            let page = store.list(seen.last(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|row| row.id().clone()));
        }
        assert_eq!(seen, ids, "{limit} at a time");
    }
    // A listing can continue after an id that does not exist.
    let between = store.list(Some(&id("tenant-0500a")), 1).await.unwrap();
    assert_eq!(*between.first().unwrap().id(), ids[501]);
    assert_eq!(store.list(None, 0).await.unwrap(), []);
}

/// A document of a newer version among others: the others are listed, it counts as due, and it can be replaced with
/// its ETag.
pub(crate) async fn unreadable(store: Store) {
    let mut newer = tenant("fabrikam");
    "tenantry.tenant/9".clone_into(&mut newer.schema);
    newer.due_at = Some(super::due::at(100));
    for tenant in [tenant("contoso"), newer.clone(), tenant("northwind")] {
        store.save(&tenant, None).await.unwrap();
    }
    let rows = store.list(None, 10).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.id().as_str()).collect::<Vec<_>>(),
        ["contoso", "fabrikam", "northwind"]
    );
    let (readable, unreadable) = Listed::sorted_out(rows);
    assert_eq!(readable.len(), 2);
    assert!(unreadable[0].why.contains("tenantry.tenant/9"), "{unreadable:?}");
    assert_eq!(store.list(Some(&id("contoso")), 1).await.unwrap()[0].id().as_str(), "fabrikam");
    let refused = store.load(&id("fabrikam")).await;
    let Err(StoreError::Unreadable { why, etag }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("tenantry.tenant/9"), "{why}");
    assert_eq!(super::due::due(&store, super::due::at(200), 10).await, ["fabrikam"]);
    store.save(&tenant("fabrikam"), Some(&etag)).await.unwrap();
    assert!(store.load(&id("fabrikam")).await.unwrap().is_some());
}
