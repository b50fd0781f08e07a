//! Recognizes texts that are certainly secrets, and are refused rather than redacted.

use std::ops::Range;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    forms::{base64_keys, marked_keys, private_keys, user_infos, web_tokens},
    redact::{REDACTED, last_token, normal},
};
use crate::pointer;

/// Names whose value in `name=value` or `"name": "value"` is a credential, in the form of [`normal`].
const NAMES: [&str; 11] = [
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "sharedsecretvalue",
    "clientsecret",
    "accesskey",
    "apikey",
    "primarykey",
    "secondarykey",
    "password",
    "pwd",
];
/// Prefixes of values that stand for another value: an expression, a reference, a placeholder.
const STANDS_FOR: [&str; 7] = ["{", "<", "@", "$", "%", "*", "["];
/// Parameters of a URL beside `sig` which show that `sig` is the signature of a shared access signature. Source:
/// Microsoft, "Create a service SAS".
const BESIDE_SIGNATURE: [&str; 6] = ["sv=", "se=", "sr=", "sp=", "ss=", "skoid="];
/// The shortest value of `sig`, in bytes, that is taken for a signature if no parameter of [`BESIDE_SIGNATURE`] is
/// there.
const SIGNATURE: usize = 20;
/// How many characters after the separator of `name=value` are checked.
const CHECKED_CHARACTERS: usize = 80;
/// The shortest secret without `=` and `:`, in bytes: the beginning of a private key.
const SHORTEST: usize = "-----BEGIN PRIVATE KEY".len();
/// The shortest JSON Web Token (`eyJ..`), in bytes.
const TOKEN: usize = 40;
/// Markers in keys of Service Bus, Event Hubs, IoT Hub, Azure's registries and Batch, which otherwise have the length
/// of a hash. Source: Microsoft, the rules of its secret scanning ("identifiable keys").
const MARKS: [&str; 5] = ["+ASb", "+AEh", "AIoT", "+ACR", "+ABa"];
/// Words in a member's name that mark a value as a hash although it has the form of a key.
const HASHES: [&str; 7] = ["hash", "digest", "sha", "checksum", "integrity", "thumbprint", "fingerprint"];

/// The kind of secret in a text, without any part of it; `None` if the text is not certainly a secret.
pub fn carried(text: &str) -> Option<&'static str> {
    of_member("", text)
}

/// The kind of secret in a member, whose name may contain a secret too and helps to classify its text; otherwise like
/// [`carried`].
pub fn carried_as(name: &str, text: &str) -> Option<&'static str> {
    carried(name).or_else(|| of_member(name, text))
}

/// The JSON pointer to the first secret in a value, and the kind of secret. If the name of a member is a secret, the
/// pointer is that of the object that has the member.
pub fn carried_within(value: &Value) -> Option<(String, &'static str)> {
    within("", value)
}

fn within(name: &str, value: &Value) -> Option<(String, &'static str)> {
    match value {
        Value::String(text) => of_member(name, text).map(|what| (String::new(), what)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| within(name, item).map(|(inside, what)| (format!("/{at}{inside}"), what))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if let Some(what) = carried(name) {
                return Some((String::new(), what));
            }
            within(name, member).map(|(inside, what)| (format!("/{}{inside}", pointer::segment(name)), what))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn of_member(name: &str, text: &str) -> Option<&'static str> {
    let whole = of_text(name, text);
    if whole.is_some() || !text.contains('%') {
        return whole;
    }
    of_text(name, &percent_decode_str(text).decode_utf8_lossy())
}

fn of_text(name: &str, text: &str) -> Option<&'static str> {
    // Nearly all texts are short words, and this function sees every member of every request.
    let assigns = text.bytes().any(|byte| matches!(byte, b'=' | b':'));
    if !assigns && text.len() < SHORTEST {
        return None;
    }
    let found = |find: fn(&str, &mut Vec<Range<usize>>)| {
        let mut found = Vec::new();
        find(text, &mut found);
        found
    };
    let is_hash = || {
        let name = normal(name);
        HASHES.iter().any(|hash| name.contains(hash)) || text.contains("sha512-")
    };
    let is_key = |range: &Range<usize>| {
        let key = &text[range.clone()];
        (key.ends_with("==") && !is_hash()) || MARKS.iter().any(|mark| key.contains(mark))
    };
    let is_open = |range: &Range<usize>| stands_for_itself(&text[range.clone()]);
    if !found(private_keys).is_empty() {
        Some("a private key")
    } else if found(web_tokens).iter().any(|token| token.len() >= TOKEN) {
        Some("a token")
    } else if !found(marked_keys).is_empty() {
        Some("a client secret or a key")
    } else if !assigns {
        None
    } else if found(base64_keys).iter().any(is_key) {
        Some("the key of an account")
    } else if found(user_infos).iter().any(is_open) {
        Some("a password in an address")
    } else {
        named(text)
    }
}

/// The kind of secret in `AccountKey=..`, `sig=..`, `"clientSecret": ".."`: recognized by the name within the text.
fn named(text: &str) -> Option<&'static str> {
    let signed = || BESIDE_SIGNATURE.iter().any(|beside| text.contains(beside));
    text.match_indices(['=', ':']).find_map(|(at, separator)| {
        let before = text[..at].trim_end_matches(' ');
        let unquoted = before.strip_suffix(['"', '\'']).map(|name| name.trim_end_matches('\\'));
        // In prose a colon follows any word; only a quoted name is a name.
        let name = if separator == ":" { unquoted? } else { unquoted.unwrap_or(before) };
        let name = normal(last_token(name));
        let is_signature = name == "sig" && separator == "=";
        if !is_signature && !NAMES.iter().any(|known| name.ends_with(known)) {
            return None;
        }
        // The beginning of the value is enough, so that the time is about linear even for a text of nothing but names.
        let value: String = text[at + 1..].chars().take(CHECKED_CHARACTERS).collect();
        let value = value.trim_start_matches([' ', '\\', '"', '\'']);
        let end = value.find(|c: char| c.is_whitespace() || "&;,\"'<>)]}|\\".contains(c));
        let value = &value[..end.unwrap_or(value.len())];
        if is_signature {
            let is_one = !value.is_empty() && (value.len() >= SIGNATURE || signed());
            return is_one.then_some("a shared access signature");
        }
        stands_for_itself(value).then_some("a credential with its name")
    })
}

fn stands_for_itself(value: &str) -> bool {
    !value.is_empty() && value != REDACTED && !STANDS_FOR.iter().any(|begin| value.starts_with(begin))
}
