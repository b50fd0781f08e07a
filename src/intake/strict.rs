//! Parses JSON and refuses duplicate members.
//!
//! Parsers disagree about which of two equal members counts, so a message that has two is ambiguous and is refused.
//! Names that differ only in case count as equal, because many senders' serializers ignore case.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{DefaultHasher, Hasher as _},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most members and items of a message, all objects and arrays together.
const MAX_VALUES: usize = 1024;

/// Parses one JSON text with at most [`MAX_VALUES`] members and items.
///
/// # Errors
/// The parser's message, with line and column.
pub(super) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    if Shape::of(text).values > MAX_VALUES {
        return Err(serde_json::Error::custom(format!("more than {MAX_VALUES} members and items")));
    }
    parse_any(text)
}

/// Parses one JSON text, whose size the caller has checked.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_any(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

/// The size of a JSON text's value, estimated before the text is parsed. The check is needed because an item of two
/// bytes becomes a value of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// An upper bound of the number of members and items, all objects and arrays together.
    pub(super) values: usize,
    /// An upper bound of the number of members or items of the outermost object or array.
    pub(super) outermost: usize,
    /// The deepest nesting of objects and arrays.
    pub(super) depth: usize,
}

impl Shape {
    /// Estimates the shape of a text, which need not be valid JSON.
    pub(super) fn of(text: &[u8]) -> Self {
        let (mut shape, mut depth, mut quoted, mut escaped) = (Self::default(), 0_usize, false, false);
        for byte in text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' | b'[' | b'{' if !quoted => {
                    shape.values += 1;
                    shape.outermost += usize::from(depth == usize::from(*byte == b','));
                    depth += usize::from(*byte != b',');
                    shape.depth = shape.depth.max(depth);
                }
                b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        shape
    }
}

/// Hashes a member's name without regard to case.
fn fold(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.bytes().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
    hasher.finish()
}

/// Converts a number that is whole but written as a fraction, such as 3.0: JSON has only one kind of number, and some
/// serializers write 3 as 3.0. `None` for other numbers, beyond 2^53 - 1, and for negative zero.
#[expect(clippy::cast_possible_truncation, reason = "every such number is below 2^53")]
fn whole(value: f64) -> Option<i64> {
    const SAFE: f64 = ((1_i64 << 53) - 1) as f64;
    let counts = value.fract() == 0.0 && value.abs() <= SAFE && !(value == 0.0 && value.is_sign_negative());
    counts.then_some(value as i64)
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if let Some(whole) = whole(value) {
            return Ok(whole.into());
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (mut object, mut folded) = (Map::new(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            // The set has hashes, because a copy of each name would multiply the memory of a message with many members.
            let known = !folded.insert(fold(&name));
            if known && object.keys().any(|other: &String| other.eq_ignore_ascii_case(&name)) {
                return Err(A::Error::custom(format!("the member {name:?} appears twice")));
            }
            let value = members.next_value_seed(Self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
