//! Relates the simulated Azure to the file with the state of its tenants: a mark that both files store, and the tenants
//! whose resources exist. With them a caller detects that one of the files is missing or an older copy.

use crate::{
    cloud::Cloud,
    error::CloudError,
    store::{OBJECTS, Object, decode, encode, fault},
};
use std::collections::BTreeSet;

use redb::{ReadableTable as _, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

/// The mark that the simulated Azure and the tenants' state file both store, to detect that one of them was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The random name of the pair of files, chosen when both were first opened together.
    pub pair: String,
    /// How often both files were opened together.
    pub starts: u64,
    /// A lower bound of the number of changes in the tenants' state file: the number when the mark was written.
    pub changes: u64,
}

/// The tenants that have resources in the simulated Azure: each one's id and incarnation.
pub type Held = BTreeSet<(String, u32)>;

const PAIR: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("cloud_pair");
const MARK: &str = "mark";
/// The JSON pointer to the tag of a resource that has the incarnation of its tenant.
const INCARNATION: &str = "/tags/tenantry-incarnation";

impl Cloud {
    /// The mark that was saved last in the simulated Azure's file; `None` if there is none yet.
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

    /// Saves a mark in the simulated Azure's file, and replaces the earlier one.
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

    /// The tenants that have tagged resources in the simulated Azure. Soft-deleted resources do not count.
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
