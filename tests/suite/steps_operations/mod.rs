//! Long-running operations, from the answer that starts one to the read that shows the result. The reconciler runs
//! each of Azure's long-running operations in each form of answer, against scripted answers.
//!
//! The operations and their statuses are those of Microsoft's API descriptions (`x-ms-long-running-operation`). The
//! descriptions also have a `final-state-via` (original-uri, location, azure-async-operation, default), which makes
//! no difference here: the resource is read afterwards in any case.

mod lag;
mod script;

use Method::{Delete, Patch, Post, Put};
use serde_json::{Value, json};
use tenantry_core::steps::{Method, Reply};

use crate::engine::plans;

use crate::testkit::injector::Fault;
use script::{Script, answer, played, played_with, resource};

/// Operation, method, and the statuses that may start the operation. Every operation but a delete is run as a write,
/// because the meaning of an answer does not depend on the method.
const OPERATIONS: [(&str, Method, &[u16]); 36] = [
    ("OnlineEndpoints_CreateOrUpdate, via original-uri", Put, &[200, 201]),
    ("OnlineDeployments_CreateOrUpdate, via original-uri", Put, &[200, 201]),
    ("ServerlessEndpoints_CreateOrUpdate, via original-uri", Put, &[200, 201]),
    ("OnlineEndpoints_Delete, via location", Delete, &[200, 202, 204]),
    ("OnlineDeployments_Delete, via location", Delete, &[200, 202, 204]),
    ("OnlineEndpoints_RegenerateKeys, via location", Post, &[200, 202]),
    ("Workspaces_CreateOrUpdate, default", Put, &[200, 202]),
    ("Workspaces_Delete, via location", Delete, &[200, 202, 204]),
    ("OnlineEndpoints_Update, default", Patch, &[200, 202]),
    ("OnlineDeployments_Update, default", Patch, &[200, 202]),
    ("ManagedNetworkProvisions_ProvisionManagedNetwork, via location", Post, &[200, 202]),
    ("PrivateEndpoints_CreateOrUpdate, via azure-async-operation", Put, &[200, 201]),
    ("PrivateDnsZoneGroups_CreateOrUpdate, via azure-async-operation", Put, &[200, 201]),
    ("Subnets_CreateOrUpdate, via azure-async-operation", Put, &[200, 201]),
    ("VirtualNetworks_CreateOrUpdate, via azure-async-operation", Put, &[200, 201]),
    ("PrivateEndpoints_Delete, via location", Delete, &[200, 202, 204]),
    ("PrivateDnsZoneGroups_Delete, via location", Delete, &[200, 202, 204]),
    ("Subnets_Delete, via location", Delete, &[200, 202, 204]),
    ("VirtualNetworks_Delete, via location", Delete, &[200, 202, 204]),
    ("PrivateZones_CreateOrUpdate, default", Put, &[200, 201, 202]),
    ("VirtualNetworkLinks_CreateOrUpdate, default", Put, &[200, 201, 202]),
    ("ResourceGroups_Delete, default", Delete, &[200, 202]),
    ("StorageAccounts_Create, default", Put, &[200, 202]),
    ("Vaults_CreateOrUpdate, default", Put, &[200, 201]),
    ("Vaults_PurgeDeleted", Post, &[200, 202]),
    ("Accounts_Create (Cognitive Services), default", Put, &[200, 201, 202]),
    ("Accounts_Delete (Cognitive Services)", Delete, &[200, 202, 204]),
    ("DeletedAccounts_Purge (Cognitive Services)", Delete, &[200, 202, 204]),
    ("Deployments_CreateOrUpdate (Cognitive Services), via azure-async-operation", Put, &[200, 201]),
    ("Deployments_Delete (Cognitive Services)", Delete, &[200, 202, 204]),
    ("Topics_CreateOrUpdate, default", Put, &[201]),
    // Not declared as long-running; every answer is final.
    ("RoleAssignments_Create", Put, &[200, 201]),
    ("ResourceGroups_CreateOrUpdate", Put, &[200, 201]),
    ("UserAssignedIdentities_CreateOrUpdate", Put, &[200, 201]),
    ("FederatedIdentityCredentials_CreateOrUpdate", Put, &[200, 201]),
    ("UserAssignedIdentities_Delete", Delete, &[200, 204]),
];

type Header = (&'static str, &'static str);

const ASYNC: Header = ("azure-asyncoperation", "https://management.azure.com/async");
const LOCATION: Header = ("location", "https://management.azure.com/location");

/// The forms of an answer that starts an operation: its headers, and the URL to poll, if there is one.
fn forms(status: u16) -> Vec<(Vec<Header>, Option<&'static str>)> {
    let mut forms = vec![(vec![], None)];
    if status != 204 {
        forms.push((vec![ASYNC], Some(ASYNC.1)));
        forms.push((vec![ASYNC, LOCATION], Some(ASYNC.1)));
    }
    match status {
        202 => forms.push((vec![LOCATION], Some(LOCATION.1))),
        // With these statuses, `location` is the URL of the resource, which does not show progress.
        200 | 201 => forms.push((vec![LOCATION], None)),
        _ => {}
    }
    forms
}

/// The answers of a poll URL while the operation runs, and when it has ended.
fn running_and_over(url: &str, method: Method) -> Vec<Reply> {
    if url == LOCATION.1 {
        return vec![
            answer(202, &[], Value::Null),
            answer(if method == Delete { 204 } else { 200 }, &[], Value::Null),
        ];
    }
    ["InProgress", "Pondering", "Succeeded"].map(|status| answer(200, &[], json!({"status": status}))).into()
}

/// Each operation in each form is sent once, polled at the given URL, and read at the end.
#[tokio::test]
async fn every_operation_completes_in_every_form_of_answer() {
    let mut count = 0;
    for (name, method, statuses) in OPERATIONS {
        for (status, (headers, asked)) in
            statuses.iter().flat_map(|status| forms(*status).into_iter().map(move |form| (*status, form)))
        {
            let case = format!("{name}: {status} with {headers:?}");
            let removes = method == Delete;
            let working = if removes { "Deleting" } else { "Creating" };
            // Without a poll URL, the resource itself shows the progress, unless the answer is already final.
            let is_read = asked.is_none() && (status == 202 || (status == 201 && !removes));
            let body = match (removes, is_read || asked.is_some()) {
                (true, _) => Value::Null,
                (false, true) => resource(working),
                (false, false) => resource("Succeeded"),
            };
            let (before, after) = match removes {
                true => (answer(200, &[], resource("Succeeded")), answer(404, &[], Value::Null)),
                false => (answer(404, &[], Value::Null), answer(200, &[], resource("Succeeded"))),
            };
            let mut reads = vec![before];
            reads.extend(is_read.then(|| answer(200, &[], resource(working))));
            reads.push(after);
            let polls = asked.map_or(Vec::new(), |url| running_and_over(url, method));
            let questions = polls.len();
            let played =
                played(removes, Script { start: answer(status, &headers, body), polls, reads }).await;
            assert!(played.done(), "{case}: {played}");
            assert_eq!(played.count("PUT") + played.count("DELETE"), 1, "{case}: {played}");
            assert_eq!(played.asked(), vec![asked.unwrap_or_default(); questions], "{case}: {played}");
            let shown = !removes && asked.is_none() && !is_read;
            let last = if shown { "PUT resource" } else { "GET resource" };
            assert!(played.last().starts_with(last), "{case}: {played}");
            count += 1;
        }
    }
    assert_eq!(count, 303, "forms of operations");
}

/// A special case: its name, the answer that starts the operation, the answers to polls, and the answers to reads.
type Row = (&'static str, Reply, Vec<Reply>, Vec<Reply>);

fn absent() -> Reply {
    answer(404, &[], Value::Null)
}

fn shown(state: &str) -> Reply {
    answer(200, &[], resource(state))
}

fn status(status: &str) -> Reply {
    answer(200, &[], json!({"status": status}))
}

fn refusal(status: u16) -> Reply {
    answer(status, &[], json!({"error": {"code": "Odd", "message": "m"}}))
}

fn started(more: &[Header]) -> Reply {
    answer(201, &[&[ASYNC], more].concat(), resource("Creating"))
}

fn ways_to_ask() -> Vec<Row> {
    let by_location = |polls: Vec<Reply>, url: &'static str| {
        (answer(202, &[("location", url)], Value::Null), polls, vec![absent(), shown("Succeeded")])
    };
    let long: &'static str = format!("https://management.azure.com/{}", "x".repeat(4096 - 29)).leak();
    let (done, running) = (answer(200, &[], Value::Null), answer(202, &[], Value::Null));
    let next = answer(202, &[("location", "https://management.azure.com/next")], Value::Null);
    let slowly = answer(200, &[("retry-after", "70")], json!({"status": "InProgress"}));
    let seen = || vec![absent(), shown("Succeeded")];
    let (whole, polls, reads) = by_location(vec![running, done.clone()], long);
    let (moving, to_next, there) = by_location(vec![next, done], LOCATION.1);
    vec![
        (
            "Retry-After is honoured, and missing later",
            started(&[("retry-after", "40")]),
            vec![slowly, status("Running"), status("Succeeded")],
            seen(),
        ),
        (
            "both headers: Azure-AsyncOperation is polled, Location never",
            answer(202, &[LOCATION, ASYNC], Value::Null),
            vec![status("InProgress"), status("Succeeded")],
            seen(),
        ),
        (
            "an unknown state means running",
            started(&[]),
            vec![status("AwaitingTheMoon"), status(""), status("SUCCEEDED")],
            seen(),
        ),
        ("a URL of 4 KB is stored and polled in full", whole, polls, reads),
        ("Location changes", moving, to_next, there),
        (
            "done, but the read lags: final-state-via original-uri ends with the resource",
            started(&[]),
            vec![status("Succeeded")],
            vec![absent(), absent(), shown("Succeeded")],
        ),
    ]
}

fn bad_ends() -> Vec<Row> {
    let failed =
        |code: &str| answer(200, &[], json!({"status": "Failed", "error": {"code": code, "message": "m"}}));
    let refused = answer(400, &[], json!({"error": {"code": "BadArgument", "message": "m"}}));
    let hour = [("x-ms-async-operation-timeout", "PT1H"), ("retry-after", "1200")];
    let slowly = answer(200, &[("retry-after", "1200")], json!({"status": "InProgress"}));
    let nothing = || vec![absent()];
    vec![
        ("Failed with an error that needs a person", started(&[]), vec![failed("OutOfQuota")], nothing()),
        (
            "Failed with a temporary error: read, and sent again",
            started(&[]),
            vec![failed("InternalServerError"), status("Succeeded")],
            vec![absent(), absent(), shown("Succeeded")],
        ),
        ("Failed without an error", started(&[]), vec![status("Failed"); 5], nothing()),
        ("Canceled with an error", started(&[]), vec![canceled(); 5], nothing()),
        ("Canceled without an error", started(&[]), vec![status("Canceled"); 5], nothing()),
        ("Location answers with a refusal", answer(202, &[LOCATION], Value::Null), vec![refused], nothing()),
        ("longer than the service's own limit of an hour", started(&hour), vec![slowly; 9], nothing()),
    ]
}

fn canceled() -> Reply {
    answer(200, &[], json!({"status": "Canceled", "error": {"code": "Stopped", "message": "by an operator"}}))
}

fn questions_without_an_answer() -> Vec<Row> {
    vec![
        (
            "the URL is unknown (404) while the operation runs: the resource shows the result",
            started(&[]),
            vec![refusal(404)],
            vec![absent(), shown("Creating"), shown("Creating"), shown("Succeeded")],
        ),
        (
            "the URL has expired (410)",
            answer(202, &[LOCATION], Value::Null),
            vec![refusal(410)],
            vec![absent(), shown("Succeeded")],
        ),
        (
            "polls that are not answered are repeated",
            started(&[]),
            vec![
                refusal(503),
                answer(429, &[("retry-after", "9")], Value::Null),
                status("InProgress"),
                status("Succeeded"),
            ],
            vec![absent(), shown("Succeeded")],
        ),
        (
            "polls that are never answered: the resource shows the result",
            started(&[]),
            vec![refusal(403); 9],
            vec![absent(), shown("Creating"), shown("Succeeded")],
        ),
    ]
}

#[tokio::test]
async fn special_cases_of_operations() {
    let mut text = String::new();
    let rows = ways_to_ask().into_iter().chain(bad_ends()).chain(questions_without_an_answer());
    for (name, start, polls, reads) in rows {
        let played = played(false, Script { start, polls, reads }).await;
        text += &format!("{name}\n{played}\n");
    }
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("particular", text);
    });
}

/// A worker crashes after it has saved the poll URL: the next worker polls it and does not send the write again.
#[tokio::test]
async fn a_saved_url_is_polled_by_the_next_worker() {
    let script = || Script {
        start: answer(201, &[ASYNC], resource("Creating")),
        polls: ["InProgress", "Succeeded"].map(|status| answer(200, &[], json!({"status": status}))).into(),
        reads: vec![answer(404, &[], Value::Null), answer(200, &[], resource("Succeeded"))],
    };
    // The first save contains the intent, the second one the poll URL.
    let played = played_with(Fault::DeathAfterSave, 2, false, script()).await;
    assert!(played.done(), "{played}");
    assert_eq!(played.asked(), [ASYNC.1; 2], "{played}");
    assert_eq!((played.count("PUT"), played.count("GET resource")), (1, 2), "{played}");
}

/// A worker crashes before it has saved the poll URL: the resource itself shows the progress.
#[tokio::test]
async fn without_a_saved_url_the_resource_shows_the_operations_progress() {
    let creating = answer(200, &[], resource("Creating"));
    let there = answer(200, &[], resource("Succeeded"));
    for fault in [Fault::DeathAfterChange, Fault::AnswerLost] {
        let script = Script {
            start: answer(201, &[ASYNC], resource("Creating")),
            polls: Vec::new(),
            reads: vec![answer(404, &[], Value::Null), creating.clone(), creating.clone(), there.clone()],
        };
        let played = played_with(fault, 1, false, script).await;
        assert!(played.done(), "{fault:?}: {played}");
        assert_eq!(played.asked(), [] as [&str; 0], "{fault:?}: {played}");
        assert_eq!((played.count("PUT"), played.count("GET resource")), (1, 4), "{fault:?}: {played}");
    }
}
