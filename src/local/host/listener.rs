//! Runs a queue trigger: receives a message under a lock, invokes the function, renews the lock meanwhile, and settles
//! the message.
//!
//! Source: azure-sdk-for-net, `ServiceBusListener`, `MessageProcessor` and `ReceiverManager`. A failed message is
//! abandoned at once, without back-off; renewal ends after `maxAutoLockRenewalDuration` while the invocation continues.

use std::{sync::Arc, time::Duration};

use azure_sim::queue::{Delivery, LockToken, NewMessage, QueueError};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Attempt, InjectedFault, Shared,
    app::{Binding, FunctionFile},
    encode,
    invoke::{Answer, envelope},
    outputs, pause,
};

/// How long a listener waits after a failure of the state file.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Receives messages for one function until the host stops. Dropping the future ends its deliveries, and their messages
/// stay locked.
pub(super) async fn listen(shared: Arc<Shared>, function: Arc<FunctionFile>) {
    let trigger = function.trigger();
    let host = &shared.app.host;
    let at_once =
        if trigger.is_sessions_enabled { host.max_concurrent_sessions } else { host.max_concurrent_calls };
    let free = Arc::new(Semaphore::new(at_once));
    let mut deliveries = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { break };
        let next = tokio::select! {
            next = next(&shared, trigger) => next,
            () = shared.stopping() => break,
        };
        // Counted before the task runs, so that the host never appears idle in between.
        let busy = shared.busy();
        let (shared, function) = (Arc::clone(&shared), Arc::clone(&function));
        deliveries.spawn(async move {
            deliver(&shared, &function, next).await;
            drop((permit, busy));
        });
        while deliveries.try_join_next().is_some() {}
    }
    while deliveries.join_next().await.is_some() {}
}

/// Waits for the next message of the trigger's queue, and receives it.
async fn next(shared: &Shared, trigger: &Binding) -> Delivery {
    let queue = trigger.queue_name.as_deref().unwrap_or_default();
    let mut changes = shared.queue.changes();
    loop {
        // No message is received while the state file fails, because it could not be settled.
        shared.queue.usable().await;
        changes.mark_unchanged();
        let now = shared.now();
        let due = match shared.queue.receive(queue, now).await {
            Ok(Some(delivery)) => return delivery,
            Ok(None) => shared.queue.next_due(queue, now).ok().flatten(),
            Err(QueueError::NoSuchQueue(queue)) => {
                tracing::error!(queue.name = queue, "the broker has no such queue; its function never runs");
                return std::future::pending().await;
            }
            Err(error) => {
                tracing::error!(queue.name = queue, %error, "receiving failed");
                pause(AFTER_FAILURE).await;
                continue;
            }
        };
        tokio::select! {
            _ = changes.changed() => {}
            () = until(shared, due) => {}
        }
    }
}

async fn until(shared: &Shared, due: Option<Timestamp>) {
    match due {
        Some(due) => shared.wait_until(due).await,
        None => std::future::pending().await,
    }
}

async fn deliver(shared: &Shared, function: &FunctionFile, delivery: Delivery) {
    let fault = shared.faults.on(&Attempt {
        function: &function.name,
        sequence: delivery.message.sequence,
        delivery_count: delivery.delivery_count,
    });
    let outcome = tokio::select! {
        outcome = attempts(shared, function, &delivery, fault) => outcome,
        never = keep_locked(shared, delivery.token, delivery.locked_until) => match never {},
    };
    let settled = match &outcome {
        Ok(()) => shared.queue.complete(delivery.token, shared.now()).await,
        Err(why) => {
            tracing::warn!(
                function.name = function.name,
                message.sequence = delivery.message.sequence,
                message.delivery_count = delivery.delivery_count,
                why,
                "the invocation failed; the message is returned to its queue"
            );
            shared.queue.abandon(delivery.token, shared.now()).await
        }
    };
    if let Err(error) = settled {
        let succeeded = outcome.is_ok();
        tracing::warn!(function.name = function.name, %error, succeeded, "the message was not settled; it will be delivered again");
    }
}

/// Invokes the function with a delivery, and injects the fault if a test has chosen one.
async fn attempts(
    shared: &Shared,
    function: &FunctionFile,
    delivery: &Delivery,
    fault: Option<InjectedFault>,
) -> Result<(), String> {
    match fault {
        None => attempt(shared, function, delivery, None).await.map(|_| ()),
        Some(InjectedFault::DuplicateDelivery) => {
            let (first, _) = tokio::join!(
                attempt(shared, function, delivery, None),
                attempt(shared, function, delivery, None)
            );
            first.map(|_| ())
        }
        Some(InjectedFault::KillHandler { after }) => {
            attempt(shared, function, delivery, Some(after)).await.map(|_| ())
        }
        Some(InjectedFault::OutputFailure) => {
            attempt(shared, function, delivery, None).await?;
            Err("an output could not be sent".to_owned())
        }
        Some(InjectedFault::StopHost { after }) => {
            tokio::select! {
                done = attempt(shared, function, delivery, None) => done.map(|_| ()),
                () = pause(after) => {
                    shared.block();
                    // The host's tasks are dropped now, including this one, and the message stays locked.
                    std::future::pending().await
                }
            }
        }
    }
}

async fn attempt(
    shared: &Shared,
    function: &FunctionFile,
    delivery: &Delivery,
    kill_after: Option<Duration>,
) -> Result<Answer, String> {
    let trigger = function.trigger();
    let data = encode::body(trigger, &delivery.message.body);
    let metadata = encode::message_metadata(function, delivery, shared.now());
    let envelope = envelope(&trigger.name, &data, &metadata);
    let answer = shared.invoker.invoke(&function.name, &envelope, kill_after).await?;
    send_outputs(shared, function, &answer).await?;
    Ok(answer)
}

/// Sends the function's Service Bus outputs, before the message is settled.
pub(super) async fn send_outputs(
    shared: &Shared,
    function: &FunctionFile,
    answer: &Answer,
) -> Result<(), String> {
    for line in outputs::member(answer, "Logs").and_then(Value::as_array).into_iter().flatten() {
        tracing::info!(function.name = function.name, "{}", line.as_str().unwrap_or_default());
    }
    let Some(outputs) = outputs::member(answer, "Outputs").and_then(Value::as_object) else { return Ok(()) };
    for binding in function.bindings.iter().filter(|b| b.kind.eq_ignore_ascii_case("serviceBus")) {
        let Some(value) = outputs::member(outputs, &binding.name) else { continue };
        let queue = binding.queue_name.as_deref().unwrap_or_default();
        for text in outputs::messages(binding, value) {
            // The real output can set neither a message id nor a session.
            let message = NewMessage {
                body: text.into_bytes(),
                content_type: Some("text/plain".to_owned()),
                ..NewMessage::default()
            };
            shared.queue.send(queue, message, shared.now()).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Renews a message's lock whenever half of its time is over, until `maxAutoLockRenewalDuration` has passed. Never
/// returns.
async fn keep_locked(shared: &Shared, token: LockToken, mut until: Timestamp) -> std::convert::Infallible {
    let limit = shared.now().checked_add(shared.app.host.max_lock_renewal).unwrap_or(Timestamp::MAX);
    loop {
        let now = shared.now();
        let half = until.duration_since(now) / 2;
        let at = now.checked_add(half).unwrap_or(limit);
        if at >= limit {
            return std::future::pending().await;
        }
        shared.wait_until(at).await;
        match shared.queue.renew(token, shared.now()) {
            Ok(renewed) => until = renewed,
            Err(error) => {
                tracing::warn!(%error, "the lock was not renewed; the invocation continues without it");
                return std::future::pending().await;
            }
        }
    }
}
