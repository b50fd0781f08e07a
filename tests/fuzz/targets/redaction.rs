//! Redaction of texts from outside: a secret in a text is redacted whatever surrounds it.

use tenantry_core::steps::redact;

use super::Target;
use crate::{canary, corpus, draw::Draw};

pub(super) const TARGET: Target = Target {
    name: "redaction",
    check,
    seeds,
    tokens: &[
        "key=",
        "sig=",
        "password: ",
        "\"primaryKey\":",
        "Bearer ",
        "Authorization: ",
        "Basic ",
        "SharedKey a:",
        "%3D",
        "%26",
        "eyJ",
        ".",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "Q~",
        "JQQJ99",
        "==",
        "://a:b@c",
        "[redacted]",
        "{\"key\":\"",
        "\\\"secret\\\":\\\"",
        "[",
        "{",
        "}",
        "]",
        "'",
        "\\",
        "&",
        ";",
        "AccountKey=",
        "keys\":[",
        "name",
        "value",
    ],
    most: 64 << 10,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (0..32).map(|n| canary_free(&canary::shaped(&mut Draw::new(n)))).collect();
    seeds.push(b"The resource was not found.".to_vec());
    seeds.extend(corpus::files("examples", "json"));
    seeds
}

fn canary_free(text: &str) -> Vec<u8> {
    text.replace(canary::CANARY, "c2VjcmV0LW9mLW5vYm9keQ1").into_bytes()
}

fn check(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let redacted = redact(&text);
    // A second redaction may cut names of secrets within secrets differently, but must not reveal anything.
    let left = |text: &str| text.replace("[redacted]", "").len();
    assert!(left(&redact(&redacted)) <= left(&redacted), "it comes back");
    // In the worst case each pair of letters is the name and the value of a secret.
    assert!(redacted.len() <= 6 * text.len() + 64, "{} bytes become {}", text.len(), redacted.len());
    let mut draw = Draw::of(input);
    let at = (0..=draw.below(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let injected = format!("{}\n{}\n{}", &text[..at], canary::shaped(&mut draw), &text[at..]);
    let without_canary = redact(&injected);
    canary::is_not_in(&without_canary, &format!("what was redacted of {injected:?}"));
    format!("{} {}", redacted == *text, redacted.matches("[redacted]").count().min(9))
}
