//! Each kind of step: the requests that it makes, and how it compares answers. The snapshots contain the tables.

mod answers;
pub(crate) mod kinds;

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Desired, Kind, Outputs},
    steps::{self, Comparison, DeletionState, Failure, Reply, Request, operation},
    tenant::{Poll, PollStyle},
};

use answers::{Row, answers};
use kinds::{Example, examples};

macro_rules! shows {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        })
    };
}

mod progress;

fn request_text(request: &Request) -> String {
    let mut text = format!("{:?} {} {}", request.api, request.method, request.path);
    for (name, value) in &request.headers {
        let _ = write!(text, "\n        {name}: {value}");
    }
    if let Some(body) = &request.body {
        let _ = write!(text, "\n        {body}");
    }
    if let Some(serial) = &request.serial {
        let _ = write!(text, "\n        one at a time: {serial}");
    }
    text
}

fn failed(failure: &Failure) -> String {
    let class = json!(failure.cause.class);
    let after = failure.retry_after.map_or(String::new(), |after| format!(", after {} s", after.as_secs()));
    format!("{} ({}{after})", class.as_str().unwrap(), failure.cause.code)
}

#[test]
fn each_kind_makes_these_requests() {
    let mut text = String::new();
    for example in examples() {
        let step = example.step().unwrap();
        let Example { name, planned, seen, outputs } = example;
        let _ = writeln!(text, "{name}");
        let _ = writeln!(text, "  remembers {}", step.target());
        let _ = writeln!(text, "  reads     {}", request_text(&step.read()));
        match step.write(None) {
            Some(request) => _ = writeln!(text, "  writes    {}", request_text(&request)),
            None => _ = writeln!(text, "  writes    nothing"),
        }
        if let Some(request) =
            step.write(Some(&seen)).filter(|request| Some(request) != step.write(None).as_ref())
        {
            let _ = writeln!(text, "  over what is observed\n            {}", request_text(&request));
        }
        if let Some(restorable) = step.restorable() {
            for request in restorable.reads() {
                let _ = writeln!(text, "  reads soft-deleted\n            {}", request_text(&request));
            }
            let _ = writeln!(text, "  restores  {}", request_text(&restorable.restore("object-1").unwrap()));
        }
        let deletion = steps::deletion(planned.kind(), &step.target(), &outputs).unwrap();
        for request in deletion.reads() {
            let _ = writeln!(text, "  checks    {}", request_text(&request));
        }
        for (verb, state) in [
            ("deletes", DeletionState::Present(outputs.clone())),
            ("purges", DeletionState::SoftDeleted(outputs.clone())),
        ] {
            if let Some(request) = deletion.delete(&state) {
                let _ = writeln!(text, "  {verb:<9} {}", request_text(&request));
            }
        }
        for state in [
            DeletionState::Nothing,
            DeletionState::InProgress,
            DeletionState::Retained(None),
            DeletionState::Foreign,
        ] {
            assert_eq!(deletion.delete(&state), None, "{name}: {state:?} must not be deleted");
        }
    }
    shows!("requests", text);
}

#[test]
fn ids_in_urls_are_encoded() {
    for mut example in examples() {
        let mut fields = example.fields();
        for field in ["uniqueName", "appId", "name"] {
            if fields.get(field).is_some() {
                fields[field] = json!("o'ne/il?x=1#&\r\n🚀");
            }
        }
        example.planned.desired = Desired::read(example.planned.kind(), &fields, &BTreeMap::new()).unwrap();
        let step = example.step().unwrap();
        let Example { name, planned, outputs, .. } = example;
        let deletion = steps::deletion(planned.kind(), &step.target(), &outputs).unwrap();
        let deleted = step.restorable().map_or(Vec::new(), |restorable| restorable.reads());
        let requests = [Some(step.read()), step.write(None)].into_iter().flatten();
        for request in requests.chain(deleted).chain(deletion.reads()) {
            assert!(!request.path.contains(['\r', '\n', '#', '🚀']), "{name}: {}", request.path);
            assert!(
                request.path.matches('\'').count() % 2 == 0 && !request.path.contains("''"),
                "{name}: {}",
                request.path
            );
        }
    }
}

#[test]
fn a_missing_field_is_reported_by_name() {
    for Example { name, planned, .. } in examples() {
        let own = planned.desired.to_json();
        let names: Vec<String> = own.as_object().unwrap().keys().cloned().collect();
        for field in names
            .iter()
            .filter(|field| !["body", "type", "undo", "expect", "owner"].contains(&field.as_str()))
        {
            for spoilt in [None, Some(Value::Null), Some(json!("")), Some(json!(7))] {
                let mut fields = own.clone();
                match spoilt {
                    None => _ = fields.as_object_mut().unwrap().remove(field),
                    Some(value) => fields[field] = value,
                }
                let Err(bad) = Desired::read(planned.kind(), &fields, &BTreeMap::new()) else {
                    panic!("{name} is accepted without {field}")
                };
                let failure = Failure::from(bad);
                assert_eq!(failed(&failure), "permanent (bad-field)", "{name}");
                assert!(failure.cause.message.contains(field), "{name}: {failure}");
            }
        }
    }
}

#[test]
fn answers_to_reads_are_compared_like_this() {
    let mut text = String::new();
    for example in examples() {
        let step = example.step().unwrap();
        let deletion = steps::deletion(example.planned.kind(), &step.target(), &example.outputs).unwrap();
        let _ = writeln!(text, "{}\n  {:<46}{:<46}deleted?", example.name, "answer", "there?");
        for Row { name, reply } in answers(&example) {
            let there = match step.judge(&reply) {
                Ok(comparison) => comparison_text(&comparison),
                Err(failure) => failed(&failure),
            };
            let deleted = match deletion.reads().len() {
                0 => "-".to_owned(),
                _ => deletion
                    .judge(0, &reply)
                    .map_or_else(|failure| failed(&failure), |state| deletion_state_text(&state)),
            };
            let _ = writeln!(text, "  {name:<46}{there:<46}{deleted}");
        }
    }
    shows!("comparisons", text);
}

/// An output with a secret is neither stored nor published: its step is blocked, and the error does not contain the
/// secret.
#[test]
fn an_output_that_is_a_secret_blocks_its_step() {
    let secrets = [
        "https://x.blob.core.windows.net/c?sv=2024-01-01&sp=r&sig=abc%2Bdefghijk%3D",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abcdefghijk==;EndpointSuffix=core.windows.net",
        "-----BEGIN PRIVATE KEY-----\nabcdefghijk\n-----END PRIVATE KEY-----",
    ];
    let of_arm =
        |example: &Example| matches!(example.planned.kind(), Kind::Arm | Kind::ArmUpdate | Kind::Check);
    for example in examples().iter().filter(|example| of_arm(example)) {
        let step = example.step().unwrap();
        let judge = |url: &str| {
            let mut body = example.seen.clone();
            body["properties"]["url"] = json!(url);
            step.judge(&Reply { status: 200, body, ..Reply::default() })
        };
        for secret in secrets {
            let failure = judge(secret).unwrap_err();
            assert_eq!(failed(&failure), "permanent (secret-output)", "{}", example.name);
            assert!(!failure.to_string().contains("abc") && failure.to_string().contains("url"), "{failure}");
        }
        for fine in [
            "https://shown",
            "00000000-0000-0000-0000-00000000a001",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert!(matches!(judge(fine), Ok(Comparison::Matches(_))), "{}: {fine}", example.name);
        }
    }
}

#[test]
fn answers_about_soft_deleted_objects_are_compared_like_this() {
    let mut text = String::new();
    for example in examples() {
        let step = example.step().unwrap();
        let deletion = steps::deletion(example.planned.kind(), &step.target(), &example.outputs).unwrap();
        if deletion.reads().len() < 2 {
            continue;
        }
        let _ = writeln!(text, "{}\n  {:<46}{:<46}deleted?", example.name, "answer", "there?");
        for Row { name, reply } in answers::deleted(&example) {
            // The last of a deletion's reads is always the list.
            let listed = reply.body.get("value").is_some();
            let number = if listed { deletion.reads().len() - 1 } else { 1 };
            let there = step.restorable().map_or("-".to_owned(), |restorable| {
                match restorable.judge(number - 1, &reply) {
                    Ok(Some(id)) => format!("soft-deleted as {id}"),
                    Ok(None) => "nothing of ours".to_owned(),
                    Err(failure) => failed(&failure),
                }
            });
            let deleted = deletion
                .judge(number, &reply)
                .map_or_else(|failure| failed(&failure), |state| deletion_state_text(&state));
            let _ = writeln!(text, "  {name:<46}{there:<46}{deleted}");
        }
    }
    shows!("deleted", text);
}

fn comparison_text(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Absent => "absent".into(),
        Comparison::Matches(outputs) => {
            format!("matches {}", outputs.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Comparison::Drifted(pointers) => format!("drifted at {}", pointers.join(", ")),
        Comparison::Immutable { fixed, .. } => format!("immutable at {}", fixed.join(", ")),
        Comparison::InProgress => "in-progress".into(),
        Comparison::Foreign(_) => "foreign".into(),
        Comparison::SoftDeleted(id) => format!("soft-deleted as {id}"),
        Comparison::Failed(cause) => format!("failed ({})", cause.code),
    }
}

fn deletion_state_text(state: &DeletionState) -> String {
    let listed = |outputs: &Outputs| outputs.keys().cloned().collect::<Vec<_>>().join(", ");
    match state {
        DeletionState::Nothing => "nothing".into(),
        DeletionState::Present(outputs) => format!("present {}", listed(outputs)).trim_end().to_owned(),
        DeletionState::SoftDeleted(outputs) => {
            format!("soft-deleted {}", listed(outputs)).trim_end().to_owned()
        }
        DeletionState::InProgress => "in-progress".into(),
        DeletionState::Retained(until) => format!("retained until {until:?}"),
        DeletionState::Foreign => "foreign".into(),
    }
}

#[test]
fn errors_are_classified_like_this() {
    let mut text = format!("{:<12}{:<72}{:<20}reported as\n", "status", "code or message", "class");
    for (status, body) in answers::errors() {
        let what = body.pointer("/error/code").and_then(Value::as_str).unwrap_or("(no body)").to_owned();
        let message =
            body.pointer("/error/message").and_then(Value::as_str).filter(|message| !message.is_empty());
        let failure = steps::failure::classify(&reply(status, &[("x-ms-request-id", "r-1")], body.clone()));
        assert_eq!(failure.cause.azure_request_id.as_deref(), Some("r-1"));
        let what = message.map_or(what.clone(), |message| format!("{what}: {message}"));
        let class = json!(failure.cause.class);
        let _ = writeln!(text, "{status:<12}{what:<72}{:<20}{}", class.as_str().unwrap(), failure.cause.code);
    }
    shows!("errors", text);
}

#[test]
fn a_services_message_is_truncated() {
    let body = json!({"error": {"code": "Odd", "message": "🚀".repeat(10_000)}});
    let failure = steps::failure::classify(&reply(400, &[], body));
    assert_eq!(failure.cause.message.chars().count(), 600);
    let mut nested = json!({"code": "OutOfQuota"});
    for _ in 0..500 {
        nested = json!({"code": "Wrapper", "details": [nested]});
    }
    let failure = steps::failure::classify(&reply(400, &[], json!({"error": nested})));
    assert_eq!(failure.cause.code, "Wrapper", "very deep nesting is not searched to the end");
}

fn reply(status: u16, headers: &[(&str, &str)], body: Value) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply { status, headers: headers.collect::<BTreeMap<_, _>>(), body }
}
