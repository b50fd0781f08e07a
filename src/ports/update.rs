//! Changes a tenant's document: read, change, save against the version that was read, and repeat if another writer
//! saved first.

use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::{StateStore, StoreError, Stored};

/// How often a save may be overtaken before the caller gets an error.
pub const MAX_RACES: usize = 20;

impl dyn StateStore + '_ {
    /// Changes a tenant's document and saves it. `change` judges the document and returns `None` where nothing is to be
    /// changed; it is called again if another writer has saved in between. Returns the result of `change` for the saved
    /// document, or `None` if nothing was saved or there is no such tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the document can't be read or saved, and if other writers were faster each time.
    pub async fn update<T>(
        &self,
        id: &TenantId,
        mut change: impl FnMut(&mut Tenant) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..MAX_RACES {
            let Some(Stored { value: mut tenant, etag }) = self.load(id).await? else { return Ok(None) };
            let Some(changed) = change(&mut tenant) else { return Ok(None) };
            match self.save(&tenant, Some(&etag)).await {
                Ok(_) => return Ok(Some(changed)),
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::out_of_races(id))
    }
}

impl StoreError {
    /// The error after too many attempts at which another writer had saved first.
    pub fn out_of_races(id: &TenantId) -> Self {
        Self::Unavailable(format!("tenant {id} is changed faster than it can be saved"))
    }
}
