//! Parses the path of a request to Graph.

use crate::{
    call::Call,
    graph::{
        find::Key,
        kinds::{APPLICATION, PRINCIPAL},
    },
    path::segments,
    reply::{Outcome, Refusal},
};

/// A parsed segment of a path: `name`, `name(key='value')`, or an id.
struct Segment {
    name: String,
    key: Option<(String, String)>,
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let Some((name, rest)) = text.split_once('(') else {
            return Some(Self { name: text.to_owned(), key: None });
        };
        let (key, value) = rest.strip_suffix(')')?.split_once('=')?;
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        let plain = value.replace("''", "");
        if plain.contains('\'') {
            return None;
        }
        Some(Self { name: name.to_owned(), key: Some((key.trim().to_owned(), value.replace("''", "'"))) })
    }
}

/// What the path of a request refers to.
pub(super) enum Target {
    Application(Key),
    Principal(Key),
    Credentials(Key),
    Credential(Key, Key),
    /// The owners of an application or a service principal.
    Owners(&'static str, Key),
    DeletedItems(&'static str),
    DeletedItem(String),
    Restore(String),
}

/// Parses the path of a request.
pub(super) fn target(call: &Call) -> Outcome<Target> {
    let unknown = || {
        let message = format!("Resource not found for the segment '{}'.", call.path);
        Refusal::new(400, "BadRequest", message)
    };
    let parts = segments(&call.path).ok_or_else(unknown)?;
    let parts: Option<Vec<Segment>> = parts.iter().skip(1).map(|part| Segment::parse(part)).collect();
    let parts = parts.ok_or_else(unknown)?;
    let (key, rest) = object_key(&parts).ok_or_else(unknown)?;
    let rest: Vec<&str> = rest.iter().map(|part| part.name.as_str()).collect();
    let credential = parts.last().and_then(|part| part.key.clone());
    Ok(match (parts[0].name.as_str(), rest.as_slice(), key) {
        ("applications", [], Some(key)) => Target::Application(key),
        ("servicePrincipals", [], Some(key)) => Target::Principal(key),
        ("applications", ["federatedIdentityCredentials"], Some(key)) => match credential {
            None => Target::Credentials(key),
            Some((by, name)) if by == "name" => Target::Credential(key, Key::Name(name)),
            Some(_) => return Err(unknown().into()),
        },
        ("applications", ["federatedIdentityCredentials", id], Some(key)) => {
            Target::Credential(key, Key::Id((*id).to_owned()))
        }
        ("applications", ["owners"], Some(key)) => Target::Owners(APPLICATION, key),
        ("servicePrincipals", ["owners"], Some(key)) => Target::Owners(PRINCIPAL, key),
        ("directory", ["deletedItems", "microsoft.graph.application"], None) => {
            Target::DeletedItems(APPLICATION)
        }
        ("directory", ["deletedItems", "microsoft.graph.servicePrincipal"], None) => {
            Target::DeletedItems(PRINCIPAL)
        }
        ("directory", ["deletedItems", id], None) => Target::DeletedItem((*id).to_owned()),
        (
            "directory",
            ["deletedItems", id, "microsoft.graph.application" | "microsoft.graph.servicePrincipal"],
            None,
        ) => Target::DeletedItem((*id).to_owned()),
        ("directory", ["deletedItems", id, "restore" | "microsoft.graph.restore"], None) => {
            Target::Restore((*id).to_owned())
        }
        _ => return Err(unknown().into()),
    })
}

/// The key of the first object in a path, and the segments after it. The key is `None` for paths below `directory`.
fn object_key(parts: &[Segment]) -> Option<(Option<Key>, &[Segment])> {
    let first = parts.first()?;
    if first.name == "directory" {
        return Some((None, &parts[1..]));
    }
    match &first.key {
        Some((by, value)) => {
            let key = match by.as_str() {
                "appId" => Key::AppId(value.clone()),
                "uniqueName" if first.name == "applications" => Key::Name(value.clone()),
                _ => return None,
            };
            Some((Some(key), &parts[1..]))
        }
        None => Some((Some(Key::Id(parts.get(1)?.name.clone())), parts.get(2..)?)),
    }
}
