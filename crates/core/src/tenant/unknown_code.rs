//! Codes of services that the table of errors does not know, as they were met: the evidence from which it grows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// How many codes one tenant remembers; a service that makes up codes fills no document.
const REMEMBERED: usize = 16;

/// The unknown codes of one tenant, by code; redacted and cut before they get here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnknownCodes(BTreeMap<String, UnknownCode>);

/// An unknown code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownCode {
    /// How often it was met.
    pub count: u32,
    /// The HTTP status that it came with last.
    pub status: u16,
    /// The step that met it last.
    pub step: StepName,
    /// When.
    pub at: Timestamp,
}

impl UnknownCodes {
    /// Whether none was met.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &UnknownCode)> {
        self.0.iter()
    }

    /// Takes down that a step met a code. Of more than can be remembered the one that is longest ago goes.
    pub fn note(&mut self, code: &str, status: u16, step: &StepName, at: Timestamp) {
        if let Some(known) = self.0.get_mut(code) {
            *known = UnknownCode { count: known.count.saturating_add(1), status, step: step.clone(), at };
            return;
        }
        if self.0.len() >= REMEMBERED {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.at).map(|(code, _)| code.clone());
            oldest.and_then(|code| self.0.remove(&code));
        }
        self.0.insert(code.to_owned(), UnknownCode { count: 1, status, step: step.clone(), at });
    }
}
