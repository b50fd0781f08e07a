//! What becomes of saves whose requests or answers are lost, held or repeated on the way to Table Storage.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tenantry::ports::{ETag, StoreError, Stored};
use tokio::sync::Semaphore;

use super::{
    azurite::{azurite, entities, fresh_prefix, store},
    cable::{Cable, Fate, reached},
    contract::{Store, id, tenant},
    due::{at, due, save},
};
use crate::testkit::lab::Jumping;

const FAR: u64 = 30 * 24 * 3600;

/// What a save may find and leave behind: due before, in seconds, and due afterwards.
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

/// Contoso in tables of its own, as it is before a change.
struct Before {
    prefix: String,
    /// By another way than the cable.
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
        // The tables are there, so that each request is about what it seems to be about.
        save(&direct, "wingtip", Some(at(2 * FAR)), None).await.unwrap();
        Self { prefix, direct, etag }
    }

    /// The change over a cable; the document's version tells it from the one before.
    async fn change(&self, cable: &Cable, due_at: Option<u64>) -> Result<ETag, StoreError> {
        let over = store(&cable.url, &self.prefix, Jumping::new());
        let mut tenant = tenant("contoso");
        tenant.raise_version();
        tenant.due_at = due_at.map(at);
        over.save(&tenant, self.etag.as_ref()).await
    }

    /// What everything rests on: the document is found when it is due, once, and not before; whoever comes next can save
    /// it; and in the end nothing but what is named is left in the index. Returns whether the change was made.
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
        // Whoever comes next.
        let seen = self.direct.load(&id("contoso")).await.unwrap().map(|stored| stored.etag);
        save(&self.direct, "contoso", Some(at(7)), seen.as_ref()).await.unwrap();
        assert_eq!(due(&self.direct, at(7), 10).await, ["contoso"], "{what}");
        assert_eq!(due(&self.direct, at(3 * FAR), 10).await, ["contoso", "wingtip"], "{what}");
        let left = entities(&self.prefix, "due").await;
        assert_eq!(left.len(), 2, "{what}: {left:?}");
        made
    }
}

/// How many requests a change needs.
async fn requests_of(due_before: Option<Option<u64>>, due_after: Option<u64>) -> usize {
    let before = Before::of(due_before).await;
    let cable = Cable::to(&azurite(), |_, _| Fate::Arrives).await;
    before.change(&cable, due_after).await.unwrap();
    cable.seen().len()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_save_asks_for_what_it_needs_and_no_more() {
    let expected: [&[&str]; 8] = [
        &["POST tenants"],
        &["POST due", "POST tenants"],
        &["POST due", "PUT tenants"],
        // A lease that is extended: the entry stands early enough.
        &["PUT tenants"],
        &["POST due", "PUT tenants", "DELETE due"],
        &["POST due", "PUT tenants", "DELETE due"],
        &["PUT tenants", "DELETE due"],
        &["PUT tenants"],
    ];
    for ((due_before, due_after), expected) in CHANGES.into_iter().zip(expected) {
        let before = Before::of(due_before).await;
        let cable = Cable::to(&azurite(), |_, _| Fate::Arrives).await;
        before.change(&cable, due_after).await.unwrap();
        assert_eq!(cable.asked(), expected, "{due_before:?} to {due_after:?}");
        for seen in cable.seen() {
            let insert = seen.what.starts_with("POST") && seen.if_match.is_none();
            let conditional = seen.if_match.as_deref().is_some_and(|etag| etag.starts_with("W/\"datetime'"));
            assert!(insert || conditional, "a write without a condition: {seen:?}");
        }
    }
}

/// A plus in a query is a space to some, Azurite among them, and a plus to Azure's storage.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_space_in_a_query_is_written_so_that_everybody_reads_it() {
    let before = Before::of(Some(Some(100))).await;
    let cable = Cable::to(&azurite(), |_, _| Fate::Arrives).await;
    let over = store(&cable.url, &before.prefix, Jumping::new());
    assert_eq!(over.list(Some(&id("contoso")), 10).await.unwrap().len(), 1);
    assert_eq!(due(&over, at(100), 10).await, ["contoso"]);
    let queries: Vec<String> = cable.seen().into_iter().map(|seen| seen.query).collect();
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
async fn a_lost_request_or_answer_is_made_good() {
    for (due_before, due_after) in CHANGES {
        for lost in 1..=requests_of(due_before, due_after).await {
            for fate in
                [Fate::Lost, Fate::Unanswered, Fate::Garbled, Fate::Spoken("500 Internal Server Error")]
            {
                let what = format!("{due_before:?} to {due_after:?}, request {lost}");
                let before = Before::of(due_before).await;
                let cable = Cable::to(
                    &azurite(),
                    move |number, _| {
                        if number == lost { fate.clone() } else { Fate::Arrives }
                    },
                )
                .await;
                let etag = before.change(&cable, due_after).await.unwrap();
                let stored = before.direct.load(&id("contoso")).await.unwrap().unwrap();
                assert_eq!(stored.etag, etag, "{what}");
                assert!(before.holds_together(&what).await, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_death_between_any_two_requests_leaves_nothing_unfound() {
    for (due_before, due_after) in CHANGES {
        let requests = requests_of(due_before, due_after).await;
        for arrived in 0..=requests {
            let what = format!("{due_before:?} to {due_after:?}, dead after request {arrived}");
            let before = Before::of(due_before).await;
            // The dead ask no more, and hear no more: of what arrived, the last was not answered.
            let cable = Cable::to(&azurite(), move |number, _| match number.cmp(&arrived) {
                std::cmp::Ordering::Less => Fate::Arrives,
                std::cmp::Ordering::Equal => Fate::Unanswered,
                std::cmp::Ordering::Greater => Fate::Lost,
            })
            .await;
            let saved = before.change(&cable, due_after).await;
            // Only the old entry may be left behind by a save that was made.
            if let Err(error) = &saved {
                assert!(matches!(error, StoreError::Unavailable(_)), "{what}: {error}");
            }
            let made = before.holds_together(&what).await;
            assert!(made || saved.is_err(), "{what}: it was said to be saved");
            assert_eq!(
                made,
                cable.asked()[..arrived].iter().any(|asked| asked.ends_with("tenants")),
                "{what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_entry_is_not_dropped_while_its_save_is_on_its_way() {
    for due_before in [None, Some(None), Some(Some(FAR))] {
        let before = Before::of(due_before).await;
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let cable = Cable::to(&azurite(), move |_, seen| {
            if seen.what.ends_with("tenants") { Fate::Held(Arc::clone(&held)) } else { Fate::Arrives }
        })
        .await;
        let (saved, ()) = tokio::join!(before.change(&cable, Some(100)), async {
            reached("the document is under way", || cable.asked().len() == 2).await;
            // However long it takes.
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
async fn an_entry_is_dropped_once_its_save_can_not_succeed_any_more() {
    let before = Before::of(Some(None)).await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let cable = Cable::to(&azurite(), move |_, seen| {
        if seen.what == "PUT tenants" { Fate::Held(Arc::clone(&held)) } else { Fate::Arrives }
    })
    .await;
    let (late, ()) = tokio::join!(before.change(&cable, Some(100)), async {
        reached("the document is under way", || cable.asked().len() == 2).await;
        save(&before.direct, "contoso", Some(at(FAR)), before.etag.as_ref()).await.unwrap();
        assert_eq!(entities(&before.prefix, "due").await.len(), 3);
        assert_eq!(due(&before.direct, at(100), 10).await, [""; 0]);
        assert_eq!(entities(&before.prefix, "due").await.len(), 2);
        gate.add_permits(1);
    });
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    assert!(!before.holds_together("overtaken").await);
}

/// The save is made, its answer lost, and before it is asked again somebody saves upon it and keeps its entry.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn an_entry_that_was_taken_over_stays() {
    for due_before in [None, Some(None)] {
        let before = Before::of(due_before).await;
        let gate = Arc::new(Semaphore::new(0));
        let (held, documents) = (Arc::clone(&gate), AtomicUsize::new(0));
        let cable = Cable::to(&azurite(), move |_, seen| {
            let first = seen.what.ends_with("tenants") && documents.fetch_add(1, Ordering::SeqCst) == 0;
            if first { Fate::UnansweredAfter(Arc::clone(&held)) } else { Fate::Arrives }
        })
        .await;
        let (late, ()) = tokio::join!(before.change(&cable, Some(100)), async {
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
async fn what_can_not_be_known_is_said_to_be_unknown() {
    for due_before in [None, Some(None)] {
        let before = Before::of(due_before).await;
        // The document never arrives, however often it is sent; what is read is answered.
        let cable =
            Cable::to(
                &azurite(),
                |_, seen| {
                    if seen.what.starts_with("GET") { Fate::Arrives } else { Fate::Lost }
                },
            )
            .await;
        let unknown = before.change(&cable, None).await.unwrap_err();
        let StoreError::Unavailable(why) = &unknown else { panic!("{unknown}") };
        assert_eq!(
            why,
            "the connection broke before the answer was whole; whether it was saved is unknown until it is read again"
        );
        assert_eq!(cable.asked().len(), 4, "three tries and a look");
        assert!(!before.holds_together("unknown").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn a_refused_save_leaves_nothing_behind() {
    let before = Before::of(Some(None)).await;
    let cable = Cable::to(&azurite(), |_, seen| match seen.what.as_str() {
        "PUT tenants" => Fate::Spoken("400 Bad Request\r\nx-ms-error-code: PropertyValueTooLarge"),
        _ => Fate::Arrives,
    })
    .await;
    let refused = before.change(&cable, Some(100)).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.ends_with("PropertyValueTooLarge")),
        "{refused:?}"
    );
    assert_eq!(cable.asked(), ["POST due", "PUT tenants", "DELETE due"]);
    assert!(!before.holds_together("refused").await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Azurite: `cargo xtask test` brings it"]
async fn history_is_written_once_whatever_is_lost() {
    let (prefix, rows) = (fresh_prefix(), super::records::rows("contoso", 5));
    let direct = store(&azurite(), &prefix, Jumping::new());
    // The table is there already, so that each row is sent three times.
    direct.append(&super::records::rows("wingtip", 1)).await.unwrap();
    let cable = Cable::to(&azurite(), |number, _| match number % 3 {
        1 => Fate::Unanswered,
        2 => Fate::Lost,
        _ => Fate::Arrives,
    })
    .await;
    let over = store(&cable.url, &prefix, Jumping::new());
    for row in &rows {
        over.append(std::slice::from_ref(row)).await.unwrap();
    }
    assert_eq!(cable.asked().len(), 15);
    let told = direct.history(&id("contoso"), 10).await.unwrap();
    assert!(told.iter().rev().eq(&rows), "{told:?}");
}

/// Nothing here needs Azurite: the service's part is spoken.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_for_people() {
    let told = async |head: &'static str| {
        let nobody = "http://127.0.0.1:9".parse().unwrap();
        let cable = Cable::to(&nobody, move |_, _| Fate::Spoken(head)).await;
        let store = store(&cable.url, "tenantry", Jumping::new());
        let error = store.load(&id("contoso")).await.unwrap_err();
        (error.to_string(), cable.asked().len())
    };
    assert_eq!(
        told("403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch").await,
        (
            "the store does not answer: Table Storage answered with HTTP 403 AuthorizationPermissionMismatch; the \
             identity needs the role Storage Table Data Contributor on the account"
                .to_owned(),
            1
        )
    );
    let error = "the store does not answer: Table Storage answered with HTTP 500".to_owned();
    assert_eq!(told("500 Internal Server Error").await, (error, 3));
    let busy = "the store does not answer: Table Storage answered with HTTP 503".to_owned();
    assert_eq!(told("503 Service Unavailable\r\nRetry-After: 2").await, (busy, 3));
    let bad = "Table Storage answered with HTTP 400 InvalidInput".to_owned();
    assert_eq!(told("400 Bad Request\r\nx-ms-error-code: InvalidInput").await, (bad, 1));
    // A success that can't be read, with a body that is none.
    let (nonsense, asked) = told("200 OK").await;
    assert!(nonsense.starts_with("the store does not answer: "), "{nonsense}");
    assert_eq!(asked, 1);
}
