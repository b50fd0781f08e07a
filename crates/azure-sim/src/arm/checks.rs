//! What a PUT is refused for whatever its type: where it is to be, and a name that somebody holds.

use crate::{
    path::last,
    reply::{Outcome, refuse},
    resources::{draft::Draft, names::region, profile::Wording, resource_type::ResourceType},
    store::{Change, Look as _},
};

/// Regions that exist; a misspelt one is refused.
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

/// Refuses a location that is missing, unknown, or another one than before.
pub(super) fn check_location(draft: &Draft<'_>) -> Outcome<()> {
    if !draft.profile.located {
        return Ok(());
    }
    let wanted = region(draft.text("/location"));
    if wanted.is_empty() {
        return refuse(400, "LocationRequired", "The location property is required for this definition.");
    }
    if !REGIONS.contains(&wanted.as_str()) {
        let message = format!(
            "The provided location '{wanted}' is not available for resource type '{}'.",
            draft.profile.name
        );
        return refuse(400, "LocationNotAvailableForResourceType", message);
    }
    match draft.text_before("/location").filter(|before| *before != wanted) {
        None => Ok(()),
        Some(before) => {
            let Wording { noun: what, other_location: code, .. } = draft.profile.wording;
            let message = format!(
                "The {what} '{}' already exists in location '{before}'. A {what} with the same name cannot be created in location '{wanted}'.",
                last(&draft.id)
            );
            refuse(409, code, message)
        }
    }
}

/// Refuses a name that somebody else holds.
pub(super) fn check_name(change: &Change<'_>, kind: &dyn ResourceType, draft: &Draft<'_>) -> Outcome<()> {
    let (name, location) = (draft.place.name(), region(draft.text("/location")));
    let Some(key) = draft.profile.name_key(name, &location) else { return Ok(()) };
    let Some(holder) = change.named(&key)?.filter(|holder| *holder != draft.id.to_lowercase()) else {
        return Ok(());
    };
    let deleted = change.object(&holder)?.is_some_and(|holder| holder.deleted.is_some());
    Err(kind.name_taken(name, &location, deleted).into())
}
