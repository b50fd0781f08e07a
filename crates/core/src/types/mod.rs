//! The table of Azure's resource types: their API versions, and what the body of a request to create one may say.
//!
//! The table is Microsoft's description of its services (`crates/core/data/README.md`), so it has all types, but is not
//! always what a service does: callers should not refuse what only a [`Grade::Hint`] is about. For most types and
//! versions it has no shape; then [`NoShape`] says which version has one.
//!
//! Nothing is read at the program's start. The first question decompresses the names and versions; a question about a
//! shape decodes the types of one provider at one version. What was decoded is kept.
//!
//! - `table.rs` reads the file, `document.rs` and `expression.rs` the shapes in it.
//! - `members.rs` says which members an object may have, with those of its variants.
//! - `check` compares a body with a shape; `ways.rs` answers questions about a JSON pointer.

mod check;
mod document;
mod expression;
mod finding;
mod info;
mod members;
mod no_shape;
mod shape;
mod table;
mod type_version;
mod ways;

use std::sync::OnceLock;

use serde_json::Value;

use self::table::Table;
pub use self::{
    finding::{BodyCode, BodyFinding, Grade},
    info::ResourceTypeInfo,
    no_shape::NoShape,
    shape::{KnownValues, ResourceShape},
    type_version::TypeVersion,
};
use crate::spelling;

/// Whether the value at a JSON pointer of a body is not known yet, e.g. because it is an expression in a blueprint.
/// Such a value matches every type. A required member is not missing if its pointer is late.
pub type Late<'a> = &'a dyn Fn(&str) -> bool;

/// The table of all resource types.
pub struct ResourceTypes {
    table: Table,
}

impl ResourceTypes {
    /// The table that is compiled into the program. It has no types if its file can't be read, which a test excludes.
    pub fn known() -> &'static Self {
        static KNOWN: OnceLock<ResourceTypes> = OnceLock::new();
        KNOWN.get_or_init(|| Self { table: Table::compiled_in().unwrap_or_default() })
    }

    /// The package that the table was derived from, and its version.
    pub fn source(&self) -> &str {
        self.table.source()
    }

    /// All types, sorted by their lowercase names.
    pub fn all(&self) -> impl Iterator<Item = ResourceTypeInfo<'_>> {
        self.table.types()
    }

    /// A type and its versions; `None` if the table does not have it. Names are compared without case, as Azure does.
    pub fn find(&self, type_name: &str) -> Option<ResourceTypeInfo<'_>> {
        self.table.find(type_name)
    }

    /// The type whose name is most similar to a misspelt one; `None` if none is similar.
    pub fn suggest(&self, type_name: &str) -> Option<&str> {
        spelling::nearest(type_name, self.all().map(|info| info.name()))
    }

    /// What a body of this type may say at a version.
    ///
    /// # Errors
    ///
    /// The reason why the table has no such shape: the type or the version is not known, or is not described.
    pub fn shape(&self, type_name: &str, version: &str) -> Result<ResourceShape<'_>, NoShape<'_>> {
        let Some(info) = self.find(type_name) else {
            return Err(NoShape::UnknownType { suggestion: self.suggest(type_name) });
        };
        let nearest = || info.nearest_with_shape(version);
        let Some(version) = info.version(version) else {
            let (suggestion, newest_stable) = (info.suggest_version(version), info.newest_stable());
            return Err(NoShape::UnknownVersion { suggestion, newest_stable, nearest: nearest() });
        };
        let document = info.has_shape(version).then(|| self.table.document(info.provider(), version));
        let shape = document.flatten().and_then(|document| {
            let resource = document.resource(info.name())?;
            Some(ResourceShape::new(info.name(), version, document, resource))
        });
        shape.ok_or_else(|| NoShape::NotDescribed { nearest: nearest() })
    }

    /// Compares a body with the shape of its type at a version, as [`ResourceShape::check`] does.
    ///
    /// # Errors
    ///
    /// As [`Self::shape`]: nothing can be said about the body then.
    pub fn check_body(
        &self,
        type_name: &str,
        version: &str,
        body: &Value,
        late: Late<'_>,
    ) -> Result<Vec<BodyFinding>, NoShape<'_>> {
        Ok(self.shape(type_name, version)?.check(body, late))
    }
}

#[cfg(test)]
mod tests {
    use super::{ResourceTypes, Table};

    #[test]
    fn a_question_decodes_only_what_it_needs() {
        let types = ResourceTypes { table: Table::compiled_in().unwrap() };
        assert_eq!(types.table.decoded(), 0);

        let vault = types.find("Microsoft.KeyVault/vaults").unwrap();
        assert!(vault.versions().count() > 5);
        types.shape("Microsoft.KeyVault/vaults", "2015-06-01").err().unwrap();
        types.shape("Microsoft.KeyVault/vault", "2023-07-01").err().unwrap();
        assert_eq!(types.table.decoded(), 0, "versions need no shapes");

        types.shape("Microsoft.KeyVault/vaults", "2023-07-01").unwrap();
        types.shape("Microsoft.KeyVault/vaults/secrets", "2023-07-01").unwrap();
        assert_eq!(types.table.decoded(), 1);
    }
}
