//! The cursor of a timer. It is kept in the store, because a serverless process seldom runs from one tick to the next.
//!
//! A cursor is a request record with a key that no request has, because the keys of requests are hashes.

use serde_json::{Value, json};
use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::unreadable::{log_unreadable, readable};
use crate::ports::{ETag, Ports, RequestRecord, StoreError};

/// The key of the isolation check's cursor.
pub(super) const ISOLATION: &str = "audit-cursor";
/// The key of the drift scan's cursor.
pub(super) const DRIFT: &str = "drift-cursor";

/// A cursor, as read.
pub(super) struct Cursor {
    /// The last tenant that was checked; `None` to start from the beginning.
    pub(super) after: Option<TenantId>,
    seen: Option<ETag>,
    key: &'static str,
}

impl Cursor {
    /// Reads the cursor of one timer.
    pub(super) async fn of(ports: &Ports, key: &'static str) -> Result<Self, StoreError> {
        let stored = match ports.store.request(key).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(Self { after: None, seen: None, key }),
            // An unreadable cursor would fail every run: start from the beginning, and overwrite it.
            Err(StoreError::Unreadable { why, etag }) => {
                log_unreadable("request", key, &why);
                return Ok(Self { after: None, seen: Some(etag), key });
            }
            Err(error) => return Err(error),
        };
        let after = stored.value.answer.get("after").and_then(Value::as_str);
        // An invalid id is no cursor: start from the beginning.
        Ok(Self { after: after.and_then(|id| id.parse().ok()), seen: Some(stored.etag), key })
    }

    /// The next portion of tenants, from the beginning again after the last one, and the id to continue after, if there
    /// may be more. Unreadable rows are logged and skipped.
    pub(super) async fn portion(
        &self,
        ports: &Ports,
        portion: usize,
    ) -> Result<(Vec<Tenant>, Option<TenantId>), StoreError> {
        let mut rows = ports.store.list(self.after.as_ref(), portion).await?;
        if rows.is_empty() && self.after.is_some() {
            rows = ports.store.list(None, portion).await?;
        }
        let last = rows.last().filter(|_| rows.len() == portion).map(|last| last.id().clone());
        Ok((readable(rows), last))
    }

    /// Saves the id to continue after, unless another process has saved the cursor meanwhile.
    pub(super) async fn save(self, ports: &Ports, after: Option<TenantId>) -> Result<(), StoreError> {
        let record = RequestRecord {
            key: self.key.to_owned(),
            body_sha256: String::new(),
            tenant_id: None,
            answer: json!({ "after": after }),
            kept_body: None,
            outbox: Vec::new(),
            at: ports.clock.now(),
        };
        match ports.store.save_request(&record, self.seen.as_ref()).await {
            Ok(_) | Err(StoreError::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
