//! Parses the arguments of script commands, and prints acts.

use super::*;

pub(super) fn acts_text(acts: &BTreeMap<StepName, Act>) -> String {
    let mut by_act: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, act) in acts {
        by_act.entry(format!("{act:?}").to_lowercase()).or_default().push(name.as_str());
    }
    by_act.into_iter().map(|(act, names)| format!("{act} {}", names.join(" "))).collect::<Vec<_>>().join(", ")
}

pub(super) fn duration(seconds: &str) -> Duration {
    Duration::from_secs_f64(seconds.trim_end_matches('s').parse().unwrap())
}

pub(super) fn after(tokens: &[&str]) -> Option<Duration> {
    named(tokens, "after")
}

/// The duration that follows a name.
pub(super) fn named(tokens: &[&str], name: &str) -> Option<Duration> {
    let at = tokens.iter().position(|token| *token == name)?;
    Some(duration(tokens[at + 1]))
}

pub(super) fn comparison(text: &str) -> Comparison {
    match text {
        "absent" => Comparison::Absent,
        "matches" => Comparison::Matches(Outputs::from([("id".to_owned(), json!("1"))])),
        "drifted" => Comparison::Drifted(vec!["/body/value".into()]),
        "immutable" => {
            Comparison::Immutable { fixed: vec!["/location".into()], differences: vec!["/location".into()] }
        }
        "in-progress" => Comparison::InProgress,
        "foreign" => Comparison::Foreign("tenant fabrikam".into()),
        "soft-deleted" => Comparison::SoftDeleted("object-1".into()),
        "failed" => Comparison::Failed(Cause::ours(
            FailureClass::Permanent,
            "provisioning-failed",
            "the resource is in state Failed",
        )),
        other => panic!("no comparison {other}"),
    }
}

pub(super) fn deletion_state(text: &str) -> DeletionState {
    match text {
        "nothing" => DeletionState::Nothing,
        "present" => DeletionState::Present(Outputs::new()),
        "soft-deleted" => DeletionState::SoftDeleted(Outputs::new()),
        "in-progress" => DeletionState::InProgress,
        "retained" => DeletionState::Retained("2027-01-01T00:00:00Z".parse().ok()),
        "foreign" => DeletionState::Foreign,
        other => panic!("no deletion state {other}"),
    }
}
