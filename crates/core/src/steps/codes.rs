//! The table of errors: what each code and message of Azure and Graph means, as data, each row with its source.
//!
//! A row decides before the HTTP status does. What no row knows is not final: a 4xx that is in none of the families of
//! `by_status` is tried again a few times over a window (`FailureClass::Unknown`), and its code is counted, so that the
//! table grows from what was seen.

use crate::tenant::FailureClass::{
    self, Denied, NameHeld, NeedsProvider, Permanent, Quota, ReplicationLag, Throttled, Transient, Unknown,
    Wait,
};

/// A code, what it means, and where that is known from.
type Row = (&'static str, FailureClass, &'static str);

/// A message: parts that follow one another, at most [`GAP`] characters apart; then as [`Row`].
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

/// Codes. Compared without case.
const CODES: &[Row] = &[
    // Passing trouble.
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
    // Something just made is not known everywhere yet.
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
    // A resource provider is to be registered.
    ("MissingSubscriptionRegistration", NeedsProvider, PROVIDERS),
    ("InvalidSubscriptionRegistrationState", NeedsProvider, PROVIDERS),
    ("NoRegisteredProviderFound", NeedsProvider, PROVIDERS),
    // The name is taken.
    ("FlagMustBeSetForRestore", NameHeld, COGNITIVE),
    ("CustomDomainInUse", NameHeld, COGNITIVE),
    ("VaultAlreadyExists", NameHeld, VAULTS),
    ("StorageAccountAlreadyTaken", NameHeld, STORAGE),
    ("StorageAccountInAnotherResourceGroup", NameHeld, STORAGE),
    // A person has to make room.
    ("RoleAssignmentLimitExceeded", Quota, RBAC),
    ("OutOfQuota", Quota, ML),
    ("ResourceQuotaExceeded", Quota, DEPLOY),
    ("QuotaExceeded", Quota, DEPLOY),
    ("Directory_QuotaExceeded", Quota, GRAPH),
    ("SkuNotAvailable", Quota, DEPLOY),
    ("InsufficientQuota", Quota, "microsoft/PubSec-Info-Assistant#880"),
    // A person has to give permission.
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

/// How families of codes begin; for codes that are not among [`CODES`]. Compared without case.
const FAMILIES: &[Row] = &[("DeploymentActive", Transient, DEPLOY), ("Invalid", Permanent, DEPLOY)];

/// Messages that decide even beside a code that is known: services put them behind codes that say less.
const MESSAGES: &[Said] = &[
    (&["soft-deleted workspace exists"], NameHeld, ML),
    (
        &["does not reference a valid application object"],
        ReplicationLag,
        "microsoftgraph/msgraph-sdk-dotnet#3108",
    ),
    // 403 `Authorization_RequestDenied` right after the application was made: no permission is missing. The budget of
    // lag, 15 minutes from the first such answer, ends it where one is.
    (&["backing application"], ReplicationLag, "hashicorp/terraform-provider-azuread#611"),
    (&["in the local tenant"], ReplicationLag, "hashicorp/terraform-provider-azuread#611"),
    // Whatever the state is: a resource leaves it by itself, or its own step says that it does not.
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

/// Messages that decide where no code does.
const HINTS: &[Said] = &[
    (&["already an endpoint with this name"], NameHeld, "Azure/azureml-examples#1931"),
    (&["name", "is not available", "unique"], NameHeld, "ansible-collections/azure#2231"),
    (&["name", "unique within", "region"], NameHeld, "Azure/azureml-examples#1931"),
    (&["name", "already in use"], NameHeld, "Azure/azure-powershell#15115"),
    (&["name", "already taken"], NameHeld, STORAGE),
    (&["name", "already exists in deleted state"], NameHeld, "alan-turing-institute/data-safe-haven#2523"),
    (&["exceed", "quota"], Quota, DEPLOY),
];

/// Wrappers: they say nothing by themselves, and are no codes to be learnt.
const WRAPPERS: &[&str] = &["DeploymentFailed", "BadRequest", "Request_BadRequest", "UserError", "Conflict"];

/// Statuses of which asking again never changes the answer: the request itself is refused, whatever stands in it.
/// Source: RFC 9110, section 15.5; RFC 6585.
const PERMANENT: [u16; 9] = [405, 406, 411, 413, 414, 415, 416, 417, 431];

const STATES: &str = "words of providers and older services beside those of Azure's rules";

/// States of an operation or a resource that are final, whether it came about then, and where that is known from.
/// Compared without case. By Azure's rules every other state means running.
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

/// How far apart the parts of a message may stand, in characters.
const GAP: usize = 120;
/// A word in a message can only be a code if it is this long; shorter ones are prose.
const CODE_IN_TEXT: usize = 12;

/// What a code means by itself.
pub(super) fn of_code(code: &str) -> Option<FailureClass> {
    let begins =
        |family: &str| code.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family));
    row(code).or_else(|| FAMILIES.iter().find(|(family, ..)| begins(family))).map(|(_, class, _)| *class)
}

fn row(code: &str) -> Option<&'static Row> {
    CODES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(code))
}

/// What a message means whatever code it comes with.
pub(super) fn of_message(message: &str) -> Option<FailureClass> {
    find(MESSAGES, message)
}

/// What a message means where its code says nothing: one of the [`HINTS`], or a known code that stands in it as a word.
pub(super) fn of_hint(message: &str) -> Option<FailureClass> {
    let words = || message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_code = |word: &&str| word.len() >= CODE_IN_TEXT && CODES.iter().any(|(known, ..)| known == word);
    find(HINTS, message).or_else(|| words().find(is_code).and_then(of_code))
}

fn find(rows: &[Said], message: &str) -> Option<FailureClass> {
    let message = message.to_ascii_lowercase();
    rows.iter().find(|(parts, ..)| has(&message, parts)).map(|(_, class, _)| *class)
}

/// Whether the parts follow one another, from whichever place on.
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

/// What a status means where nothing else decides.
pub(super) fn by_status(status: u16) -> FailureClass {
    match status {
        429 => Throttled,
        // A redirect is never followed: whoever stands in the service's place may be gone the next time.
        300..=399 | 401 | 408 | 425 | 500..=599 => Transient,
        409 | 412 | 423 => Wait,
        _ if PERMANENT.contains(&status) => Permanent,
        _ => Unknown,
    }
}

/// Whether a code is one that the table knows, or a wrapper, and so tells nothing new.
pub fn is_known(code: &str) -> bool {
    of_code(code).is_some() || WRAPPERS.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// How something ended: well or not; `None` while it goes on.
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
