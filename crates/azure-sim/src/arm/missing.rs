//! Resource Manager's refusals because something does not exist.

use crate::{path::ResourcePath, reply::Refusal};

/// ARM's 404 for a resource that does not exist.
pub(crate) fn not_found(kind: &str, path: &ResourcePath) -> Refusal {
    let named = path.names.join("/");
    let group = path.group.as_deref().unwrap_or_default();
    Refusal::new(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{kind}/{named}' under resource group '{group}' was not found. \
             For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// ARM's 404 for a resource group that does not exist.
pub(crate) fn no_group(name: &str) -> Refusal {
    Refusal::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
}

/// ARM's 404 for a child resource whose parent does not exist.
pub(crate) fn no_parent(id: &str) -> Refusal {
    Refusal::new(
        404,
        "ParentResourceNotFound",
        format!("Failed to perform the operation: the parent resource '{id}' could not be found."),
    )
}
