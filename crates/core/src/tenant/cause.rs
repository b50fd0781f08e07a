//! Failure causes, in one form for code, logs, events and people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// What can be done about a failure. The table that assigns the class is `steps::codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// A temporary failure: retried with back-off.
    Transient,
    /// Too many calls: retried when the service allows it.
    Throttled,
    /// The answer was lost: the request may have been carried out, or may still be.
    Ambiguous,
    /// A new object is not known everywhere yet.
    ReplicationLag,
    /// Another change or operation has to finish first: retried with back-off.
    Wait,
    /// A resource provider has to be registered in the subscription first; tenantry does that.
    NeedsProvider,
    /// The name is held by a soft-deleted object or by another owner's object.
    NameHeld,
    /// An object without the tenant's ownership mark has the name of the step's object.
    Foreign,
    /// A quota or the capacity is exhausted: a person has to raise the quota or free capacity.
    Quota,
    /// tenantry lacks a permission.
    Denied,
    /// The error code is not in the table of errors: retried a few times over a window, because most such failures
    /// pass.
    Unknown,
    /// Only recreating an object that was in use could help, which needs consent.
    NeedsConsent,
    /// Not retryable: the request, the blueprint or a policy has to change.
    Permanent,
}

impl FailureClass {
    /// Whether a failure of this class is retried without a person.
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

    /// What a person should do about this tenant once tenantry has stopped retrying: what to check or change, and the
    /// command that continues.
    pub fn next_action_for(self, tenant: &TenantId) -> String {
        tenant.within(self.next_action())
    }

    /// The text of [`Self::next_action_for`] for any tenant, with `TENANT` instead of its id.
    pub fn next_action(self) -> &'static str {
        match self {
            Self::Transient | Self::Throttled | Self::Ambiguous => {
                "check the service's health, then run `tenantry retry TENANT`"
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
                 recreates them"
            }
            Self::Permanent => {
                "correct what refused it, then run `tenantry retry TENANT`; or correct the request and send it as an \
                 update with `tenantry submit FILE`; or deprovision the tenant"
            }
        }
    }
}

/// The code of a request that was not sent, because other requests are before it in a keyed queue or the service has
/// asked for a pause.
pub const HELD_BACK: &str = "held-back";

/// Codes which mean that other requests are served first. Source: Microsoft, "Troubleshoot common Azure deployment
/// errors", for `AnotherOperationInProgress` and `RetryableErrorDueToAnotherOperation` of one virtual network.
const QUEUE_CODES: [&str; 3] =
    [HELD_BACK, "AnotherOperationInProgress", "RetryableErrorDueToAnotherOperation"];

/// One failure, as it is recorded, logged and published. Contains no secret: messages are those of Azure's error
/// envelopes, redacted and truncated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Azure's innermost known error code, or a code of tenantry in `kebab-case`.
    pub code: String,
    /// The failure class: whether the failure is retried, and what a person can do.
    pub class: FailureClass,
    /// The message for people.
    pub message: String,
    /// Azure's id of the request, for a support ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_request_id: Option<String>,
    /// The id of the Azure resource concerned, or the path of the object in Entra, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

/// What a service answered when something failed, for diagnosis. Kept only in the history; redacted and truncated
/// before it gets here, so a body may not be valid JSON.
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
    /// Whether the cause is only that other requests are served first. Waiting in that queue is not a failure: it may
    /// take as long as there are other requests.
    pub fn is_queued_behind_others(&self) -> bool {
        QUEUE_CODES.iter().any(|code| self.code.eq_ignore_ascii_case(code))
    }

    /// A cause that tenantry itself has found, without ids of a request and of a resource.
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
