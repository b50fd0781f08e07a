//! The constant properties of a resource type.
//!
//! Versions and states are those of Microsoft's API descriptions, name rules those of the resource-name-rules page and
//! of the services, durations those that users and logs report.

/// How a PUT is answered and polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteForm {
    /// Done at once; the status of a creation.
    Done(u16),
    /// 202 with `Location` and no body; an update only if `updates`, otherwise that is done at once.
    Location { updates: bool },
    /// 201 or 200 with the body and `Azure-AsyncOperation`.
    Status,
    /// The status of a creation, or 200, with the body; the resource itself shows when it is ready.
    Resource(u16),
    /// It can only be read.
    Refused,
}

/// How a caller polls an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// By the `Azure-AsyncOperation` header.
    Status,
    /// By the `Location` header.
    Location,
    /// By reading the resource.
    Resource,
}

/// The scope in which a name must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unique {
    /// Only within its parent.
    Parent,
    /// In a region, over all customers.
    Region,
    /// Globally.
    Global,
}

/// Which names are allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameRule {
    /// Whether a name is allowed.
    pub(crate) allows: fn(&str) -> bool,
    /// The rule as a text.
    pub(crate) text: &'static str,
}

/// Azure's usual durations, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds {
    pub(crate) create: u32,
    pub(crate) update: u32,
    pub(crate) delete: u32,
}

/// The values of `provisioningState` while an operation runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct States {
    pub(crate) creating: &'static str,
    pub(crate) updating: &'static str,
    pub(crate) deleting: &'static str,
}

impl States {
    /// Those of most types.
    pub(crate) const USUAL: Self = Self { creating: "Creating", updating: "Updating", deleting: "Deleting" };
}

/// The types below which a service's operations are polled (Microsoft's list "Azure permissions").
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollTypes {
    /// The type in `Azure-AsyncOperation`.
    pub(crate) status: &'static str,
    /// The type in `Location`.
    pub(crate) location: &'static str,
}

impl PollTypes {
    /// Those of most services.
    pub(crate) const USUAL: Self = Self { status: "operationStatuses", location: "operationResults" };

    /// The type for a way of polling.
    pub(crate) const fn of(self, follow: Follow) -> &'static str {
        match follow {
            Follow::Status => self.status,
            Follow::Location | Follow::Resource => self.location,
        }
    }
}

/// How Resource Manager itself refers to a resource in a refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording {
    pub(crate) noun: &'static str,
    /// The code for a name that is not allowed.
    pub(crate) invalid_name: &'static str,
    /// The code for a location other than the existing one.
    pub(crate) other_location: &'static str,
}

/// The constant properties of a resource type.
#[derive(Debug)]
pub(crate) struct Profile {
    /// `Namespace/type/subtype`, in Azure's own spelling.
    pub(crate) name: &'static str,
    /// The one api-version that is simulated.
    pub(crate) version: &'static str,
    /// Which names are allowed.
    pub(crate) names: NameRule,
    /// How long creating, updating and deleting one takes.
    pub(crate) seconds: Seconds,
    /// How a PUT is answered.
    pub(crate) write: WriteForm,
    /// Whether a DELETE is polled with `Location` rather than done at once.
    pub(crate) slow_delete: bool,
    /// `provisioningState` while an operation runs; none if it has no such property.
    pub(crate) states: Option<States>,
    /// The scope in which its name must be unique.
    pub(crate) unique: Unique,
    /// Whether it has a location.
    pub(crate) located: bool,
    /// Whether it shows `systemData`.
    pub(crate) system_data: bool,
    /// Whether it can have identities, and the default type.
    pub(crate) identity: Option<&'static str>,
    /// How many days it is kept after a deletion; none: it is deleted at once.
    pub(crate) kept_days: Option<i64>,
    /// Whether its children are deleted with it as by single requests: soft-deleted, where their type supports it.
    pub(crate) empties_singly: bool,
    /// The types below which its operations are polled.
    pub(crate) polls: PollTypes,
    /// The value of the header `x-ms-async-operation-timeout`, where it is sent.
    pub(crate) operation_timeout: Option<&'static str>,
    /// The groups that a private endpoint can connect to.
    pub(crate) link_groups: &'static [&'static str],
    /// How refusals refer to it.
    pub(crate) wording: Wording,
}

impl Profile {
    /// A type that can only be read; other types override what they need.
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

    /// The namespace of its provider.
    pub(crate) fn namespace(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The key of a name that must be unique beyond its parent.
    pub(crate) fn name_key(&self, name: &str, location: &str) -> Option<String> {
        let scope = match self.unique {
            Unique::Parent => return None,
            Unique::Region => location,
            Unique::Global => "global",
        };
        Some(format!("{}@{scope}/{name}", self.name).to_lowercase())
    }
}
