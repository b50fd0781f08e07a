//! The trait that every resource type implements. Its default methods fit most types.

use serde_json::Value;

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal},
    resources::{deleted_items::DeletedItems, draft::Draft, profile::Profile},
    store::{Change, Object},
};

/// A function that finds a resource type by its name. A type that needs other types gets this function as an argument,
/// because the registry imports all types, and imports must not be cyclic.
pub(crate) type FindType = fn(&str) -> Option<&'static dyn ResourceType>;

/// An action that a PUT needs permission for at another resource, which its body names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkedAction {
    /// The id of the other resource.
    pub(crate) id: String,
    /// The action without the type of the other resource, for example `join/action`.
    pub(crate) action: &'static str,
}

impl LinkedAction {
    /// An action at the resource whose id is at a JSON pointer into a body; `None` if there is no id.
    pub(crate) fn at(body: &Value, pointer: &str, action: &'static str) -> Option<Self> {
        let id = body.pointer(pointer)?.as_str()?.to_owned();
        Some(Self { id, action })
    }
}

/// A resource type of Resource Manager. The checks must not write anything, because the writes of a refused request
/// would be committed.
pub(crate) trait ResourceType: Sync {
    /// The constant properties of the type.
    fn profile(&self) -> &'static Profile;

    /// Checks a PUT, besides what is checked for all types.
    ///
    /// # Errors
    /// The refusal of the PUT, with the service's message.
    fn check(&self, _change: &Change<'_>, _draft: &Draft<'_>, _find: FindType) -> Outcome<()> {
        Ok(())
    }

    /// Checks a DELETE of an existing resource.
    ///
    /// # Errors
    /// The refusal of the DELETE, with the service's message.
    fn check_delete(&self, _change: &Change<'_>, _object: &Object) -> Outcome<()> {
        Ok(())
    }

    /// Adds to the body of a PUT what the service adds when it accepts the request.
    fn complete(
        &self,
        _change: &mut Change<'_>,
        _draft: &Draft<'_>,
        _body: &mut Value,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    /// Called when a long-running PUT or DELETE of a resource starts.
    fn starting(&self, _change: &mut Change<'_>, _object: &Object) -> Result<(), CloudError> {
        Ok(())
    }

    /// Called when a PUT is done, at once or by its operation: adds to the resource what the service adds at the end.
    fn written(
        &self,
        _change: &mut Change<'_>,
        _object: &mut Object,
        _find: FindType,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    /// Applies the effects on other resources when a resource of this type is deleted or soft-deleted.
    fn removed(&self, _change: &mut Change<'_>, _object: &Object) -> Result<(), CloudError> {
        Ok(())
    }

    /// The refusal of a PUT because another resource has the name. `deleted` says whether the other resource is
    /// soft-deleted.
    fn name_taken(&self, name: &str, location: &str, _deleted: bool) -> Refusal {
        let message =
            format!("The name '{name}' is already in use in the region {location}; choose another one.");
        Refusal::new(409, "Conflict", message)
    }

    /// The refusal of a request because an operation runs on the resource. `doing` describes the operation: "being
    /// changed" or "being deleted".
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

    /// How many days a deleted resource is kept: its `softDeleteRetentionInDays`, or the days of its type. `None` if
    /// the type has no soft deletion.
    fn kept_days(&self, object: &Object) -> Option<i64> {
        let own = object.body.pointer("/properties/softDeleteRetentionInDays").and_then(Value::as_i64);
        own.or(self.profile().kept_days)
    }

    /// How soft-deleted resources of this type are shown and purged. `None` if the service offers no requests for that.
    fn deleted_items(&self) -> Option<&'static dyn DeletedItems> {
        None
    }

    /// The actions that a PUT with this body needs permission for at other resources. Those at user-assigned identities
    /// are added for all types.
    fn linked_actions(&self, _body: &Value) -> Vec<LinkedAction> {
        Vec::new()
    }

    /// The host names under which a private endpoint reaches a group of the resource `target`, each with the index of
    /// its address among the addresses of the private endpoint.
    fn link_names(&self, _target: &Object, _group: &str) -> Vec<(String, usize)> {
        Vec::new()
    }
}
