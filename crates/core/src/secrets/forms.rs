//! Secrets that are recognized by their form, whatever their name. Each function adds the ranges that it found to
//! `found`.

use std::ops::Range;

/// Private keys in PEM: from `-----BEGIN .. PRIVATE KEY-----` up to the end of the block, or the end of the text.
pub(super) fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (start, begin) in text.match_indices("-----BEGIN ") {
        // A block that begins within another one is part of that block.
        if start + begin.len() <= done {
            continue;
        }
        let after = start + begin.len();
        let title = text[after..].split("-----").next().unwrap_or_default();
        if title.contains("PRIVATE KEY") {
            let end = text[after..].find("-----END ").map(|at| after + at + "-----END ".len());
            let end = end.and_then(|at| Some(at + text[at..].find("-----")? + "-----".len()));
            done = end.unwrap_or(text.len());
            found.push(start..done);
        }
    }
}

/// The range of consecutive bytes around the position `at` for which `of` returns true. `of` must return true only for
/// ASCII.
fn run(text: &str, at: usize, of: fn(u8) -> bool) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes[..at].iter().rposition(|byte| !of(*byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !of(*byte)).map_or(bytes.len(), |length| at + length);
    start..end
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// JSON Web Tokens: `eyJ..`, with two parts or more.
pub(super) fn web_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (at, _) in text.match_indices("eyJ") {
        if at < done {
            continue;
        }
        let token = run(text, at, |byte| is_url_safe(byte) || byte == b'.');
        done = token.end;
        if text[at..token.end].contains('.') {
            found.push(at..token.end);
        }
    }
}

/// Keys with a marker for secret scanners: Entra's client secrets (`abc8Q~..`) and Azure's newer keys (`..JQQJ99..`).
pub(super) fn marked_keys(text: &str, found: &mut Vec<Range<usize>>) {
    for (mark, least) in [("Q~", 34), ("JQQJ99", 52)] {
        let mut done = 0;
        for (at, _) in text.match_indices(mark) {
            if at < done {
                continue;
            }
            let key = run(text, at, |byte| is_url_safe(byte) || b"~.+/".contains(&byte));
            done = key.end;
            if key.len() >= least {
                found.push(key);
            }
        }
    }
}

/// 64 or 32 bytes in base64: the keys of storage accounts, of Service Bus and of Event Grid.
pub(super) fn base64_keys(text: &str, found: &mut Vec<Range<usize>>) {
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
pub(super) fn user_infos(text: &str, found: &mut Vec<Range<usize>>) {
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
