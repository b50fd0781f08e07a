//! The words of a script.

use super::*;

pub(super) fn acts_in_words(acts: &BTreeMap<StepName, Act>) -> String {
    let mut by_act: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, act) in acts {
        by_act.entry(format!("{act:?}").to_lowercase()).or_default().push(name.as_str());
    }
    by_act.into_iter().map(|(act, names)| format!("{act} {}", names.join(" "))).collect::<Vec<_>>().join(", ")
}

pub(super) fn duration(seconds: &str) -> Duration {
    Duration::from_secs_f64(seconds.trim_end_matches('s').parse().unwrap())
}

pub(super) fn after(words: &[&str]) -> Option<Duration> {
    named(words, "after")
}

/// The duration behind a word.
pub(super) fn named(words: &[&str], name: &str) -> Option<Duration> {
    let at = words.iter().position(|word| *word == name)?;
    Some(duration(words[at + 1]))
}

pub(super) fn verdict(word: &str) -> Comparison {
    match word {
        "absent" => Comparison::Absent,
        "matches" => Comparison::Matches(Outputs::from([("id".to_owned(), json!("1"))])),
        "differs" => Comparison::Differs(vec!["/body/value".into()]),
        "immutable" => Comparison::Immutable(vec!["/location".into()]),
        "settling" => Comparison::Settling,
        "foreign" => Comparison::Foreign("tenant fabrikam".into()),
        "lingering" => Comparison::Lingering("object-1".into()),
        "broken" => Comparison::Broken(Cause::ours(
            FailureClass::Permanent,
            "provisioning-failed",
            "the resource is in state Failed",
        )),
        other => panic!("no verdict {other}"),
    }
}

pub(super) fn trace(word: &str) -> Trace {
    match word {
        "nothing" => Trace::Nothing,
        "present" => Trace::Present(Outputs::new()),
        "lingering" => Trace::Lingering(Outputs::new()),
        "settling" => Trace::Settling,
        "retained" => Trace::Retained("2027-01-01T00:00:00Z".parse().ok()),
        "foreign" => Trace::Foreign,
        other => panic!("no trace {other}"),
    }
}
