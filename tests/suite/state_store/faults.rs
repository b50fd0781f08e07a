//! Saves to Table Storage whose requests or answers are lost, held or repeated on the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tenantry::ports::{ETag, StoreError, Stored};
use tokio::sync::Semaphore;

use super::{
    azurite::{azurite, entities, fresh_prefix, store},
    contract::{Store, id, tenant},
    due::{at, due, save},
    proxy::{Fate, Proxy, reached},
};
use crate::testkit::fixture::Jumping;

const FAR: u64 = 30 * 24 * 3600;

/// The due instants before and after a save, in seconds; `None` is a document that is not due. If the outer `None`
/// comes first, there is no document before the save.
const CHANGES: [(Option<Option<u64>>, Option<u64>); 8] = [
    (None, None),
    (None, Some(100)),
    (Some(None), Some(100)),
    (Some(Some(100)), Some(150)),
    (Some(Some(100)), Some(FAR)),
    (Some(Some(FAR)), Some(100)),
    (Some(Some(100)), None),
    (Some(None), None),
];

/// Contoso's document as it is before a change, in tables of its own.
struct Before {
    prefix: String,
    /// A store that reaches Azurite without the proxy.
    direct: Store,
    etag: Option<ETag>,
}

impl Before {
    async fn of(due_before: Option<Option<u64>>) -> Self {
        let prefix = fresh_prefix();
        let direct = store(&azurite(), &prefix, Jumping::new());
        let mut etag = None;
        if let Some(due_at) = due_before {
            etag = Some(save(&direct, "contoso", due_at.map(at), None).await.unwrap());
        }
        // Creates the tables, so that a change through the proxy sends only the requests of a save.
        save(&direct, "wingtip", Some(at(2 * FAR)), None).await.unwrap();
        Self { prefix, direct, etag }
    }

    /// Saves the changed document through the proxy. The version in the stored document shows whether the save was
    /// carried out.
    async fn change(&self, proxy: &Proxy, due_at: Option<u64>) -> Result<ETag, StoreError> {
        let over = store(&proxy.url, &self.prefix, Jumping::new());
        let mut tenant = tenant("contoso");
        tenant.raise_version();
        tenant.due_at = due_at.map(at);
        over.save(&tenant, self.etag.as_ref()).await
    }

    /// Asserts that the document is due once, at its due instant and not before; that the next worker can save it;
    /// and that the index then has only the expected entries. Returns whether the change was saved.
    async fn holds_together(&self, what: &str) -> bool {
        let changed = tenant("contoso").version() + 1;
        let mut made = false;
        if let Some(Stored { value, .. }) = self.direct.load(&id("contoso")).await.unwrap() {
            made = value.version() == changed;
            if let Some(due_at) = value.due_at {
                let before = due_at - std::time::Duration::from_millis(1);
                assert_eq!(due(&self.direct, before, 10).await, [""; 0], "{what}");
                assert_eq!(due(&self.direct, due_at, 10).await, ["contoso"], "{what}");
            }
        }
        // Acts as the next worker, which saves the document.
        let seen = self.direct.load(&id("contoso")).await.unwrap().map(|stored| stored.etag);
        save(&self.direct, "contoso", Some(at(7)), seen.as_ref()).await.unwrap();
        assert_eq!(due(&self.direct, at(7), 10).await, ["contoso"], "{what}");
        assert_eq!(due(&self.direct, at(3 * FAR), 10).await, ["contoso", "wingtip"], "{what}");
        let left = entities(&self.prefix, "due").await;
        assert_eq!(left.len(), 2, "{what}: {left:?}");
        made
    }
}

/// The number of requests to Table Storage that a change needs.
async fn requests_of(due_before: Option<Option<u64>>, due_after: Option<u64>) -> usize {
    let before = Before::of(due_before).await;
    let proxy = Proxy::to(&azurite(), |_, _| Fate::Arrives).await;
    before.change(&proxy, due_after).await.unwrap();
    proxy.seen().len()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_save_sends_the_necessary_requests_and_no_more() {
    let expected: [&[&str]; 8] = [
        &["POST tenants"],
        &["POST due", "POST tenants"],
        &["POST due", "PUT tenants"],
        // The lease is extended: the existing index entry is early enough, so it stays.
        &["PUT tenants"],
        &["POST due", "PUT tenants", "DELETE due"],
        &["POST due", "PUT tenants", "DELETE due"],
        &["PUT tenants", "DELETE due"],
        &["PUT tenants"],
    ];
    for ((due_before, due_after), expected) in CHANGES.into_iter().zip(expected) {
        let before = Before::of(due_before).await;
        let proxy = Proxy::to(&azurite(), |_, _| Fate::Arrives).await;
        before.change(&proxy, due_after).await.unwrap();
        assert_eq!(proxy.asked(), expected, "{due_before:?} to {due_after:?}");
        for seen in proxy.seen() {
            let insert = seen.what.starts_with("POST") && seen.if_match.is_none();
            let conditional = seen.if_match.as_deref().is_some_and(|etag| etag.starts_with("W/\"datetime'"));
            assert!(insert || conditional, "a write without a condition: {seen:?}");
        }
    }
}

/// Azurite reads a plus in a query as a space; Azure Storage reads it as a plus.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_space_in_a_query_is_percent_encoded() {
    let before = Before::of(Some(Some(100))).await;
    let proxy = Proxy::to(&azurite(), |_, _| Fate::Arrives).await;
    let over = store(&proxy.url, &before.prefix, Jumping::new());
    assert_eq!(over.list(Some(&id("contoso")), 10).await.unwrap().len(), 1);
    assert_eq!(due(&over, at(100), 10).await, ["contoso"]);
    let queries: Vec<String> = proxy.seen().into_iter().map(|seen| seen.query).collect();
    assert_eq!(
        queries,
        [
            "%24filter=PartitionKey%20gt%20%27contoso%27&%24top=10",
            "%24filter=PartitionKey%20eq%20%27due%27%20and%20RowKey%20lt%20%27001795366900000a%27&%24top=100",
            "%24select=SaveId%2CDueAt%2CDueRow%2CDueTag",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_lost_request_or_answer_is_recovered() {
    for (due_before, due_after) in CHANGES {
        for lost in 1..=requests_of(due_before, due_after).await {
            for fate in
                [Fate::Lost, Fate::Unanswered, Fate::Garbled, Fate::Replaced("500 Internal Server Error")]
            {
                let what = format!("{due_before:?} to {due_after:?}, request {lost}");
                let before = Before::of(due_before).await;
                let proxy = Proxy::to(
                    &azurite(),
                    move |number, _| {
                        if number == lost { fate.clone() } else { Fate::Arrives }
                    },
                )
                .await;
                let etag = before.change(&proxy, due_after).await.unwrap();
                let stored = before.direct.load(&id("contoso")).await.unwrap().unwrap();
                assert_eq!(stored.etag, etag, "{what}");
                assert!(before.holds_together(&what).await, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn after_a_crash_between_any_two_requests_the_document_is_found_when_due() {
    for (due_before, due_after) in CHANGES {
        let requests = requests_of(due_before, due_after).await;
        for arrived in 0..=requests {
            let what = format!("{due_before:?} to {due_after:?}, dead after request {arrived}");
            let before = Before::of(due_before).await;
            // A crashed worker sends no more requests and gets no more answers, so the last request that arrives has no
            // answer.
            let proxy = Proxy::to(&azurite(), move |number, _| match number.cmp(&arrived) {
                std::cmp::Ordering::Less => Fate::Arrives,
                std::cmp::Ordering::Equal => Fate::Unanswered,
                std::cmp::Ordering::Greater => Fate::Lost,
            })
            .await;
            let saved = before.change(&proxy, due_after).await;
            // If the save was carried out before the crash, only the old index entry may be left over.
            if let Err(error) = &saved {
                assert!(matches!(error, StoreError::Unavailable(_)), "{what}: {error}");
            }
            let made = before.holds_together(&what).await;
            assert!(made || saved.is_err(), "{what}: the save reported success");
            assert_eq!(
                made,
                proxy.asked()[..arrived].iter().any(|asked| asked.ends_with("tenants")),
                "{what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_entry_is_not_dropped_while_its_save_is_in_flight() {
    for due_before in [None, Some(None), Some(Some(FAR))] {
        let before = Before::of(due_before).await;
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let proxy = Proxy::to(&azurite(), move |_, seen| {
            if seen.what.ends_with("tenants") { Fate::Held(Arc::clone(&held)) } else { Fate::Arrives }
        })
        .await;
        let (saved, ()) = tokio::join!(before.change(&proxy, Some(100)), async {
            reached("the document is in flight", || proxy.asked().len() == 2).await;
            // The entry stays however long the save takes.
            assert_eq!(due(&before.direct, at(FAR - 1), 10).await, [""; 0]);
            gate.add_permits(1);
        });
        saved.unwrap();
        assert_eq!(due(&before.direct, at(100), 10).await, ["contoso"]);
        assert!(before.holds_together("held").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_entry_is_dropped_once_its_save_can_not_succeed() {
    let before = Before::of(Some(None)).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let proxy = Proxy::to(&azurite(), move |_, seen| {
        if seen.what == "PUT tenants" { Fate::Held(Arc::clone(&held)) } else { Fate::Arrives }
    })
    .await;
    let (late, ()) = tokio::join!(before.change(&proxy, Some(100)), async {
        reached("the document is in flight", || proxy.asked().len() == 2).await;
        save(&before.direct, "contoso", Some(at(FAR)), before.etag.as_ref()).await.unwrap();
        assert_eq!(entities(&before.prefix, "due").await.len(), 3);
        assert_eq!(due(&before.direct, at(100), 10).await, [""; 0]);
        assert_eq!(entities(&before.prefix, "due").await.len(), 2);
        gate.add_permits(1);
    });
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    assert!(!before.holds_together("overtaken").await);
}

/// The save is carried out and its answer is lost. Before the retry, another worker saves the next version and uses
/// the same index entry.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_entry_that_the_next_save_uses_is_kept() {
    for due_before in [None, Some(None)] {
        let before = Before::of(due_before).await;
        let gate = Arc::new(Semaphore::new(0));
        let (held, documents) = (Arc::clone(&gate), AtomicUsize::new(0));
        let proxy = Proxy::to(&azurite(), move |_, seen| {
            let first = seen.what.ends_with("tenants") && documents.fetch_add(1, Ordering::SeqCst) == 0;
            if first { Fate::UnansweredAfter(Arc::clone(&held)) } else { Fate::Arrives }
        })
        .await;
        let (late, ()) = tokio::join!(before.change(&proxy, Some(100)), async {
            let mut upon = None;
            while upon.as_ref().is_none_or(|stored: &Stored<_>| Some(&stored.etag) == before.etag.as_ref()) {
                upon = before.direct.load(&id("contoso")).await.unwrap();
            }
            save(&before.direct, "contoso", Some(at(120)), Some(&upon.unwrap().etag)).await.unwrap();
            gate.add_permits(1);
        });
        assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
        assert_eq!(due(&before.direct, at(119), 10).await, [""; 0]);
        assert_eq!(due(&before.direct, at(120), 10).await, ["contoso"]);
        before.holds_together("taken over").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_unknown_result_is_reported_as_unknown() {
    for due_before in [None, Some(None)] {
        let before = Before::of(due_before).await;
        // The document's write never arrives, however often it is sent; reads are answered.
        let proxy =
            Proxy::to(
                &azurite(),
                |_, seen| {
                    if seen.what.starts_with("GET") { Fate::Arrives } else { Fate::Lost }
                },
            )
            .await;
        let unknown = before.change(&proxy, None).await.unwrap_err();
        let StoreError::Unavailable(why) = &unknown else { panic!("{unknown}") };
        assert_eq!(
            why,
            "the connection broke before the answer was whole; whether it was saved is unknown until it is read again"
        );
        assert_eq!(proxy.asked().len(), 4, "three attempts and a read");
        assert!(!before.holds_together("unknown").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_refused_save_leaves_nothing_behind() {
    let before = Before::of(Some(None)).await;
    let proxy = Proxy::to(&azurite(), |_, seen| match seen.what.as_str() {
        "PUT tenants" => Fate::Replaced("400 Bad Request\r\nx-ms-error-code: PropertyValueTooLarge"),
        _ => Fate::Arrives,
    })
    .await;
    let refused = before.change(&proxy, Some(100)).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.ends_with("PropertyValueTooLarge")),
        "{refused:?}"
    );
    assert_eq!(proxy.asked(), ["POST due", "PUT tenants", "DELETE due"]);
    assert!(!before.holds_together("refused").await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn history_is_written_once_whatever_is_lost() {
    let (prefix, rows) = (fresh_prefix(), super::records::rows("contoso", 5));
    let direct = store(&azurite(), &prefix, Jumping::new());
    // Creates the table, so that each row takes exactly three requests.
    direct.append(&super::records::rows("wingtip", 1)).await.unwrap();
    let proxy = Proxy::to(&azurite(), |number, _| match number % 3 {
        1 => Fate::Unanswered,
        2 => Fate::Lost,
        _ => Fate::Arrives,
    })
    .await;
    let over = store(&proxy.url, &prefix, Jumping::new());
    for row in &rows {
        over.append(std::slice::from_ref(row)).await.unwrap();
    }
    assert_eq!(proxy.asked().len(), 15);
    let history = direct.history(&id("contoso"), 10).await.unwrap();
    assert!(history.iter().rev().eq(&rows), "{history:?}");
}

/// Needs no Azurite: the proxy answers instead.
#[tokio::test(flavor = "multi_thread")]
async fn errors_are_readable_for_people() {
    let error_for = async |head: &'static str| {
        let nobody = "http://127.0.0.1:9".parse().unwrap();
        let proxy = Proxy::to(&nobody, move |_, _| Fate::Replaced(head)).await;
        let store = store(&proxy.url, "tenantry", Jumping::new());
        let error = store.load(&id("contoso")).await.unwrap_err();
        (error.to_string(), proxy.asked().len())
    };
    assert_eq!(
                error_for("403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch").await,
        (
            "the store does not answer: Table Storage answered with HTTP 403 AuthorizationPermissionMismatch; the \
             identity needs the role Storage Table Data Contributor on the account"
                .to_owned(),
            1
        )
    );
    let error = "the store does not answer: Table Storage answered with HTTP 500".to_owned();
    assert_eq!(error_for("500 Internal Server Error").await, (error, 3));
    let busy = "the store does not answer: Table Storage answered with HTTP 503".to_owned();
    assert_eq!(error_for("503 Service Unavailable\r\nRetry-After: 2").await, (busy, 3));
    let bad = "Table Storage answered with HTTP 400 InvalidInput".to_owned();
    assert_eq!(error_for("400 Bad Request\r\nx-ms-error-code: InvalidInput").await, (bad, 1));
    // An answer of success whose body can't be read.
    let (nonsense, asked) = error_for("200 OK").await;
    assert!(nonsense.starts_with("the store does not answer: "), "{nonsense}");
    assert_eq!(asked, 1);
}
