//! What the program asks of the state file itself: whether it belongs to the simulated Azure beside it, the leases of the
//! last process, and whether anything is left to do.

use std::collections::BTreeMap;

use azure_sim::{db::DbError, pairing::Mark};
use jiff::Timestamp;
use redb::ReadableTable as _;
use tenantry_core::{
    ids::TenantId,
    tenant::{Status, Tenant},
};

use super::{
    LocalState,
    tables::{DUE, DUE_OF, LEASES, META, TENANTS, due_key, number},
    to_json,
};
use crate::ports::{ETag, Listed, StateStore, StoreError};

/// What is known of a tenant's document without parsing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowState {
    /// The document's version.
    pub version: ETag,
    /// Whether the tenant has work left, now or at a later time.
    pub is_due: bool,
}

impl LocalState {
    /// The recorded mark of the simulated Azure beside the file, with the file's current number of changes.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(META).map_err(DbError::from)?;
        let Some(mark) = table.get("mark").map_err(DbError::from)? else { return Ok(None) };
        // An unreadable mark counts as none: state and simulated Azure then do not match, and a person decides.
        let mark = serde_json::from_str::<Mark>(mark.value()).ok();
        Ok(mark.map(|mark| Mark { changes: number(&table, "changes"), ..mark }))
    }

    /// Saves the mark that the file shares with the simulated Azure beside it.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub async fn keep_mark(&self, mark: &Mark) -> Result<(), StoreError> {
        let json = to_json(mark)?;
        self.db
            .write(move |txn| {
                txn.open_table(META)?.insert("mark", json.as_str())?;
                Ok::<(), DbError>(())
            })
            .await?;
        Ok(())
    }

    /// Whether there is a tenant that is not deleted, or a document that can't be read.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn has_tenants(&self) -> Result<bool, StoreError> {
        let mut after = None;
        loop {
            let page = self.list_now(after.as_ref(), 100)?;
            let Some(last) = page.last() else { return Ok(false) };
            after = Some(last.id().clone());
            let exists = |row: &Listed| match row {
                Listed::Readable(tenant) => tenant.status != Status::Deleted,
                Listed::Unreadable(_) => true,
            };
            if page.iter().any(exists) {
                return Ok(true);
            }
        }
    }

    /// How often documents and request records were saved to the file.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn changes(&self) -> Result<u64, StoreError> {
        let read = self.db.read()?;
        Ok(number(&read.open_table(META).map_err(DbError::from)?, "changes"))
    }

    /// The latest instant of any change: the clock of a later process must not start before it.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn latest(&self) -> Result<Timestamp, StoreError> {
        let read = self.db.read()?;
        let latest = number(&read.open_table(META).map_err(DbError::from)?, "clock");
        let latest = i64::try_from(latest).ok().and_then(|latest| Timestamp::from_millisecond(latest).ok());
        Ok(latest.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Ends every lease, because its holder has ended with the process that had the file open, and makes the tenant
    /// due. Returns how many leases were ended.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub async fn end_leases(&self, now: Timestamp) -> Result<usize, StoreError> {
        let store: &dyn StateStore = self;
        let mut ended = 0;
        for id in self.leased()? {
            let end = |tenant: &mut Tenant| {
                tenant.lease()?;
                tenant.end_lease();
                tenant.due_at = Some(now);
                Some(())
            };
            match store.update(&id, end).await {
                Ok(done) => ended += usize::from(done.is_some()),
                // A reconcile pass can't read this document either; the sweep reports it.
                Err(StoreError::Unreadable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// The tenants whose documents have a lease.
    fn leased(&self) -> Result<Vec<TenantId>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(LEASES).map_err(DbError::from)?;
        let mut leased = Vec::new();
        for row in table.iter().map_err(DbError::from)? {
            leased.extend(row.map_err(DbError::from)?.0.value().parse());
        }
        Ok(leased)
    }

    /// What is known of tenants' documents without parsing them, all at the same instant. Tenants without a document
    /// are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn rows<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a TenantId>,
    ) -> Result<BTreeMap<&'a TenantId, RowState>, StoreError> {
        let read = self.db.read()?;
        let tenants = read.open_table(TENANTS).map_err(DbError::from)?;
        let due = read.open_table(DUE_OF).map_err(DbError::from)?;
        let mut rows = BTreeMap::new();
        for id in ids {
            let Some(row) = tenants.get(id.as_str()).map_err(DbError::from)? else { continue };
            let is_due = due.get(due_key(id).as_str()).map_err(DbError::from)?.is_some();
            rows.insert(id, RowState { version: ETag(row.value().0.to_string()), is_due });
        }
        Ok(rows)
    }

    /// Whether no tenant has anything left to do. An unreadable document has no work that could be done.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn is_at_rest(&self) -> Result<bool, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(DUE).map_err(DbError::from)?;
        for row in table.iter().map_err(DbError::from)? {
            let key = row.map_err(DbError::from)?.0.value().1.to_owned();
            let Some(Ok(id)) = key.strip_prefix("t/").map(str::parse) else { continue };
            match self.load_now(&id) {
                Ok(_) => return Ok(false),
                Err(StoreError::Unreadable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
