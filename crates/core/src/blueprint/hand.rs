//! Which resources a tenant's plan and requests may name: the tenant's own, and those that its stamp names.

use serde_json::Value;

use super::{Objection, Rendered, judge};
use crate::ids::ResourceId;

/// The ids of the resources that a tenant's plan and requests may name.
#[derive(Debug, Clone, Default)]
pub struct AtHand {
    own: Vec<ResourceId>,
    stamp: Vec<ResourceId>,
    subscriptions: Vec<String>,
}

impl AtHand {
    /// Collects the ids of a tenant's own resources, and every id that its stamp names.
    pub(super) fn new(own: impl IntoIterator<Item = ResourceId>, stamp: &Value) -> Self {
        let mut hand = Self { own: own.into_iter().collect(), ..Self::default() };
        let member = |name: &str| stamp.get(name).and_then(Value::as_str).unwrap_or_default();
        let subscription = member("subscriptionId");
        if !subscription.is_empty() {
            hand.subscriptions.push(subscription.to_owned());
        }
        hand.stamp.extend(ResourceId::of_group(subscription, member("resourceGroup")).ok());
        hand.gather(stamp);
        hand
    }

    /// The objections to a rendered step of the tenant. They come from the same rules as those to planned steps, now
    /// also for the values that were not known when the plan was made.
    pub fn objections(&self, rendered: &Rendered) -> Vec<Objection> {
        judge::step(rendered, self)
    }

    fn gather(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                let Ok(id) = text.parse::<ResourceId>() else { return };
                self.subscriptions.extend(id.subscription().map(str::to_owned));
                self.stamp.push(id);
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            Value::Object(members) => members.values().for_each(|member| self.gather(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Whether `id` is one of the tenant's own resources, or below one.
    pub(super) fn is_own(&self, id: &ResourceId) -> bool {
        self.own.iter().any(|own| own.holds(id))
    }

    /// Whether `id` is one of the tenant's own resources, or named in the stamp. A resource below a named one is not
    /// included: it may be another tenant's, because pooled tenants share a group and a workspace.
    pub(super) fn names(&self, id: &ResourceId) -> bool {
        self.own.iter().chain(&self.stamp).any(|known| known == id)
    }

    /// Whether the resource may be read for this tenant: it is the tenant's own, below one of those, or named in the
    /// stamp.
    pub(super) fn may_be_read(&self, id: &ResourceId) -> bool {
        self.is_own(id) || self.names(id)
    }

    /// Whether `id` is in a subscription that the stamp does not name.
    pub(super) fn is_foreign(&self, id: &ResourceId) -> bool {
        let known = |one: &str| self.subscriptions.iter().any(|known| known.eq_ignore_ascii_case(one));
        id.subscription().is_some_and(|one| !self.subscriptions.is_empty() && !known(one))
    }
}
