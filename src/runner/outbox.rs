//! Tells what is in the outbox: history first, then events, both at least once.

use crate::{
    announce::{event_of, row_of},
    ids::TenantId,
    ports::World,
    tenant::Notice,
};

/// Tells notices that are durable; `false` if they have to be told again.
pub async fn announce(
    world: &World,
    deployment: &str,
    tenant: Option<&TenantId>,
    notices: &[Notice],
) -> bool {
    if notices.is_empty() {
        return true;
    }
    if let Some(tenant) = tenant {
        let rows: Vec<_> = notices.iter().map(|notice| row_of(tenant, notice)).collect();
        if let Err(error) = world.store.append(&rows).await {
            tracing::warn!(tenant.id = %tenant, error = %error, "history was not written; it will be tried again");
            return false;
        }
    }
    publish(world, deployment, tenant, notices).await
}

/// Publishes the events among notices; `false` if they have to be published again.
pub(super) async fn publish(
    world: &World,
    deployment: &str,
    tenant: Option<&TenantId>,
    notices: &[Notice],
) -> bool {
    let events: Vec<_> = notices.iter().filter_map(|notice| event_of(deployment, tenant, notice)).collect();
    if events.is_empty() {
        return true;
    }
    let Err(failure) = world.announcer.publish(&events).await else { return true };
    let id = tenant.map(TenantId::as_str).unwrap_or_default();
    tracing::warn!(tenant.id = id, error = %failure, "events were not published; they will be tried again");
    false
}
