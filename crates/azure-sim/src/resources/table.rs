//! The table of resource types. Versions and states are those of Microsoft's API descriptions, name rules those of the
//! resource-name-rules page and the services' own, durations what users and logs report.

use crate::resources::{
    Answer, Kind, Unique, cognitive, endpoint, identity, private_endpoint, simple, vault, workspace,
    zone_group,
};

/// The type of resource groups.
pub(crate) const GROUPS: &str = "Microsoft.Resources/resourceGroups";
/// The api-version of resource groups and providers.
pub(crate) const GROUPS_VERSION: &str = "2024-07-01";

const USUAL: Option<[&str; 3]> = Some(["Creating", "Updating", "Deleting"]);

const PLAIN: Kind = Kind {
    name: "",
    version: "",
    names: (|_| true, ""),
    seconds: (0, 0, 0),
    answer: Answer::Refused,
    slow_delete: false,
    states: None,
    unique: Unique::Parent,
    located: true,
    system_data: false,
    identity: None,
    kept_days: None,
    check: |_, _| Ok(()),
    check_delete: |_, _| Ok(()),
    fill: |_, _, _| Ok(()),
    starting: |_, _| Ok(()),
    written: |_, _| Ok(()),
    removed: |_, _| Ok(()),
};

const ML_NAME: &str =
    "3 to 32 letters, digits and single hyphens, beginning with a letter and not ending in a hyphen";

pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: GROUPS,
        version: GROUPS_VERSION,
        names: (
            |name| words(name, 1, 90, "-_.()") && !name.ends_with('.'),
            "1 to 90 letters, digits, '-', '_', '.', '(' and ')', not ending in a dot",
        ),
        seconds: (0, 0, 30),
        answer: Answer::Done(201),
        slow_delete: true,
        states: USUAL,
        ..PLAIN
    },
    Kind {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities",
        version: "2023-01-31",
        names: (
            |name| words(name, 3, 128, "-_") && begins_alphanumeric(name),
            "3 to 128 letters, digits, '-' and '_', beginning with a letter or digit",
        ),
        answer: Answer::Done(201),
        fill: identity::fill,
        removed: identity::removed,
        ..PLAIN
    },
    Kind {
        name: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        version: "2023-01-31",
        names: (
            |name| words(name, 3, 120, "-_") && begins_alphanumeric(name),
            "3 to 120 letters, digits, '-' and '_', beginning with a letter or digit",
        ),
        answer: Answer::Done(201),
        located: false,
        ..PLAIN
    },
    Kind {
        name: "Microsoft.Storage/storageAccounts",
        version: "2023-05-01",
        names: (
            |name| {
                (3..=24).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            },
            "3 to 24 lower-case letters and digits",
        ),
        seconds: (21, 0, 0),
        answer: Answer::Location { updates: false },
        states: USUAL,
        unique: Unique::World,
        check: simple::check_storage,
        fill: simple::fill_storage,
        removed: private_endpoint::disconnect,
        ..PLAIN
    },
    Kind {
        name: "Microsoft.KeyVault/vaults",
        version: "2023-07-01",
        names: (
            |name| hyphenated(name, 3, 24) && name.starts_with(|c: char| c.is_ascii_alphabetic()),
            "3 to 24 letters, digits and single hyphens, beginning with a letter and ending in a letter or digit",
        ),
        seconds: (25, 0, 0),
        answer: Answer::Resource(201),
        states: Some(["RegisteringDns", "Succeeded", "Succeeded"]),
        unique: Unique::World,
        system_data: true,
        kept_days: Some(90),
        check: vault::check,
        fill: vault::fill,
        removed: private_endpoint::disconnect,
        ..PLAIN
    },
    Kind {
        name: "Microsoft.Insights/components",
        version: "2020-02-02",
        names: (
            |name| words(name, 1, 255, "-_.()") && !name.ends_with('.'),
            "1 to 255 letters, digits, '-', '_', '.', '(' and ')'",
        ),
        seconds: (3, 0, 0),
        answer: Answer::Resource(200),
        states: Some(["Deploying", "Succeeded", "Succeeded"]),
        check: simple::check_insights,
        fill: simple::fill_insights,
        ..PLAIN
    },
    Kind {
        name: workspace::KIND,
        version: workspace::VERSION,
        names: (
            |name| words(name, 3, 33, "-_") && begins_alphanumeric(name),
            "3 to 33 letters, digits, '-' and '_', beginning with a letter or digit",
        ),
        seconds: (60, 30, 30),
        answer: Answer::Location { updates: true },
        slow_delete: true,
        states: USUAL,
        system_data: true,
        identity: Some("SystemAssigned"),
        kept_days: Some(14),
        check: workspace::check,
        fill: workspace::fill,
        removed: private_endpoint::disconnect,
        ..PLAIN
    },
    Kind {
        name: endpoint::KIND,
        version: workspace::VERSION,
        names: (ml_name, ML_NAME),
        seconds: (120, 30, 60),
        answer: Answer::Status,
        slow_delete: true,
        states: USUAL,
        unique: Unique::Region,
        system_data: true,
        identity: Some("SystemAssigned"),
        check: endpoint::check,
        fill: endpoint::fill,
        written: endpoint::written,
        removed: endpoint::removed,
        ..PLAIN
    },
    Kind {
        name: endpoint::DEPLOYMENT,
        version: workspace::VERSION,
        names: (ml_name, ML_NAME),
        seconds: (600, 300, 300),
        answer: Answer::Status,
        slow_delete: true,
        states: USUAL,
        system_data: true,
        check: endpoint::check_deployment,
        check_delete: endpoint::check_deployment_delete,
        fill: endpoint::fill_deployment,
        removed: endpoint::removed_deployment,
        ..PLAIN
    },
    Kind {
        name: cognitive::KIND,
        version: cognitive::VERSION,
        names: (
            |name| words(name, 2, 64, "-_.") && begins_alphanumeric(name),
            "2 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit",
        ),
        seconds: (30, 5, 15),
        answer: Answer::Resource(201),
        slow_delete: true,
        states: Some(["Creating", "Accepted", "Deleting"]),
        system_data: true,
        identity: Some("None"),
        kept_days: Some(2),
        check: cognitive::check,
        check_delete: cognitive::check_delete,
        fill: cognitive::fill,
        removed: private_endpoint::disconnect,
        ..PLAIN
    },
    Kind {
        name: cognitive::DEPLOYMENT,
        version: cognitive::VERSION,
        names: (
            |name| words(name, 2, 64, "-_.") && begins_alphanumeric(name),
            "2 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit",
        ),
        seconds: (20, 10, 10),
        answer: Answer::Status,
        slow_delete: true,
        states: Some(["Creating", "Accepted", "Deleting"]),
        located: false,
        system_data: true,
        check: cognitive::check_deployment,
        check_delete: cognitive::check_deployment_delete,
        fill: cognitive::fill_deployment,
        ..PLAIN
    },
    Kind {
        name: private_endpoint::KIND,
        version: private_endpoint::VERSION,
        names: (
            |name| words(name, 2, 64, "-_.") && begins_alphanumeric(name) && !name.ends_with(['-', '.']),
            "2 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit, ending in one or '_'",
        ),
        seconds: (90, 45, 45),
        answer: Answer::Status,
        slow_delete: true,
        states: Some(["Updating", "Updating", "Deleting"]),
        check: private_endpoint::check,
        check_delete: private_endpoint::check_delete,
        fill: private_endpoint::fill,
        starting: private_endpoint::starting,
        written: private_endpoint::written,
        removed: private_endpoint::removed,
        ..PLAIN
    },
    Kind {
        name: zone_group::KIND,
        version: private_endpoint::VERSION,
        names: (
            |name| words(name, 1, 80, "-_.") && begins_alphanumeric(name) && !name.ends_with(['-', '.']),
            "1 to 80 letters, digits, '-', '_' and '.', beginning with a letter or digit, ending in one or '_'",
        ),
        seconds: (20, 20, 10),
        answer: Answer::Status,
        slow_delete: true,
        states: Some(["Updating", "Updating", "Deleting"]),
        located: false,
        check: zone_group::check,
        fill: zone_group::fill,
        ..PLAIN
    },
    Kind { name: "Microsoft.Network/virtualNetworks", version: private_endpoint::VERSION, ..PLAIN },
    Kind { name: "Microsoft.Network/virtualNetworks/subnets", version: private_endpoint::VERSION, ..PLAIN },
    Kind { name: "Microsoft.Network/networkInterfaces", version: private_endpoint::VERSION, ..PLAIN },
    Kind { name: "Microsoft.Network/privateDnsZones", version: "2024-06-01", ..PLAIN },
];

fn words(name: &str, min: usize, max: usize, others: &str) -> bool {
    (min..=max).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn begins_alphanumeric(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn hyphenated(name: &str, min: usize, max: usize) -> bool {
    words(name, min, max, "-") && !name.contains("--") && !name.ends_with('-')
}

fn ml_name(name: &str) -> bool {
    hyphenated(name, 3, 32) && name.starts_with(|c: char| c.is_ascii_alphabetic())
}
