//! Why something is not as wanted, in a form that code, logs, events and people share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// What can be done about a failure. The table that assigns the class is `steps::failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Passing trouble: try again with back-off.
    Transient,
    /// Too many calls: try again when the service says so.
    Throttled,
    /// The answer was lost: the request may have been carried out, or may still be.
    Ambiguous,
    /// Something just made is not known everywhere yet.
    ReplicationLag,
    /// Something else has to finish first.
    Wait,
    /// A resource provider has to be registered in the subscription first; tenantry does that.
    NeedsProvider,
    /// The name is taken: by a soft-deleted object, or by somebody else's.
    NameHeld,
    /// An object without our ownership mark is in the way.
    Foreign,
    /// Quota or capacity: a person has to make room.
    Quota,
    /// We lack a permission.
    Denied,
    /// Nobody knows what it means: tried again a few times over a window, for most of what is not known passes.
    Unknown,
    /// Only deleting something that was in use and making it anew could help, which somebody has to allow.
    NeedsConsent,
    /// Asking again can't help: the request, the blueprint or a policy has to change.
    Permanent,
}

impl FailureClass {
    /// Whether trying again by itself may help.
    pub fn retryable(self) -> bool {
        match self {
            Self::Transient
            | Self::Throttled
            | Self::Ambiguous
            | Self::ReplicationLag
            | Self::Wait
            | Self::NeedsProvider
            | Self::Unknown => true,
            Self::NameHeld
            | Self::Foreign
            | Self::Quota
            | Self::Denied
            | Self::NeedsConsent
            | Self::Permanent => false,
        }
    }

    /// What a person should do next about this tenant when tenantry has stopped trying: what is to be seen to, and the
    /// command that goes on then.
    pub fn next_action_for(self, tenant: &TenantId) -> String {
        tenant.within(self.next_action())
    }

    /// The same about any tenant, with `TENANT` in the place of its id.
    pub fn next_action(self) -> &'static str {
        match self {
            Self::Transient | Self::Throttled | Self::Ambiguous => {
                "look at the service's health, then run `tenantry retry TENANT`"
            }
            Self::ReplicationLag => "wait some minutes, then run `tenantry retry TENANT`",
            Self::Wait => "see what the resource is waiting for, then run `tenantry retry TENANT`",
            Self::NeedsProvider => {
                "register the resource provider in the subscription, then run `tenantry retry TENANT`"
            }
            Self::NameHeld => {
                "purge or restore the soft-deleted object that holds the name, or remove the one that has it, then run \
                 `tenantry retry TENANT`"
            }
            Self::Foreign => {
                "find out whose object it is; remove or rename it, then run `tenantry retry TENANT`"
            }
            Self::Quota => "raise the quota or free capacity, then run `tenantry retry TENANT`",
            Self::Denied => "give the provisioner the missing permission, then run `tenantry retry TENANT`",
            Self::Unknown => {
                "read what the service says, and when it no longer holds, run `tenantry retry TENANT`"
            }
            Self::NeedsConsent => {
                "repair the resource in Azure, then run `tenantry retry TENANT`; or run \
                 `tenantry retry TENANT --allow-replace`, which deletes the resource with all that depends on it and \
                 makes them anew"
            }
            Self::Permanent => {
                "mend what refused it, then run `tenantry retry TENANT`; or correct the request and send it as an \
                 update with `tenantry submit FILE`; or deprovision the tenant"
            }
        }
    }
}

/// The code of a request that was held back, so that nothing was sent: others are before it.
pub const HELD_BACK: &str = "held-back";

/// Codes that say that another change is under way. Source: Microsoft, "Troubleshoot common Azure deployment errors", for
/// `AnotherOperationInProgress` and `RetryableErrorDueToAnotherOperation` of one virtual network.
const TURNS: [&str; 3] = [HELD_BACK, "AnotherOperationInProgress", "RetryableErrorDueToAnotherOperation"];

/// One failure, as it is recorded, logged and announced. Holds no secret: messages are those of Azure's error
/// envelopes, redacted and cut to a sane length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Azure's innermost known code, or one of ours in `kebab-case`.
    pub code: String,
    /// What can be done.
    pub class: FailureClass,
    /// In words.
    pub message: String,
    /// Azure's id of the request, for a support ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_request_id: Option<String>,
    /// The id of the Azure resource that it is about, or the path of the object in Entra, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

/// What a service answered when something failed, for whoever looks into it. Kept in history alone; redacted and cut
/// before it gets here, so a body may be no whole JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The service's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_request_id: Option<String>,
    /// The body as text; empty if there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

impl Cause {
    /// Whether somebody else's change to the same thing has to end first. That is a line, and no failure: it may be as long
    /// as there are others.
    pub fn is_turn_of_others(&self) -> bool {
        TURNS.iter().any(|code| self.code.eq_ignore_ascii_case(code))
    }

    /// A cause of our own making.
    pub fn ours(class: FailureClass, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: code.to_owned(), class, message, azure_request_id: None, resource_id: None }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
