//! Checks of objects: unknown, read-only and missing members, and variants.

use serde_json::{Map, Value};

use super::{BodyCode, Check, Grade, LISTED, listed};
use crate::{
    pointer, spelling,
    types::{
        document::Object,
        expression::Expression,
        members::{Member, Members},
    },
};

impl<'a> Check<'a> {
    /// Checks an object's members.
    pub(super) fn object(&mut self, object: &'a Object, members: &Map<String, Value>) {
        let Some(known) = self.members_of(object, members) else { return };
        for (name, value) in members {
            self.within(&pointer::segment(name), |here| here.member(&known, name, value));
        }
        for name in known.required() {
            if has(members, name) {
                continue;
            }
            self.within(&pointer::segment(name), |here| here.missing(name, None));
        }
    }

    /// The members that the object may have; `None` if nothing can be said about them.
    fn members_of(&mut self, object: &'a Object, members: &Map<String, Value>) -> Option<Members<'a>> {
        let any = Members::of_any_variant(self.document, object);
        let Some(discriminator) = object.discriminator.as_deref() else { return Some(any) };
        if object.variants.is_empty() {
            return None;
        }
        let given = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(discriminator));
        let spelling = given.map_or(discriminator, |(name, _)| name);
        let variant = self.within(&pointer::segment(spelling), |here| {
            here.variant(object, discriminator, given.map(|(_, value)| value))
        });
        Some(variant.map_or(any, |variant| Members::of_variant(object, variant)))
    }

    /// The variant that the discriminator at the current pointer names; `None` if it names none.
    fn variant(
        &mut self,
        object: &'a Object,
        discriminator: &str,
        given: Option<&Value>,
    ) -> Option<&'a Object> {
        let values = || object.variants.keys().map(String::as_str).collect::<Vec<_>>();
        match given {
            None => self.missing(discriminator, Some(format!("the values are {}", listed(&values())))),
            Some(Value::Null) => {}
            Some(_) if (self.late)(&self.at) => {}
            Some(Value::String(text)) => {
                let exact = object.variants.get(text);
                let twin = || object.variants.iter().find(|(value, _)| value.eq_ignore_ascii_case(text));
                if let Some(variant) = exact.or_else(|| twin().map(|(_, variant)| variant)) {
                    // Another case is reported with the members, as the variant has the discriminator as a member.
                    return self.document.object_of(variant);
                }
                self.not_in_enum(&values(), text);
            }
            Some(value) => self.wrong_type("a text", value),
        }
        None
    }

    /// Checks the member at the current pointer.
    fn member(&mut self, known: &Members<'a>, name: &str, value: &Value) {
        let found = known.find(name);
        let Some(first) = found.first() else {
            match known.additional() {
                Some(expression) => self.value(expression, value),
                None => self.unknown(known, name),
            }
            return;
        };
        if first.name != name {
            let message = format!("`{name}` differs in case from the member `{}`", first.name);
            self.find(
                BodyCode::UnknownMember,
                Grade::Hint,
                message,
                Some(format!("did you mean `{}`?", first.name)),
            );
        }
        // The URL has the name, so a body may repeat it.
        let is_name = self.is_at_root() && first.name == "name";
        if !is_name && !value.is_null() && found.iter().all(|member| member.read_only) {
            let message = format!("`{name}` is read-only: only the service sets it");
            self.error(BodyCode::ReadOnlyMember, message, Some("remove it".to_owned()));
            return;
        }
        if let [Member { expression, is_certain: true, .. }] = found.as_slice() {
            self.value(expression, value);
        }
    }

    fn unknown(&mut self, known: &Members<'a>, name: &str) {
        let names = known.writable();
        let near = spelling::did_you_mean(name, names.iter().copied());
        let hint = if !near.is_empty() {
            near
        } else if self.belongs_in_properties(known, name) {
            "it belongs in `properties`".to_owned()
        } else if names.is_empty() {
            "the object has no members that can be set".to_owned()
        } else if names.len() <= LISTED {
            format!("the members are {}", listed(&names))
        } else {
            String::new()
        };
        self.error(BodyCode::UnknownMember, format!("there is no member `{name}` here"), Some(hint));
    }

    /// Whether the object's `properties` have a member of this name. Most resources have their own members there.
    fn belongs_in_properties(&self, known: &Members<'a>, name: &str) -> bool {
        let inner = known.find("properties");
        inner.iter().any(|member| {
            let Expression::Object(object) = member.expression else { return false };
            let object = self.document.object(object);
            object.is_some_and(|object| !Members::of_any_variant(self.document, object).find(name).is_empty())
        })
    }

    /// The required member at the current pointer is missing, unless it is known later or stands in the URL.
    fn missing(&mut self, name: &str, hint: Option<String>) {
        let is_name = self.is_at_root() && name == "name";
        if !is_name && !(self.late)(&self.at) {
            self.error(BodyCode::MissingRequired, format!("the required member `{name}` is missing"), hint);
        }
    }
}

fn has(members: &Map<String, Value>, name: &str) -> bool {
    members.contains_key(name) || members.keys().any(|other| other.eq_ignore_ascii_case(name))
}
