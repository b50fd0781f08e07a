//! How far the timer has come, kept in the store: a serverless process seldom lives from one tick to the next.
//!
//! It lies among the request records, under a key that no request has: theirs are hashes.

use serde_json::{Value, json};

use crate::{
    ids::TenantId,
    ports::{ETag, RequestRecord, StoreError, World},
};

const KEY: &str = "audit-place";

/// The place, as it was read.
pub(super) struct Place {
    /// The last tenant that was looked at; none to begin anew.
    pub(super) after: Option<TenantId>,
    seen: Option<ETag>,
}

impl Place {
    pub(super) async fn load(world: &World) -> Result<Self, StoreError> {
        let Some(stored) = world.store.request(KEY).await? else {
            return Ok(Self { after: None, seen: None });
        };
        let after = stored.value.answer.get("after").and_then(Value::as_str);
        // What is no id is no place: begin anew.
        Ok(Self { after: after.and_then(|id| id.parse().ok()), seen: Some(stored.etag) })
    }

    /// Keeps a new place, unless somebody else has kept one meanwhile.
    pub(super) async fn save(self, world: &World, after: Option<TenantId>) -> Result<(), StoreError> {
        let record = RequestRecord {
            key: KEY.to_owned(),
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
