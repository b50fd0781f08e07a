//! How the progress of an operation is determined from the answers to writes and polls.

use super::*;

fn progress(progress: Result<operation::Progress, Failure>) -> String {
    match progress {
        Ok(operation::Progress::Done) => "done".into(),
        Ok(operation::Progress::Running { operation, after }) => {
            let ask = operation.map_or("read".to_owned(), |poll| {
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

#[test]
fn answers_to_writes_mean_this_progress() {
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
        ("201, Failed: ended, and a read shows how", reply(201, &[], state("Failed"))),
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
fn answers_to_polls_mean_this_progress() {
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
