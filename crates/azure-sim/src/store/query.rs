//! Queries, the same in a snapshot and within a change.

use redb::ReadableTable;

use crate::{
    error::CloudError,
    store::{
        object::Object,
        operation::Operation,
        tables::{Bytes, fault, many, one},
    },
};

/// Queries, the same in a snapshot and within a change.
pub(crate) trait StoreQuery {
    /// The objects by lower-cased id.
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes>;
    /// The objects that hold the names.
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str>;
    /// The operations by id.
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes>;

    /// The object with this id, in any case, including soft-deleted ones.
    fn object(&self, id: &str) -> Result<Option<Object>, CloudError> {
        one(self.objects(), &id.to_lowercase())
    }

    /// All objects whose lower-cased id has this prefix, in order.
    fn under(&self, prefix: &str) -> Result<Vec<Object>, CloudError> {
        many(self.objects(), prefix)
    }

    /// The object id that a name refers to.
    fn named(&self, name: &str) -> Result<Option<String>, CloudError> {
        Ok(self.names().get(name).map_err(fault)?.map(|id| id.value().to_owned()))
    }

    /// The object that holds a name, including soft-deleted ones.
    fn holder(&self, name: &str) -> Result<Option<Object>, CloudError> {
        match self.named(name)? {
            Some(id) => self.object(&id),
            None => Ok(None),
        }
    }

    /// The object that holds a name, unless it is soft-deleted.
    fn living_holder(&self, name: &str) -> Result<Option<Object>, CloudError> {
        Ok(self.holder(name)?.filter(|object| object.deleted.is_none()))
    }

    /// An operation by its id.
    fn operation(&self, id: &str) -> Result<Option<Operation>, CloudError> {
        one(self.operations(), id)
    }

    /// The operation that runs on an object.
    fn running(&self, object: &Object) -> Result<Option<Operation>, CloudError> {
        match &object.busy {
            Some(id) => self.operation(id),
            None => Ok(None),
        }
    }

    /// The object with this id, unless it is soft-deleted.
    fn alive(&self, id: &str) -> Result<Option<Object>, CloudError> {
        Ok(self.object(id)?.filter(|object| object.deleted.is_none()))
    }

    /// The tenant of the object, or of its nearest ancestor that has one.
    fn tenant_at(&self, id: &str) -> Result<Option<String>, CloudError> {
        let mut id = id.trim_end_matches('/').to_lowercase();
        while !id.is_empty() {
            if let Some(tenant) = self.object(&id)?.and_then(|object| object.tenant) {
                return Ok(Some(tenant));
            }
            id.truncate(id.rfind('/').unwrap_or(0));
        }
        Ok(None)
    }
}
