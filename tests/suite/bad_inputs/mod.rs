//! Bad inputs 1 to 132: how each one is answered, and that it changes nothing.
//!
//! The numbers group the inputs: 1-40 message bodies, 41-80 ids and names, 81-108 blueprint files, 109-120 HTTP calls,
//! 121-127 a webhook, 128-130 settings, 131-132 Azure's answers. The tables are the documentation; the snapshots beside
//! them show the answers as text. `coverage` lists the test of each number.

#![expect(clippy::needless_pass_by_value, reason = "helpers take `json!` as it is written")]

pub(crate) mod case;
pub(crate) mod harness;

mod blueprints;
mod calls;
mod coverage;
mod events;
mod messages;
mod names;
mod pairs;
mod replies;
mod settings;

use std::fmt::Write as _;

use tenantry::intake::{IntakeDecision, RequestAnswer};

use crate::steps::kinds;
use case::{Case, Expected};
use harness::{Harness, LIVE};

/// The answer to a case, which is the same by message and by HTTP, and the HTTP status.
struct Seen {
    answer: RequestAnswer,
    http: u16,
}

#[tokio::test]
async fn every_bad_message_gets_its_decision_by_message_and_by_http() {
    let (by_message, by_http) = (Harness::open().await, Harness::open().await);
    for harness in [&by_message, &by_http] {
        harness.sign_up(LIVE).await;
    }
    let mut listed = String::new();
    let cases: Vec<Case> = messages::table().into_iter().chain(names::table()).collect();
    for case in &cases {
        let context = format!("{} {}", case.number, case.name);
        let answer = message(&by_message, case, &context).await;
        let (http, again) = call(&by_http, case, &context).await;
        assert_eq!(
            (answer.decision, &answer.code, &answer.faults, &answer.tenant_id),
            (again.decision, &again.code, &again.faults, &again.tenant_id),
            "{context}: message and HTTP disagree"
        );
        record_case(case, &Seen { answer, http }, &mut listed);
    }
    let numbers: std::collections::BTreeSet<u32> = cases.iter().map(|case| case.number).collect();
    let missing: Vec<u32> =
        (1..=80).filter(|n| !numbers.contains(n) && !pairs::NUMBERS.contains(n)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("decisions", listed);
    });
}

/// Sends a case twice as a queue message through the handler, and returns the recorded answer.
async fn message(harness: &Harness, case: &Case, context: &str) -> RequestAnswer {
    let before = harness.census().await;
    for _ in 0..2 {
        harness.deliver(&case.body, &serde_json::json!({})).await;
    }
    let answer =
        harness.answer_to(&case.body).await.unwrap_or_else(|| panic!("{context}: no answer is on record"));
    harness.judge(case, &answer, &before, context).await;
    answer
}

/// Sends a case twice to the HTTP function, and returns the first status and answer.
async fn call(harness: &Harness, case: &Case, context: &str) -> (u16, RequestAnswer) {
    let before = harness.census().await;
    let (status, body) = harness.submit(&case.body).await;
    let (again, repeat) = harness.submit(&case.body).await;
    let answer: RequestAnswer = serde_json::from_value(body).unwrap();
    let repeat: RequestAnswer = serde_json::from_value(repeat).unwrap();
    assert!(repeat.replayed && !answer.replayed, "{context}: {repeat:?}");
    assert_eq!(again, if status == 202 { 200 } else { status }, "{context}");
    let first = RequestAnswer { replayed: true, status: repeat.status, ..answer.clone() };
    assert_eq!(repeat, first, "{context}: a repeat is answered otherwise");
    match case.expected {
        Expected::Refused { .. } => assert!((400..500).contains(&status), "{context}: {status}"),
        Expected::Taken { .. } => assert_eq!(status, 202, "{context}"),
    }
    harness.judge(case, &answer, &before, context).await;
    (status, answer)
}

fn record_case(case: &Case, seen: &Seen, listed: &mut String) {
    let Case { number, name, expected, .. } = case;
    let Seen { answer, http } = seen;
    match (expected, answer.decision) {
        (Expected::Taken { why }, IntakeDecision::Accepted) => {
            let _ = writeln!(listed, "{number:>3}  {name:<52} {http}  taken: {why}");
        }
        _ => {
            let _ = writeln!(
                listed,
                "{number:>3}  {name:<52} {http}  {}",
                answer.code.as_deref().unwrap_or_default()
            );
            // If there are very many faults, the last one says how many more there are.
            let shown = if answer.faults.len() > 4 {
                &answer.faults[answer.faults.len() - 2..]
            } else {
                &answer.faults[..]
            };
            for fault in shown {
                let _ = writeln!(
                    listed,
                    "{:60}{} {}",
                    "",
                    if fault.pointer.is_empty() { "." } else { &fault.pointer },
                    fault.message
                );
            }
        }
    }
}
