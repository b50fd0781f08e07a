//! Which URLs are allowed in a blueprint or a parameter.
//!
//! tenantry itself fetches none of them, but others do: Azure pulls images and models, Entra follows redirect and
//! issuer URLs. So only https to a named public host is allowed, whatever the spelling.

use std::net::{IpAddr, Ipv4Addr};

/// URI schemes of identifiers that are not network addresses and are never fetched.
const NAMING_SCHEMES: [&str; 3] = ["azureml", "api", "urn"];
/// Domains of Azure. A host may equal one or end in one; a host with one further left, such as
/// `vault.azure.net.example.com`, is refused.
const AZURE_HOSTS: [&str; 8] = [
    "management.azure.com",
    "graph.microsoft.com",
    "login.microsoftonline.com",
    "vault.azure.net",
    "core.windows.net",
    "azureml.ms",
    "ml.azure.com",
    "windows.net",
];
/// Public domains whose names resolve to 127.0.0.1 or to any IP address that is written in the name.
const REBINDING: [&str; 8] =
    ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "rbndr.us", "traefik.me"];

/// Why a text contains a URL that is not allowed (the first reason), or `None` if it contains no such URL.
///
/// Checks every `scheme://` in the text, also one that is percent-encoded within the query of another.
pub(super) fn objection(text: &str) -> Option<&'static str> {
    // A colon may be written in code; without both there is no address.
    if !text.contains([':', '%']) {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let decoded = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy();
    decoded.match_indices("://").find_map(|(at, _)| {
        let before = &decoded[..at];
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).next();
        one(&scheme.unwrap_or_default().to_ascii_lowercase(), &decoded[at + 3..])
    })
}

/// Why a text as a whole is not an allowed https URL, or `None` if it is one.
pub(super) fn https_objection(text: &str) -> Option<&'static str> {
    let rest = text.strip_prefix("https://");
    if rest.is_none_or(str::is_empty)
        || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return Some("is to be an address that begins with https://");
    }
    if text.contains('*') {
        return Some("has a wildcard; write each address out");
    }
    if text.contains('#') {
        return Some("has a fragment, which no server is ever sent");
    }
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    if authority.contains('%') {
        return Some("has a host that is written in code");
    }
    let unlike = || (!is_host(authority)).then_some("has no host in the form of a name, perhaps with a port");
    objection(text).or_else(unlike)
}

/// Whether the authority of a URL is a host name, optionally with a port. Programs parse other forms differently.
fn is_host(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(of_name);
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

fn one(scheme: &str, rest: &str) -> Option<&'static str> {
    if NAMING_SCHEMES.contains(&scheme) {
        return None;
    }
    if scheme == "file" {
        return Some("points to a file; nothing is read from files");
    }
    if scheme != "https" {
        return Some("does not use https");
    }
    let authority = rest.split(['/', '?', '#', '"', '\'', ' ', '\\']).next().unwrap_or_default();
    if authority.contains("{{") {
        return None;
    }
    if authority.contains('@') {
        return Some("has something before an @, which hides where it really leads");
    }
    host(authority)
}

fn host(authority: &str) -> Option<&'static str> {
    // Browsers map several characters to a period or a digit, so the host in the text is not the one that is called
    // (UTS #46).
    if !authority.is_ascii() {
        return Some("has a host that is not in ASCII; write it as `xn--...`");
    }
    if authority.starts_with('[') {
        return Some("names its host by number; use a name");
    }
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() {
        return Some("names no host");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    // Most programs read a host that ends in a number as an IPv4 address in decimal, octal, hexadecimal or short form.
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if number || host.parse::<IpAddr>().is_ok() {
        return Some("names its host by number; use a name");
    }
    if host == "localhost" || !host.contains('.') || ["local", "localhost", "internal"].contains(&last) {
        return Some("leads to this machine or into a private network");
    }
    let rebinds = REBINDING.iter().any(|name| host == *name || host.ends_with(&format!(".{name}")));
    if rebinds || embeds_private_address(&host) {
        return Some("has a name that can resolve to a private address");
    }
    let foreign = |azure: &str| {
        let own = host == azure || host.ends_with(&format!(".{azure}"));
        !own && format!(".{host}.").contains(&format!(".{azure}."))
    };
    if AZURE_HOSTS.iter().any(|azure| foreign(azure)) {
        return Some("resembles a host of Azure but belongs to someone else");
    }
    None
}

/// Whether a host name contains a private IPv4 address, written with dots or hyphens.
fn embeds_private_address(host: &str) -> bool {
    let labels: Vec<&str> = host.split(['.', '-']).collect();
    labels.windows(4).any(|four| {
        let address = four.join(".").parse::<Ipv4Addr>();
        address
            .is_ok_and(|ip| ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified())
    })
}
