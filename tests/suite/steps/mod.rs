//! Each kind of step at work: the requests that it makes, and what it reads out of answers. The snapshots are the tables.

mod answers;
pub(crate) mod kinds;

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Desired, Kind, Outputs},
    steps::{self, Failure, Reply, Request, Trace, Verdict, operation},
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
            assert!(matches!(judge(fine), Ok(Verdict::Matches(_))), "{}: {fine}", example.name);
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

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Absent => "absent".into(),
        Verdict::Matches(outputs) => {
            format!("matches {}", outputs.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Verdict::Differs(pointers) => format!("differs at {}", pointers.join(", ")),
        Verdict::Settling => "settling".into(),
        Verdict::Foreign(_) => "foreign".into(),
        Verdict::Lingering(id) => format!("lingering as {id}"),
        Verdict::Broken(cause) => format!("broken ({})", cause.code),
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

fn progress(progress: Result<operation::Progress, Failure>) -> String {
    match progress {
        Ok(operation::Progress::Done) => "done".into(),
        Ok(operation::Progress::Running { operation, after }) => {
            let ask = operation.map_or("look".to_owned(), |poll| {
                let header = match poll.style {
                    PollStyle::AsyncOperation => "Azure-AsyncOperation",
                    PollStyle::Location => "Location",
                };
                let limit = poll.limit.map_or(String::new(), |limit| format!(", for {limit}"));
                format!("ask {header}, {} bytes{limit}", poll.url.len())
            });
            format!(
                "running: {ask}{}",
                after.map_or(String::new(), |after| format!(", after {} s", after.as_secs()))
            )
        }
        Ok(operation::Progress::Ended(failure)) => format!("ended: {}", failed(&failure)),
        Err(failure) => failed(&failure),
    }
}

fn poll(style: PollStyle, url: &str) -> Poll {
    Poll { url: url.to_owned(), style, limit: None }
}

fn reply(status: u16, headers: &[(&str, &str)], body: Value) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply { status, headers: headers.collect::<BTreeMap<_, _>>(), body }
}

#[test]
fn answers_to_writes_say_how_far_it_is() {
    let (asyn, location, after) = ("azure-asyncoperation", "location", "retry-after");
    let limit = "x-ms-async-operation-timeout";
    let long = format!("https://management.azure.com/{}", "x".repeat(4096 - 29));
    let state = |state: &str| json!({"properties": {"provisioningState": state}});
    let rows = [
        ("200", reply(200, &[], json!({}))),
        ("200, Succeeded", reply(200, &[], state("Succeeded"))),
        ("201, no provisioningState", reply(201, &[], json!({"properties": {}}))),
        ("201, Creating", reply(201, &[(after, "7")], state("Creating"))),
        ("201, succeeded in lower case", reply(201, &[], state("succeeded"))),
        ("201, a state that nobody knows", reply(201, &[], state("Pondering"))),
        ("201, Failed: over, and the look says how", reply(201, &[], state("Failed"))),
        ("201, Azure-AsyncOperation", reply(201, &[(asyn, "https://a"), (after, "15")], state("Succeeded"))),
        ("200, Location (not of an operation)", reply(200, &[(location, "https://l")], json!({}))),
        ("201, Location (of the new resource)", reply(201, &[(location, "https://l")], json!({}))),
        ("202, Location", reply(202, &[(location, "https://l"), (after, "0")], Value::Null)),
        (
            "202, both: Azure-AsyncOperation goes first",
            reply(202, &[(asyn, "https://async"), (location, "https://l")], Value::Null),
        ),
        ("202, a URL of 4 KB", reply(202, &[(location, &long)], Value::Null)),
        ("202, an empty URL", reply(202, &[(location, ""), (after, "9")], Value::Null)),
        ("202, no URL", reply(202, &[], Value::Null)),
        (
            "202, Retry-After as a date",
            reply(202, &[(location, "https://l"), (after, "Sun, 22 Nov 2026 17:20:00 GMT")], Value::Null),
        ),
        (
            "202, Retry-After below nothing",
            reply(202, &[(location, "https://l"), (after, "-5")], Value::Null),
        ),
        (
            "202, a limit of an hour and a half",
            reply(202, &[(location, "https://l"), (limit, "PT1H30M")], Value::Null),
        ),
        ("201, a limit of two days", reply(201, &[(asyn, "https://a"), (limit, "P2D")], Value::Null)),
        ("202, a limit of nothing", reply(202, &[(location, "https://l"), (limit, "PT0S")], Value::Null)),
        (
            "202, a limit of a month, which is no duration",
            reply(202, &[(location, "https://l"), (limit, "P1M")], Value::Null),
        ),
        (
            "202, a limit that can't be read",
            reply(202, &[(location, "https://l"), (limit, "soon")], Value::Null),
        ),
        ("204", reply(204, &[], Value::Null)),
        ("200, HTML", reply(200, &[], Value::Null)),
        ("302", reply(302, &[(location, "https://elsewhere")], Value::Null)),
        ("429", reply(429, &[(after, "17")], Value::Null)),
        ("503", reply(503, &[], Value::Null)),
    ];
    let mut text = String::new();
    for (name, reply) in rows {
        let _ = writeln!(text, "{name:<50}{}", progress(operation::after_write(&reply)));
    }
    shows!("writes", text);
}

#[test]
fn answers_to_polls_say_how_far_it_is() {
    let after = "retry-after";
    let status = |status: &str| json!({"status": status});
    let failed = |code: &str| json!({"status": "Failed", "error": {"code": code, "message": "m"}});
    let rows = [
        ("200, no body", reply(200, &[], Value::Null)),
        ("200, Succeeded", reply(200, &[], status("Succeeded"))),
        ("200, SUCCEEDED", reply(200, &[], status("SUCCEEDED"))),
        ("200, InProgress", reply(200, &[(after, "5")], status("InProgress"))),
        ("200, Running without Retry-After", reply(200, &[], status("Running"))),
        ("200, a status that nobody knows", reply(200, &[], status("Pondering"))),
        ("200, an empty status", reply(200, &[], status(""))),
        ("200, a status that is no text", reply(200, &[], json!({"status": 1}))),
        ("200, Canceled", reply(200, &[], status("Canceled"))),
        ("200, Failed without a reason", reply(200, &[], status("Failed"))),
        ("200, Failed: OutOfQuota", reply(200, &[], failed("OutOfQuota"))),
        ("200, Failed: InternalServerError", reply(200, &[], failed("InternalServerError"))),
        ("200, Failed: Unheard", reply(200, &[], failed("Unheard"))),
        ("202", reply(202, &[(after, "30")], Value::Null)),
        ("202, the same Location", reply(202, &[("location", "https://asked")], Value::Null)),
        ("202, another Location", reply(202, &[("location", "https://elsewhere")], Value::Null)),
        ("400: what was asked for is wrong", reply(400, &[], json!({"error": {"code": "BadArgument"}}))),
        ("409: something is in the way", reply(409, &[], json!({"error": {"code": "Conflict"}}))),
        ("202, Succeeded", reply(202, &[], status("Succeeded"))),
        ("204", reply(204, &[], Value::Null)),
        ("404: the operation is forgotten", reply(404, &[], json!({"error": {"code": "NotFound"}}))),
        ("410: the operation is over", reply(410, &[], Value::Null)),
        ("401", reply(401, &[], Value::Null)),
        ("403", reply(403, &[], Value::Null)),
        ("429", reply(429, &[(after, "3")], Value::Null)),
        ("500", reply(500, &[], Value::Null)),
    ];
    let mut text = format!("{:<40}{:<44}Location\n", "", "Azure-AsyncOperation");
    for (name, reply) in rows {
        let [asyn, location] = [PollStyle::AsyncOperation, PollStyle::Location]
            .map(|style| progress(operation::after_poll(&poll(style, "https://asked"), &reply)));
        let _ = writeln!(text, "{name:<40}{asyn:<44}{location}");
    }
    shows!("polls", text);
}

#[test]
fn a_poll_goes_to_the_url_as_it_was_given() {
    let url = format!("https://management.azure.com/x?t={}&c=a%2Fb", "t".repeat(4000));
    let request = operation::poll(&poll(PollStyle::Location, &url), steps::Api::Arm);
    assert_eq!((request.method, request.path, request.body), (steps::Method::Get, url, None));
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
