//! The drift of a tenant that was last reported, and how often it was repaired.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// How many repaired objects are remembered; beyond that the oldest is dropped.
const REMEMBERED: usize = 100;

/// The drift that was last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReported {
    /// The steps that had drifted, each with a digest of the differences; empty if everything matched.
    #[serde(default)]
    pub reported: BTreeMap<StepName, String>,
    /// When the drift was reported.
    pub since: Timestamp,
    /// The key of each repaired object, with the times of its repairs within the last day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub healed: BTreeMap<String, Vec<Timestamp>>,
}

impl DriftReported {
    /// The record of a tenant for which no drift was reported so far.
    pub fn nothing(now: Timestamp) -> Self {
        Self { reported: BTreeMap::new(), since: now, healed: BTreeMap::new() }
    }

    /// How often the object `key` was repaired within the time `within` before `now`.
    pub fn times(&self, key: &str, within: SignedDuration, now: Timestamp) -> usize {
        let instants = self.healed.get(key).into_iter().flatten();
        instants.filter(|at| now.duration_since(**at) < within).count()
    }

    /// Records a repair of the object `key`, and drops all repairs older than `within`.
    pub fn heals(&mut self, key: String, within: SignedDuration, now: Timestamp) {
        self.healed.entry(key).or_default().push(now);
        for instants in self.healed.values_mut() {
            instants.retain(|at| now.duration_since(*at) < within);
        }
        self.healed.retain(|_, instants| !instants.is_empty());
        while self.healed.len() > REMEMBERED {
            let oldest = self.healed.iter().min_by_key(|(_, instants)| instants.last().copied());
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.healed.remove(&key);
        }
    }
}
