//! The plan that a tenant is pinned to: shared by all copies of its document, and serialized once.
//!
//! A document is saved with every change of a step, and most of it is its plan, which does not change. So the plan's
//! JSON is made with the first save, or when a document is read and compared with the stored text, and every other save
//! reuses it. The ids that the plan may name are collected once too, for all requests that are judged by them.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};

use crate::blueprint::{AtHand, Plan};

/// A plan and its JSON. Both are immutable, so they never differ; to change the plan, replace the whole value.
///
/// The stored form can be written by `serde_json` only: other formats can't embed raw JSON.
#[derive(Clone)]
pub struct PinnedPlan(Arc<Inner>);

struct Inner {
    plan: Plan,
    text: OnceLock<Box<RawValue>>,
    at_hand: OnceLock<Arc<AtHand>>,
}

impl PinnedPlan {
    /// The plan as JSON, the same text for each copy.
    ///
    /// # Errors
    /// The plan can't be serialized, which does not happen for a plan that this program has made or read.
    pub fn json(&self) -> Result<&RawValue, serde_json::Error> {
        if let Some(text) = self.0.text.get() {
            return Ok(text);
        }
        let text = to_raw_value(&self.0.plan)?;
        Ok(self.0.text.get_or_init(|| text))
    }

    /// The ids that the tenant's steps and requests may name, collected once.
    pub fn at_hand(&self) -> &Arc<AtHand> {
        self.0.at_hand.get_or_init(|| Arc::new(self.0.plan.at_hand()))
    }
}

impl From<Plan> for PinnedPlan {
    fn from(plan: Plan) -> Self {
        Self(Arc::new(Inner { plan, text: OnceLock::new(), at_hand: OnceLock::new() }))
    }
}

impl Deref for PinnedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0.plan
    }
}

/// Compares by address first, because most documents share their plan with the previous version.
impl PartialEq for PinnedPlan {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl fmt::Debug for PinnedPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for PinnedPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PinnedPlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Plan::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Tenant;

    fn tenant() -> Tenant {
        Tenant::from_json(include_bytes!("../../../../tests/fixtures/tenant-v1.json")).unwrap()
    }

    /// The test replaces the plan's JSON by another text: a save that serialized the plan again would not show that
    /// text.
    #[test]
    fn saves_take_the_text_that_is_there() {
        let mut tenant = tenant();
        let marked = RawValue::from_string("{\"made\":\"before\"}".to_owned()).unwrap();
        let plan = Plan::clone(&tenant.plan);
        tenant.plan =
            PinnedPlan(Arc::new(Inner { plan, text: OnceLock::from(marked), at_hand: OnceLock::new() }));
        for _ in 0..2 {
            tenant.version += 1;
            assert!(tenant.clone().to_json().unwrap().contains("\"plan\":{\"made\":\"before\"}"));
        }
    }

    #[test]
    fn a_plan_is_made_into_text_once_and_for_all_copies() {
        let mut first = tenant();
        assert!(first.plan.0.text.get().is_some(), "it was held against what is stored");
        first.plan = Plan::clone(&first.plan).into();
        assert!(first.plan.0.text.get().is_none(), "nobody has asked yet");
        let mut second = first.clone();
        second.version += 1;
        let (one, two) = (first.to_json().unwrap(), second.to_json().unwrap());
        assert_ne!(one, two);
        assert!(std::ptr::eq(first.plan.json().unwrap().get(), second.plan.json().unwrap().get()));
        assert_eq!(second.plan.json().unwrap().get(), serde_json::to_string(&*second.plan).unwrap());
    }
}
