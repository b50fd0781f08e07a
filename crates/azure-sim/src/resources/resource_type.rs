//! A resource type: one trait, whose defaults fit most types.

use serde_json::Value;

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal},
    resources::{deleted_items::DeletedItems, draft::Draft, profile::Profile},
    store::{Change, Object},
};

/// Finds a type by its name. The registry passes it to a type that needs other ones, so that no type imports the
/// registry.
pub(crate) type FindType = fn(&str) -> Option<&'static dyn ResourceType>;

/// A right that a body needs at another resource: an id, and the action behind the type of the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkedAction {
    /// The id that the body names.
    pub(crate) id: String,
    /// The end of the action, for example `join/action`.
    pub(crate) action: &'static str,
}

impl LinkedAction {
    /// The action at the id at a pointer into a body, if there is one.
    pub(crate) fn at(body: &Value, pointer: &str, action: &'static str) -> Option<Self> {
        let id = body.pointer(pointer)?.as_str()?.to_owned();
        Some(Self { id, action })
    }
}

/// A resource type of Resource Manager. Checks write nothing: writes of a refused request would be committed.
pub(crate) trait ResourceType: Sync {
    /// Its constant properties.
    fn profile(&self) -> &'static Profile;

    /// Refuses a PUT.
    ///
    /// # Errors
    /// The refusal with the service's message.
    fn check(&self, _change: &Change<'_>, _draft: &Draft<'_>, _find: FindType) -> Outcome<()> {
        Ok(())
    }

    /// Refuses a DELETE.
    ///
    /// # Errors
    /// The refusal with the service's message.
    fn check_delete(&self, _change: &Change<'_>, _object: &Object) -> Outcome<()> {
        Ok(())
    }

    /// Adds to the body what the service adds.
    fn complete(
        &self,
        _change: &mut Change<'_>,
        _draft: &Draft<'_>,
        _body: &mut Value,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    /// Called before an operation starts.
    fn starting(&self, _change: &mut Change<'_>, _object: &Object) -> Result<(), CloudError> {
        Ok(())
    }

    /// Called when a PUT's operation has succeeded.
    fn written(
        &self,
        _change: &mut Change<'_>,
        _object: &mut Object,
        _find: FindType,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    /// The effects on other resources when one is deleted or soft-deleted.
    fn removed(&self, _change: &mut Change<'_>, _object: &Object) -> Result<(), CloudError> {
        Ok(())
    }

    /// The refusal for a name that another resource has; `deleted` if that one is soft-deleted.
    fn name_taken(&self, name: &str, location: &str, _deleted: bool) -> Refusal {
        let message =
            format!("The name '{name}' is already in use in the region {location}; choose another one.");
        Refusal::new(409, "Conflict", message)
    }

    /// The refusal for one with a running operation; `doing` describes it.
    ///
    /// # Errors
    /// When the store fails.
    fn busy(&self, _change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
        let message = format!(
            "The resource '{}' is {doing}: another operation on this or a dependent resource is in progress.",
            last(&object.id)
        );
        Ok(Refusal::new(409, "AnotherOperationInProgress", message))
    }

    /// How many days a deleted one is kept: its own retention, or that of its type.
    fn kept_days(&self, object: &Object) -> Option<i64> {
        let own = object.body.pointer("/properties/softDeleteRetentionInDays").and_then(Value::as_i64);
        own.or(self.profile().kept_days)
    }

    /// How soft-deleted ones are shown and purged; none where the service offers no way.
    fn deleted_items(&self) -> Option<&'static dyn DeletedItems> {
        None
    }

    /// The rights that the body of a PUT needs at other resources, besides identities.
    fn linked_actions(&self, _body: &Value) -> Vec<LinkedAction> {
        Vec::new()
    }

    /// The host names under which a private endpoint reaches a group of one, each with the number of its address.
    fn link_names(&self, _target: &Object, _group: &str) -> Vec<(String, usize)> {
        Vec::new()
    }
}
