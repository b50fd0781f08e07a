//! The POST of the Functions host, as each function reads it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tenantry::host::{
    BadEnvelope, HttpCall, Trigger,
    functions::{Function, FunctionTrigger},
};

use super::Target;
use crate::{canary, corpus, draw::Draw};

pub(super) const TARGET: Target = Target {
    name: "envelope",
    check,
    seeds,
    tokens: &[
        "Data",
        "Metadata",
        "requestMsg",
        "wakeupMsg",
        "sweepTimer",
        "deadMsg",
        "req",
        "MessageId",
        "SessionId",
        "DeliveryCount",
        "SequenceNumber",
        "EnqueuedTime",
        "EnqueuedTimeUtc",
        "ApplicationProperties",
        "UserProperties",
        "IsPastDue",
        "ScheduleStatus",
        "Last",
        "Next",
        "Url",
        "Method",
        "Query",
        "Headers",
        "Params",
        "Body",
        "Identities",
        "Content-Type",
        "application/octet-stream",
        "multipart/",
        "code",
        "authorization",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.9999999",
        "2026-11-22T17:20:00+14:00",
        "\"\\\"99\\\"\"",
        "eyJhIjoxfQ==",
        "http://x/api/tenants?code=",
        "\"\"",
        "99999999999",
    ],
    most: 300 << 10,
};

fn seeds() -> Vec<Vec<u8>> {
    let body = corpus::files("examples/signups", "json").remove(0);
    let text = String::from_utf8(body.clone()).unwrap();
    let mut seeds = [
        json!({"Data": {"requestMsg": BASE64_STANDARD.encode(&body)}, "Metadata": {"MessageId": "\"m-1\"",
            "SessionId": "contoso", "DeliveryCount": "2", "SequenceNumber": "7", "EnqueuedTimeUtc": "\"2026-11-22T17:20:00Z\"",
            "ApplicationProperties": "{\"a\":1}", "sys": {"MethodName": "requests"}}}),
        json!({"Data": {"requestMsg": json!(text).to_string()}, "Metadata": {"messageid": "x"}}),
        json!({"Data": {"deadMsg": text}, "Metadata": {"UserProperties": {"DeadLetterReason": "x"}}}),
        json!({"Data": {"sweepTimer": {"IsPastDue": true, "Schedule": {}, "ScheduleStatus": {
            "Last": "2026-11-22T17:19:00Z", "Next": "2026-11-22T17:20:00+00:00", "LastUpdated": "0001-01-01T00:00:00"}}}, "Metadata": {}}),
        json!({"Data": {"req": {"Url": "http://localhost:7071/api/tenants/contoso?code=x", "Method": "POST",
            "Query": "{\"code\":\"x\",\"top\":\"5\"}", "Headers": {"Content-Type": ["application/json"], "x-functions-key": ["k"],
            "Authorization": ["Bearer t"]}, "Params": {"tenantId": "contoso"}, "Body": text, "Identities": [{"Claims": []}]}}, "Metadata": {}}),
    ]
    .iter()
    .map(|seed| seed.to_string().into_bytes())
    .collect::<Vec<_>>();
    // Envelopes derived from the host's own source, if the folder is available.
    seeds.extend(corpus::files("../shared/functions-host/payloads", "json"));
    seeds
}

fn check(input: &[u8]) -> String {
    let verdicts = Function::ALL.into_iter().map(|function| verdict(function, input));
    let kinds = verdicts.collect::<Vec<_>>().join(" ");
    if let Ok(envelope) = serde_json::from_slice::<Value>(input) {
        Function::ALL
            .into_iter()
            .for_each(|function| hides_secrets(function, &envelope, &mut Draw::of(input)));
    }
    kinds
}

fn verdict(function: Function, input: &[u8]) -> String {
    let read = Trigger::parse(function, input);
    assert_eq!(read, Trigger::parse(function, input), "read in two ways");
    match read {
        Err(error) => {
            assert!(error.to_string().len() <= input.len() + 400, "{error}");
            match error {
                BadEnvelope::NotJson(_) => "no JSON".to_owned(),
                BadEnvelope::NoData => "no data".to_owned(),
                BadEnvelope::NoValue { .. } => "no value".to_owned(),
                BadEnvelope::WrongValue { expected, .. } => format!("not {expected}"),
            }
        }
        Ok(trigger) => {
            assert!(format!("{trigger:?}").len() <= 12 * input.len() + 1000, "what is logged grows");
            fits(function, &trigger, input)
        }
    }
}

/// Asserts that the trigger belongs to the function and contains only what was in the input. Returns its kind.
fn fits(function: Function, trigger: &Trigger, input: &[u8]) -> String {
    match (function.kind(), trigger) {
        (FunctionTrigger::QueueMessage { binding, .. }, Trigger::Message(message)) => {
            assert!(message.body.len() <= input.len());
            // An envelope that contains these bytes is read as the same bytes.
            let again = json!({"Data": {binding: BASE64_STANDARD.encode(&message.body)}}).to_string();
            let Ok(Trigger::Message(again)) = Trigger::parse(function, again.as_bytes()) else {
                panic!("a good envelope was refused")
            };
            assert!(again.body == message.body && again.metadata_trusted);
            let known =
                [message.message_id.is_some(), message.session_id.is_some(), message.enqueued_at.is_some()];
            format!("message {known:?} {} {}", message.metadata_trusted, message.delivery_count.is_some())
        }
        (FunctionTrigger::Timer { .. }, Trigger::Timer(timer)) => {
            format!("timer {} {} {}", timer.past_due, timer.last.is_some(), timer.next.is_some())
        }
        (FunctionTrigger::Http { .. }, Trigger::Http(call)) => {
            assert!(call.path.starts_with('/') && !call.path.contains(['?', '#']), "{}", call.path);
            assert!(!call.query.keys().any(|name| name.eq_ignore_ascii_case("code")));
            format!("http {} {:?} {}", call.method.len(), call.body.is_some(), call.headers.len().min(3))
        }
        (
            FunctionTrigger::QueueMessage { .. }
            | FunctionTrigger::Timer { .. }
            | FunctionTrigger::Http { .. },
            other,
        ) => panic!("{other:?}"),
    }
}

/// Bodies, keys and tokens in an envelope appear in no error and no log.
fn hides_secrets(function: Function, envelope: &Value, draw: &mut Draw) {
    const HEADERS: [&str; 6] = [
        "Authorization",
        "x-functions-key",
        "COOKIE",
        "X-ZUMO-AUTH",
        "X-MS-TOKEN-AAD-ID-TOKEN",
        "proxy-authorization",
    ];
    let mut injected = envelope.clone();
    let Some(data) = injected.get_mut("Data").and_then(Value::as_object_mut) else { return };
    let binding = function.kind().binding();
    let name =
        if data.len() == 1 { data.keys().next().cloned().unwrap_or_default() } else { binding.to_owned() };
    let secret = json!(canary::CANARY);
    match (function.kind(), data.get_mut(&name)) {
        (FunctionTrigger::QueueMessage { .. } | FunctionTrigger::Timer { .. }, Some(value)) => {
            *value = secret;
        }
        (FunctionTrigger::Http { .. }, Some(Value::Object(request))) => match draw.below(4) {
            0 => _ = request.insert("Body".into(), secret),
            1 => _ = request.insert("Query".into(), json!({ "CODE": secret })),
            2 => _ = request.insert("Url".into(), json!(format!("http://x/api?code={}", canary::CANARY))),
            _ => _ = request.insert("Headers".into(), json!({*draw.of_these(&HEADERS): [secret]})),
        },
        (FunctionTrigger::Http { .. }, _) | (_, None) => return,
    }
    let read = Trigger::parse(function, injected.to_string().as_bytes());
    if let Ok(Trigger::Http(HttpCall { path, query, headers, params, .. })) = &read {
        canary::is_not_in(&format!("{path} {query:?} {headers:?} {params:?}"), "what is kept of a call");
    }
    canary::is_not_in(&format!("{read:?}"), "an invocation's log");
}
