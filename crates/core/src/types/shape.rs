//! What a body may say.

use serde_json::Value;

use super::{
    BodyFinding, Late, TypeVersion,
    check::Check,
    document::{Document, Resource},
    expression::Expression,
    ways::{Way, ways},
};

/// What the body of a resource type may say at a version.
#[derive(Clone, Copy)]
pub struct ResourceShape<'a> {
    type_name: &'a str,
    version: TypeVersion<'a>,
    document: &'a Document,
    resource: &'a Resource,
}

/// The values that the table knows for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownValues<'a> {
    /// The values, in the order of the table.
    pub values: Vec<&'a str>,
    /// Whether the service may take other values too.
    pub is_open: bool,
}

impl<'a> ResourceShape<'a> {
    pub(super) fn new(
        type_name: &'a str,
        version: TypeVersion<'a>,
        document: &'a Document,
        resource: &'a Resource,
    ) -> Self {
        Self { type_name, version, document, resource }
    }

    /// The name of the type.
    pub fn type_name(&self) -> &'a str {
        self.type_name
    }

    /// The version.
    pub fn version(&self) -> TypeVersion<'a> {
        self.version
    }

    /// Compares the body of a PUT with the shape. The findings are sorted by pointer.
    ///
    /// Any number counts as an integer, `null` is accepted everywhere, and an open list of values takes any text. At the
    /// root, `name` is never required, because it stands in the URL; if the body has it, it is checked. The bodies of
    /// some types, such as `Microsoft.Web/sites/config`, have it as their discriminator: without it, only what all
    /// variants have in common is checked. To check a name alone, pass a body with nothing else, and as `late` all
    /// pointers below the root but `/name`.
    pub fn check(&self, body: &Value, late: Late<'_>) -> Vec<BodyFinding> {
        let mut check = Check::new(self.document, late);
        check.value(&self.resource.body, body);
        check.into_findings()
    }

    /// Whether only answers have the value at a JSON pointer, because it or a value around it is read-only. In an object
    /// with variants, that holds if it does in every variant that has the value.
    pub fn is_read_only(&self, pointer: &str) -> bool {
        let ways = self.ways(pointer);
        !ways.is_empty() && ways.iter().all(|way| way.read_only)
    }

    /// Whether no answer has the value at a JSON pointer, e.g. because it is a password. In an object with variants,
    /// that holds if it does in every variant that has the value.
    pub fn is_write_only(&self, pointer: &str) -> bool {
        let ways = self.ways(pointer);
        !ways.is_empty() && ways.iter().all(|way| way.write_only)
    }

    /// The values that the table knows for the text at a JSON pointer; `None` if it lists none.
    pub fn known_values(&self, pointer: &str) -> Option<KnownValues<'a>> {
        let mut known = KnownValues { values: Vec::new(), is_open: false };
        for way in self.ways(pointer) {
            let Expression::OneOf { values, open } = way.expression else { return None };
            known.is_open |= open;
            for value in values {
                if !known.values.contains(&value.as_str()) {
                    known.values.push(value);
                }
            }
        }
        Some(known).filter(|known| !known.values.is_empty())
    }

    /// Whether a PUT can create a resource of this type.
    pub fn is_creatable(&self) -> bool {
        !self.resource.writable.is_empty()
    }

    /// The names of the actions by POST, e.g. `listKeys`.
    pub fn actions(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.resource.actions.keys().map(String::as_str)
    }

    fn ways(&self, pointer: &str) -> Vec<Way<'a>> {
        ways(self.document, &self.resource.body, pointer)
    }
}
