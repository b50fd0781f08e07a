//! What a path of Graph speaks of.

use crate::{
    call::Call,
    graph::{
        find::Key,
        kinds::{APPLICATION, PRINCIPAL},
    },
    path::segments,
    reply::{Outcome, Refusal},
};

/// A path segment: `name`, `name(key='value')`, or an id.
struct Word {
    name: String,
    key: Option<(String, String)>,
}

impl Word {
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

/// What a path speaks of.
pub(super) enum Target {
    Application(Key),
    Principal(Key),
    Credentials(Key),
    Credential(Key, Key),
    /// Who owns an application, or a service principal.
    Owners(&'static str, Key),
    DeletedItems(&'static str),
    DeletedItem(String),
    Restore(String),
}

/// Reads a path.
pub(super) fn target(call: &Call) -> Outcome<Target> {
    let unknown = || {
        let message = format!("Resource not found for the segment '{}'.", call.path);
        Refusal::new(400, "BadRequest", message)
    };
    let words = segments(&call.path).ok_or_else(unknown)?;
    let words: Option<Vec<Word>> = words.iter().skip(1).map(|word| Word::parse(word)).collect();
    let words = words.ok_or_else(unknown)?;
    let (key, rest) = object_key(&words).ok_or_else(unknown)?;
    let rest: Vec<&str> = rest.iter().map(|word| word.name.as_str()).collect();
    let credential = words.last().and_then(|word| word.key.clone());
    Ok(match (words[0].name.as_str(), rest.as_slice(), key) {
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

/// The key of the first object in a path, and the words behind it.
fn object_key(words: &[Word]) -> Option<(Option<Key>, &[Word])> {
    let first = words.first()?;
    if first.name == "directory" {
        return Some((None, &words[1..]));
    }
    match &first.key {
        Some((by, value)) => {
            let key = match by.as_str() {
                "appId" => Key::AppId(value.clone()),
                "uniqueName" if first.name == "applications" => Key::Name(value.clone()),
                _ => return None,
            };
            Some((Some(key), &words[1..]))
        }
        None => Some((Some(Key::Id(words.get(1)?.name.clone())), words.get(2..)?)),
    }
}
