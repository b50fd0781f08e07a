//! Removes secrets from texts that come from outside, before they are stored or shown.
//!
//! A value is recognized by its name (`"primaryKey": ".."`, `AccountKey=..`, `Authorization: ..`) or by its form (a
//! JSON Web Token, a private key in PEM, a key of a storage account). In doubt it is removed: people read messages, and
//! a missing word does less harm than a leaked secret.
//!
//! Sources of forms: RFC 6750 and 7519; Microsoft, "Storage account access keys", "Create a service SAS" and the form
//! of Entra's client secrets and of keys with the signature `JQQJ99` that their secret scanning publishes.

use std::{collections::BTreeMap, ops::Range};

use serde_json::Value;

use super::forms::{base64_keys, marked_keys, private_keys, user_infos, web_tokens};

/// The text that replaces a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// Names of secrets, as whole names, in the form of [`normal`].
const NAMES: [&str; 6] = ["sig", "sas", "pwd", "pass", "psk", "cookie"];
/// Ends of names of secrets, in the form of [`normal`].
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
/// Ends of names that match [`ENDS`] although the values are no secrets.
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
/// Ends of names for which `name: value` without quotes is taken for a secret; other names occur in prose before a
/// colon.
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
/// Names of authentication schemes, which a credential follows.
const SCHEMES: [&str; 5] = ["bearer", "basic", "sharedkey", "sharedkeylite", "negotiate"];

/// Returns the text with its secrets replaced. A text without secrets, or one that was redacted before, is returned
/// unchanged.
pub fn redact(text: &str) -> String {
    let trimmed = text.trim_start();
    let json =
        trimmed.starts_with(['{', '[', '"']).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let Some(mut value) = json else { return plain(text) };
    if clean(&mut value) { value.to_string() } else { text.to_owned() }
}

/// Redacts a JSON value in place; returns whether anything was changed.
fn clean(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            // `{"name": "AccountKey", "value": ".."}`, as in lists of settings.
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
        Value::String(text) => text.is_empty() || text == REDACTED,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    if !empty {
        *member = Value::from(REDACTED);
    }
    !empty
}

/// Redacts a text that is not JSON as a whole: first the JSON objects in it, by the names of their members, then the
/// rest by form.
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
        if range.end <= done || text[range.clone()] == *REDACTED {
            continue;
        }
        if range.start >= done {
            redacted.push_str(&text[done..range.start]);
            redacted.push_str(REDACTED);
        }
        done = range.end;
    }
    redacted.push_str(&text[done..]);
    redacted
}

pub(super) fn normal(name: &str) -> String {
    let letters = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    letters.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a name is that of a secret, as a whole or by its end.
pub(super) fn is_secret(name: &str) -> bool {
    let name = normal(name);
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    (NAMES.contains(&name.as_str()) || ends(&ENDS)) && !ends(&INNOCENT)
}

/// Finds the values of secrets in `name=value`, in `"name": "value"` of fragments of JSON, escaped or not, and in
/// `Name: value` of headers.
fn pairs(text: &str, found: &mut Vec<Range<usize>>) {
    let mut ends = Ends::new(text);
    for (at, separator) in
        text.match_indices(['=', ':']).chain(text.match_indices("%3D")).chain(text.match_indices("%3d"))
    {
        let before = text[..at].trim_end_matches(' ');
        let unquoted = before.strip_suffix(['"', '\'']).map(|name| name.trim_end_matches('\\'));
        let name = unquoted.unwrap_or(before);
        let name = normal(last_token(name));
        let value = text[at + separator.len()..].trim_start_matches(' ');
        if !is_secret(&name) || value.starts_with('=') {
            continue;
        }
        let header = separator == ":" && unquoted.is_none();
        let known = HEADERS.iter().any(|header| name.ends_with(header));
        // Prose may have a quoted word before a colon; in JSON a quote, a bracket or a number follows.
        let json = value.starts_with(|c: char| "\"'\\[{-".contains(c) || c.is_ascii_digit());
        if separator != ":" || if header { known } else { json } {
            found.push(ends.value(text.len() - value.len(), header && name.ends_with("authorization")));
        }
    }
    found.retain(|range| !range.is_empty());
}

/// The name at the end of a text; after a percent-encoded character, the name begins behind that character.
pub(super) fn last_token(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.$".contains(c);
    let start = text.trim_end_matches(is_part).len();
    let encoded = text[..start].ends_with('%');
    text.get(start + if encoded { 2 } else { 0 }..).unwrap_or_default()
}

/// Finds the ends of values in a text. Results are cached, so that the time is about linear even for a text in which
/// every other word names a secret.
struct Ends<'a> {
    text: &'a str,
    /// For each [`Mark`], the range from the position at which its last search began to the first mark found.
    marks: [Range<usize>; 3],
    /// For each quote with a number of backslashes before it, the range from the position at which its last search
    /// began to the first closing quote found.
    quotes: BTreeMap<(char, usize), Range<usize>>,
    /// The positions of each opening bracket and of the bracket that closes it, in order; `None` until they are needed.
    brackets: Option<Vec<(usize, usize)>>,
}

/// What ends a value without quotes.
#[derive(Clone, Copy)]
enum Mark {
    /// White space or punctuation.
    Stop,
    /// The end of a line, or a quotation mark.
    Line,
    /// A percent-encoded separator of parameters.
    Encoded,
}

impl<'a> Ends<'a> {
    fn new(text: &'a str) -> Self {
        let nowhere = || Range { start: 1, end: 0 };
        Self { text, marks: [nowhere(), nowhere(), nowhere()], quotes: BTreeMap::new(), brackets: None }
    }

    /// The position of the first mark at or after `from`, or the end of the text.
    fn first(&mut self, mark: Mark, from: usize) -> usize {
        let known = &mut self.marks[mark as usize];
        if !(known.start..=known.end).contains(&from) {
            let rest = &self.text[from..];
            let first = match mark {
                Mark::Stop => rest.find(|c: char| c.is_whitespace() || "&;,\"'<>)]}|\\".contains(c)),
                Mark::Line => rest.find(['\r', '\n', '"']),
                Mark::Encoded => rest
                    .match_indices('%')
                    .map(|(at, _)| at)
                    .find(|at| ["%26", "%3B", "%3b"].iter().any(|mark| rest[*at..].starts_with(mark))),
            };
            *known = from..first.map_or(self.text.len(), |at| from + at);
        }
        known.end
    }

    /// The end of the value without quotes that begins at `from`; with `whole_line` the value may have spaces and
    /// punctuation.
    fn bare(&mut self, from: usize, whole_line: bool) -> usize {
        if whole_line {
            return self.first(Mark::Line, from);
        }
        self.first(Mark::Stop, from).min(self.first(Mark::Encoded, from))
    }

    /// The range of the value that begins at `from`: within its quotes, with its brackets, or up to its end.
    fn value(&mut self, from: usize, whole_line: bool) -> Range<usize> {
        let text = &self.text[from..];
        // A value that was redacted before does not protect the text behind it.
        if text.starts_with(REDACTED) {
            return from..self.bare(from + REDACTED.len(), whole_line);
        }
        let slashes = text.len() - text.trim_start_matches('\\').len();
        if let Some(quote) = text[slashes..].chars().next().filter(|first| ['"', '\''].contains(first)) {
            let inner = from + slashes + 1;
            return inner..self.closing_quote(quote, slashes, inner);
        }
        if text.starts_with(['[', '{']) {
            let closes = self.closing_bracket(from);
            let end = closes.map_or(self.text.len(), |at| self.bare(at + 1, whole_line));
            let inside = self.text[from + 1..end].trim_start();
            let empty = inside.trim_start_matches([']', '}']).is_empty();
            return from..if empty { from } else { end };
        }
        from..self.bare(from, whole_line)
    }

    /// The end of the quoted text that begins at `inner`.
    fn closing_quote(&mut self, quote: char, slashes: usize, inner: usize) -> usize {
        let known = self.quotes.get(&(quote, slashes));
        if let Some(known) = known.filter(|known| (known.start..=known.end).contains(&inner)) {
            return known.end;
        }
        let text = &self.text[inner..];
        let ends = text.match_indices(quote).find_map(|(at, _)| {
            let body = text[..at].trim_end_matches('\\');
            (at - body.len() == slashes).then_some(inner + body.len())
        });
        let end = ends.unwrap_or(self.text.len());
        self.quotes.insert((quote, slashes), inner..end);
        end
    }

    /// The position of the bracket that closes the bracket at `at`. Square and curly brackets are not distinguished.
    fn closing_bracket(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        let pairs = self.brackets.get_or_insert_with(|| {
            let (mut open, mut pairs) = (Vec::new(), Vec::new());
            for (at, byte) in text.bytes().enumerate() {
                match byte {
                    b'[' | b'{' => open.push(at),
                    b']' | b'}' => pairs.extend(open.pop().map(|begin| (begin, at))),
                    _ => {}
                }
            }
            pairs.sort_unstable();
            pairs
        });
        let found = pairs.binary_search_by_key(&at, |(begin, _)| *begin).ok()?;
        pairs.get(found).map(|(_, end)| *end)
    }
}

/// The tokens of a text with their positions. White space, quotes, brackets and separators of parameters separate
/// tokens.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| c.is_whitespace() || "\"',;()<>[]{}|&?\\".contains(c);
    let at = |token: &str| token.as_ptr().addr() - text.as_ptr().addr();
    text.split(ends).filter(|token| !token.is_empty()).map(move |token| (at(token), token))
}

/// Finds the credential that follows an authentication scheme, e.g. `Bearer x`, unless an ordinary word follows.
fn credentials(text: &str, found: &mut Vec<Range<usize>>) {
    let (mut before, mut end) = ("", 0);
    for (at, token) in tokens(text) {
        let adjacent = text[end..at].chars().all(|c| c == ' ');
        let scheme = if adjacent { before } else { "" }.trim_end_matches(':').to_ascii_lowercase();
        let letters = token.chars().skip(1).all(|c| c.is_ascii_lowercase() || "_=.:-".contains(c));
        // In "Basic B1", the second word is the size of a plan.
        let short = token.len() < if scheme == "bearer" { 2 } else { 8 };
        if SCHEMES.contains(&scheme.as_str()) && !short && !(letters && token.len() <= 20) {
            found.push(at..at + token.len());
        }
        (before, end) = (token, at + token.len());
    }
}
