//! The table of errors: what each code and message of Azure and Graph means, as data, each row with its source.
//!
//! A row overrides the HTTP status. A code without a row is not final: unless `by_status` classifies the HTTP status,
//! the request is retried a few times over a window (`FailureClass::Unknown`), and the code is counted, so that the
//! table can be extended.

use crate::tenant::FailureClass::{
    self, Denied, NameHeld, NeedsProvider, Permanent, Quota, ReplicationLag, Throttled, Transient, Unknown,
    Wait,
};

/// A row for a code: the code, its class, and the source.
type Row = (&'static str, FailureClass, &'static str);

/// A row for a message: parts of the message that follow one another, at most [`GAP`] characters apart; then the class
/// and the source as in [`Row`].
type Said = (&'static [&'static str], FailureClass, &'static str);

const DEPLOY: &str = "Microsoft Learn, Troubleshoot common Azure deployment errors";
const ASYNC: &str = "Microsoft Learn, Track asynchronous Azure operations";
const LIMITS: &str = "Microsoft Learn, Understand how Azure Resource Manager throttles requests";
const RBAC: &str = "Microsoft Learn, Troubleshoot Azure RBAC";
const ML: &str = "Microsoft Learn, Troubleshoot online endpoint deployment";
const GRAPH: &str = "Microsoft Learn, Microsoft Graph error responses and resource types";
const STORAGE: &str = "Microsoft Learn, Storage resource provider error codes";
const VAULTS: &str = "Microsoft Learn, Azure Key Vault REST API error codes; Azure/azure-powershell#15115";
const PROVIDERS: &str = "Microsoft Learn, Resolve errors for resource provider registration";
const COGNITIVE: &str =
    "Microsoft Learn, Recover or purge deleted Foundry Tools resources; Azure/azure-cli#18146";

/// The rows for codes, which are compared without case.
const CODES: &[Row] = &[
    // Temporary failures.
    ("InternalServerError", Transient, DEPLOY),
    ("ServerBusy", Transient, STORAGE),
    ("ServiceUnavailable", Transient, DEPLOY),
    ("GatewayTimeout", Transient, DEPLOY),
    ("AnotherOperationInProgress", Transient, DEPLOY),
    ("RetryableError", Transient, "hashicorp/terraform-provider-azurerm#21293"),
    ("ReferencedResourceNotProvisioned", Transient, "hashicorp/terraform-provider-azurerm#21293"),
    ("StorageAccountOperationInProgress", Transient, STORAGE),
    ("OperationCanceled", Transient, ML),
    ("RequestConflict", Transient, "hashicorp/terraform-provider-azurerm#22607"),
    ("IfMatchPreconditionFailed", Transient, "Azure/bicep-registry-modules, avm-ptn-aiml-ai-foundry#102"),
    ("InvalidAuthenticationToken", Transient, GRAPH),
    // Too many calls.
    ("TooManyRequests", Throttled, LIMITS),
    ("SubscriptionRequestsThrottled", Throttled, LIMITS),
    ("RetryableErrorDueToAnotherOperation", Throttled, LIMITS),
    // A new object is not known everywhere yet.
    ("SecretsInjectionError", ReplicationLag, ML),
    ("PrincipalNotFound", ReplicationLag, RBAC),
    ("NoBackingApplicationObject", ReplicationLag, "microsoftgraph/msgraph-sdk-dotnet#3108"),
    ("Request_ResourceNotFound", ReplicationLag, "Azure/azure-sdk-for-java#30791"),
    ("ResourceNotFound", ReplicationLag, DEPLOY),
    ("ParentResourceNotFound", ReplicationLag, DEPLOY),
    ("ResourceGroupNotFound", ReplicationLag, DEPLOY),
    ("InvalidPrivateLinkServiceId", ReplicationLag, "hashicorp/terraform-provider-azurerm#32095"),
    // Something else has to finish first.
    ("ResourceGroupBeingDeleted", Wait, DEPLOY),
    ("WorkspaceManagedNetworkNotReady", Wait, ML),
    ("ConflictError", Wait, "hashicorp/terraform-provider-azurerm#32261; of vaults see `Step::name_holders`"),
    ("StorageAccountIsNotProvisioned", Wait, "Azure/azure-service-operator#3087"),
    ("AccountProvisioningStateInvalid", Wait, "Azure/bicep-types-az#2419"),
    ("CannotDeleteResource", Wait, "Azure/terraform-provider-azapi#894"),
    (
        "InUseSubnetCannotBeDeleted",
        Wait,
        "Microsoft Learn, Set up private networking for Foundry Agent Service",
    ),
    // A resource provider has to be registered.
    ("MissingSubscriptionRegistration", NeedsProvider, PROVIDERS),
    ("InvalidSubscriptionRegistrationState", NeedsProvider, PROVIDERS),
    ("NoRegisteredProviderFound", NeedsProvider, PROVIDERS),
    // The name is taken.
    ("FlagMustBeSetForRestore", NameHeld, COGNITIVE),
    ("CustomDomainInUse", NameHeld, COGNITIVE),
    ("VaultAlreadyExists", NameHeld, VAULTS),
    ("StorageAccountAlreadyTaken", NameHeld, STORAGE),
    ("StorageAccountInAnotherResourceGroup", NameHeld, STORAGE),
    // A quota or the capacity is exhausted.
    ("RoleAssignmentLimitExceeded", Quota, RBAC),
    ("OutOfQuota", Quota, ML),
    ("ResourceQuotaExceeded", Quota, DEPLOY),
    ("QuotaExceeded", Quota, DEPLOY),
    ("Directory_QuotaExceeded", Quota, GRAPH),
    ("SkuNotAvailable", Quota, DEPLOY),
    ("InsufficientQuota", Quota, "microsoft/PubSec-Info-Assistant#880"),
    // A permission is missing.
    ("LinkedAuthorizationFailed", Denied, RBAC),
    ("AuthorizationFailed", Denied, RBAC),
    ("Authorization_RequestDenied", Denied, GRAPH),
    ("Forbidden", Denied, GRAPH),
    ("InvalidAuthenticationTokenTenant", Denied, DEPLOY),
    ("ScopeLocked", Denied, DEPLOY),
    ("ReadOnlyDisabledSubscription", Denied, DEPLOY),
    // The request, the blueprint or a policy has to change.
    ("RoleAssignmentUpdateNotPermitted", Permanent, RBAC),
    ("RequestDisallowedByPolicy", Permanent, DEPLOY),
    ("PropertyChangeNotAllowed", Permanent, DEPLOY),
    ("LocationNotAvailableForResourceType", Permanent, DEPLOY),
    ("LocationRequired", Permanent, DEPLOY),
    ("AccountNameInvalid", Permanent, STORAGE),
    ("ImageBuildFailure", Permanent, ML),
    ("BadArgument", Permanent, ML),
    ("ResourceNotReady", Permanent, ML),
    ("DeploymentModelNotSupported", Permanent, "Microsoft Learn, Foundry Models lifecycle and retirement"),
    ("ServiceModelDeprecated", Permanent, "Microsoft Learn, Foundry Models lifecycle and retirement"),
    ("SpecialFeatureOrQuotaIdRequired", Permanent, "Microsoft Learn, Azure OpenAI quotas and limits"),
];

/// Rows for prefixes of codes, which apply to codes that are not in [`CODES`]. Compared without case.
const FAMILIES: &[Row] = &[("DeploymentActive", Transient, DEPLOY), ("Invalid", Permanent, DEPLOY)];

/// Rows for messages that override a known code, because services send them with codes that say less.
const MESSAGES: &[Said] = &[
    (&["soft-deleted workspace exists"], NameHeld, ML),
    (
        &["does not reference a valid application object"],
        ReplicationLag,
        "microsoftgraph/msgraph-sdk-dotnet#3108",
    ),
    // 403 `Authorization_RequestDenied` right after the application was created: no permission is missing. If one is
    // missing after all, the retries end with the lag budget, 15 minutes after the first such answer.
    (&["backing application"], ReplicationLag, "hashicorp/terraform-provider-azuread#611"),
    (&["in the local tenant"], ReplicationLag, "hashicorp/terraform-provider-azuread#611"),
    // Any provisioning state counts: the resource leaves the state by itself, or the step that owns the resource
    // reports that it does not.
    (&["in ", " provisioning state"], Wait, "Azure/azure-sdk-for-net#36961"),
    (&["in provisioning state"], Wait, "Azure/azure-sdk-for-net#36961"),
    (&["provisioning state is not terminal"], Wait, "Azure/bicep-types-az#2419"),
    // Graph's answer (400 `Request_BadRequest`) while a deleted application holds the name, which it does for 30 days.
    (
        &["same value for property uniquename already exists"],
        NameHeld,
        "microsoftgraph/msgraph-bicep-types#137",
    ),
];

/// Rows for messages that determine the class if neither [`MESSAGES`] nor a code does.
const HINTS: &[Said] = &[
    (&["already an endpoint with this name"], NameHeld, "Azure/azureml-examples#1931"),
    (&["name", "is not available", "unique"], NameHeld, "ansible-collections/azure#2231"),
    (&["name", "unique within", "region"], NameHeld, "Azure/azureml-examples#1931"),
    (&["name", "already in use"], NameHeld, "Azure/azure-powershell#15115"),
    (&["name", "already taken"], NameHeld, STORAGE),
    (&["name", "already exists in deleted state"], NameHeld, "alan-turing-institute/data-safe-haven#2523"),
    (&["exceed", "quota"], Quota, DEPLOY),
];

/// Codes of errors that only wrap other errors: they say nothing by themselves, and are not counted as unknown codes.
const WRAPPERS: &[&str] = &["DeploymentFailed", "BadRequest", "Request_BadRequest", "UserError", "Conflict"];

/// HTTP statuses that no retry changes: the request itself is refused. Source: RFC 9110, section 15.5; RFC 6585.
const PERMANENT: [u16; 9] = [405, 406, 411, 413, 414, 415, 416, 417, 431];

const STATES: &str = "words of providers and older services beside those of Azure's rules";

/// Final states of an operation or a resource, whether it succeeded, and the source. Compared without case. By Azure's
/// rules every other state means running.
const FINAL: &[(&str, bool, &str)] = &[
    ("Succeeded", true, ASYNC),
    ("Failed", false, ASYNC),
    ("Canceled", false, ASYNC),
    ("Completed", true, STATES),
    ("Cancelled", false, STATES),
    ("TimedOut", false, STATES),
    ("Aborted", false, STATES),
    ("Rejected", false, STATES),
];

/// The largest distance between two parts of a message, in characters.
const GAP: usize = 120;
/// The shortest word in a message, in characters, that is taken for a code; shorter words are prose.
const CODE_IN_TEXT: usize = 12;

/// The class of a code, from its own row or that of a prefix; `None` if it has neither.
pub(super) fn of_code(code: &str) -> Option<FailureClass> {
    let begins =
        |family: &str| code.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family));
    row(code).or_else(|| FAMILIES.iter().find(|(family, ..)| begins(family))).map(|(_, class, _)| *class)
}

fn row(code: &str) -> Option<&'static Row> {
    CODES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(code))
}

/// The class of a message that overrides whatever code it comes with; `None` for other messages.
pub(super) fn of_message(message: &str) -> Option<FailureClass> {
    find(MESSAGES, message)
}

/// The class of a message whose code says nothing: from the [`HINTS`], or from a known code that is a word in the
/// message.
pub(super) fn of_hint(message: &str) -> Option<FailureClass> {
    let text = || message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_code = |sanitized: &&str| {
        sanitized.len() >= CODE_IN_TEXT && CODES.iter().any(|(known, ..)| known == sanitized)
    };
    find(HINTS, message).or_else(|| text().find(is_code).and_then(of_code))
}

fn find(rows: &[Said], message: &str) -> Option<FailureClass> {
    let message = message.to_ascii_lowercase();
    rows.iter().find(|(parts, ..)| has(&message, parts)).map(|(_, class, _)| *class)
}

/// Whether `message` has all parts in this order, each at most [`GAP`] characters after the one before.
fn has(message: &str, parts: &[&str]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return true };
    message.match_indices(first).any(|(at, found)| {
        let mut left = message.get(at + found.len()..).unwrap_or_default();
        rest.iter().all(|part| {
            let next = left.find(part).filter(|gap| *gap <= GAP);
            left = next.and_then(|gap| left.get(gap + part.len()..)).unwrap_or_default();
            next.is_some()
        })
    })
}

/// The class of an HTTP status, for answers whose codes and messages say nothing.
pub(super) fn by_status(status: u16) -> FailureClass {
    match status {
        429 => Throttled,
        // A redirect is never followed. It is retried: the redirecting proxy may be absent the next time.
        300..=399 | 401 | 408 | 425 | 500..=599 => Transient,
        409 | 412 | 423 => Wait,
        _ if PERMANENT.contains(&status) => Permanent,
        _ => Unknown,
    }
}

/// Whether a code has a class or is the code of a wrapper. Any other code is counted as unknown.
pub fn is_known(code: &str) -> bool {
    of_code(code).is_some() || WRAPPERS.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// Whether a state of an operation or a resource means success (`true`) or failure (`false`); `None` while it is
/// running.
pub(super) fn ended(state: &str) -> Option<bool> {
    FINAL.iter().find(|(known, ..)| known.eq_ignore_ascii_case(state)).map(|(_, well, _)| *well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source_and_stands_once() {
        let all: Vec<&Row> = CODES.iter().chain(FAMILIES).collect();
        for (at, (code, _, source)) in all.iter().enumerate() {
            assert!(!source.is_empty(), "{code}");
            assert!(!all[..at].iter().any(|(other, ..)| other.eq_ignore_ascii_case(code)), "{code} twice");
        }
        for (parts, _, source) in MESSAGES.iter().chain(HINTS) {
            assert!(!parts.is_empty() && !source.is_empty(), "{parts:?}");
            assert!(
                parts.iter().all(|part| *part == part.to_ascii_lowercase()),
                "{parts:?}: messages are lowered"
            );
        }
    }

    #[test]
    fn parts_of_a_message_follow_one_another_within_reach() {
        assert!(has("the name 'x' is already in use.", &["name", "already in use"]));
        assert!(!has("already in use is the name", &["name", "already in use"]));
        assert!(!has(&format!("name {} already in use", "x".repeat(GAP)), &["name", "already in use"]));
        assert!(has(&format!("name {} name already in use", "x".repeat(GAP)), &["name", "already in use"]));
    }
}
