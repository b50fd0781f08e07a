//! Queries of the stored state, for snapshots and changes alike.

use redb::ReadableTable;

use crate::{
    error::CloudError,
    store::{
        object::Object,
        operation::Operation,
        tables::{Bytes, at_depth, fault, many, one},
    },
};

/// Queries of the stored state, for snapshots and changes alike. An implementation gives access to the tables.
pub(crate) trait StoreQuery {
    /// The table of objects, by lower-cased id.
    fn objects(&self) -> &impl ReadableTable<&'static str, Bytes>;
    /// The table of reserved names, each with the lower-cased id of its holder.
    fn names(&self) -> &impl ReadableTable<&'static str, &'static str>;
    /// The table of the index: (index key, lower-cased id).
    fn index(&self) -> &impl ReadableTable<(&'static str, &'static str), ()>;
    /// The table of operations, by id.
    fn operations(&self) -> &impl ReadableTable<&'static str, Bytes>;

    /// The object with this id, compared without case, even if it is soft-deleted.
    fn object(&self, id: &str) -> Result<Option<Object>, CloudError> {
        one(self.objects(), &id.to_lowercase())
    }

    /// All objects whose lower-cased id starts with this prefix, ordered by id, including soft-deleted ones.
    fn under(&self, prefix: &str) -> Result<Vec<Object>, CloudError> {
        many(self.objects(), prefix, |_| true)
    }

    /// As [`Self::under`], but only the objects for whose lower-cased id `is_included` returns true. The others are not
    /// parsed.
    fn under_if(&self, prefix: &str, is_included: impl Fn(&str) -> bool) -> Result<Vec<Object>, CloudError> {
        many(self.objects(), prefix, is_included)
    }

    /// The objects of a collection, ordered by id, without their children. `prefix` is the collection's id with a slash
    /// at its end.
    fn members(&self, prefix: &str) -> Result<Vec<Object>, CloudError> {
        at_depth(self.objects(), &prefix.to_lowercase(), 1)
    }

    /// The objects of all collections directly at a scope, for example a resource group, ordered by id, without their
    /// children.
    fn top_level(&self, scope: &str) -> Result<Vec<Object>, CloudError> {
        at_depth(self.objects(), &format!("{}/providers/", scope.to_lowercase()), 3)
    }

    /// The objects that [`Change::index`](super::Change::index) has added under a key, ordered by id.
    fn indexed(&self, key: &str) -> Result<Vec<Object>, CloudError> {
        let mut found = Vec::new();
        for row in self.index().range((key, "")..).map_err(fault)? {
            let entry = row.map_err(fault)?.0;
            let (under, id) = entry.value();
            if under != key {
                break;
            }
            found.extend(self.object(id)?);
        }
        Ok(found)
    }

    /// The lower-cased id that holds a reserved name; `None` if the name is free.
    fn named(&self, name: &str) -> Result<Option<String>, CloudError> {
        Ok(self.names().get(name).map_err(fault)?.map(|id| id.value().to_owned()))
    }

    /// The object that holds a reserved name, even if it is soft-deleted.
    fn holder(&self, name: &str) -> Result<Option<Object>, CloudError> {
        match self.named(name)? {
            Some(id) => self.object(&id),
            None => Ok(None),
        }
    }

    /// The object that holds a reserved name, unless it is soft-deleted.
    fn living_holder(&self, name: &str) -> Result<Option<Object>, CloudError> {
        Ok(self.holder(name)?.filter(|object| object.deleted.is_none()))
    }

    /// The operation with this id.
    fn operation(&self, id: &str) -> Result<Option<Operation>, CloudError> {
        one(self.operations(), id)
    }

    /// The operation that runs on an object; `None` if there is none.
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

    /// The tenant of the object with this id, or of its nearest ancestor that has a tenant.
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
