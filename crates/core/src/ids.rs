//! Validated names: tenant ids, step names, resource ids, each with its grammar.
//!
//! A text that does not fit its grammar is refused with the reason. It is never repaired: a repaired id could be
//! another tenant's id.

pub mod resource;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use resource::{ApiVersion, ResourceId, segment_objection};

/// Why a text is not a valid id. The text itself is left out, because it may contain anything, secrets included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct BadId {
    what: &'static str,
    why: &'static str,
}

/// A tenant's id: `^[a-z][a-z0-9-]{1,30}[a-z0-9]$`, three to thirty-two characters.
///
/// Only lower case is allowed: Azure compares names without case, Table Storage compares keys with case, and both must
/// agree on which tenant an id means. Names that Azure or file systems reserve are refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// Names that Azure reserves, in resource names or in Table Storage.
const RESERVED: [&str; 5] = ["microsoft", "windows", "login", "azure", "tables"];
/// Device names of Windows, which can't be file names in any folder; those in [`NUMBERED_DEVICES`] are followed by a
/// digit. Source: Microsoft, "Naming Files, Paths, and Namespaces".
const DEVICES: [&str; 4] = ["con", "nul", "prn", "aux"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Whether a lower-case text is a device name of Windows.
fn is_device(text: &str) -> bool {
    let numbered = NUMBERED_DEVICES.iter().filter_map(|device| text.strip_prefix(device));
    DEVICES.contains(&text)
        || numbered.into_iter().any(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
}

impl TenantId {
    /// Returns `text` with `TENANT` replaced by this id wherever it ends a command between backticks.
    pub fn within(&self, text: &str) -> String {
        text.replace(" TENANT`", &format!(" {self}`"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = |why| BadId { what: "a tenant id", why };
        let bytes = text.as_bytes();
        if !(3..=32).contains(&bytes.len()) {
            return Err(bad("has three to thirty-two characters"));
        }
        let known = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        if !bytes.iter().all(known) {
            return Err(bad("holds only a-z, 0-9 and the hyphen"));
        }
        if !bytes.first().is_some_and(u8::is_ascii_lowercase) {
            return Err(bad("begins with a letter"));
        }
        if bytes.last() == Some(&b'-') {
            return Err(bad("does not end in a hyphen"));
        }
        if RESERVED.contains(&text) || is_device(text) {
            return Err(bad("is not a word that Azure or a file system keeps for itself"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a step within a blueprint: `^[a-z][a-z0-9_]{0,39}$`, a valid identifier in expressions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepName {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = |why| BadId { what: "a step name", why };
        if !(1..=40).contains(&text.len()) {
            return Err(bad("has one to forty characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return Err(bad("holds only a-z, 0-9 and the underscore"));
        }
        if !text.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) {
            return Err(bad("begins with a letter"));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_id {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_id!(TenantId);
text_id!(StepName);

/// The SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A short id in Crockford's base 32 (lower case): eighty bits of SHA-256 over the parts, sixteen characters.
///
/// The parts are joined by NUL, so that ("a", "bc") and ("ab", "c") differ. No part may contain NUL.
pub fn short_hash(parts: &[&str]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digest = Sha256::digest(parts.join("\0").as_bytes());
    let mut text = String::with_capacity(16);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in digest.iter().take(10) {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(ALPHABET[(bits >> held) as usize & 31]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_ids_are_checked_and_never_repaired() {
        for good in ["abc", "contoso", "a1-b2", "com", "com10", "lpt1-a", "x23456789012345678901234567890ab"]
        {
            assert_eq!(good.parse::<TenantId>().unwrap().as_str(), good);
        }
        for bad in [
            "", "ab", "Contoso", "9abc", "-abc", "abc-", "a b c", "a_b", "straße", "tables", "con", "com1",
            "lpt9", "com0",
        ] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?} was taken");
        }
        assert!("a".repeat(33).parse::<TenantId>().is_err());
    }

    #[test]
    fn short_hashes_keep_their_parts_apart() {
        assert_eq!(short_hash(&["a", "b"]).len(), 16);
        assert_ne!(short_hash(&["a", "bc"]), short_hash(&["ab", "c"]));
    }
}
