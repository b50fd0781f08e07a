//! Parameters: what a request may set, with types, limits and defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Fault, rules};
use crate::pointer;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
    Uri,
    Uuid,
}

impl Type {
    /// All types, with their names in blueprints.
    pub(super) const NAMES: [(&'static str, Self); 8] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
        ("uri", Self::Uri),
        ("uuid", Self::Uuid),
    ];

    /// Why a value is not of this type, or `None` if it is.
    fn objection(self, value: &Value) -> Option<String> {
        let fits = match self {
            Self::String | Self::Uri | Self::Uuid => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        };
        let text = value.as_str().unwrap_or_default();
        match self {
            _ if !fits => Some(format!("is to be {}", self.article())),
            Self::Uri => rules::https_objection(text).map(str::to_owned),
            Self::Uuid if !is_uuid(text) => {
                Some("is to be a UUID such as 00000000-0000-0000-0000-000000000001".into())
            }
            Self::Uuid
            | Self::String
            | Self::Integer
            | Self::Number
            | Self::Boolean
            | Self::Array
            | Self::Object => None,
        }
    }

    fn article(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Array => "a list",
            Self::Object => "an object",
            Self::Uri => "a text with an https address",
            Self::Uuid => "a text with a UUID",
        }
    }

    /// Whether `minLength` and `maxLength` apply to this type. They count characters of a text, or items of a list.
    pub(super) fn has_length(self) -> bool {
        matches!(self, Self::String | Self::Uri | Self::Array)
    }

    /// Whether `min` and `max` apply to this type.
    pub(super) fn has_size(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// Whether a text is a UUID in hyphenated form, without braces or URN prefix, and neither the nil nor the max UUID.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok_and(|id| !id.is_nil() && !id.is_max())
}

/// The definition of a parameter, or of an item or a property of one.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) of: Type,
    pub(super) default: Option<Value>,
    pub(super) optional: bool,
    pub(super) allowed: Vec<Value>,
    pub(super) length: (Option<usize>, Option<usize>),
    pub(super) size: (Option<f64>, Option<f64>),
    pub(super) tiers: Vec<String>,
    pub(super) items: Option<Box<Self>>,
    pub(super) properties: BTreeMap<String, Self>,
}

impl Parameter {
    /// A parameter of a type without further rules.
    pub(super) fn of(of: Type) -> Self {
        Self {
            of,
            default: None,
            optional: false,
            allowed: Vec::new(),
            length: (None, None),
            size: (None, None),
            tiers: Vec::new(),
            items: None,
            properties: BTreeMap::new(),
        }
    }

    /// All faults of a value, with pointers that begin with `pointer`.
    pub(super) fn faults(&self, value: &Value, pointer: &str) -> Vec<Fault> {
        let fault = |code, why: String| Fault {
            pointer: pointer.to_owned(),
            code,
            message: format!("the value {why}"),
        };
        if let Some(why) = self.of.objection(value) {
            return vec![fault("wrong-type", why)];
        }
        let mut faults = Vec::new();
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            faults.push(fault("not-allowed", format!("is to be one of {}", allowed.join(", "))));
        }
        let length = value.as_str().map(|text| text.chars().count()).or(value.as_array().map(Vec::len));
        if let Some(length) = length {
            let unit = if value.is_array() { "items" } else { "characters" };
            if let Some(min) = self.length.0.filter(|min| length < *min) {
                faults.push(fault("too-short", format!("has {length} {unit}; at least {min} are required")));
            }
            if let Some(max) = self.length.1.filter(|max| length > *max) {
                faults.push(fault("too-long", format!("has {length} {unit}; at most {max} are allowed")));
            }
        }
        if let Some(number) = value.as_f64() {
            if let Some(min) = self.size.0.filter(|min| number < *min) {
                faults.push(fault("too-small", format!("is {value}; at least {min} is required")));
            }
            if let Some(max) = self.size.1.filter(|max| number > *max) {
                faults.push(fault("too-large", format!("is {value}; at most {max} is allowed")));
            }
        }
        if let (Some(items), Some(list)) = (&self.items, value.as_array()) {
            let each = list.iter().enumerate();
            faults.extend(each.flat_map(|(at, item)| items.faults(item, &format!("{pointer}/{at}"))));
        }
        if let (false, Some(members)) = (self.properties.is_empty(), value.as_object()) {
            faults.extend(resolve(&self.properties, members, None, pointer).err().unwrap_or_default());
        }
        faults
    }
}

/// The request's parameters, with defaults for absent ones and null for optional ones.
///
/// With a `tier`, parameters of other tiers are null, and a request that sets one has a fault.
///
/// Errors: every fault, with pointers that begin with `pointer`.
pub(super) fn resolve(
    desired: &BTreeMap<String, Parameter>,
    given: &Map<String, Value>,
    tier: Option<&str>,
    pointer: &str,
) -> Result<Map<String, Value>, Vec<Fault>> {
    let (mut resolved, mut faults) = (Map::new(), Vec::new());
    for name in given.keys().filter(|name| !desired.contains_key(*name)) {
        let near = crate::spelling::did_you_mean(name, desired.keys().map(String::as_str));
        let message = format!("the blueprint has no parameter of this name; {near}");
        let message = message.trim_end_matches([';', ' ']).to_owned();
        faults.push(Fault {
            pointer: format!("{pointer}/{}", pointer::segment(name)),
            code: "unknown-parameter",
            message,
        });
    }
    for (name, parameter) in desired {
        let elsewhere = tier
            .is_some_and(|tier| !parameter.tiers.is_empty() && !parameter.tiers.iter().any(|t| t == tier));
        let pointer = format!("{pointer}/{}", pointer::segment(name));
        let value = match given.get(name).filter(|value| !(value.is_null() && parameter.optional)) {
            Some(_) if elsewhere => {
                let message = format!("this parameter belongs to {}", parameter.tiers.join(", "));
                faults.push(Fault { pointer, code: "other-tier", message });
                continue;
            }
            Some(value) => {
                faults.extend(parameter.faults(value, &pointer));
                value.clone()
            }
            None => match &parameter.default {
                Some(default) => default.clone(),
                None => {
                    if !parameter.optional && !elsewhere {
                        let message = "this parameter has no default and has to be given".to_owned();
                        faults.push(Fault { pointer, code: "missing-parameter", message });
                    }
                    Value::Null
                }
            },
        };
        resolved.insert(name.clone(), value);
    }
    if faults.is_empty() { Ok(resolved) } else { Err(faults) }
}
