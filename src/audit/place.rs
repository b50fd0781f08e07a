//! How far a timer has come, kept in the store: a serverless process seldom lives from one tick to the next.
//!
//! It lies among the request records, under a key that no request has: theirs are hashes.

use serde_json::{Value, json};

use crate::{
    ids::TenantId,
    ports::{ETag, RequestRecord, StoreError, World},
};

/// The place of the proof of isolation.
const ISOLATION: &str = "audit-place";
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
    pub(super) async fn load(world: &World) -> Result<Self, StoreError> {
        Self::of(world, ISOLATION).await
    }

    /// The place of one timer or the other.
    pub(super) async fn of(world: &World, key: &'static str) -> Result<Self, StoreError> {
        let Some(stored) = world.store.request(key).await? else {
            return Ok(Self { after: None, seen: None, key });
        };
        let after = stored.value.answer.get("after").and_then(Value::as_str);
        // What is no id is no place: begin anew.
        Ok(Self { after: after.and_then(|id| id.parse().ok()), seen: Some(stored.etag), key })
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
