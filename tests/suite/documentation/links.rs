//! Links: relative ones have a target; external ones have the required form. Whether an external page still exists is
//! not checked, because a build must not depend on the network.

use std::{collections::BTreeSet, fs};

use super::pages::{anchors, links, pages, root};

/// The hosts that pages may link to. A new one is added on purpose, because readers are sent there.
const HOSTS: &[&str] = &[
    "azure.microsoft.com",
    "docs.aws.amazon.com",
    "docs.crossplane.io",
    "docs.temporal.io",
    "github.com",
    "keepachangelog.com",
    "learn.microsoft.com",
    "microsoft.github.io",
    "prices.azure.com",
    "rustup.rs",
    "semver.org",
    "www.rfc-editor.org",
];

#[test]
fn every_relative_link_has_a_target() {
    let mut dead = Vec::new();
    for (page, text) in pages() {
        let here = root().join(&page);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { here.clone() } else { here.parent().unwrap().join(path) };
            let there = match fs::read_to_string(&target) {
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => target.is_dir() && anchor.is_empty(),
            };
            if !there {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// What is wrong with an external link, if anything.
fn fault(link: &str) -> Option<&'static str> {
    let Some(rest) = link.strip_prefix("https://") else { return Some("it is not https") };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !HOSTS.contains(&host) {
        return Some("its host is not listed in tests/suite/documentation/links.rs");
    }
    let language = rest.split('/').nth(1).unwrap_or_default();
    if host.ends_with("microsoft.com") && language.len() == 5 && language.as_bytes()[2] == b'-' {
        return Some("it names a language; without one each reader gets the own language");
    }
    link.chars().any(|c| c.is_whitespace() || c == '<').then_some("it has a character that no address has")
}

#[test]
fn every_external_link_has_the_right_form() {
    assert_eq!(fault("https://learn.microsoft.com/azure/azure-functions/"), None);
    for bad in [
        "http://learn.microsoft.com/",
        "https://example.com/",
        "https://learn.microsoft.com/en-us/azure",
        "https://github.com/a b",
    ] {
        assert!(fault(bad).is_some(), "{bad}");
    }
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let mut seen = BTreeSet::new();
        for link in links(&text).into_iter().filter(|link| link.contains("://")) {
            wrong.extend(fault(&link).map(|why| format!("{page}: {link}: {why}")));
            if !seen.insert(link.clone()) {
                wrong.push(format!("{page}: {link}: it is there twice"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_indexes_list_each_page_of_their_folders() {
    for (index, folder) in [("docs/decisions/README.md", "docs/decisions/"), ("docs/README.md", "docs/")] {
        let all = pages();
        let (_, text) = all.iter().find(|(page, _)| page == index).unwrap();
        let linked: BTreeSet<String> = links(text).into_iter().filter(|link| !link.contains("://")).collect();
        let there = all.iter().filter_map(|(page, _)| page.strip_prefix(folder));
        let missing: Vec<&str> = there
            .filter(|page| !page.contains('/') && *page != "README.md" && !linked.contains(*page))
            .collect();
        assert_eq!(missing, [""; 0], "{index} does not link to them");
    }
}
