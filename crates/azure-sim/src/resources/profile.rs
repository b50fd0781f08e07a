//! The constant properties of a resource type.
//!
//! Api-versions and states are from Microsoft's API descriptions, name rules from the page resource-name-rules and from
//! the services, durations from reports of users and logs.

/// How a PUT of a resource type is answered, and how its operation is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteForm {
    /// The PUT is done at once: this status for a creation, 200 for an update.
    Done(u16),
    /// The answer is 202 with `Location` and no body. An update is answered so only if `updates` is set; otherwise it
    /// is done at once, with 200.
    Location { updates: bool },
    /// The answer is 201 for a creation or 200 for an update, with the body and `Azure-AsyncOperation`.
    Status,
    /// The answer is this status for a creation or 200 for an update, with the body and no poll URL. The caller reads
    /// the resource until its provisioning state says that it is ready.
    Resource(u16),
    /// PUT and DELETE are refused: callers can only read resources of this type.
    Refused,
}

/// How a caller polls an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// By the URL in the header `Azure-AsyncOperation`.
    Status,
    /// By the URL in the header `Location`.
    Location,
    /// By reading the resource itself.
    Resource,
}

/// The scope in which the names of a resource type must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unique {
    /// Within the resource group or the parent resource.
    Parent,
    /// Within a region, among all customers of Azure.
    Region,
    /// In the whole of Azure.
    Global,
}

/// The rule for the names of a resource type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameRule {
    /// Returns whether the rule allows a name.
    pub(crate) allows: fn(&str) -> bool,
    /// The rule in words, for refusals.
    pub(crate) text: &'static str,
}

/// How long operations on a resource usually take in Azure, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds {
    pub(crate) create: u32,
    pub(crate) update: u32,
    pub(crate) delete: u32,
}

/// The values that `provisioningState` has while an operation runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct States {
    pub(crate) creating: &'static str,
    pub(crate) updating: &'static str,
    pub(crate) deleting: &'static str,
}

impl States {
    /// The states of most resource types.
    pub(crate) const USUAL: Self = Self { creating: "Creating", updating: "Updating", deleting: "Deleting" };
}

/// The types of a service's operations, which are part of the paths of poll URLs (from Microsoft's list "Azure
/// permissions").
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollTypes {
    /// The type of operations in the URL in `Azure-AsyncOperation`.
    pub(crate) status: &'static str,
    /// The type of operations in the URL in `Location`.
    pub(crate) location: &'static str,
}

impl PollTypes {
    /// The types of most services.
    pub(crate) const USUAL: Self = Self { status: "operationStatuses", location: "operationResults" };

    /// The type of operations for a way of polling.
    pub(crate) const fn of(self, follow: Follow) -> &'static str {
        match follow {
            Follow::Status => self.status,
            Follow::Location | Follow::Resource => self.location,
        }
    }
}

/// The words and codes with which Resource Manager itself refuses requests for a resource type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording {
    pub(crate) noun: &'static str,
    /// The error code for a name that the type does not allow.
    pub(crate) invalid_name: &'static str,
    /// The error code for a location other than that of the existing resource.
    pub(crate) other_location: &'static str,
}

/// The constant properties of a resource type.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The name of the resource type, `Namespace/type/subtype`, as Azure spells it.
    pub(crate) name: &'static str,
    /// The only api-version that is simulated.
    pub(crate) version: &'static str,
    /// The rule for names of resources.
    pub(crate) names: NameRule,
    /// How long it usually takes in Azure to create, update and delete a resource.
    pub(crate) seconds: Seconds,
    /// How a PUT is answered, and how its operation is polled.
    pub(crate) write: WriteForm,
    /// Whether a DELETE is a long-running operation, polled by `Location`, rather than done at once.
    pub(crate) slow_delete: bool,
    /// The values of `provisioningState` while an operation runs. `None` if resources of this type have no such
    /// property.
    pub(crate) states: Option<States>,
    /// The scope in which names of resources must be unique.
    pub(crate) unique: Unique,
    /// Whether resources have a location.
    pub(crate) located: bool,
    /// Whether resources show `systemData`.
    pub(crate) system_data: bool,
    /// The type of identity that a resource has by default (for example `SystemAssigned`). `None` if resources of this
    /// type have no managed identities.
    pub(crate) identity: Option<&'static str>,
    /// How many days a soft-deleted resource is kept. `None` if the type has no soft deletion.
    pub(crate) kept_days: Option<i64>,
    /// Whether a deletion soft-deletes the resources below this one if their types support that. If `false`, it deletes
    /// them permanently.
    pub(crate) empties_singly: bool,
    /// The types of operations in the paths of poll URLs.
    pub(crate) polls: PollTypes,
    /// The value of the header `x-ms-async-operation-timeout`. `None` if the service does not send it.
    pub(crate) operation_timeout: Option<&'static str>,
    /// The groups (sub-resources) that a private endpoint can connect to; empty if there are none.
    pub(crate) link_groups: &'static [&'static str],
    /// The words and codes for Resource Manager's refusals.
    pub(crate) wording: Wording,
}

impl Profile {
    /// The profile of a type that can only be read, without name and api-version. Other profiles start from it and
    /// override what differs.
    pub(crate) const READ_ONLY: Self = Self {
        name: "",
        version: "",
        names: NameRule { allows: |_| true, text: "" },
        seconds: Seconds { create: 0, update: 0, delete: 0 },
        write: WriteForm::Refused,
        slow_delete: false,
        states: None,
        unique: Unique::Parent,
        located: true,
        system_data: false,
        identity: None,
        kept_days: None,
        empties_singly: false,
        polls: PollTypes::USUAL,
        operation_timeout: None,
        link_groups: &[],
        wording: Wording {
            noun: "resource",
            invalid_name: "InvalidResourceName",
            other_location: "InvalidResourceLocation",
        },
    };

    /// The namespace of the provider, for example `Microsoft.Storage`.
    pub(crate) fn namespace(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The unique name that a resource with this name and location reserves. `None` if names must be unique only within
    /// the resource group or the parent resource.
    pub(crate) fn name_key(&self, name: &str, location: &str) -> Option<String> {
        let scope = match self.unique {
            Unique::Parent => return None,
            Unique::Region => location,
            Unique::Global => "global",
        };
        Some(format!("{}@{scope}/{name}", self.name).to_lowercase())
    }
}
