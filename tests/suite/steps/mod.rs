//! Each kind of step at work: the requests that it makes, and what it reads out of answers. The snapshots are the tables.

mod answers;
pub(crate) mod kinds;

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Desired, Kind, Outputs},
    steps::{self, Comparison, Failure, Reply, Request, Trace, operation},
    tenant::{Poll, PollStyle},
};

use answers::{Row, answers};
use kinds::{Example, examples};

macro_rules! shows {
    ($name:literal, $told:expr) => {
        insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $told);
        })
    };
}

mod progress;

fn told(request: &Request) -> String {
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
        let Example { name, planned, seen, told: outputs } = example;
        let _ = writeln!(text, "{name}");
        let _ = writeln!(text, "  remembers {}", step.target());
        let _ = writeln!(text, "  looks     {}", told(&step.look()));
        match step.write(None) {
            Some(request) => _ = writeln!(text, "  writes    {}", told(&request)),
            None => _ = writeln!(text, "  writes    nothing"),
        }
        if let Some(request) =
            step.write(Some(&seen)).filter(|request| Some(request) != step.write(None).as_ref())
        {
            let _ = writeln!(text, "  over what is seen\n            {}", told(&request));
        }
        if let Some(restorable) = step.restorable() {
            for request in restorable.looks() {
                let _ = writeln!(text, "  looks among the deleted\n            {}", told(&request));
            }
            let _ = writeln!(text, "  restores  {}", told(&restorable.restore("object-1").unwrap()));
        }
        let remains = steps::remains(planned.kind(), &step.target(), &outputs).unwrap();
        for request in remains.looks() {
            let _ = writeln!(text, "  looks for {}", told(&request));
        }
        for (word, trace) in
            [("erases", Trace::Present(outputs.clone())), ("purges", Trace::Lingering(outputs.clone()))]
        {
            if let Some(request) = remains.erase(&trace) {
                let _ = writeln!(text, "  {word}    {}", told(&request));
            }
        }
        for trace in [Trace::Nothing, Trace::Settling, Trace::Retained(None), Trace::Foreign] {
            assert_eq!(remains.erase(&trace), None, "{name}: {trace:?} is not to be erased");
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
        let Example { name, planned, told: outputs, .. } = example;
        let remains = steps::remains(planned.kind(), &step.target(), &outputs).unwrap();
        let deleted = step.restorable().map_or(Vec::new(), |restorable| restorable.looks());
        let requests = [Some(step.look()), step.write(None)].into_iter().flatten();
        for request in requests.chain(deleted).chain(remains.looks()) {
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
fn a_missing_field_is_told_by_name() {
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
                    panic!("{name} does without {field}")
                };
                let failure = Failure::from(bad);
                assert_eq!(failed(&failure), "permanent (bad-field)", "{name}");
                assert!(failure.cause.message.contains(field), "{name}: {failure}");
            }
        }
    }
}

#[test]
fn answers_to_looks_are_judged_so() {
    let mut text = String::new();
    for example in examples() {
        let step = example.step().unwrap();
        let remains = steps::remains(example.planned.kind(), &step.target(), &example.told).unwrap();
        let _ = writeln!(text, "{}\n  {:<46}{:<46}gone?", example.name, "answer", "there?");
        for Row { name, reply } in answers(&example) {
            let wanted = match step.judge(&reply) {
                Ok(verdict) => in_words(&verdict),
                Err(failure) => failed(&failure),
            };
            let unwanted = match remains.looks().len() {
                0 => "-".to_owned(),
                _ => remains
                    .judge(0, &reply)
                    .map_or_else(|failure| failed(&failure), |trace| trace_in_words(&trace)),
            };
            let _ = writeln!(text, "  {name:<46}{wanted:<46}{unwanted}");
        }
    }
    shows!("verdicts", text);
}

/// An output that turns out to be a secret is neither stored nor announced: the step stops, and nothing of it is repeated.
#[test]
fn an_output_that_is_a_secret_stops_its_step() {
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
            "https://told",
            "00000000-0000-0000-0000-00000000a001",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert!(matches!(judge(fine), Ok(Comparison::Matches(_))), "{}: {fine}", example.name);
        }
    }
}

#[test]
fn what_azure_keeps_after_deletion_is_judged_so() {
    let mut text = String::new();
    for example in examples() {
        let step = example.step().unwrap();
        let remains = steps::remains(example.planned.kind(), &step.target(), &example.told).unwrap();
        if remains.looks().len() < 2 {
            continue;
        }
        let _ = writeln!(text, "{}\n  {:<46}{:<46}gone?", example.name, "answer", "there?");
        for Row { name, reply } in answers::deleted(&example) {
            // Whatever else is asked for, the last look is the one that lists.
            let listed = reply.body.get("value").is_some();
            let number = if listed { remains.looks().len() - 1 } else { 1 };
            let there = step.restorable().map_or("-".to_owned(), |restorable| {
                match restorable.judge(number - 1, &reply) {
                    Ok(Some(id)) => format!("lingering as {id}"),
                    Ok(None) => "nothing of ours".to_owned(),
                    Err(failure) => failed(&failure),
                }
            });
            let gone = remains
                .judge(number, &reply)
                .map_or_else(|failure| failed(&failure), |trace| trace_in_words(&trace));
            let _ = writeln!(text, "  {name:<46}{there:<46}{gone}");
        }
    }
    shows!("deleted", text);
}

fn in_words(verdict: &Comparison) -> String {
    match verdict {
        Comparison::Absent => "absent".into(),
        Comparison::Matches(outputs) => {
            format!("matches {}", outputs.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Comparison::Differs(pointers) => format!("differs at {}", pointers.join(", ")),
        Comparison::Immutable(pointers) => format!("immutable at {}", pointers.join(", ")),
        Comparison::Settling => "settling".into(),
        Comparison::Foreign(_) => "foreign".into(),
        Comparison::Lingering(id) => format!("lingering as {id}"),
        Comparison::Broken(cause) => format!("broken ({})", cause.code),
    }
}

fn trace_in_words(trace: &Trace) -> String {
    let told = |outputs: &Outputs| outputs.keys().cloned().collect::<Vec<_>>().join(", ");
    match trace {
        Trace::Nothing => "nothing".into(),
        Trace::Present(outputs) => format!("present {}", told(outputs)).trim_end().to_owned(),
        Trace::Lingering(outputs) => format!("lingering {}", told(outputs)).trim_end().to_owned(),
        Trace::Settling => "settling".into(),
        Trace::Retained(until) => format!("retained until {until:?}"),
        Trace::Foreign => "foreign".into(),
    }
}

#[test]
fn errors_mean_this() {
    let mut text = format!("{:<12}{:<72}{:<20}told as\n", "status", "code or message", "class");
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
fn what_a_service_says_is_cut_to_a_sane_length() {
    let body = json!({"error": {"code": "Odd", "message": "🚀".repeat(10_000)}});
    let failure = steps::failure::classify(&reply(400, &[], body));
    assert_eq!(failure.cause.message.chars().count(), 600);
    let mut nested = json!({"code": "OutOfQuota"});
    for _ in 0..500 {
        nested = json!({"code": "Wrapper", "details": [nested]});
    }
    let failure = steps::failure::classify(&reply(400, &[], json!({"error": nested})));
    assert_eq!(failure.cause.code, "Wrapper", "very deep wrappings are not searched to the end");
}

fn reply(status: u16, headers: &[(&str, &str)], body: Value) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply { status, headers: headers.collect::<BTreeMap<_, _>>(), body }
}
