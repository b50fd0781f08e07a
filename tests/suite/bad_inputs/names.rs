//! Bad inputs 41 to 80, tenant ids and names. Ids are checked and never repaired; display names may have almost any
//! content, because they are stored and sent as values and never interpreted.

use serde_json::{Value, json};

use super::{
    case::{Case, refused, taken, with},
    harness::LIVE,
};

/// A sign-up with a tenantId that has to be refused.
fn id(number: u32, name: &'static str, id: &str) -> Case {
    let request =
        format!("b{number}-{}", name.replace(' ', "-").replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    refused(number, name, with(&request, "/tenantId", id), "bad_id", "/tenantId")
}

fn display(number: u32, request: &str, text: &str) -> Vec<u8> {
    with(&format!("b{number}-{request}"), "/spec/displayName", text)
}

/// A display name that has to be refused.
fn bad_name(number: u32, name: &'static str, text: &str, code: &'static str) -> Case {
    refused(number, name, display(number, "name", text), code, "/spec/displayName")
}

/// A display name that is accepted unchanged.
fn name(number: u32, name: &'static str, text: &str) -> Case {
    taken(number, name, display(number, "text", text), "a display name is a value, never evaluated")
}

fn home(number: u32, request: &str, text: &str) -> Vec<u8> {
    with(&format!("b{number}-{request}"), "/spec/homeTenantId", text)
}

fn bad_home(number: u32, name: &'static str, text: &str, code: &'static str) -> Case {
    refused(number, name, home(number, "bad", text), code, "/spec/homeTenantId")
}

pub(crate) fn table() -> Vec<Case> {
    [paths(), confusables(), lengths(), guids(), reserved_names(), texts()].into_iter().flatten().collect()
}

fn paths() -> Vec<Case> {
    vec![
        id(41, "empty id", ""),
        bad_name(41, "empty name", "", "bad_length"),
        id(42, "dot", "."),
        id(42, "dot dot", ".."),
        id(43, "a way up", "a/../b"),
        id(44, "an encoded way up", "%2e%2e%2f"),
        id(45, "doubly encoded", "%252e"),
        id(46, "backslash", "a\\b"),
        id(47, "hash", "abc#d"),
        id(47, "question mark", "abc?d"),
        id(48, "line break in an id", "abc\r\nd"),
        bad_name(48, "line break in a name", "A\r\nSet-Cookie: x", "bad_characters"),
        id(49, "tab in an id", "abc\td"),
        bad_name(49, "tab in a name", "A\tB", "bad_characters"),
        id(50, "C1 control in an id", "abc\u{85}"),
        bad_name(50, "C1 control in a name", "A\u{9f}B", "bad_characters"),
        bad_name(50, "DEL in a name", "A\u{7f}B", "bad_characters"),
        id(51, "space before an id", " abc"),
        id(51, "space behind an id", "abc "),
    ]
}

fn confusables() -> Vec<Case> {
    vec![
        id(52, "upper case", "CONTOSO"),
        id(52, "one letter in upper case", "conToso"),
        id(53, "sharp s", "straße"),
        id(53, "its upper case", "STRASSE"),
        id(54, "dotless i", "ıstanbul"),
        id(54, "dotted I", "İstanbul"),
        id(55, "é as one", "caf\u{e9}"),
        id(55, "é as two", "cafe\u{301}"),
        name(55, "é as two in a name", "Cafe\u{301}"),
        id(56, "fullwidth a", "ａbc"),
        id(57, "Cyrillic a", "аbc"),
        id(58, "zero-width joiner in an id", "ab\u{200d}c"),
        taken(
            58,
            "zero-width joiner between letters of a name",
            display(58, "letters", "A\u{200d}B"),
            "scripts and emoji need it",
        ),
        taken(
            58,
            "zero-width non-joiner in a Persian name",
            display(58, "persian", "می\u{200c}خواهم"),
            "scripts and emoji need it",
        ),
        taken(
            58,
            "zero-width joiner in an emoji",
            display(58, "emoji", "Team 👩\u{200d}💻"),
            "scripts and emoji need it",
        ),
        bad_name(58, "zero-width joiner first", "\u{200d}AB", "bad_characters"),
        bad_name(58, "zero-width joiner last", "AB\u{200c}", "bad_characters"),
        bad_name(58, "two zero-width joiners", "A\u{200d}\u{200d}B", "bad_characters"),
        bad_name(58, "zero-width joiner beside a space", "A\u{200d} B", "bad_characters"),
        bad_name(58, "zero-width space in a name", "A\u{200b}B", "bad_characters"),
        id(59, "right-to-left override in an id", "ab\u{202e}c"),
        bad_name(59, "right-to-left override in a name", "A\u{202e}B", "bad_characters"),
        bad_name(59, "line separator in a name", "A\u{2028}B", "bad_characters"),
        bad_name(59, "paragraph separator in a name", "A\u{2029}B", "bad_characters"),
        bad_name(59, "Arabic letter mark in a name", "A\u{61c}B", "bad_characters"),
        bad_name(59, "Mongolian vowel separator in a name", "A\u{180e}B", "bad_characters"),
        bad_name(59, "private use in a name", "A\u{e000}B", "bad_characters"),
        bad_name(59, "no character in a name", "A\u{ffff}B", "bad_characters"),
        bad_name(59, "unassigned in a name", "A\u{378}B", "bad_characters"),
        bad_name(59, "language tags in a name", "A\u{e0041}\u{e007f}B", "bad_characters"),
        bad_name(59, "Hangul fillers for a name", "\u{3164}\u{3164}", "bad_characters"),
        bad_name(59, "variation selectors for a name", "\u{fe0f}\u{fe0f}", "bad_characters"),
        bad_name(59, "tags for a name", "\u{e0061}\u{e0062}", "bad_characters"),
        bad_name(59, "marks for a name", "\u{301}\u{302}", "bad_characters"),
        taken(
            59,
            "variation selector behind an emoji",
            display(59, "selector", "I \u{2764}\u{fe0f} AI"),
            "scripts and emoji need it",
        ),
        id(60, "emoji in an id", "abc🚀"),
        name(60, "emoji in a name", "Rocket 🚀"),
        id(61, "1,000 accents in an id", &format!("a{}", "\u{301}".repeat(1000))),
        bad_name(61, "1,000 accents in a name", &format!("A{}", "\u{301}".repeat(1000)), "bad_length"),
    ]
}

fn lengths() -> Vec<Case> {
    vec![
        id(62, "two characters", "ab"),
        id(62, "33 characters", &"a".repeat(33)),
        id(62, "64 characters", &"a".repeat(64)),
        id(62, "1,024 characters", &"a".repeat(1024)),
        id(62, "1,025 characters", &"a".repeat(1025)),
        taken(
            62,
            "32 characters",
            with("b62-ok", "/tenantId", "x23456789012345678901234567890ab"),
            "the longest id",
        ),
    ]
}

fn guids() -> Vec<Case> {
    const GUID: &str = "6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11";
    const OWN: &str = azure_sim::DIRECTORY_ID;
    vec![
        id(65, "a GUID as id", GUID),
        id(65, "a GUID in braces as id", "{6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11}"),
        bad_home(65, "home tenant in braces", "{6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11}", "bad_length"),
        bad_home(65, "home tenant without hyphens", "6d1d2f4c8a3b4f579e0a2b8a3c0f9d11", "bad_id"),
        bad_home(65, "home tenant by name", "contoso.example", "bad_id"),
        taken(
            65,
            "home tenant in upper case",
            home(65, "ok", &GUID.to_uppercase()),
            "GUIDs have no case; kept in lower case",
        ),
        bad_home(66, "home tenant of zeros", "00000000-0000-0000-0000-000000000000", "bad_id"),
        bad_home(67, "home tenant of ones", "ffffffff-ffff-ffff-ffff-ffffffffffff", "bad_id"),
        taken(
            68,
            "our own directory as home tenant",
            home(68, "own", OWN),
            "we may be our own customer; the id grants nothing",
        ),
        refused(69, "the id of a live tenant", with("b69", "/tenantId", LIVE), "tenant_exists", "/tenantId"),
    ]
}

fn reserved_names() -> Vec<Case> {
    vec![
        id(70, "reserved: microsoft", "microsoft"),
        id(70, "reserved: login", "login"),
        id(71, "reserved: tables", "tables"),
        id(72, "device: con", "con"),
        id(72, "device: nul", "nul"),
        id(72, "device: com1", "com1"),
        id(72, "device: lpt9", "lpt9"),
        id(72, "device: com0", "com0"),
        id(73, "a digit first", "9abc"),
        id(73, "a hyphen first", "-abc"),
        id(73, "a hyphen last", "abc-"),
        refused(
            73,
            "a region that is none",
            with("b73-r", "/spec/region", "West Europe"),
            "bad_characters",
            "/spec/region",
        ),
        refused(
            73,
            "a region without a stamp",
            with("b73-s", "/spec/region", "eastus"),
            "no_placement",
            "/spec/region",
        ),
        refused(73, "a tier that is none", with("b73-t", "/spec/tier", "gold"), "unknown-tier", "/spec/tier"),
        refused(
            73,
            "a blueprint that is none",
            with("b73-b", "/spec/blueprint", json!({"name": "../../etc/passwd"})),
            "unknown_blueprint",
            "/spec/blueprint/name",
        ),
        refused(
            73,
            "a blueprint's version that is none",
            with("b73-v", "/spec/blueprint", json!({"name": "hello", "version": "9.9.9"})),
            "unknown_blueprint",
            "/spec/blueprint/version",
        ),
    ]
}

fn texts() -> Vec<Case> {
    let tag = |request: &str, name: &str, value: Value| with(request, "/spec/tags", json!({name: value}));
    vec![
        id(74, "quote in an id", "o'neil"),
        name(74, "quote in a name", "O'Neil's"),
        id(75, "OData in an id", "' or PartitionKey ne '"),
        name(75, "OData in a name", "' or PartitionKey ne '"),
        id(76, "filter in an id", "$filter=true"),
        name(76, "filter in a name", "$filter=PartitionKey ge ''"),
        id(77, "lookup in an id", "${jndi:x}"),
        name(77, "lookup in a name", "${jndi:ldap://x}"),
        id(78, "template in an id", "{{7*7}}"),
        name(78, "template in a name", "{{7*7}} {% for x in y %}"),
        id(79, "ARM expression in an id", "[resourceGroup().id]"),
        name(79, "ARM expression in a name", "[resourceGroup().id]"),
        id(80, "environment in an id", "%PATH%"),
        name(80, "environment in a name", "%PATH% $PATH"),
        refused(
            80,
            "a tag name that Azure refuses",
            tag("b80-g", "a<b", "x".into()),
            "bad_characters",
            "/spec/tags/a<b",
        ),
        refused(
            80,
            "a control character in a tag's name",
            tag("b80-c", "a\u{1b}[2Jb", "x".into()),
            "bad_characters",
            "/spec/tags/a\u{1b}[2Jb",
        ),
        refused(
            80,
            "a line break in a tag",
            tag("b80-l", "cost", "4\n2".into()),
            "bad_characters",
            "/spec/tags/cost",
        ),
        refused(
            80,
            "an override deep in a parameter",
            with("b80-p", "/spec/parameters", json!({"a": [{"b/c": "x\u{202e}y"}]})),
            "bad_characters",
            "/spec/parameters/a/0/b~1c",
        ),
        refused(
            80,
            "a tag that is tenantry's own",
            tag("b80-o", "Tenantry-Tenant", LIVE.into()),
            "reserved",
            "/spec/tags/Tenantry-Tenant",
        ),
    ]
}
