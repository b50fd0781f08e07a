//! Resource Manager's refusals for what is not there.

use crate::{path::Place, reply::Refusal};

/// ARM's 404 for a resource.
pub(crate) fn not_found(kind: &str, place: &Place) -> Refusal {
    let named = place.names.join("/");
    let group = place.group.as_deref().unwrap_or_default();
    Refusal::new(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{kind}/{named}' under resource group '{group}' was not found. \
             For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// ARM's 404 for a resource group.
pub(crate) fn no_group(name: &str) -> Refusal {
    Refusal::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
}

/// ARM's 404 for the resource that another one would be a part of.
pub(crate) fn no_parent(id: &str) -> Refusal {
    Refusal::new(
        404,
        "ParentResourceNotFound",
        format!("Failed to perform the operation: the parent resource '{id}' could not be found."),
    )
}
