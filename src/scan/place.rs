//! How far a timer has come, kept in the store: a serverless process seldom lives from one tick to the next.
//!
//! It lies among the request records, under a key that no request has: theirs are hashes.

use serde_json::{Value, json};
use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::unreadable::{readable, tell};
use crate::ports::{ETag, RequestRecord, StoreError, World};

/// The place of the proof of isolation.
pub(super) const ISOLATION: &str = "audit-place";
/// The place of the scan for drift.
pub(super) const DRIFT: &str = "drift-place";

/// The place, as it was read.
pub(super) struct Place {
    /// The last tenant that was looked at; none to begin anew.
    pub(super) after: Option<TenantId>,
    seen: Option<ETag>,
    key: &'static str,
}

impl Place {
    /// The place of one timer or the other.
    pub(super) async fn of(world: &World, key: &'static str) -> Result<Self, StoreError> {
        let stored = match world.store.request(key).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(Self { after: None, seen: None, key }),
            // It is worth nothing, and would be in the way for ever: begin anew, in its place.
            Err(StoreError::Unreadable { why, etag }) => {
                tell("request", key, &why);
                return Ok(Self { after: None, seen: Some(etag), key });
            }
            Err(error) => return Err(error),
        };
        let after = stored.value.answer.get("after").and_then(Value::as_str);
        // What is no id is no place: begin anew.
        Ok(Self { after: after.and_then(|id| id.parse().ok()), seen: Some(stored.etag), key })
    }

    /// The next so many tenants, from the first one again after the last; and the id to go on after, if there are more.
    /// Rows that can't be read are told of and passed over.
    pub(super) async fn portion(
        &self,
        world: &World,
        portion: usize,
    ) -> Result<(Vec<Tenant>, Option<TenantId>), StoreError> {
        let mut rows = world.store.list(self.after.as_ref(), portion).await?;
        if rows.is_empty() && self.after.is_some() {
            rows = world.store.list(None, portion).await?;
        }
        let last = rows.last().filter(|_| rows.len() == portion).map(|last| last.id().clone());
        Ok((readable(rows), last))
    }

    /// Keeps a new place, unless somebody else has kept one meanwhile.
    pub(super) async fn save(self, world: &World, after: Option<TenantId>) -> Result<(), StoreError> {
        let record = RequestRecord {
            key: self.key.to_owned(),
            body_sha256: String::new(),
            tenant_id: None,
            answer: json!({ "after": after }),
            parked: None,
            notices: Vec::new(),
            at: world.clock.now(),
        };
        match world.store.save_request(&record, self.seen.as_ref()).await {
            Ok(_) | Err(StoreError::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
