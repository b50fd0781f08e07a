//! The one way to change a tenant's document: read it, change it, save it against the version that was read, and begin again
//! if somebody else was quicker.

use tenantry_core::{ids::TenantId, tenant::Tenant};

use super::{StateStore, StoreError, Stored};

/// How often a save may be overtaken before whoever asked has to come again.
pub const MAX_RACES: usize = 20;

impl dyn StateStore + '_ {
    /// Changes a tenant's document and saves it. `change` judges the document as it is and returns `None` where nothing is to
    /// be changed; it is called again on what somebody else has saved in between. Returns what it returned for the document
    /// that was saved, `None` where nothing was or there is no such tenant.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read or saved, and if others always were quicker.
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
    /// Others have saved first again and again.
    pub fn out_of_races(id: &TenantId) -> Self {
        Self::Unavailable(format!("tenant {id} is changed faster than it can be saved"))
    }
}
