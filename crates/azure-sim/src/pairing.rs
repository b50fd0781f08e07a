//! What the simulated Azure records about the state file beside it, and the tenants whose resources it holds.

use crate::{
    cloud::Cloud,
    error::CloudError,
    store::{OBJECTS, Object, decode, encode, fault},
};
use std::collections::BTreeSet;

use redb::{ReadableTable as _, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

/// The record of the pair in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The pair's name; drawn when both files were first opened together.
    pub pair: String,
    /// How often both were opened together.
    pub starts: u64,
    /// How many changes the state's file had taken when this was written, at least.
    pub changes: u64,
}

/// A tenant of which the simulated Azure holds resources: its id and its incarnation.
pub type Held = BTreeSet<(String, u32)>;

const PAIR: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("cloud_pair");
const MARK: &str = "mark";
/// The tag of a resource with the incarnation of its tenant.
const INCARNATION: &str = "/tags/tenantry-incarnation";

impl Cloud {
    /// The mark that was saved last.
    ///
    /// # Errors
    /// [`CloudError`] when the file can't be read.
    pub fn mark(&self) -> Result<Option<Mark>, CloudError> {
        let read = self.inner.db.read()?;
        match read.open_table(PAIR) {
            Ok(table) => table.get(MARK).map_err(fault)?.map(|found| decode(found.value())).transpose(),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Saves a mark.
    ///
    /// # Errors
    /// [`CloudError`] when the file can't be written.
    pub async fn keep_mark(&self, mark: &Mark) -> Result<(), CloudError> {
        let bytes = encode(mark)?;
        self.inner
            .db
            .write(move |transaction| {
                let mut table = transaction.open_table(PAIR).map_err(fault)?;
                table.insert(MARK, bytes.as_slice()).map_err(fault)?;
                Ok(())
            })
            .await
    }

    /// The tenants whose resources are not deleted.
    ///
    /// # Errors
    /// [`CloudError`] when the file can't be read.
    pub fn held(&self) -> Result<Held, CloudError> {
        let read = self.inner.db.read()?;
        let table = read.open_table(OBJECTS).map_err(fault)?;
        let mut held = Held::new();
        for row in table.iter().map_err(fault)? {
            let object: Object = decode(row.map_err(fault)?.1.value())?;
            let Some(tenant) = object.tenant.clone().filter(|_| object.deleted.is_none() && !object.seeded)
            else {
                continue;
            };
            if let Ok(incarnation) = object.text(INCARNATION).parse() {
                held.insert((tenant, incarnation));
            }
        }
        Ok(held)
    }
}
