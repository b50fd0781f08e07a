//! Checks of a PUT that are the same for all resource types: the location, and names that are in use.

use crate::{
    path::last,
    reply::{Outcome, refuse},
    resources::{draft::Draft, names::region, profile::Wording, resource_type::ResourceType},
    store::{Change, StoreQuery as _},
};

/// The known regions of Azure. Any other location is refused, so a misspelt one is found.
const REGIONS: [&str; 24] = [
    "australiaeast",
    "brazilsouth",
    "canadacentral",
    "centralindia",
    "centralus",
    "eastasia",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "italynorth",
    "japaneast",
    "koreacentral",
    "northcentralus",
    "northeurope",
    "norwayeast",
    "polandcentral",
    "southcentralus",
    "southeastasia",
    "swedencentral",
    "switzerlandnorth",
    "uksouth",
    "westeurope",
    "westus3",
];

/// Refuses a PUT whose location is missing, unknown, or different from that of the existing resource. Types without a
/// location are not checked.
pub(super) fn check_location(draft: &Draft<'_>) -> Outcome<()> {
    if !draft.profile.located {
        return Ok(());
    }
    let requested = region(draft.text("/location"));
    if requested.is_empty() {
        return refuse(400, "LocationRequired", "The location property is required for this definition.");
    }
    if !REGIONS.contains(&requested.as_str()) {
        let message = format!(
            "The provided location '{requested}' is not available for resource type '{}'.",
            draft.profile.name
        );
        return refuse(400, "LocationNotAvailableForResourceType", message);
    }
    match draft.text_before("/location").filter(|before| *before != requested) {
        None => Ok(()),
        Some(before) => {
            let Wording { noun: what, other_location: code, .. } = draft.profile.wording;
            let message = format!(
                "The {what} '{}' already exists in location '{before}'. A {what} with the same name cannot be created in location '{requested}'.",
                last(&draft.id)
            );
            refuse(409, code, message)
        }
    }
}

/// Refuses a PUT whose name another resource has, in the scope in which names of the type must be unique.
pub(super) fn check_name(change: &Change<'_>, kind: &dyn ResourceType, draft: &Draft<'_>) -> Outcome<()> {
    let (name, location) = (draft.path.name(), region(draft.text("/location")));
    let Some(key) = draft.profile.name_key(name, &location) else { return Ok(()) };
    let Some(holder) = change.named(&key)?.filter(|holder| *holder != draft.id.to_lowercase()) else {
        return Ok(());
    };
    let deleted = change.object(&holder)?.is_some_and(|holder| holder.deleted.is_some());
    Err(kind.name_taken(name, &location, deleted).into())
}
