//! What subscribers were last told of a tenant's drift, and how often it was put right.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// How many things are remembered as put right; beyond them the one that is longest ago is forgotten.
const REMEMBERED: usize = 100;

/// What was last told of drift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftTold {
    /// The steps that had drifted, each with a digest of what about it had. Empty: all was as wanted.
    #[serde(default)]
    pub told: BTreeMap<StepName, String>,
    /// When that was told.
    pub since: Timestamp,
    /// When what was put right: the thing's key, and the instants of the last day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub healed: BTreeMap<String, Vec<Timestamp>>,
}

impl DriftTold {
    /// Nothing told so far.
    pub fn nothing(now: Timestamp) -> Self {
        Self { told: BTreeMap::new(), since: now, healed: BTreeMap::new() }
    }

    /// How often a thing was put right within this time.
    pub fn times(&self, key: &str, within: SignedDuration, now: Timestamp) -> usize {
        let instants = self.healed.get(key).into_iter().flatten();
        instants.filter(|at| now.duration_since(**at) < within).count()
    }

    /// Remembers that a thing is being put right, and forgets what is longer ago than this time.
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
