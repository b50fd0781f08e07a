//! The broker in the local state file behaves as Service Bus does.

use std::{collections::BTreeMap, path::Path, time::Duration};

use azure_sim::{
    db::Db,
    queue::{BrokerSettings, Counts, DEAD_LETTER_SUFFIX, Delivery, NewMessage, Queue, QueueError},
};
use jiff::Timestamp;
use serde_json::json;

const REQUESTS: &str = "tenant-requests";
const WAKEUPS: &str = "tenant-wakeups";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn open(folder: &Path) -> Queue {
    Queue::open(Db::open(&folder.join("state.redb")).unwrap(), BrokerSettings::default()).unwrap()
}

/// Opens the queue again. The previous writer closes the file a moment after its last user, so this tries repeatedly.
fn reopen(folder: &Path) -> Queue {
    for _ in 0..1_000_000 {
        if let Ok(db) = Db::open(&folder.join("state.redb")) {
            return Queue::open(db, BrokerSettings::default()).unwrap();
        }
        std::thread::yield_now();
    }
    panic!("the state file is still held");
}

fn wakeup(id: &str) -> NewMessage {
    NewMessage { message_id: Some(id.to_owned()), body: id.as_bytes().to_vec(), ..NewMessage::default() }
}

fn request(id: &str, session: &str) -> NewMessage {
    NewMessage { session_id: Some(session.to_owned()), ..wakeup(id) }
}

fn id(delivery: &Delivery) -> &str {
    &delivery.message.message_id
}

async fn next(queue: &Queue, name: &str, now: Timestamp) -> Delivery {
    queue.receive(name, now).await.unwrap().unwrap()
}

#[tokio::test]
async fn messages_come_in_order_and_are_deleted_when_completed() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    for name in ["a", "b"] {
        queue.send(WAKEUPS, wakeup(name), at(0)).await.unwrap();
    }
    let (a, b) = (next(&queue, WAKEUPS, at(1)).await, next(&queue, WAKEUPS, at(1)).await);
    assert_eq!((id(&a), id(&b)), ("a", "b"));
    assert_eq!((a.delivery_count, a.message.sequence, a.locked_until), (1, 1, at(61)));
    assert!(queue.receive(WAKEUPS, at(1)).await.unwrap().is_none());
    let counts = queue.counts(WAKEUPS, at(1)).unwrap();
    assert_eq!(counts, Counts { in_flight: 2, ..Counts::default() });
    queue.complete(a.token, at(2)).await.unwrap();
    queue.complete(b.token, at(2)).await.unwrap();
    assert_eq!(queue.counts(WAKEUPS, at(2)).unwrap(), Counts::default());
    assert!(matches!(queue.complete(a.token, at(2)).await, Err(QueueError::LockLost)));
}

#[tokio::test]
async fn an_abandoned_message_is_redelivered_at_once_and_dead_lettered_after_ten_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    queue.send(REQUESTS, request("poison", "t"), at(0)).await.unwrap();
    queue.send(REQUESTS, request("after", "t"), at(0)).await.unwrap();
    for count in 1..=10 {
        let delivery = next(&queue, REQUESTS, at(1)).await;
        assert_eq!((id(&delivery), delivery.delivery_count), ("poison", count));
        queue.abandon(delivery.token, at(1)).await.unwrap();
    }
    assert_eq!(id(&next(&queue, REQUESTS, at(1)).await), "after");
    assert_eq!(queue.counts(REQUESTS, at(1)).unwrap().dead_lettered, 1);
    let dead_letters = format!("{REQUESTS}{DEAD_LETTER_SUFFIX}");
    // In a dead-letter queue, messages have no limit of deliveries.
    for _ in 0..12 {
        let dead = next(&queue, &dead_letters, at(2)).await;
        assert_eq!(id(&dead), "poison");
        assert_eq!(dead.message.properties["DeadLetterReason"], "MaxDeliveryCountExceeded");
        queue.abandon(dead.token, at(2)).await.unwrap();
    }
    let dead = next(&queue, &dead_letters, at(2)).await;
    queue.complete(dead.token, at(2)).await.unwrap();
    assert!(queue.peek(&dead_letters, 10).unwrap().is_empty());
}

#[tokio::test]
async fn a_session_has_one_message_in_flight_and_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    for (name, session) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        queue.send(REQUESTS, request(name, session), at(0)).await.unwrap();
    }
    let a1 = next(&queue, REQUESTS, at(1)).await;
    let b1 = next(&queue, REQUESTS, at(1)).await;
    assert_eq!((id(&a1), id(&b1)), ("a1", "b1"));
    assert!(queue.receive(REQUESTS, at(1)).await.unwrap().is_none(), "a2 waits for a1");
    queue.abandon(a1.token, at(2)).await.unwrap();
    let again = next(&queue, REQUESTS, at(2)).await;
    assert_eq!((id(&again), again.delivery_count), ("a1", 2), "nothing overtakes an abandoned message");
    queue.complete(again.token, at(2)).await.unwrap();
    assert_eq!(id(&next(&queue, REQUESTS, at(2)).await), "a2");
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    let late = NewMessage { enqueue_at: Some(at(60)), ..wakeup("late") };
    queue.send(WAKEUPS, late, at(0)).await.unwrap();
    queue.send(WAKEUPS, wakeup("now"), at(10)).await.unwrap();
    let past = NewMessage { enqueue_at: Some(at(-5)), ..wakeup("past") };
    queue.send(WAKEUPS, past, at(11)).await.unwrap();
    let first = next(&queue, WAKEUPS, at(20)).await;
    let second = next(&queue, WAKEUPS, at(20)).await;
    assert_eq!((id(&first), id(&second)), ("now", "past"));
    queue.complete(first.token, at(20)).await.unwrap();
    queue.complete(second.token, at(20)).await.unwrap();
    assert!(queue.receive(WAKEUPS, at(59)).await.unwrap().is_none());
    assert_eq!(queue.next_due(WAKEUPS, at(59)).unwrap(), Some(at(60)));
    assert_eq!(queue.counts(WAKEUPS, at(59)).unwrap().scheduled, 1);
    assert_eq!(id(&next(&queue, WAKEUPS, at(60)).await), "late");
}

#[tokio::test]
async fn a_lock_expires_unless_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    queue.send(REQUESTS, request("m", "s"), at(0)).await.unwrap();
    let first = next(&queue, REQUESTS, at(0)).await;
    assert_eq!(queue.renew(first.token, at(30)).unwrap(), at(90));
    assert_eq!(queue.next_due(REQUESTS, at(60)).unwrap(), Some(at(90)));
    assert!(queue.receive(REQUESTS, at(89)).await.unwrap().is_none());
    let second = next(&queue, REQUESTS, at(90)).await;
    assert_eq!((id(&second), second.delivery_count), ("m", 2));
    assert!(matches!(queue.renew(first.token, at(91)), Err(QueueError::LockLost)));
    assert!(matches!(queue.complete(first.token, at(91)).await, Err(QueueError::LockLost)));
    queue.complete(second.token, at(91)).await.unwrap();
}

#[tokio::test]
async fn a_message_id_is_accepted_once_within_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    let first = queue.send(WAKEUPS, wakeup("same"), at(0)).await.unwrap();
    let parallel = (0..50).map(|_| queue.send(WAKEUPS, wakeup("same"), at(1)));
    let again = futures_util::future::join_all(parallel).await;
    assert!(again.into_iter().all(|sequence| sequence.unwrap() == first));
    assert_eq!(queue.send(WAKEUPS, wakeup("same"), at(599)).await.unwrap(), first);
    assert_eq!(queue.counts(WAKEUPS, at(599)).unwrap().ready, 1);
    // The window starts at the first message; a rejected repeat does not extend it.
    assert!(queue.send(WAKEUPS, wakeup("same"), at(600)).await.unwrap() > first);
    // Duplicates are detected per queue.
    queue.send(REQUESTS, request("same", "s"), at(600)).await.unwrap();
    assert_eq!(queue.counts(REQUESTS, at(600)).unwrap().ready, 1);
}

#[tokio::test]
async fn everything_but_locks_survives_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    let full = NewMessage {
        properties: BTreeMap::from([("k".to_owned(), json!(1))]),
        content_type: Some("application/json".to_owned()),
        correlation_id: Some("c".to_owned()),
        ..request("kept", "s")
    };
    queue.send(REQUESTS, full, at(0)).await.unwrap();
    let delivery = next(&queue, REQUESTS, at(1)).await;
    queue.abandon(delivery.token, at(1)).await.unwrap();
    next(&queue, REQUESTS, at(1)).await;
    queue.send(WAKEUPS, wakeup("done"), at(1)).await.unwrap();
    let done = next(&queue, WAKEUPS, at(1)).await;
    queue.complete(done.token, at(1)).await.unwrap();
    drop(queue);

    let queue = reopen(folder.path());
    let delivery = next(&queue, REQUESTS, at(2)).await;
    assert_eq!((id(&delivery), delivery.delivery_count), ("kept", 2), "a void lock is no failure");
    assert_eq!(delivery.message.properties["k"], 1);
    assert_eq!(delivery.message.content_type.as_deref(), Some("application/json"));
    assert_eq!(delivery.message.correlation_id.as_deref(), Some("c"));
    assert!(queue.receive(WAKEUPS, at(2)).await.unwrap().is_none());
    assert_eq!(queue.send(WAKEUPS, wakeup("done"), at(3)).await.unwrap(), 1, "ids are remembered");
    assert_eq!(queue.send(WAKEUPS, wakeup("new"), at(3)).await.unwrap(), 2, "numbers are not reused");
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    let long = "x".repeat(129);
    let huge = NewMessage { body: vec![0; (256 << 10) + 1], ..wakeup("huge") };
    let cases = [
        (queue.send("nowhere", wakeup("a"), at(0)).await, "nowhere"),
        (queue.send(REQUESTS, wakeup("a"), at(0)).await, "session id"),
        (queue.send(WAKEUPS, wakeup(&long), at(0)).await, "128 characters"),
        (queue.send(REQUESTS, request("a", &long), at(0)).await, "128 characters"),
        (queue.send(WAKEUPS, wakeup(""), at(0)).await, "128 characters"),
        (queue.send(WAKEUPS, huge, at(0)).await, "262144 bytes"),
    ];
    for (result, expected) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(matches!(queue.receive("nowhere", at(0)).await, Err(QueueError::NoSuchQueue(_))));
}

#[tokio::test]
async fn waiting_for_messages_misses_none() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path());
    let mut changes = queue.changes();
    changes.mark_unchanged();
    queue.send(WAKEUPS, wakeup("a"), at(0)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), changes.changed()).await.unwrap().unwrap();
    let delivery = next(&queue, WAKEUPS, at(0)).await;
    changes.mark_unchanged();
    queue.abandon(delivery.token, at(0)).await.unwrap();
    assert!(changes.has_changed().unwrap());
}
