//! Bad answers from Azure: the transport returns a typed failure, and sends no token to another host.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry::{azure::transport::HttpTransport, paging, ports::Transport as _};
use tenantry_core::{
    steps::{Api, Failure, Method, REFUSED_URL, Reply, Request},
    tenant::FailureClass,
};

use super::script::{Answer, Script, json as reply, with_header};

const PATH: &str = "/subscriptions/s/resourceGroups/g?api-version=2024-07-01";

fn transport(script: &Script) -> HttpTransport {
    HttpTransport::simulated(&script.url.parse().unwrap(), Duration::from_millis(400)).unwrap()
}

fn get(path: &str) -> Request {
    Request::new(Api::Arm, Method::Get, path)
}

async fn ask(answer: Answer) -> Result<Reply, Failure> {
    let script = Script::new([answer]).await;
    transport(&script).send(get(PATH)).await
}

fn code(result: Result<Reply, Failure>) -> (String, FailureClass) {
    let cause = result.unwrap_err().cause;
    (cause.code, cause.class)
}

#[tokio::test]
async fn a_success_without_valid_json_is_an_unexpected_answer() {
    for body in ["<html><body>Sign in</body></html>", "null trailing", "{\"id\":", "\u{feff}"] {
        let html = Answer::Whole { status: 200, headers: vec![], body: body.to_owned() };
        assert_eq!(
            code(ask(html).await),
            ("unexpected-answer".to_owned(), FailureClass::Transient),
            "{body}"
        );
    }
}

#[tokio::test]
async fn html_of_a_failing_gateway_keeps_its_status() {
    let html = Answer::Whole { status: 502, headers: vec![], body: "<h1>Bad Gateway</h1>".to_owned() };
    let reply = ask(html).await.unwrap();
    assert_eq!((reply.status, reply.body), (502, Value::Null));
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_not_read() {
    let (code, class) = code(ask(Answer::Flood(10 << 20)).await);
    assert_eq!((code.as_str(), class), ("unexpected-answer", FailureClass::Transient));
}

#[tokio::test]
async fn silence_and_a_cut_connection_leave_the_outcome_open() {
    for answer in [Answer::Silence, Answer::Cut] {
        let (code, class) = code(ask(answer).await);
        assert_eq!((code.as_str(), class), ("no-answer", FailureClass::Ambiguous));
    }
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let nobody = {
        let script = Script::new([]).await;
        script.url.clone()
    };
    let transport = HttpTransport::simulated(&nobody.parse().unwrap(), Duration::from_secs(5)).unwrap();
    let (code, class) = code(transport.send(get(PATH)).await);
    assert_eq!((code.as_str(), class), ("not-sent", FailureClass::Transient));
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let elsewhere = Script::new([]).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = with_header(reply(status, &json!({})), "location", format!("{}/token", elsewhere.url));
        assert_eq!(ask(redirect).await.unwrap().status, status);
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn urls_on_other_hosts_get_neither_a_request_nor_a_token() {
    let (script, elsewhere) = (Script::new([]).await, Script::new([]).await);
    let transport = transport(&script);
    let port = script.url.rsplit(':').next().unwrap();
    let elsewhere_url = format!("{}/subscriptions/s/operations/1", elsewhere.url);
    for foreign in [
        elsewhere_url.as_str(),
        "http://127.0.0.1/subscriptions/s/operations/1",
        "https://management.azure.com/subscriptions/s/operations/1",
        "http://management.azure.com.attacker.example/x",
        "//attacker.example/x",
        &format!("https://127.0.0.1:{port}/x"),
        &format!("http://127.0.0.1:{port}@attacker.example/x"),
        "file:///etc/passwd",
        "http://[::1",
    ] {
        let (code, class) = code(transport.send(get(foreign)).await);
        // The class is transient, because one bad URL in an answer must not fail the tenant.
        assert_eq!((code.as_str(), class), (REFUSED_URL, FailureClass::Transient), "{foreign}");
    }
    assert!(script.asked().is_empty() && elsewhere.asked().is_empty());
}

/// A list is read page by page from the service's own host. If a page can't be read, the result is an error and never a
/// partial list.
#[tokio::test]
async fn a_list_is_read_to_its_end_on_the_services_own_host() {
    let elsewhere = Script::new([]).await;
    let list = || Request::given(Api::Arm, "/subscriptions/s/providers/x/things?api-version=1").every_page();
    let script = Script::new([
        reply(
            200,
            &json!({"value": [], "nextLink": "/subscriptions/s/second?api-version=1&$skiptoken=a%20b"}),
        ),
        reply(200, &json!({"value": [{"id": "/one"}], "nextLink": ""})),
        reply(200, &json!({"value": [], "nextLink": format!("{}/subscriptions/s/third", elsewhere.url)})),
    ])
    .await;
    let transport = transport(&script);
    let whole = paging::ask(&transport, list()).await.unwrap();
    assert_eq!(tenantry_core::steps::items(&whole).unwrap(), [json!({"id": "/one"})]);
    assert_eq!(script.asked().len(), 2);
    let (code, _) = code(paging::ask(&transport, list()).await);
    assert_eq!((code.as_str(), elsewhere.asked().len()), (REFUSED_URL, 0));
    // Code that forgets to read the next page gets an error.
    let first = Reply { status: 200, body: json!({"value": [], "nextLink": "/x"}), ..Reply::default() };
    tenantry_core::steps::items(&first).unwrap_err();
}

#[tokio::test]
async fn a_poll_url_of_four_kilobytes_is_sent_in_full() {
    let script = Script::new([]).await;
    let long = format!("{}/subscriptions/s/operations/1?t={}", script.url, "a".repeat(4096));
    transport(&script).send(get(&long)).await.unwrap();
    assert!(long.ends_with(&script.asked()[0].target));
}

/// A path that a URL parser would change, for example by resolving `..`, is not sent; the failure has the code
/// [`REFUSED_URL`].
#[tokio::test]
async fn a_path_that_a_url_parser_would_change_is_not_sent() {
    for path in [
        "/subscriptions/s/resourceGroups/g/../../../tenants?api-version=1",
        "/subscriptions/s/%2e%2e/x?api-version=1",
        "/subscriptions/./s?api-version=1",
        "/subscriptions/s\\x?api-version=1",
        "/subscriptions/s x?api-version=1",
        "/subscriptions/s#?api-version=1",
        "/subscriptions/s?api-version=1#x",
        "/subscriptions/\u{e9}?api-version=1",
        "/a\tb",
    ] {
        let script = Script::new([]).await;
        let (code, class) = code(transport(&script).send(get(path)).await);
        assert_eq!((code.as_str(), class), (REFUSED_URL, FailureClass::Permanent), "{path}");
        assert!(script.asked().is_empty(), "{path} was sent");
    }
}
