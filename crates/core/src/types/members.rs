//! The members that an object may have: its own, and those of its variants.

use super::{
    document::{Document, Object},
    expression::Expression,
};

/// The members that an object may have.
pub(super) struct Members<'a> {
    own: &'a Object,
    variant: Variant<'a>,
}

/// Which variant of an object applies. Where an object and its variant both have a member, only the variant's expression
/// and marks count.
enum Variant<'a> {
    /// The object has no variants.
    None,
    /// The one that the discriminator names.
    Named(&'a Object),
    /// One of these; the discriminator's value is not known.
    Any(Vec<&'a Object>),
}

/// One description of a member.
pub(super) struct Member<'a> {
    /// The member's name in the spelling of the table.
    pub(super) name: &'a str,
    pub(super) expression: &'a Expression,
    pub(super) read_only: bool,
    pub(super) write_only: bool,
    /// Whether the description holds although the variant is not known.
    pub(super) is_certain: bool,
}

impl<'a> Members<'a> {
    /// The members of an object whose discriminator, if it has one, is not known.
    pub(super) fn of_any_variant(document: &'a Document, own: &'a Object) -> Self {
        let variants = || own.variants.values().filter_map(|variant| document.object_of(variant)).collect();
        let variant = if own.discriminator.is_some() { Variant::Any(variants()) } else { Variant::None };
        Self { own, variant }
    }

    /// The members of an object with the variant that the discriminator names.
    pub(super) fn of_variant(own: &'a Object, variant: &'a Object) -> Self {
        Self { own, variant: Variant::Named(variant) }
    }

    /// Every description of the member of this name. There is more than one only if the variant is not known.
    pub(super) fn find(&self, name: &str) -> Vec<Member<'a>> {
        let own = || member(self.own, name, true);
        match &self.variant {
            Variant::None => own().into_iter().collect(),
            Variant::Named(variant) => member(variant, name, true).or_else(own).into_iter().collect(),
            Variant::Any(variants) => {
                let mut found: Vec<_> =
                    variants.iter().filter_map(|variant| member(variant, name, false)).collect();
                let is_certain = found.is_empty();
                // A variant without the member leaves it as the object describes it.
                if found.len() < variants.len() || is_certain {
                    found.extend(member(self.own, name, is_certain));
                }
                found
            }
        }
    }

    /// What members may say that are not named; `None` if there can't be any.
    pub(super) fn additional(&self) -> Option<&'a Expression> {
        self.objects().find_map(|object| object.additional.as_ref())
    }

    /// The names of the members that have to be sent.
    pub(super) fn required(&self) -> Vec<&'a str> {
        let replaced = |name: &str| match &self.variant {
            Variant::None => false,
            Variant::Named(variant) => variant.properties.contains_key(name),
            Variant::Any(variants) => variants.iter().any(|variant| variant.properties.contains_key(name)),
        };
        let own = sent(self.own).filter(|name| !replaced(name));
        match &self.variant {
            Variant::Named(variant) => own.chain(sent(variant)).collect(),
            Variant::None | Variant::Any(_) => own.collect(),
        }
    }

    /// The names of the members that can be sent, sorted.
    pub(super) fn writable(&self) -> Vec<&'a str> {
        let names = self.objects().flat_map(|object| object.properties.keys());
        let mut names: Vec<&str> = names.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.find(name).iter().any(|member| !member.read_only));
        names
    }

    fn objects(&self) -> impl Iterator<Item = &'a Object> {
        let variants = match &self.variant {
            Variant::None => Vec::new(),
            Variant::Named(variant) => vec![*variant],
            Variant::Any(variants) => variants.clone(),
        };
        [self.own].into_iter().chain(variants)
    }
}

fn member<'a>(object: &'a Object, name: &str, is_certain: bool) -> Option<Member<'a>> {
    let (name, expression) = object.property(name)?;
    let (read_only, write_only) = (object.read_only.contains(name), object.write_only.contains(name));
    Some(Member { name, expression, read_only, write_only, is_certain })
}

/// The members of an object that have to be sent. One that is required and read-only is in every answer.
fn sent(object: &Object) -> impl Iterator<Item = &str> {
    object.required.iter().filter(|name| !object.read_only.contains(*name)).map(String::as_str)
}
