//! Bad inputs 1 to 40, message bodies. Cases that take two messages are in `pairs`.

mod wrapped;

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::case::{Case, refused, signup, taken, with, without, written};

use wrapped::{values, wrappings};

/// A valid sign-up as text.
fn good(request_id: &str) -> String {
    signup(request_id).to_string()
}

/// A text as a JSON string literal.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A sign-up of exactly this many bytes.
fn sized(request_id: &str, bytes: usize) -> String {
    let short = good(request_id);
    format!("{short}{}", " ".repeat(bytes - short.len()))
}

/// gzip's magic number and a stored block, enough for a parser that detects formats by their first bytes.
fn gzip() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    bytes.write_all(good("a32").as_bytes()).unwrap();
    bytes
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xfeff);
    mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn event(kind: &str, data: Value) -> String {
    let event = json!({"specversion": "1.0", "id": "e", "source": "/shop", "type": kind, "data": data});
    event.to_string()
}

/// An event whose data is in base64.
fn base64(data: &str) -> String {
    let data = json!(BASE64_STANDARD.encode(data)).to_string();
    event_with("data", Value::Null).replace("\"data\":null", &format!("\"data_base64\":{data}"))
}

fn event_with(name: &str, value: Value) -> String {
    let mut event: Value =
        serde_json::from_str(&event("io.tenantry.request.signup.v1", signup("a34-x"))).unwrap();
    event[name] = value;
    event.to_string()
}

pub(crate) fn table() -> Vec<Case> {
    [shapes(), encodings(), members(), numbers_and_sizes(), wrappings(), values()]
        .into_iter()
        .flatten()
        .collect()
}

fn shapes() -> Vec<Case> {
    vec![
        refused(1, "empty body", "", "empty", ""),
        refused(2, "white space only", " \r\n\t ", "empty", ""),
        refused(3, "null", "null", "not_an_object", ""),
        refused(4, "true", "true", "not_an_object", ""),
        refused(5, "empty array", "[]", "not_an_object", ""),
        refused(6, "empty JSON string", "\"\"", "not_json", ""),
        refused(7, "a number", "42", "not_an_object", ""),
        refused(8, "truncated JSON", &good("a8")[..40], "not_json", ""),
        refused(9, "bytes behind the document", good("a9") + "x", "not_json", ""),
        taken(9, "white space behind the document", good("a9-ok") + "\r\n", "JSON ends where it ends"),
        refused(10, "two documents", good("a10") + &good("a10-b"), "not_json", ""),
    ]
}

fn encodings() -> Vec<Case> {
    let spoilt = |bytes: &[u8]| {
        let text = good("a13").replace("Adventure Works", "?");
        let at = text.find('?').unwrap();
        [&text.as_bytes()[..at], bytes, &text.as_bytes()[at + 1..]].concat()
    };
    vec![
        taken(11, "byte order mark", format!("\u{feff}{}", good("a11")), "editors and shells write one"),
        refused(11, "byte order mark twice", format!("\u{feff}\u{feff}{}", good("a11-t")), "not_json", ""),
        refused(11, "byte order mark alone", "\u{feff}", "empty", ""),
        taken(12, "UTF-16 with a mark", utf16(&good("a12"), true), "the mark leaves no doubt"),
        refused(12, "half a character behind a mark", [&[0xff, 0xfe, b'{'][..]].concat(), "not_utf8", ""),
        refused(12, "a lone surrogate in UTF-16", vec![0xff, 0xfe, 0x00, 0xd8, 0x20, 0x00], "not_utf8", ""),
        refused(12, "UTF-16 without a mark", utf16(&good("a12"), false), "not_json", ""),
        refused(13, "a byte that is no UTF-8", spoilt(&[0xff]), "not_utf8", ""),
        refused(13, "an overlong slash", spoilt(&[0xc0, 0xaf]), "not_utf8", ""),
        refused(13, "a surrogate in UTF-8", spoilt(&[0xed, 0xa0, 0x80]), "not_utf8", ""),
        refused(14, "lone surrogate escape", spoilt(br"\ud800"), "not_json", ""),
        refused(
            15,
            "NUL in a name",
            with("a15", "/spec/displayName", "Adven\0ture"),
            "bad_characters",
            "/spec/displayName",
        ),
        refused(
            15,
            "NUL in the requestId",
            with("a15\0b", "/spec/tier", "dedicated"),
            "bad_characters",
            "/requestId",
        ),
        refused(
            15,
            "NUL in an outside key",
            with("a15-x", "/external", json!({"system": "a\0b", "operationId": "c"})),
            "bad_characters",
            "/external/system",
        ),
    ]
}

fn members() -> Vec<Case> {
    unknown_members().into_iter().chain(wrong_or_missing_values()).collect()
}

/// Unknown members, and members that come twice.
fn unknown_members() -> Vec<Case> {
    let twice = |second: &str| good("a16").replacen('{', &format!("{{\"{second}\":\"a17\","), 1);
    vec![
        refused(16, "the same member twice", twice("requestId"), "not_json", ""),
        refused(17, "the same member in another case", twice("REQUESTID"), "not_json", ""),
        refused(18, "an unknown member", with("a18", "/colour", "blue"), "unknown_member", "/colour"),
        refused(18, "a misspelt member", with("a18-m", "/dryrun", true), "unknown_member", "/dryrun"),
        refused(18, "a member in another case", with("a18-c", "/DryRun", true), "unknown_member", "/DryRun"),
        refused(
            18,
            "an unknown member that is null",
            with("a18-n", "/colour", Value::Null),
            "unknown_member",
            "/colour",
        ),
        refused(
            18,
            "an unknown member of spec",
            with("a18-s", "/spec/colour", "blue"),
            "unknown_member",
            "/spec/colour",
        ),
        refused(
            18,
            "an update's member in a sign-up",
            with("a18-u", "/spec/allowReplace", true),
            "unknown_member",
            "/spec/allowReplace",
        ),
        refused(
            18,
            "an unknown member of the blueprint's choice",
            with("a18-b", "/spec/blueprint", json!({"name": "hello", "Version": "1.0.0"})),
            "unknown_member",
            "/spec/blueprint/Version",
        ),
        refused(
            18,
            "an unknown member of the requester",
            with("a18-r", "/requestedBy", json!({"type": "user", "id": "7", "name": "A"})),
            "unknown_member",
            "/requestedBy/name",
        ),
        taken(
            18,
            "an unknown member of the outside system's view",
            with("a18-e", "/external", json!({"system": "shop", "basket": {"id": 7}})),
            "what is the sender's own goes there",
        ),
        refused(
            18,
            "a text for the requester",
            with("a18-w", "/requestedBy", "me"),
            "wrong_type",
            "/requestedBy",
        ),
        refused(
            18,
            "an unknown blueprint parameter",
            with("a18-p", "/spec/parameters", json!({"colour": "blue"})),
            "unknown-parameter",
            "/spec/parameters/colour",
        ),
    ]
}

/// Members that are missing or have an invalid value.
fn wrong_or_missing_values() -> Vec<Case> {
    vec![
        refused(18, "an unknown action", with("a18-a", "/action", "explode"), "unknown_value", "/action"),
        refused(
            18,
            "an action that is not there yet",
            with("a18-l", "/action", "adopt"),
            "not_supported",
            "/action",
        ),
        refused(19, "no schema", without("a19", "/schema"), "missing", "/schema"),
        refused(19, "no requestId", without("a19-r", "/requestId"), "missing", "/requestId"),
        refused(19, "no action", without("a19-a", "/action"), "missing", "/action"),
        refused(19, "no spec", without("a19-s", "/spec"), "invalid", "/spec/displayName"),
        refused(19, "nothing at all", "{}", "invalid", "/schema"),
        refused(
            19,
            "null for a required value",
            with("a19-n", "/spec/tier", Value::Null),
            "missing",
            "/spec/tier",
        ),
        refused(
            20,
            "a list for a text",
            with("a20", "/spec/displayName", json!(["A"])),
            "wrong_type",
            "/spec/displayName",
        ),
        refused(20, "a text for an object", with("a20-s", "/spec", "dedicated"), "wrong_type", "/spec"),
        refused(
            20,
            "an object for the requestId",
            with("a20-r", "/requestId", json!({})),
            "wrong_type",
            "/requestId",
        ),
        refused(20, "a number for the tenantId", with("a20-t", "/tenantId", 7), "wrong_type", "/tenantId"),
        refused(20, "a text for a flag", with("a20-d", "/dryRun", "true"), "wrong_type", "/dryRun"),
        refused(
            20,
            "a text for the outside system's view",
            with("a20-e", "/external", "shop"),
            "wrong_type",
            "/external",
        ),
        refused(
            20,
            "a number for a tag",
            with("a20-g", "/spec/tags", json!({"cost": 1})),
            "wrong_type",
            "/spec/tags/cost",
        ),
        taken(21, "3.0 for a count", written("a21-f", r#""quantity":3.0"#), "JSON has one kind of number"),
        taken(21, "3e0 for a count", written("a21-e", r#""quantity":3e0"#), "as above"),
        refused(21, "3.5 for a count", with("a21-h", "/spec/quantity", 3.5), "wrong_type", "/spec/quantity"),
        refused(21, "a text for a count", with("a21", "/spec/quantity", "5"), "wrong_type", "/spec/quantity"),
    ]
}

fn numbers_and_sizes() -> Vec<Case> {
    let quantity = |id: &str, number: &str| written(id, &format!("\"quantity\":{number}"));
    let deep = |id: &str, depth: usize| {
        written(
            id,
            &format!("\"parameters\":{}{}", "{\"a\":".repeat(depth), "1".to_owned() + &"}".repeat(depth)),
        )
    };
    let wide = |id: &str, count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
        written(id, &format!("\"parameters\":{{{}}}", members.join(",")))
    };
    let items = written("a26-i", &format!(r#""more":[{}0]"#, "[],".repeat(16_000)));
    vec![
        refused(22, "1e400", quantity("a22", "1e400"), "not_json", ""),
        refused(23, "minus nothing", quantity("a23", "-0"), "wrong_type", "/spec/quantity"),
        refused(24, "2^53 + 1", quantity("a24", "9007199254740993"), "wrong_type", "/spec/quantity"),
        taken(
            24,
            "2^53 - 1",
            quantity("a24-ok", "9007199254740991"),
            "the largest count that every reader of JSON keeps",
        ),
        refused(25, "100,000 levels deep", deep("a25", 100_000), "too_large", ""),
        refused(25, "10,000 levels deep", deep("a25-s", 10_000), "not_json", ""),
        refused(25, "1,000 levels deep", deep("a25-t", 1_000), "not_json", ""),
        // More members than that do not fit into an envelope, which may have 8 MiB.
        refused(26, "500,000 members", wide("a26", 500_000), "too_large", ""),
        refused(26, "5,000 members", wide("a26-s", 5_000), "not_json", ""),
        refused(26, "16,000 items", items, "not_json", ""),
        refused(26, "1,000 unknown parameters", wide("a26-p", 1_000), "invalid", "/spec/parameters/0"),
        taken(27, "64 KiB, the limit", sized("a27-ok", 64 * 1024), "the limit itself is within the limit"),
        refused(27, "64 KiB and a byte", sized("a27", 64 * 1024 + 1), "too_large", ""),
        refused(27, "256 KiB, a standard queue's limit", sized("a27-q", 256 * 1024), "too_large", ""),
        refused(28, "256 KiB and a byte", sized("a28", 256 * 1024 + 1), "too_large", ""),
    ]
}
