//! Rows of the state that this version can't read: kept unchanged, skipped, and always logged.

use tenantry_core::tenant::Tenant;

use crate::{
    ports::{Listed, Unreadable},
    telemetry::metrics,
};

/// The tenants among the rows of a list. Unreadable rows are logged and counted; an alert queries the line
/// (infra/modules/alerts.bicep).
pub fn readable(rows: Vec<Listed>) -> Vec<Tenant> {
    let (tenants, unreadable) = Listed::sorted_out(rows);
    for Unreadable { tenant_id, why } in &unreadable {
        log_unreadable("tenant", tenant_id.as_str(), why);
    }
    tenants
}

/// Logs and counts one row: a `tenant`'s document or a `request`'s record, by its key.
pub fn log_unreadable(kind: &'static str, key: &str, why: &str) {
    tracing::error!(kind, key, why, "a stored row is unreadable");
    metrics::record(&metrics::UNREADABLE, 1.0, || [kind.to_owned()]);
}
