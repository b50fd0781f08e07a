//! Stores JSON in the properties of one entity.
//!
//! Bytes are stored in binary properties, not in text: Table Storage counts two bytes per character of a text, and an
//! entity holds 1 MiB (Microsoft, "Understanding the Table service data model"; the formula is that of "How the size of
//! an entity is calculated in Windows Azure table storage"). Azurite does not check the size, so this module does.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::service::Entity;

/// How many bytes one property gets. Table Storage allows 64 KiB.
const PART_BYTES: usize = 60 * 1024;
/// The largest entity that Table Storage accepts, in bytes.
const MAX_ENTITY_BYTES: usize = 1 << 20;

/// Stores bytes in as many properties as they need.
pub(super) fn pack(entity: &mut Entity, bytes: &[u8]) {
    for (number, part) in bytes.chunks(PART_BYTES).enumerate() {
        let name = part_name(number);
        entity.insert(format!("{name}@odata.type"), "Edm.Binary".into());
        entity.insert(name, BASE64_STANDARD.encode(part).into());
    }
}

/// Returns the bytes that [`pack`] stored.
///
/// # Errors
/// A text for people that says what is wrong with the properties.
pub(super) fn unpack(entity: &Entity) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for number in 0.. {
        let name = part_name(number);
        let Some(part) = text(entity, &name) else { break };
        BASE64_STANDARD
            .decode_vec(part, &mut bytes)
            .map_err(|error| format!("the property {name} of a stored entity is not base64: {error}"))?;
    }
    Ok(bytes)
}

fn part_name(number: usize) -> String {
    format!("D{number:02}")
}

/// Returns a property that is a text.
pub(super) fn text<'a>(entity: &'a Entity, name: &str) -> Option<&'a str> {
    entity.get(name)?.as_str()
}

/// Checks that Table Storage accepts the size of an entity, to which `to_come` bytes are still to be added.
///
/// # Errors
/// A text for people that says how large the entity is.
pub(super) fn check_size(entity: &Entity, to_come: usize) -> Result<(), String> {
    let bytes = size(entity) + to_come;
    if bytes > MAX_ENTITY_BYTES {
        return Err(format!(
            "an entity of Table Storage holds {MAX_ENTITY_BYTES} bytes; this one has {bytes}"
        ));
    }
    Ok(())
}

/// The size of an entity as Table Storage counts it: four bytes, and two for each character of the keys; for each
/// property eight bytes, two for each character of its name, and its value. The value of a text counts four bytes and
/// two for each character, that of a binary property four bytes and its length.
fn size(entity: &Entity) -> usize {
    /// The property with the time of the last change, which Table Storage adds.
    const TIMESTAMP: usize = 8 + 2 * "Timestamp".len() + 8;
    let mut bytes = 4 + TIMESTAMP;
    for (name, value) in entity {
        let characters = |text: &str| 2 * text.encode_utf16().count();
        bytes += match (name.as_str(), value) {
            (name, _) if name.ends_with("@odata.type") => 0,
            ("PartitionKey" | "RowKey", Value::String(key)) => characters(key),
            (name, Value::String(base64)) if entity.contains_key(&format!("{name}@odata.type")) => {
                8 + characters(name) + 4 + base64.trim_end_matches('=').len() * 3 / 4
            }
            (name, Value::String(text)) => 8 + characters(name) + 4 + characters(text),
            (name, _) => 8 + characters(name) + 8,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_into_properties_and_round_trip() {
        for length in [0, 1, 2, 3, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 921_600] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut entity = Entity::new();
            pack(&mut entity, &bytes);
            assert_eq!(entity.len(), 2 * length.div_ceil(PART_BYTES));
            let parts = entity.iter().filter(|(name, _)| !name.contains('@'));
            assert!(
                parts.map(|(_, part)| part.as_str().unwrap().len()).all(|base64| base64 * 3 / 4 <= 64 << 10)
            );
            assert_eq!(unpack(&entity).unwrap(), bytes);
        }
    }

    #[test]
    fn size_is_counted_as_microsoft_does() {
        let mut entity = Entity::new();
        entity.insert("PartitionKey".to_owned(), "contoso".into());
        entity.insert("RowKey".to_owned(), "document".into());
        let keys = 4 + 2 * (7 + 8) + 34;
        assert_eq!(size(&entity), keys);
        entity.insert("Status".to_owned(), "é🚀".into());
        assert_eq!(size(&entity), keys + (8 + 12 + 4 + 6));
        pack(&mut entity, &[7; 100]);
        assert_eq!(size(&entity), keys + (8 + 12 + 4 + 6) + (8 + 6 + 4 + 100));
    }

    #[test]
    fn the_largest_document_fits_and_a_mebibyte_does_not() {
        let of = |bytes: usize| {
            let mut entity = Entity::new();
            pack(&mut entity, &vec![7; bytes]);
            check_size(&entity, 2 << 10)
        };
        of(tenantry_core::tenant::MAX_DOCUMENT_BYTES).unwrap();
        let why = of(1 << 20).unwrap_err();
        assert!(why.starts_with("an entity of Table Storage holds 1048576 bytes; this one has 105"), "{why}");
    }

    #[test]
    fn invalid_base64_is_reported() {
        let mut entity = Entity::new();
        entity.insert("D00".to_owned(), "*".into());
        assert!(unpack(&entity).unwrap_err().contains("D00"));
    }
}
