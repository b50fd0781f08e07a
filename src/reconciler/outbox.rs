//! Publishes the outbox: history first, then events, both at least once.

use tenantry_core::tenant::{EventOrigin, OutboxEntry, event_of, row_of};

use crate::{
    ports::Ports,
    telemetry::{KeyValue, Span, SpanKind, metrics},
};

/// Publishes outbox entries, which must be durable. Returns `false` if they have to be published again.
///
/// Only a tenant's own entries become history rows: those of intake have no sequence number.
pub async fn publish(
    ports: &Ports,
    deployment: &str,
    origin: EventOrigin<'_>,
    outbox: &[OutboxEntry],
) -> bool {
    if outbox.is_empty() {
        return true;
    }
    if let EventOrigin::Tenant(tenant) = origin {
        let rows: Vec<_> = outbox.iter().map(|entry| row_of(tenant, entry)).collect();
        if let Err(error) = ports.store.append(&rows).await {
            tracing::warn!(tenant.id = %tenant, error = %error, "history was not written; it will be retried");
            return false;
        }
    }
    let events: Vec<_> = outbox.iter().filter_map(|entry| event_of(deployment, origin, entry)).collect();
    if events.is_empty() {
        return true;
    }
    let mut span = Span::begin(
        SpanKind::Producer,
        || "publish events",
        || {
            let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
            vec![
                KeyValue::new("messaging.operation.name", "publish"),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.batch.message_count", count),
            ]
        },
    );
    let published = span.around(ports.publisher.publish(&events)).await;
    let lag = outbox.iter().map(|entry| ports.clock.now().duration_since(entry.at).as_secs_f64());
    let (lag, outcome) = (lag.fold(0.0, f64::max), if published.is_ok() { "published" } else { "failed" });
    metrics::record(&metrics::OUTBOX_LAG, lag, || [outcome.to_owned()]);
    let Err(failure) = published else { return true };
    span.fail(failure.cause.code.clone());
    let id = match origin {
        EventOrigin::Tenant(id) | EventOrigin::Intake(Some(id)) => id.as_str(),
        EventOrigin::Intake(None) => "",
    };
    tracing::warn!(tenant.id = id, error = %failure, outbox_lag_seconds = lag, "events were not published; they will be retried");
    false
}
