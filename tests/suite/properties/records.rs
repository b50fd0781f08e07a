//! The record of a step in documents: a record that is read is written again byte by byte.

use proptest::prelude::*;
use tenantry_core::tenant::StepRecord;

use crate::testkit::same_cases;

/// Every state of a step in its stored form.
const STATES: [&str; 9] = [
    r#"{"is":"waiting"}"#,
    r#"{"is":"writing"}"#,
    r#"{"is":"in-progress","operation":{"url":"https://poll","style":"location"},"checkAt":"2026-11-22T17:20:05Z"}"#,
    r#"{"is":"in-progress","operation":{"url":"https://poll","style":"async-operation","limit":"PT7S"},"checkAt":"2026-11-22T17:20:05Z"}"#,
    r#"{"is":"in-progress","checkAt":"2026-11-22T17:20:05Z"}"#,
    r#"{"is":"backoff","until":"2026-11-22T17:20:07Z","cause":{"code":"Busy","class":"wait","message":"later"}}"#,
    r#"{"is":"ready"}"#,
    r#"{"is":"blocked","cause":{"code":"OutOfQuota","class":"quota","message":"no room"}}"#,
    r#"{"is":"deleted"}"#,
];

/// The reasons for which an object may be deleted, in their stored form.
const GROUNDS: [&str; 4] = [
    r#"{"is":"tenant-goes"}"#,
    r#"{"is":"left-plan"}"#,
    r#"{"is":"never-ready"}"#,
    r#"{"is":"consent","requestId":"r-1","at":"2026-11-22T17:20:01Z"}"#,
];

/// A stored record with a random state, numbers and optional members. Only a step marked for deletion has a reason
/// for its deletion and a carrier.
fn stored() -> impl Strategy<Value = String> {
    let numbers = prop::array::uniform5(prop_oneof![Just(0), 1..9_u32, Just(u32::MAX)]);
    (0..STATES.len(), 0..GROUNDS.len(), any::<[bool; 12]>(), numbers).prop_map(
        |(state, ground, has, numbers)| {
            let [generation, attempts, recreated, failures, unknown] = numbers;
            let member =
                |is_there: bool, name: &str, value: &str| is_there.then(|| format!(r#""{name}":{value}"#));
            let number = |is_kept: bool, name: &str, number: u32| {
                member(is_kept || number != 0, name, &number.to_string())
            };
            let [
                needs,
                target,
                outputs,
                deleting,
                grounded,
                in_use,
                consent,
                left,
                wrote,
                written,
                found,
                rest,
            ] = has;
            let members = [
                member(true, "state", STATES[state]),
                member(true, "kind", r#""arm""#),
                member(needs, "needs", r#"["group","store"]"#),
                member(target, "target", r#"{"id":"/a"}"#),
                member(outputs, "outputs", r#"{"id":"1","url":null}"#),
                member(true, "digest", r#""sha256:1""#),
                member(deleting, "deleting", "true"),
                member(deleting && grounded, "ground", GROUNDS[ground]),
                member(in_use, "inUse", "true"),
                member(consent, "consent", r#"{"requestId":"r-2","at":"2026-11-22T17:20:01Z"}"#),
                member(deleting && left, "leftTo", r#""endpoint""#),
                number(true, "generation", generation),
                member(wrote, "wroteAt", r#""2026-11-22T17:20:02Z""#),
                number(true, "attempts", attempts),
                member(written, "written", "true"),
                member(found, "found", r#"["absent","/a/b"]"#),
                number(false, "recreated", recreated),
                number(true, "failures", failures),
                number(false, "unknown", unknown),
                member(rest, "notBefore", r#""2026-11-22T17:20:03Z""#),
                member(true, "since", r#""2026-11-22T17:20:01Z""#),
                member(rest, "tried", r#"{"spent":"PT3S","at":"2026-11-22T17:20:04Z"}"#),
            ];
            format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","))
        },
    )
}

proptest! {
    #![proptest_config(same_cases(2000))]

    #[test]
    fn reading_and_writing_a_stored_record_is_the_identity(stored in stored()) {
        let record: StepRecord = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(serde_json::to_string(&record).unwrap(), stored);
    }
}
