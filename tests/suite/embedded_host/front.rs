//! HTTP functions, admin calls, timers and outputs of the embedded host; `delivery` tests queue messages.

use std::{collections::BTreeMap, future::pending, sync::Arc, time::Duration};

use axum::{Json, response::IntoResponse as _};
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    host::{Answer, Function, Functions, Invocation, Trigger, serve},
    local::host::{EmbeddedHost, Handler, Keys},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::harness::{Call, done, fixture, harness};

#[tokio::test]
async fn a_timer_ticks_with_its_status() {
    let mut fixture = fixture();
    fixture.settings.timer_interval = Some(Duration::from_millis(20));
    let harness = harness(|_| async { done() });
    let _host = fixture.start(harness.handler()).await;
    let calls = harness.until(|calls| calls.len() >= 2).await;
    assert!(calls.iter().all(|call| call.is("sweep")));
    let last = |call: &Call| call.envelope["Data"]["sweepTimer"]["ScheduleStatus"]["Last"].clone();
    assert_eq!(last(&calls[0]), "0001-01-01T00:00:00+00:00");
    assert_ne!(last(&calls[1]), "0001-01-01T00:00:00+00:00");
}

#[tokio::test]
async fn outputs_are_converted_as_the_real_host_converts_them() {
    let mut fixture = fixture();
    let requests = fixture.settings.app.functions.iter_mut().find(|f| f.name == "requests").unwrap();
    let out =
        json!({ "type": "serviceBus", "direction": "out", "name": "out", "queueName": "tenant-wakeups" });
    requests.bindings.push(serde_json::from_value(out).unwrap());
    let outputs = json!({
        "base64": "done",
        "exact": ["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"],
        "object": { "at": "2026-08-20T09:59:58.500+02:00" },
        "text": "two parts",
    });
    let harness = harness(move |call: Call| {
        let outputs = outputs.clone();
        async move {
            if !call.is("requests") {
                return done();
            }
            Json(json!({ "outputs": { "out": outputs[call.body()], "unknown": 1 } })).into_response()
        }
    });
    let host = fixture.start(harness.handler()).await;
    let cases: [(&str, &[&str]); 4] = [
        ("base64", &["System.Byte[]"]),
        ("exact", &["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"]),
        ("object", &["{\n  \"at\": \"2026-08-20T07:59:58.5+00:00\"\n}"]),
        ("text", &["two parts"]),
    ];
    for (case, messages) in cases {
        let before = harness.calls.borrow().len();
        fixture.request(case, "s").await;
        let calls = harness.until(|calls| calls.len() == before + 1 + messages.len()).await;
        let mut sent: Vec<String> = calls[before + 1..].iter().map(Call::body).collect();
        sent.sort();
        let mut expected = messages.to_vec();
        expected.sort_unstable();
        assert_eq!(sent, expected, "{case}");
    }
    fixture.idle(&host).await;
}

/// Functions that answer an HTTP call with a description of the call, and fail if its query has `fail`.
struct Echo;

impl Functions for Echo {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let Trigger::Http(call) = &invocation.trigger else { return Answer::done() };
            if call.query.contains_key("fail") {
                return Answer::TryAgain { why: "as asked".to_owned() };
            }
            let body = call.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
            let seen = json!({ "function": invocation.function.name(), "method": call.method, "path": call.path,
                "params": call.params, "query": call.query, "body": body });
            let content_type = ("Content-Type".to_owned(), "application/json".to_owned());
            Answer::Http {
                status: 202,
                headers: BTreeMap::from([content_type]),
                body: seen.to_string(),
                logs: vec![],
            }
        })
    }
}

#[tokio::test]
async fn http_functions_and_admin_calls_are_reached_through_the_front() {
    let fixture = fixture();
    let handler = Handler::InProcess(Arc::new(|listener: TcpListener| {
        tokio::spawn(async move { serve(listener, Arc::new(Echo), pending()).await.unwrap() })
    }));
    let host = fixture.start(handler).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, host.router()).into_future());
    let client = tenantry::azure::client::builder().no_proxy().build().unwrap();

    let reply = client.get(format!("{base}/api/tenants/contoso?a=1&a=2&code=k")).send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["content-type"] == "application/json"),
        (202, true)
    );
    let seen: Value = reply.json().await.unwrap();
    assert_eq!(seen["function"], "tenants");
    assert_eq!((&seen["method"], &seen["path"]), (&json!("GET"), &json!("/api/tenants/contoso")));
    assert_eq!(
        (&seen["params"], &seen["query"]),
        (&json!({ "tenantId": "contoso" }), &json!({ "a": "1,2" }))
    );
    assert_eq!(seen["body"], Value::Null);

    let list: Value = client.get(format!("{base}/api/tenants")).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["params"], json!({}));
    let posted =
        client.post(format!("{base}/api/tenants/contoso/retry")).body("{\"why\":1}").send().await.unwrap();
    let seen: Value = posted.json().await.unwrap();
    assert_eq!((&seen["function"], &seen["body"]), (&json!("retry"), &json!("{\"why\":1}")));

    let statuses = [
        (client.get(format!("{base}/api/tenants/contoso/retry")), 404),
        (client.get(format!("{base}/api/tenants?fail=1")), 500),
        (client.get(format!("{base}/nowhere")), 404),
        (client.get(format!("{base}/admin/host/ping")), 200),
        (client.post(format!("{base}/admin/host/ping")), 200),
        (client.post(format!("{base}/admin/functions/sweep")).body("{\"input\":\"\"}"), 202),
        (client.post(format!("{base}/admin/functions/REQUESTS")).body("{\"input\":\"{}\"}"), 202),
        (client.post(format!("{base}/admin/functions/nothing")).body("{\"input\":\"\"}"), 404),
        (client.post(format!("{base}/admin/functions/requests")).body("no"), 400),
        // The call is accepted, and the function fails in the background.
        (client.post(format!("{base}/admin/functions/tenants")).body("{\"input\":\"\"}"), 202),
        (client.put(format!("{base}/api/tenants")), 404),
        (client.delete(format!("{base}/api/tenants/contoso")), 404),
        (client.head(format!("{base}/api/tenants")), 404),
        (client.get(format!("{base}/admin/host/status")), 200),
    ];
    for (request, status) in statuses {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{}", reply.url());
    }
    let names: Value =
        client.get(format!("{base}/admin/functions")).send().await.unwrap().json().await.unwrap();
    assert_eq!(names.as_array().unwrap().len(), Function::ALL.len());
}

/// Serves the host's HTTP routes; returns their base address.
async fn front(host: &EmbeddedHost) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, host.router()).into_future());
    base
}

#[tokio::test]
async fn a_function_invoked_by_hand_gets_no_metadata_of_a_broker() {
    let fixture = fixture();
    let harness = harness(|_| async { done() });
    let host = fixture.start(harness.handler()).await;
    let (base, client) = (front(&host).await, tenantry::azure::client::builder().no_proxy().build().unwrap());
    for function in ["requests", "sweep"] {
        let call = client.post(format!("{base}/admin/functions/{function}"));
        let reply = call.body(json!({"input": "{\"a\":1}"}).to_string()).send().await.unwrap();
        assert_eq!(reply.status(), 202);
        harness.until(|calls| calls.iter().any(|call| call.is(function))).await;
    }
    let calls = harness.calls.borrow().clone();
    let metadata = &calls.iter().find(|call| call.is("requests")).unwrap().envelope["Metadata"];
    assert_eq!((&metadata["DeliveryCount"], &metadata["SequenceNumber"]), (&json!("0"), &json!("-1")));
    assert_eq!(metadata["EnqueuedTime"], "0001-01-01T00:00:00+00:00");
    assert_eq!(metadata["LockToken"], "\"00000000-0000-0000-0000-000000000000\"");
    assert_eq!(metadata["requestMsg"], json!("{\"a\":1}").to_string());
    assert!(metadata.get("MessageId").is_none() && metadata.get("SessionId").is_none());
    let tick = &calls.iter().find(|call| call.is("sweep")).unwrap().envelope;
    assert_eq!(tick["Metadata"]["sweepTimer"], json!("{\"a\":1}").to_string());
}

#[tokio::test]
async fn a_chunked_body_is_dropped_and_only_its_header_is_kept() {
    let fixture = fixture();
    let harness = harness(|_| async { Json(json!({"Outputs": {"res": {"body": ""}}})).into_response() });
    let host = fixture.start(harness.handler()).await;
    let address = front(&host).await.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!("POST /api/tenants HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(format!("{head}7\r\n{{\"a\":1}}\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    let call = harness.until(|calls| calls.len() == 1).await.remove(0);
    let request = &call.envelope["Data"]["req"];
    assert_eq!(request["Headers"]["Transfer-Encoding"], json!(["chunked"]));
    assert_eq!(request.get("Body"), None);
    assert_eq!(call.envelope["Metadata"].get("a"), None, "and nothing of it leaks");
}

#[tokio::test]
async fn calls_need_a_key_if_keys_are_set() {
    let mut fixture = fixture();
    fixture.settings.keys = Some(Keys { host: "host-key".to_owned(), master: "master-key".to_owned() });
    let harness = harness(|_| async { Json(json!({"Outputs": {"res": {"body": ""}}})).into_response() });
    let host = fixture.start(harness.handler()).await;
    let (base, client) = (front(&host).await, tenantry::azure::client::builder().no_proxy().build().unwrap());
    let with = |key: &str, path: &str| client.get(format!("{base}{path}")).header("x-functions-key", key);
    let input = |key: &str| {
        let call = client.post(format!("{base}/admin/functions/sweep")).header("x-functions-key", key);
        call.body("{\"input\":\"\"}")
    };
    let statuses = [
        (client.get(format!("{base}/api/tenants")), 401),
        (client.request(Method::OPTIONS, format!("{base}/api/events")), 401),
        (with("wrong", "/api/tenants"), 401),
        (with("host-key", "/api/tenants"), 200),
        (with("master-key", "/api/tenants"), 200),
        (client.get(format!("{base}/api/tenants?code=host-key")), 200),
        (client.put(format!("{base}/api/tenants")), 404),
        (client.get(format!("{base}/admin/functions")), 401),
        (with("host-key", "/admin/functions"), 403),
        (with("master-key", "/admin/functions"), 200),
        (input("host-key"), 403),
        (input("master-key"), 202),
    ];
    for (request, status) in statuses {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{}", reply.url());
    }
}
