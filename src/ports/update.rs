//! Changes a tenant's document: read, change, save against the version that was read, and repeat if another writer
//! saved first.

use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::{StateStore, StoreError, Stored};

/// How many attempts to save are made, if another writer saves first each time, before the caller gets an error.
pub const MAX_RACES: usize = 20;

impl dyn StateStore + '_ {
    /// Changes a tenant's document and saves it. `change` gets the stored document and returns `None` if there is
    /// nothing to change; it is called again if another writer has saved in between. Returns the result of `change` for
    /// the saved document, or `None` if nothing was saved or there is no such tenant.
    ///
    /// # Errors
    /// [`StoreError`] if the document can't be read or saved, or if other writers saved first in [`MAX_RACES`]
    /// attempts.
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
    /// The error after [`MAX_RACES`] attempts to save a tenant's document, if another writer saved first each time.
    pub fn out_of_races(id: &TenantId) -> Self {
        Self::Unavailable(format!("tenant {id} is changed faster than it can be saved"))
    }
}
