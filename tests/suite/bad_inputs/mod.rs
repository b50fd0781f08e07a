//! Bad inputs, by number: what each one is, what it is answered, and that nothing comes of it.
//!
//! The numbers are those of the threat model's list: 1-40 message bodies, 41-80 ids and names, 81-108 blueprint files,
//! 109-120 HTTP calls, 121-127 a webhook, 128-130 settings, 131-132 Azure's answers. The tables are the documentation;
//! the snapshots beside them show the answers in words. `coverage` says where each number is tried.

#![expect(clippy::needless_pass_by_value, reason = "helpers take `json!` as it is written")]

pub(crate) mod case;
pub(crate) mod stage;

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
use stage::{LIVE, Stage};

/// What a case was answered, on both ways in.
struct Seen {
    answer: RequestAnswer,
    http: u16,
}

#[tokio::test]
async fn every_bad_message_gets_its_verdict_on_both_ways_in() {
    let (by_message, by_http) = (Stage::open().await, Stage::open().await);
    for stage in [&by_message, &by_http] {
        stage.sign_up(LIVE).await;
    }
    let mut told = String::new();
    let cases: Vec<Case> = messages::table().into_iter().chain(names::table()).collect();
    for case in &cases {
        let place = format!("{} {}", case.number, case.name);
        let answer = message(&by_message, case, &place).await;
        let (http, again) = call(&by_http, case, &place).await;
        assert_eq!(
            (answer.verdict, &answer.code, &answer.faults, &answer.tenant_id),
            (again.verdict, &again.code, &again.faults, &again.tenant_id),
            "{place}: the two ways in disagree"
        );
        tell(case, &Seen { answer, http }, &mut told);
    }
    let numbers: std::collections::BTreeSet<u32> = cases.iter().map(|case| case.number).collect();
    let missing: Vec<u32> =
        (1..=80).filter(|n| !numbers.contains(n) && !pairs::NUMBERS.contains(n)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("verdicts", told);
    });
}

/// As a queue message through the handler, twice.
async fn message(stage: &Stage, case: &Case, place: &str) -> RequestAnswer {
    let before = stage.census().await;
    for _ in 0..2 {
        stage.deliver(&case.body, &serde_json::json!({})).await;
    }
    let answer =
        stage.answer_to(&case.body).await.unwrap_or_else(|| panic!("{place}: no answer is on record"));
    stage.judge(case, &answer, &before, place).await;
    answer
}

/// As a call of the HTTP function, twice.
async fn call(stage: &Stage, case: &Case, place: &str) -> (u16, RequestAnswer) {
    let before = stage.census().await;
    let (status, body) = stage.submit(&case.body).await;
    let (again, repeat) = stage.submit(&case.body).await;
    let answer: RequestAnswer = serde_json::from_value(body).unwrap();
    let repeat: RequestAnswer = serde_json::from_value(repeat).unwrap();
    assert!(repeat.replayed && !answer.replayed, "{place}: {repeat:?}");
    assert_eq!(again, if status == 202 { 200 } else { status }, "{place}");
    let first = RequestAnswer { replayed: true, status: repeat.status, ..answer.clone() };
    assert_eq!(repeat, first, "{place}: a repeat is answered otherwise");
    match case.expected {
        Expected::Refused { .. } => assert!((400..500).contains(&status), "{place}: {status}"),
        Expected::Taken { .. } => assert_eq!(status, 202, "{place}"),
    }
    stage.judge(case, &answer, &before, place).await;
    (status, answer)
}

fn tell(case: &Case, seen: &Seen, told: &mut String) {
    let Case { number, name, expected, .. } = case;
    let Seen { answer, http } = seen;
    match (expected, answer.verdict) {
        (Expected::Taken { why }, IntakeDecision::Accepted) => {
            let _ = writeln!(told, "{number:>3}  {name:<52} {http}  taken: {why}");
        }
        _ => {
            let _ = writeln!(
                told,
                "{number:>3}  {name:<52} {http}  {}",
                answer.code.as_deref().unwrap_or_default()
            );
            // The last of very many says how many more there are.
            let shown = if answer.faults.len() > 4 {
                &answer.faults[answer.faults.len() - 2..]
            } else {
                &answer.faults[..]
            };
            for fault in shown {
                let _ = writeln!(
                    told,
                    "{:60}{} {}",
                    "",
                    if fault.pointer.is_empty() { "." } else { &fault.pointer },
                    fault.message
                );
            }
        }
    }
}
