//! Takes secrets out of texts that come from outside, before anybody keeps or shows them.
//!
//! A value is known by its name (`"primaryKey": ".."`, `AccountKey=..`, `Authorization: ..`) or by its form (a JSON Web
//! Token, a private key in PEM, a key of a storage account). In doubt it goes: a message is read by people, and they
//! miss a word less than a secret is missed.
//!
//! Sources of forms: RFC 6750 and 7519; Microsoft, "Storage account access keys", "Create a service SAS" and the form of
//! Entra's client secrets and of keys with the signature `JQQJ99` that their secret scanning publishes.

use std::ops::Range;

use serde_json::Value;

/// What stands where a secret stood.
const GONE: &str = "[redacted]";

/// Names that mean a secret, without case and punctuation and trailing digits: as a whole, or by their end.
const NAMES: [&str; 6] = ["sig", "sas", "pwd", "pass", "psk", "cookie"];
const ENDS: [&str; 13] = [
    "key",
    "keys",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "secrettext",
    "connectionstring",
    "sharedaccesssignature",
    "authorization",
];
/// Names that end like a secret's and are none.
const INNOCENT: [&str; 8] = [
    "publickey",
    "publickeys",
    "partitionkey",
    "rowkey",
    "idempotencykey",
    "continuationtoken",
    "skiptoken",
    "pagetoken",
];
/// Of these a bare `name: value` is enough; prose has the others before a colon.
const HEADERS: [&str; 14] = [
    "authorization",
    "password",
    "pwd",
    "clientsecret",
    "accountkey",
    "accesskey",
    "apikey",
    "sharedaccesskey",
    "subscriptionkey",
    "functionskey",
    "connectionstring",
    "accesstoken",
    "saskey",
    "cookie",
];
/// Words that are followed by a credential.
const SCHEMES: [&str; 5] = ["bearer", "basic", "sharedkey", "sharedkeylite", "negotiate"];

/// The text without secrets. A text that has none is returned as it is, and so is one that was redacted before.
pub fn redact(text: &str) -> String {
    let trimmed = text.trim_start();
    let json =
        trimmed.starts_with(['{', '[', '"']).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let Some(mut value) = json else { return plain(text) };
    if clean(&mut value) { value.to_string() } else { text.to_owned() }
}

/// Redacts a JSON value in place; whether anything was changed.
fn clean(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            // `{"name": "AccountKey", "value": ".."}`, as settings are listed.
            let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
            let listed = members.iter().any(|(name, member)| {
                (is(name, "name") || is(name, "key")) && member.as_str().is_some_and(is_secret)
            });
            let cleaned = members.iter_mut().map(|(name, member)| {
                let secret = is_secret(name) || (listed && is(name, "value"));
                if secret { remove(member) } else { clean(member) }
            });
            cleaned.filter(|changed| *changed).count() > 0
        }
        Value::Array(items) => items.iter_mut().map(clean).filter(|changed| *changed).count() > 0,
        Value::String(text) => {
            let redacted = redact(text);
            let changed = redacted != *text;
            *text = redacted;
            changed
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn remove(member: &mut Value) -> bool {
    let empty = match &*member {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty() || text == GONE,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    if !empty {
        *member = Value::from(GONE);
    }
    !empty
}

/// Redacts what is no JSON as a whole: first the objects in it, which tell names from values, then what has a form.
fn plain(text: &str) -> String {
    let (mut redacted, mut done) = (String::new(), 0);
    while let Some(at) = text[done..].find('{').map(|at| done + at) {
        let mut objects = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let object = objects.next().and_then(Result::ok);
        let end = at + if object.is_some() { objects.byte_offset() } else { 1 };
        match object {
            Some(mut object) if object.is_object() => {
                redacted.push_str(&text[done..at]);
                let changed = clean(&mut object);
                redacted.push_str(&if changed { object.to_string() } else { text[at..end].to_owned() });
            }
            Some(_) | None => redacted.push_str(&text[done..end]),
        }
        done = end;
    }
    redacted.push_str(&text[done..]);
    formed(&redacted)
}

fn formed(text: &str) -> String {
    let mut found = Vec::new();
    for find in [private_keys, pairs, credentials, web_tokens, marked_keys, base64_keys, user_infos] {
        find(text, &mut found);
    }
    found.sort_by_key(|range: &Range<usize>| (range.start, range.end));
    let (mut redacted, mut done) = (String::with_capacity(text.len()), 0);
    for range in found {
        if range.end <= done || text[range.clone()] == *GONE {
            continue;
        }
        if range.start >= done {
            redacted.push_str(&text[done..range.start]);
            redacted.push_str(GONE);
        }
        done = range.end;
    }
    redacted.push_str(&text[done..]);
    redacted
}

fn normal(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase()
}

fn is_secret(name: &str) -> bool {
    let name = normal(name);
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    (NAMES.contains(&name.as_str()) || ends(&ENDS)) && !ends(&INNOCENT)
}

/// `-----BEGIN .. PRIVATE KEY-----` to its end, or to the text's.
fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    for (start, begin) in text.match_indices("-----BEGIN ") {
        let after = start + begin.len();
        let title = text[after..].split("-----").next().unwrap_or_default();
        if title.ends_with("PRIVATE KEY") {
            let end = text[after..].find("-----END ").map(|at| after + at + "-----END ".len());
            let end = end.and_then(|at| Some(at + text[at..].find("-----")? + "-----".len()));
            found.push(start..end.unwrap_or(text.len()));
        }
    }
}

/// `name=value`, `"name": "value"` in pieces of JSON, escaped or not, and `Name: value` of headers.
fn pairs(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, separator) in
        text.match_indices(['=', ':']).chain(text.match_indices("%3D")).chain(text.match_indices("%3d"))
    {
        let before = text[..at].trim_end_matches(' ');
        let unquoted = before.strip_suffix(['"', '\'']).map(|name| name.trim_end_matches('\\'));
        let name = unquoted.unwrap_or(before);
        let name = normal(last_word(name));
        let value = text[at + separator.len()..].trim_start_matches(' ');
        if !is_secret(&name) || value.starts_with('=') {
            continue;
        }
        let header = separator == ":" && unquoted.is_none();
        let known = HEADERS.iter().any(|header| name.ends_with(header));
        // Prose may have a quoted word before a colon; JSON goes on with a quote, a bracket or a number.
        let json = value.starts_with(|c: char| "\"'\\[{-".contains(c) || c.is_ascii_digit());
        if separator != ":" || if header { known } else { json } {
            let start = text.len() - value.len();
            let within = value_in(value, header && name.ends_with("authorization"));
            found.push(start + within.start..start + within.end);
        }
    }
    found.retain(|range| !range.is_empty());
}

/// The name that a text ends with; after a percent-encoded character the name begins behind it.
fn last_word(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.$".contains(c);
    let word = text.trim_end_matches(is_part).len();
    let encoded = text[..word].ends_with('%');
    text.get(word + if encoded { 2 } else { 0 }..).unwrap_or_default()
}

/// Where the value is in a text that begins with it: within its quotes, with its brackets, or as far as it may reach.
fn value_in(text: &str, whole_line: bool) -> Range<usize> {
    // What was redacted before is no cover for what stands behind it.
    if let Some(rest) = text.strip_prefix(GONE) {
        return 0..GONE.len() + bare_length(rest, whole_line);
    }
    let slashes = text.len() - text.trim_start_matches('\\').len();
    if let Some(quote) = text[slashes..].chars().next().filter(|first| ['"', '\''].contains(first)) {
        let inner = slashes + 1;
        let ends = text[inner..].match_indices(quote).find_map(|(at, _)| {
            let body = text[inner..inner + at].trim_end_matches('\\');
            (at - body.len() == slashes).then_some(inner + body.len())
        });
        return inner..ends.unwrap_or(text.len());
    }
    if text.starts_with(['[', '{']) {
        let mut depth = 0_usize;
        let closes = text.char_indices().find(|(_, c)| {
            depth += usize::from("[{".contains(*c));
            depth -= usize::from("]}".contains(*c));
            depth == 0
        });
        let end = closes.map_or(text.len(), |(at, _)| at + 1 + bare_length(&text[at + 1..], whole_line));
        let empty = text[1..end].trim_end_matches([']', '}']).trim().is_empty();
        return 0..if empty { 0 } else { end };
    }
    0..bare_length(text, whole_line)
}

/// How far a value without quotes reaches.
fn bare_length(text: &str, whole_line: bool) -> usize {
    let stops = |c: char| {
        if whole_line { "\r\n\"".contains(c) } else { c.is_whitespace() || "&;,\"'<>)]}|\\".contains(c) }
    };
    let end = text.find(stops).unwrap_or(text.len());
    let encoded = ["%26", "%3B", "%3b"].iter().filter_map(|mark| text[..end].find(mark)).min();
    encoded.filter(|_| !whole_line).unwrap_or(end)
}

/// The words of a text with their places; quotes, brackets and what separates parameters are no part of a word.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| c.is_whitespace() || "\"',;()<>[]{}|&?\\".contains(c);
    let at = |word: &str| word.as_ptr().addr() - text.as_ptr().addr();
    text.split(ends).filter(|word| !word.is_empty()).map(move |word| (at(word), word))
}

/// `Bearer x` and its like, unless an ordinary word follows.
fn credentials(text: &str, found: &mut Vec<Range<usize>>) {
    let (mut before, mut end) = ("", 0);
    for (at, word) in words(text) {
        let adjacent = text[end..at].chars().all(|c| c == ' ');
        let scheme = if adjacent { before } else { "" }.trim_end_matches(':').to_ascii_lowercase();
        let letters = word.chars().skip(1).all(|c| c.is_ascii_lowercase() || "_=.:-".contains(c));
        // "Basic B1" is a size.
        let short = word.len() < if scheme == "bearer" { 2 } else { 8 };
        if SCHEMES.contains(&scheme.as_str()) && !short && !(letters && word.len() <= 20) {
            found.push(at..at + word.len());
        }
        (before, end) = (word, at + word.len());
    }
}

/// The run of such ASCII characters around a place that has one.
fn run(text: &str, at: usize, of: fn(u8) -> bool) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|byte| !of(*byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !of(*byte)).map_or(bytes.len(), |length| at + length);
    start..end
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// `eyJ..`, two parts or more.
fn web_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("eyJ") {
        let token = run(text, at, |byte| is_url_safe(byte) || byte == b'.');
        if text[at..token.end].contains('.') {
            found.push(at..token.end);
        }
    }
}

/// Keys that carry a mark for scanners: Entra's client secrets (`abc8Q~..`) and Azure's newer keys (`..JQQJ99..`).
fn marked_keys(text: &str, found: &mut Vec<Range<usize>>) {
    for (mark, least) in [("Q~", 34), ("JQQJ99", 52)] {
        for (at, _) in text.match_indices(mark) {
            let key = run(text, at, |byte| is_url_safe(byte) || b"~.+/".contains(&byte));
            if key.len() >= least {
                found.push(key);
            }
        }
    }
}

/// 64 or 32 bytes in base64: the keys of storage accounts, of Service Bus and of Event Grid.
fn base64_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    for (at, padding) in text.match_indices("==").chain(text.match_indices('=')) {
        let last = at.checked_sub(1).filter(|last| is_base64(text.as_bytes()[*last]));
        let Some(key) = last.map(|last| run(text, last, is_base64)) else { continue };
        let letters = &text[key.clone()];
        let drawn = [char::is_uppercase, char::is_lowercase].iter().all(|kind| letters.contains(*kind))
            && letters.contains(|c: char| c.is_ascii_digit());
        if key.end == at && drawn && [(86, 2), (43, 1)].contains(&(key.len(), padding.len())) {
            found.push(key.start..at + padding.len());
        }
    }
}

/// The password in `https://user:password@host`.
fn user_infos(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let start = at + "://".len();
        let authority = text[start..].split(|c: char| c.is_whitespace() || "/\"'<>?#".contains(c)).next();
        let info = authority.and_then(|authority| authority.rsplit_once('@'));
        if let Some((user, password)) = info.and_then(|(info, _)| info.split_once(':')) {
            let from = start + user.len() + 1;
            found.push(from..from + password.len());
        }
    }
}
