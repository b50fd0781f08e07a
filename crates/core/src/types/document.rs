//! A text of the table: the shapes of one provider's types at one version.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::expression::Expression;

/// The shapes of one provider's types at one version.
#[derive(Deserialize)]
pub(super) struct Document {
    /// By the name of the type, as the source spells it at this version.
    resources: BTreeMap<String, Resource>,
    /// The objects that expressions refer to, by name.
    #[serde(rename = "types")]
    objects: BTreeMap<String, Object>,
}

/// A resource type at one version.
#[derive(Deserialize)]
pub(super) struct Resource {
    /// What a body may say.
    pub(super) body: Expression,
    /// The scopes where a resource can be created. Without any, no PUT creates one.
    pub(super) writable: Vec<String>,
    /// The actions by POST, by name; what they take and return is not read.
    #[serde(default, rename = "functions")]
    pub(super) actions: BTreeMap<String, serde::de::IgnoredAny>,
}

/// An object with named members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) properties: BTreeMap<String, Expression>,
    /// The members that must be sent, unless they are read-only.
    #[serde(default)]
    pub(super) required: BTreeSet<String>,
    /// The members that only answers have.
    #[serde(default)]
    pub(super) read_only: BTreeSet<String>,
    /// The members that no answer has.
    #[serde(default)]
    pub(super) write_only: BTreeSet<String>,
    /// What members with other names may say; without it there are none.
    pub(super) additional: Option<Expression>,
    /// The member whose value names the variant.
    pub(super) discriminator: Option<String>,
    /// The objects whose members are added to this one's, by the discriminator's value.
    #[serde(default)]
    pub(super) variants: BTreeMap<String, Expression>,
}

impl Document {
    /// A resource type; names are compared without case.
    pub(super) fn resource(&self, type_name: &str) -> Option<&Resource> {
        self.resources.iter().find(|(name, _)| name.eq_ignore_ascii_case(type_name)).map(|(_, found)| found)
    }

    /// The object of this name.
    pub(super) fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    /// The object that an expression refers to; `None` for other expressions.
    pub(super) fn object_of(&self, expression: &Expression) -> Option<&Object> {
        if let Expression::Object(name) = expression { self.object(name) } else { None }
    }
}

impl Object {
    /// The member of this name: its own spelling, and what it may say. If none has it, one that differs in case.
    pub(super) fn property(&self, name: &str) -> Option<(&str, &Expression)> {
        let exact = self.properties.get_key_value(name);
        let twin = || self.properties.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        exact.or_else(twin).map(|(name, expression)| (name.as_str(), expression))
    }
}

#[cfg(test)]
impl Document {
    /// How many types are described.
    pub(super) fn resources(&self) -> usize {
        self.resources.len()
    }

    /// Every expression, with those within others.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let bodies = self.resources.values().map(|resource| &resource.body);
        let of_objects = self.objects.values().flat_map(|object| {
            object.properties.values().chain(&object.additional).chain(object.variants.values())
        });
        bodies.chain(of_objects).flat_map(Expression::all)
    }
}
