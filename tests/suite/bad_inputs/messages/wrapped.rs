//! Wrappings of a message, and values of its members.

use super::*;

/// The event type of a sign-up.
const SIGNUP: &str = "io.tenantry.request.signup.v1";

pub(super) fn wrappings() -> Vec<Case> {
    layers().into_iter().chain(data_of_events()).chain(attributes_of_events()).collect()
}

/// Other encodings, and JSON inside a JSON string.
fn layers() -> Vec<Case> {
    vec![
        taken(
            29,
            "JSON in a JSON string",
            quoted(&good("a29")),
            "hosts and senders wrap texts; one layer is unwrapped",
        ),
        taken(
            30,
            "JSON in a string in a string",
            quoted(&quoted(&good("a30-ok"))),
            "sender and host may each have added one",
        ),
        refused(30, "JSON in three strings", quoted(&quoted(&quoted(&good("a30")))), "not_an_object", ""),
        refused(31, "base64", BASE64_STANDARD.encode(good("a31")), "not_json", ""),
        refused(32, "gzip", gzip(), "not_utf8", ""),
        refused(33, "XML", "<signup><tenantId>a33</tenantId></signup>", "not_json", ""),
    ]
}

/// The request as the data of a CloudEvent.
fn data_of_events() -> Vec<Case> {
    let mut of_event = signup("a34-t");
    of_event.as_object_mut().unwrap().remove("action");
    vec![
        taken(34, "CloudEvent, structured", event(SIGNUP, signup("a34")), "the form that MESSAGES describes"),
        taken(
            34,
            "CloudEvent whose type alone names the action",
            event(SIGNUP, of_event),
            "the type says it",
        ),
        taken(
            34,
            "CloudEvent, binary mode",
            good("a34-b"),
            "there the attributes are headers and the body is the request",
        ),
        taken(
            34,
            "CloudEvent with its data as JSON text",
            event(SIGNUP, signup("a34-j").to_string().into()),
            "some senders serialise twice",
        ),
        taken(34, "CloudEvent with data_base64", base64(&good("a34-64")), "CloudEvents has it for any data"),
        refused(
            34,
            "CloudEvent with an empty object in data_base64",
            base64("{}"),
            "invalid",
            "/data_base64/schema",
        ),
        refused(
            34,
            "CloudEvent with data_base64 that is none",
            base64("{}").replace("e30=", "{}"),
            "not_base64",
            "/data_base64",
        ),
        refused(
            34,
            "CloudEvent with data and data_base64",
            event_with("data_base64", json!("e30=")),
            "contradiction",
            "/data_base64",
        ),
        refused(
            34,
            "CloudEvent with a text that is no JSON",
            event(SIGNUP, json!("a request, please")),
            "not_json",
            "/data",
        ),
        refused(
            34,
            "CloudEvent whose text is said to be no JSON",
            event(SIGNUP, signup("a34-p").to_string().into()).replacen(
                '{',
                r#"{"datacontenttype":"text/plain","#,
                1,
            ),
            "unsupported",
            "/datacontenttype",
        ),
    ]
}

/// Attributes of a CloudEvent, more than one request, and faults within its data.
fn attributes_of_events() -> Vec<Case> {
    let two = format!("[{},{}]", good("a35"), good("a35-b"));
    vec![
        taken(
            34,
            "CloudEvent with attributes of the sender's own",
            event(SIGNUP, signup("a34-o")).replacen('{', r#"{"comexampletrace1":"x","partitionkey":7,"#, 1),
            "extension attributes are free",
        ),
        refused(
            34,
            "CloudEvent with a member that is no attribute",
            event(SIGNUP, signup("a34-n")).replacen('{', r#"{"dataContentType":"application/json","#, 1),
            "unknown_member",
            "/dataContentType",
        ),
        refused(34, "CloudEvent 0.3", event_with("specversion", json!("0.3")), "unsupported", "/specversion"),
        refused(
            34,
            "CloudEvent of another type",
            event_with("type", json!("com.example.order")),
            "unknown_type",
            "/type",
        ),
        refused(
            34,
            "CloudEvent whose type contradicts its data",
            event("io.tenantry.request.deprovision.v1", signup("a34-c")),
            "contradiction",
            "/data/action",
        ),
        refused(
            34,
            "CloudEvent with two requests",
            event(SIGNUP, json!([signup("a34-l")])),
            "not_an_object",
            "/data",
        ),
        refused(
            34,
            "CloudEvent with a fault in its data",
            event(
                SIGNUP,
                json!({"schema": "tenantry.request/1", "requestId": "a34-f", "spec": {"displayName": "A"}}),
            ),
            "missing",
            "/data/spec/tier",
        ),
        refused(35, "a list of two sign-ups", two, "not_an_object", ""),
    ]
}

pub(super) fn values() -> Vec<Case> {
    let deadline = |id: &str, text: &str| with(id, "/deadline", text);
    let bad_id =
        |name, id: &str, code| refused(39, name, with(id, "/spec/tier", "dedicated"), code, "/requestId");
    vec![
        taken(
            36,
            "version 0 expected of nobody",
            with("a36-ok", "/expectedVersion", 0),
            "who does not exist has version 0",
        ),
        refused(
            36,
            "version 1 expected of nobody",
            with("a36-s", "/expectedVersion", 1),
            "stale",
            "/expectedVersion",
        ),
        refused(36, "version -1", with("a36", "/expectedVersion", -1), "wrong_type", "/expectedVersion"),
        refused(
            36,
            "version 2^63",
            with("a36-l", "/expectedVersion", 1_u64 << 63),
            "wrong_type",
            "/expectedVersion",
        ),
        refused(
            36,
            "a generation of the sender's own",
            with("a36-g", "/generation", 9),
            "unknown_member",
            "/generation",
        ),
        taken(
            37,
            "a deadline in the year 9999",
            deadline("a37-ok", "9999-12-30T00:00:00Z"),
            "far away, but a time",
        ),
        refused(
            37,
            "a deadline after time ends",
            deadline("a37-e", "9999-12-31T23:59:59Z"),
            "bad_time",
            "/deadline",
        ),
        refused(37, "30 February", deadline("a37", "2027-02-30T00:00:00Z"), "bad_time", "/deadline"),
        refused(37, "a local time", deadline("a37-l", "2027-02-03T10:00:00"), "bad_time", "/deadline"),
        refused(
            37,
            "a deadline that has passed",
            deadline("a37-p", "2020-01-01T00:00:00Z"),
            "expired",
            "/deadline",
        ),
        refused(
            37,
            "30 February in requestedAt",
            with("a37-r", "/requestedAt", "2027-02-30T00:00:00Z"),
            "bad_time",
            "/requestedAt",
        ),
        bad_id("an empty requestId", "", "bad_length"),
        bad_id("a requestId of 129 characters", &"r".repeat(129), "bad_length"),
        bad_id("a requestId of 60,000 characters", &"r".repeat(60_000), "bad_length"),
        bad_id("a requestId with a line break", "a\r\nb", "bad_characters"),
    ]
}
