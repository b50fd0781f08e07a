//! Bad inputs 131 and 132, answers of Azure or of an impostor: the comparison that each kind of step derives from them.
//! Answers that the transport refuses (HTML, 10 MB, redirects, foreign hosts) are in `adapters/answers.rs`; false
//! answers during a tenant's lifecycle are in `lies.rs`.

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Kind, Outputs},
    steps::{self, Comparison, DeletionState, Reply, failure, operation},
    tenant::{Poll, PollStyle},
};

use super::kinds::{Example, examples};

fn example(kind: Kind) -> Example {
    let found = examples().into_iter().find(|example| example.planned.kind() == kind);
    found.filter(|example| !example.name.is_empty()).unwrap()
}

fn reply(status: u16, body: Value) -> Reply {
    Reply { status, body, ..Reply::default() }
}

/// The comparison of a read with the desired state, and the deletion state that it shows, as text.
fn judged(kind: Kind, body: &Value) -> (String, String) {
    let example = example(kind);
    let step = example.step().unwrap();
    let deletion = steps::deletion(kind, &step.target(), &example.outputs).unwrap();
    let expected = match step.judge(&reply(200, body.clone())) {
        Ok(Comparison::Matches(_)) => "matches".to_owned(),
        Ok(Comparison::Foreign(owner)) => format!("foreign: {owner}"),
        Ok(other) => format!("{other:?}").to_lowercase(),
        Err(failure) => failure.cause.code,
    };
    let left = match deletion.judge(0, &reply(200, body.clone())) {
        Ok(DeletionState::Present(_)) => "present".to_owned(),
        Ok(other) => format!("{other:?}").to_lowercase(),
        Err(failure) => failure.cause.code,
    };
    (expected, left)
}

fn with(kind: Kind, pointer: &str, value: Value) -> Value {
    let mut seen = example(kind).seen;
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    seen.pointer_mut(parent).unwrap()[name] = value;
    seen
}

/// Number and name of the bad input, kind of step, the answer's body, the expected comparison and the expected deletion
/// state.
type Row = (u32, &'static str, Kind, Value, &'static str, &'static str);

const NONSENSE: &str = "unexpected-answer";

fn rows() -> Vec<Row> {
    shapes().into_iter().chain(identities()).collect()
}

/// Answers of the wrong shape.
fn shapes() -> Vec<Row> {
    let app = Kind::EntraApplication;
    let error = json!({"error": {"code": "InternalServerError", "message": "Something broke."}});
    vec![
        (131, "HTML, which the transport passes on as null", Kind::Arm, Value::Null, NONSENSE, NONSENSE),
        (131, "200 with an error in it", Kind::Arm, error.clone(), NONSENSE, NONSENSE),
        (131, "200 with an error in it, of Graph", app, error, NONSENSE, NONSENSE),
        (131, "another id", Kind::Arm, with(Kind::Arm, "/id", json!("/subscriptions/x")), NONSENSE, NONSENSE),
        (131, "no id", Kind::Arm, with(Kind::Arm, "/id", Value::Null), NONSENSE, NONSENSE),
        (131, "a list that is none", Kind::RoleAssignment, json!({"value": {}}), NONSENSE, NONSENSE),
        (
            131,
            "a list that goes on elsewhere",
            Kind::RoleAssignment,
            json!({"value": [], "nextLink": "https://attacker.example/next"}),
            NONSENSE,
            NONSENSE,
        ),
    ]
}

/// Answers about another object.
fn identities() -> Vec<Row> {
    let (app, principal) = (Kind::EntraApplication, Kind::ServicePrincipal);
    let seen = |kind| example(kind).seen;
    let other_tags = json!(["tenantry-deployment:prod", "tenantry-tenant:fabrikam"]);
    let strangers = "foreign: somebody else: it lacks tenantry's tags";
    vec![
        (
            132,
            "two applications for one name",
            app,
            json!({"value": [seen(app), seen(app)]}),
            NONSENSE,
            NONSENSE,
        ),
        (132, "no appId", app, with(app, "/appId", Value::Null), NONSENSE, "present"),
        (132, "no id", app, with(app, "/id", Value::Null), NONSENSE, NONSENSE),
        (
            132,
            "another name",
            app,
            with(app, "/uniqueName", json!("tenantry-prod-fabrikam-1")),
            NONSENSE,
            NONSENSE,
        ),
        (
            132,
            "another application's principal",
            principal,
            with(principal, "/appId", json!("app-2")),
            NONSENSE,
            NONSENSE,
        ),
        (
            132,
            "another tenant's application",
            app,
            with(app, "/tags", other_tags.clone()),
            strangers,
            "foreign",
        ),
        (
            132,
            "another tenant's principal",
            principal,
            with(principal, "/tags", other_tags),
            strangers,
            "foreign",
        ),
        (
            132,
            "another tenant's resource",
            Kind::Arm,
            with(Kind::Arm, "/tags/tenantry-tenant", json!("fabrikam")),
            "foreign: tenant fabrikam",
            "foreign",
        ),
        (
            132,
            "a credential without an id",
            Kind::FederatedCredential,
            json!({"value": []}),
            NONSENSE,
            NONSENSE,
        ),
    ]
}

#[test]
fn every_bad_answer_has_its_comparison() {
    for (number, name, kind, body, expected, left) in rows() {
        assert_eq!(judged(kind, &body), (expected.to_owned(), left.to_owned()), "{number} {name}: {body}");
    }
}

/// A deleted application that has the desired name, but not this tenant's tags, is not restored.
#[test]
fn a_foreign_deleted_application_is_not_restored() {
    let application = Example { outputs: Outputs::new(), ..example(Kind::EntraApplication) };
    let step = application.step().unwrap();
    let restorable = step.restorable().unwrap();
    let mut theirs = application.seen.clone();
    theirs["uniqueName"] = application.fields()["uniqueName"].clone();
    theirs["tags"] = json!(["tenantry-tenant:fabrikam"]);
    let answer = reply(200, json!({"value": [theirs.clone(), theirs]}));
    assert_eq!(restorable.judge(0, &answer).unwrap(), None);
}

/// A text in an answer may be as long as the answer, 4 MiB; only a short part is kept.
#[test]
fn long_texts_are_cut() {
    let long = "word ".repeat(100_000);
    let body = json!({"error": {"code": long, "message": long, "details": [{"code": long}]}});
    let headers =
        [("x-ms-request-id".to_owned(), long.clone()), ("location".to_owned(), format!("https://x/{long}"))];
    let refused = Reply { status: 400, headers: headers.clone().into(), body };
    for failure in [failure::classify(&refused), failure::ended(&refused, "Failed")] {
        assert!(json!(failure.cause).to_string().len() < 1200, "{:?}", failure.cause);
        assert!(json!(failure.raw).to_string().len() < 5000);
    }
    let (expected, _) = judged(Kind::Arm, &with(Kind::Arm, "/tags/tenantry-tenant", json!(long)));
    assert!(expected.len() < 200, "{expected}");
    let check = Example { outputs: Outputs::new(), ..example(Kind::Check) };
    let step = check.step().unwrap();
    let unexpected = json!({"id": check.fields()["id"], "properties": {"publicNetworkAccess": long}});
    let cause = step.judge(&reply(200, unexpected)).unwrap_err().cause;
    assert!(cause.code == "check-failed" && cause.message.len() < 1000, "{}", cause.message.len());
    // The poll URL is too long to be kept, so there is none, and the resource itself is polled.
    let started = Reply { status: 202, headers: headers.into(), body: Value::Null };
    let operation::Progress::Running { operation, .. } = operation::after_write(&started).unwrap() else {
        panic!("it runs")
    };
    assert_eq!(operation, None);
    let asked = Poll { url: "https://x/1".into(), style: PollStyle::Location, limit: None };
    let moved = operation::after_poll(&asked, &started).unwrap();
    assert_eq!(moved, operation::Progress::Running { operation: None, after: None });
}

/// 1 MiB in which nearly every character begins a secret: reading the rest of the text for each one would take
/// quadratic time.
#[test]
fn redaction_of_a_text_full_of_secrets_ends() {
    for part in [
        "key=",
        "key%3D",
        "sig=[",
        "key=[{",
        "password:'\\",
        "eyJ",
        "aQ~",
        "-----BEGIN PRIVATE KEY-----",
        "://a:b@",
        "{\"a\":",
        "Bearer x",
        "Authorization: ",
        "key=\"\\\"",
        "==",
        "{\"key\":{",
    ] {
        let text = part.repeat((1 << 20) / part.len());
        let failure = failure::classify(&reply(400, json!({"error": {"code": "X", "message": text}})));
        assert!(failure.cause.message.chars().count() <= 600, "{part}");
    }
}
