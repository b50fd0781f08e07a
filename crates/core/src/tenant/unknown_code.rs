//! Error codes that the table of errors does not know, counted per tenant. They show which rows the table lacks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// How many codes are kept per tenant; bounded, because a service may invent codes without end.
const REMEMBERED: usize = 16;

/// The unknown error codes of one tenant, by code; redacted and truncated before they get here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnknownCodes(BTreeMap<String, UnknownCode>);

/// How often and where an unknown error code was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownCode {
    /// How often the code was received.
    pub count: u32,
    /// The HTTP status of the last answer with the code; 0 if it came without an HTTP answer.
    pub status: u16,
    /// The step that received the code last.
    pub step: StepName,
    /// When the code was received last.
    pub at: Timestamp,
}

impl UnknownCodes {
    /// Whether no unknown code was received.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All codes with their counts, in order of the code.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &UnknownCode)> {
        self.0.iter()
    }

    /// Counts a code that a step received. If there is no room, the code that was received longest ago is dropped.
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
