//! The table of errors, row by row: errors of Azure and Graph, their failure classes, and what is stored of them.
//!
//! The rows follow Microsoft's troubleshooting pages and public issues of its tools: temporary errors, replication
//! lag, states to wait for, missing registrations, work that is done already, taken names, and errors that need a
//! person.

use serde_json::{Value, json};
use tenantry_core::{
    steps::{Failure, Reply, failure, operation},
    tenant::{
        FailureClass::{self, *},
        Poll, PollStyle,
    },
};

fn reply(status: u16, body: Value) -> Reply {
    let headers = [("x-ms-request-id".to_owned(), "r-1".to_owned())];
    Reply { status, headers: headers.into(), body }
}

fn coded(status: u16, code: &str) -> Failure {
    failure::classify(&reply(status, json!({"error": {"code": code, "message": "m"}})))
}

/// Status, error code and failure class of an answer.
const CODES: [(u16, &str, FailureClass); 85] = [
    // Temporary: retried with back-off.
    (408, "", Transient),
    (429, "", Throttled),
    (500, "", Transient),
    (502, "", Transient),
    (503, "", Transient),
    (504, "", Transient),
    (401, "InvalidAuthenticationToken", Transient),
    (401, "ExpiredAuthenticationToken", Transient),
    (400, "InternalServerError", Transient),
    (409, "AnotherOperationInProgress", Transient),
    (409, "DeploymentActive", Transient),
    (409, "DeploymentActiveAndUneditable", Transient),
    (400, "RetryableError", Transient),
    (429, "RetryableErrorDueToAnotherOperation", Throttled),
    (400, "ReferencedResourceNotProvisioned", Transient),
    (409, "StorageAccountOperationInProgress", Transient),
    (400, "OperationCanceled", Transient),
    (425, "OddCode", Transient),
    (503, "OddCode", Transient),
    (409, "RequestConflict", Transient),
    (412, "IfMatchPreconditionFailed", Transient),
    // Replication lag: another replica does not show the created object yet.
    (400, "InvalidPrivateLinkServiceId", ReplicationLag),
    (400, "PrincipalNotFound", ReplicationLag),
    (404, "Request_ResourceNotFound", ReplicationLag),
    (404, "ResourceNotFound", ReplicationLag),
    (404, "ParentResourceNotFound", ReplicationLag),
    (404, "ResourceGroupNotFound", ReplicationLag),
    (400, "NoBackingApplicationObject", ReplicationLag),
    (400, "SecretsInjectionError", ReplicationLag),
    // The service is busy with other work that has to end first.
    (409, "ResourceGroupBeingDeleted", Wait),
    (400, "WorkspaceManagedNetworkNotReady", Wait),
    (409, "Conflict", Wait),
    (409, "ConflictError", Wait),
    (400, "conflicterror", Wait),
    (400, "StorageAccountIsNotProvisioned", Wait),
    (400, "AccountProvisioningStateInvalid", Wait),
    (409, "CannotDeleteResource", Wait),
    (412, "PreconditionFailed", Wait),
    (423, "Locked", Wait),
    // Resolved by registering the resource provider.
    (409, "MissingSubscriptionRegistration", NeedsProvider),
    (400, "NoRegisteredProviderFound", NeedsProvider),
    (409, "InvalidSubscriptionRegistrationState", NeedsProvider),
    // Done already: the reconciler counts the write as successful, and a read finds the assignment.
    (409, "RoleAssignmentExists", Wait),
    // A soft-deleted or foreign object has the name.
    (409, "FlagMustBeSetForRestore", NameHeld),
    (409, "CustomDomainInUse", NameHeld),
    (409, "VaultAlreadyExists", NameHeld),
    (409, "StorageAccountAlreadyTaken", NameHeld),
    (409, "StorageAccountInAnotherResourceGroup", NameHeld),
    // A person has to raise a quota.
    (400, "RoleAssignmentLimitExceeded", Quota),
    (400, "OutOfQuota", Quota),
    (400, "ResourceQuotaExceeded", Quota),
    (409, "QuotaExceeded", Quota),
    (409, "SkuNotAvailable", Quota),
    (403, "Directory_QuotaExceeded", Quota),
    (400, "InsufficientQuota", Quota),
    // A person has to grant a permission. This is no replication lag: tenantry never grants permissions to its own
    // identity.
    (403, "AuthorizationFailed", Denied),
    (403, "Authorization_RequestDenied", Denied),
    (403, "LinkedAuthorizationFailed", Denied),
    (401, "InvalidAuthenticationTokenTenant", Denied),
    (409, "ScopeLocked", Denied),
    (403, "Forbidden", Denied),
    // The request, the blueprint or a policy has to change.
    (400, "RoleAssignmentUpdateNotPermitted", Permanent),
    (403, "RequestDisallowedByPolicy", Permanent),
    (409, "PropertyChangeNotAllowed", Permanent),
    (400, "InvalidParameter", Permanent),
    (409, "InvalidTemplateDeployment", Permanent),
    (409, "InvalidResourceReference", Permanent),
    (500, "InvalidPropertyValue", Permanent),
    (400, "ImageBuildFailure", Permanent),
    (400, "BadArgument", Permanent),
    (500, "ResourceNotReady", Permanent),
    (405, "", Permanent),
    (413, "", Permanent),
    (415, "OddCode", Permanent),
    // Codes that the table does not contain.
    (400, "BadRequest", Unknown),
    (400, "OddCode", Unknown),
    (402, "OddCode", Unknown),
    (403, "OddCode", Unknown),
    (404, "OddCode", Unknown),
    (410, "", Unknown),
    (422, "", Unknown),
    (424, "OddCode", Unknown),
    (498, "OddCode", Unknown),
    // The case of a code does not matter.
    (400, "outofquota", Quota),
    (409, "INVALIDPARAMETER", Permanent),
];

#[test]
fn every_code_means_what_the_table_says() {
    for (status, code, class) in CODES {
        let failure = coded(status, code);
        assert_eq!(failure.cause.class, class, "{status} {code}");
        let expected = if code.is_empty() { "unknown" } else { code };
        assert_eq!(failure.cause.code, expected, "{status}");
        assert_eq!(failure.cause.azure_request_id.as_deref(), Some("r-1"));
    }
}

/// Some errors are distinguished only by their messages, with any code around them.
#[test]
fn some_messages_decide_the_class() {
    let rows = [
        ("Soft-deleted workspace exists. Please purge or recover it.", NameHeld),
        ("The appId 'x' does not reference a valid application object.", ReplicationLag),
        ("Another object with the same value for property uniqueName already exists.", NameHeld),
        ("The endpoint is in Updating provisioning state.", Wait),
        ("The endpoint ep-1 is in Creating provisioning state", Wait),
        ("Workspace is in state 'x'; it is in a non-terminal provisioning state.", Wait),
        ("Resource provisioning state is not terminal.", Wait),
        (
            "When using this permission, the backing application of the service principal being created must in the local tenant",
            ReplicationLag,
        ),
        ("The application must be in the local tenant.", ReplicationLag),
        ("StorageAccountIsNotProvisioned: The storage account can't be used yet.", Wait),
        ("Downstream said (code: OutOfQuota_x, then InsufficientQuota).", Quota),
        (
            "A vault with the same name already exists in deleted state. You need to either recover or purge it.",
            NameHeld,
        ),
        (
            "There is already an endpoint with this name, Endpoint name needs to be unique within a region.",
            NameHeld,
        ),
        (
            "The specified endpoint name 'x' is not available. Endpoint names must be unique within the region.",
            NameHeld,
        ),
    ];
    for (message, class) in rows {
        for code in ["BadRequest", "Request_BadRequest", "Conflict"] {
            let plain = json!({"error": {"code": code, "message": message}});
            let inner = json!({"error": {"code": code, "message": "See the details.", "details": [{"code": "Inner", "message": message}]}});
            let as_text = json!({"error": {"code": code, "message": plain.to_string()}});
            for body in [plain.clone(), inner, as_text] {
                let failure = failure::classify(&reply(400, body.clone()));
                assert_eq!(failure.cause.class, class, "{body}");
                assert_eq!(failure.cause.message, message, "{body}");
            }
        }
    }
}

/// The same error, `OutOfQuota` with the message "no cores", is found in every form in which services send errors.
#[test]
fn errors_are_found_in_every_shape() {
    let inner = json!({"code": "OutOfQuota", "message": "no cores"});
    let text = json!({"error": inner}).to_string();
    let shapes = [
        ("plain", json!({"error": inner})),
        ("without an envelope", inner.clone()),
        ("with capitals", json!({"Error": {"Code": "OutOfQuota", "Message": "no cores"}})),
        (
            "with capitals, without an envelope",
            json!({"Code": "OutOfQuota", "Message": "no cores", "Target": null}),
        ),
        (
            "a code that is null next to its capitalized form",
            json!({"error": {"code": null, "Code": "OutOfQuota", "message": null, "Message": "no cores"}}),
        ),
        (
            "in details",
            json!({"error": {"code": "DeploymentFailed", "message": "At least one failed.", "details": [inner]}}),
        ),
        (
            "in details of details",
            json!({"error": {"code": "DeploymentFailed", "message": "", "details": [{"code": "Conflict", "message": "", "details": [inner]}]}}),
        ),
        (
            "in capital details",
            json!({"Code": "BadRequest", "Message": "x", "Details": [{"Message": "y"}, {"Code": "OutOfQuota", "Message": "no cores"}]}),
        ),
        (
            "under unknown inner ones",
            json!({"error": {"code": "OutOfQuota", "message": "no cores", "details": [{"code": "Unheard", "message": "of"}]}}),
        ),
        ("in an inner error", json!({"error": {"code": "BadRequest", "message": "x", "innererror": inner}})),
        (
            "in a camel-case inner error",
            json!({"error": {"code": "BadRequest", "message": "x", "innerError": inner}}),
        ),
        ("as text in a message", json!({"error": {"code": "BadRequest", "message": text}})),
        (
            "a known code within a family",
            json!({"error": {"code": "InvalidTemplateDeployment", "message": "x", "details": [inner]}}),
        ),
    ];
    for (name, body) in shapes {
        let cause = failure::classify(&reply(400, body)).cause;
        let found = (cause.class, cause.code.as_str(), cause.message.as_str());
        assert_eq!(found, (Quota, "OutOfQuota", "no cores"), "{name}");
    }
}

/// An answer without an error in its body is classified by its status, and never causes a panic.
#[test]
fn bodies_without_an_error_are_judged_by_the_status() {
    let bodies = [
        Value::Null,
        json!("<html>busy</html>"),
        json!([]),
        json!({}),
        json!({"error": null}),
        json!({"error": "busy"}),
        json!({"error": {"code": null, "message": null, "details": null}}),
        json!({"error": {"code": 503, "message": ["x"], "details": {"code": "OutOfQuota"}}}),
        json!({"error": {"code": "", "message": ""}}),
        json!({"error": {"code": "Unheard"}}),
    ];
    for body in bodies {
        for (status, class) in [
            (429, Throttled),
            (503, Transient),
            (403, Unknown),
            (409, Wait),
            (400, Unknown),
            (405, Permanent),
        ] {
            assert_eq!(failure::classify(&reply(status, body.clone())).cause.class, class, "{status} {body}");
        }
    }
}

/// A message that stands for replication lag at first, and for a missing permission once the wait budget is used up.
#[test]
fn a_denial_about_the_backing_application_is_lag_first_and_a_denial_in_the_end() {
    let message = "When using this permission, the backing application of the service principal being created must in the local tenant";
    let body = json!({"error": {"code": "Authorization_RequestDenied", "message": message}});
    let failure = failure::classify(&reply(403, body));
    assert_eq!(
        (failure.cause.class, failure.last_class(), failure.unlisted),
        (ReplicationLag, Denied, false)
    );
    let plain = coded(403, "Authorization_RequestDenied");
    assert_eq!((plain.cause.class, plain.last_class()), (Denied, Denied));
}

/// Codes that the table does not contain are marked as unlisted; empty codes and codes that only wrap others are not.
#[test]
fn unknown_codes_are_marked() {
    let odd = coded(400, "OddCode");
    assert_eq!((odd.last_class(), odd.unlisted), (Permanent, true));
    assert_eq!((coded(403, "OddCode").last_class(), coded(409, "OddCode").unlisted), (Denied, true));
    for (status, code) in
        [(400, "BadRequest"), (400, ""), (503, "OddCode"), (429, "OddCode"), (404, "ResourceNotFound")]
    {
        assert!(!coded(status, code).unlisted, "{status} {code}");
    }
    let hostile = coded(400, &format!("AccountKey=b3BlbiBzZXNhbWU=;{}", "x".repeat(5000)));
    assert!(
        hostile.cause.code.chars().count() <= 120 && !hostile.cause.code.contains("b3Blbi"),
        "{hostile:?}"
    );
}

/// The final states of an operation, and what each of them means.
#[test]
fn unusual_final_states_of_operations_are_understood() {
    let asked = Poll { url: "https://x".into(), style: PollStyle::AsyncOperation, limit: None };
    let polled = |body: Value| operation::after_poll(&asked, &reply(200, body)).unwrap();
    for state in ["Failed", "Canceled", "cancelled", "TimedOut", "Aborted", "Rejected"] {
        let operation::Progress::Ended(failure) = polled(json!({"status": state})) else { panic!("{state}") };
        assert_eq!((failure.cause.class, failure.cause.code.as_str()), (Unknown, state), "{state}");
    }
    let conflict = json!({"status": "Failed", "error": {"code": "ConflictError", "message": "m"}});
    let operation::Progress::Ended(failure) = polled(conflict) else { panic!() };
    assert_eq!(failure.cause.class, Wait);
    let odd = json!({"status": "Exploded", "error": {"code": "OddCode", "message": "m"}});
    let operation::Progress::Ended(failure) = polled(odd) else { panic!() };
    assert_eq!((failure.cause.class, failure.unlisted), (Unknown, true));
    assert_eq!(polled(json!({"Status": "completed"})), operation::Progress::Done);
    for state in ["Pondering", "Accepted", "InProgress"] {
        assert!(matches!(
            polled(json!({"status": state, "error": null})),
            operation::Progress::Running { .. }
        ));
    }
}

/// An operation was accepted and then failed for a missing permission: the identity is the tenant's, and its role
/// assignment is new.
#[test]
fn a_missing_permission_within_an_operation_is_replication_lag() {
    let asked = Poll { url: "https://x".into(), style: PollStyle::AsyncOperation, limit: None };
    let ended = |code: &str| {
        let body = json!({"status": "Failed", "error": {"code": code, "message": "m"}});
        match operation::after_poll(&asked, &reply(200, body)) {
            Ok(operation::Progress::Ended(failure)) => failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ended("AuthorizationFailed").cause.class, ReplicationLag);
    assert_eq!(ended("LinkedAuthorizationFailed").cause.class, ReplicationLag);
    assert_eq!(ended("RequestDisallowedByPolicy").cause.class, Permanent);
    assert_eq!(ended("OutOfQuota").cause.class, Quota);
    let raw = ended("OutOfQuota").raw.unwrap();
    assert_eq!((raw.status, raw.azure_request_id.as_deref()), (200, Some("r-1")));
    assert!(raw.body.contains("\"status\":\"Failed\""), "{raw:?}");
}

#[test]
fn the_stored_answer_is_short_and_has_no_secrets() {
    let secret = "Zm9vYmFyYmF6cXV4MTIzNA";
    let message = format!("The key is AccountKey={secret}; {}", "🚀".repeat(5000));
    let body =
        json!({"error": {"code": "Odd", "message": message, "primaryKey": secret}, "more": "x".repeat(5000)});
    let failure = failure::classify(&reply(418, body));
    let raw = failure.raw.unwrap();
    assert_eq!((raw.status, raw.azure_request_id.as_deref()), (418, Some("r-1")));
    assert_eq!((raw.body.chars().count(), failure.cause.message.chars().count()), (2000, 600));
    assert!(
        raw.body.starts_with("{\"error\":{\"code\":\"Odd\",\"message\":\"The key is AccountKey=[redacted];")
    );
    assert!(failure.cause.message.starts_with("The key is AccountKey=[redacted];"));
    assert!(!raw.body.contains(secret) && !failure.cause.message.contains(secret));
    let silent = failure::classify(&reply(502, Value::Null)).raw.unwrap();
    assert_eq!((silent.status, silent.body.as_str()), (502, ""));
    for ours in [Failure::ambiguous("x"), Failure::not_sent("x"), Failure::nonsense("x")] {
        assert_eq!(ours.raw, None, "nobody answered");
    }
}
