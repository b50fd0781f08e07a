//! Tells what is in the outbox: history first, then events, both at least once.

use tenantry_core::tenant::{Notice, Teller, event_of, row_of};

use crate::{
    ports::World,
    telemetry::{KeyValue, Span, SpanKind, metrics},
};

/// Tells notices that are durable; `false` if they have to be told again.
///
/// Only a tenant's own notices become history: those of the intake have no number among them.
pub async fn announce(world: &World, deployment: &str, teller: Teller<'_>, notices: &[Notice]) -> bool {
    if notices.is_empty() {
        return true;
    }
    if let Teller::Tenant(tenant) = teller {
        let rows: Vec<_> = notices.iter().map(|notice| row_of(tenant, notice)).collect();
        if let Err(error) = world.store.append(&rows).await {
            tracing::warn!(tenant.id = %tenant, error = %error, "history was not written; it will be tried again");
            return false;
        }
    }
    let events: Vec<_> = notices.iter().filter_map(|notice| event_of(deployment, teller, notice)).collect();
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
    let published = span.around(world.announcer.publish(&events)).await;
    let lag = notices.iter().map(|notice| world.clock.now().duration_since(notice.at).as_secs_f64());
    let (lag, outcome) = (lag.fold(0.0, f64::max), if published.is_ok() { "told" } else { "failed" });
    metrics::record(&metrics::OUTBOX_LAG, lag, || [outcome.to_owned()]);
    let Err(failure) = published else { return true };
    span.fail(failure.cause.code.clone());
    let id = match teller {
        Teller::Tenant(id) | Teller::Intake(Some(id)) => id.as_str(),
        Teller::Intake(None) => "",
    };
    tracing::warn!(tenant.id = id, error = %failure, outbox_lag_seconds = lag, "events were not published; they will be tried again");
    false
}
