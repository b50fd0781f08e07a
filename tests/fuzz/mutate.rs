//! Makes new inputs from known ones: changes bytes, or changes JSON as JSON.

use super::{draw::Draw, tree};

/// Texts that are difficult for decoders.
const TEXTS: [&str; 56] = [
    "\0",
    "\r\n",
    "\t",
    "\u{feff}",
    "\u{85}",
    "\u{200d}",
    "\u{202e}",
    "\u{301}",
    "é",
    "ı",
    "ａ",
    "🚀",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude80",
    "\\\"",
    "\\\\",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "1e400",
    "-0",
    "0.1",
    "1E-400",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775809",
    "{{",
    "}}",
    "{{ tenant.id }}",
    "{% for x in y %}",
    "${jndi:x}",
    "[resourceGroup().id]",
    "%2e%2e%2f",
    "%PATH%",
    "../",
    "' or '",
    "$filter=",
    "<<: *a",
    "&a",
    "*a",
    "!!",
    "---\n",
    "\n  ",
    "# ",
    "://",
    "@",
    "=",
];

/// Bytes that are not valid UTF-8 or that end a text.
const BYTES: [u8; 10] = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xfe, 0xff, 0x22];

/// Makes an input from a known one, possibly with a part of another known one. At most `most` bytes long.
pub(crate) fn mutant(draw: &mut Draw, known: &[Vec<u8>], tokens: &[&str], most: usize) -> Vec<u8> {
    let mut input = draw.of_these(known).clone();
    let many = if draw.one_in(4) { 12 } else { 3 };
    for _ in 0..=draw.below(many) {
        let other = draw.of_these(known);
        let bent = if draw.one_in(2) { tree::bend(draw, &input, other, tokens) } else { None };
        input = bent.unwrap_or_else(|| bytes(draw, input, known, tokens));
    }
    if draw.one_in(400) {
        input = nested(draw, &input, most);
    }
    input.truncate(most);
    input
}

fn range(draw: &mut Draw, length: usize) -> std::ops::Range<usize> {
    let start = draw.below(length + 1);
    let reach = if draw.one_in(3) { length - start } else { (length - start).min(24) };
    start..start + draw.below(reach + 1)
}

fn bytes(draw: &mut Draw, mut input: Vec<u8>, known: &[Vec<u8>], tokens: &[&str]) -> Vec<u8> {
    let at = draw.below(input.len() + 1);
    match draw.below(10) {
        0 if at < input.len() => input[at] ^= 1 << draw.below(8),
        1 if at < input.len() => input[at] = *draw.of_these(&BYTES),
        2 => _ = input.splice(at..at, draw.of_these(&TEXTS).bytes()),
        3 if !tokens.is_empty() => _ = input.splice(at..at, draw.of_these(tokens).bytes()),
        4 => _ = input.drain(range(draw, input.len())),
        5 => {
            let again = input[range(draw, input.len())].to_vec();
            input.splice(at..at, again);
        }
        6 => {
            let other = draw.of_these(known).as_slice();
            let part = other[range(draw, other.len())].to_vec();
            input.splice(at..at, part);
        }
        7 => input.truncate(at),
        8 => {
            let part = input[range(draw, input.len())].to_vec();
            let times = 1 << draw.below(8);
            input.splice(at..at, part.repeat(if part.len() < 64 { times } else { 2 }));
        }
        _ => {
            let moved: Vec<u8> = input.drain(range(draw, input.len())).collect();
            let to = draw.below(input.len() + 1);
            input.splice(to..to, moved);
        }
    }
    input
}

/// Inserts a deeply nested structure at the start of the input or at a random position.
fn nested(draw: &mut Draw, input: &[u8], most: usize) -> Vec<u8> {
    const PAIRS: [(&str, &str); 7] = [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("(", ")"),
        ("{{", "}}"),
        ("\"", "\""),
        ("- ", ""),
        ("[{\"details\":", "}]"),
    ];
    let (open, close) = draw.of_these(&PAIRS);
    let depth = (1_usize << draw.below(18)).min(most / 4);
    let at = if draw.one_in(2) { 0 } else { draw.below(input.len() + 1) };
    [&input[..at], open.repeat(depth).as_bytes(), b"1", close.repeat(depth).as_bytes(), &input[at..]].concat()
}
