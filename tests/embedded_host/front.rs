//! Everything that is no queue message: HTTP functions, admin calls, timers, outputs.

use std::{collections::BTreeMap, future::pending, sync::Arc, time::Duration};

use axum::{Json, response::IntoResponse as _};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    host::{Answer, Functions, Invocation, Trigger, serve},
    local::host::Handler,
};
use tokio::net::TcpListener;

use super::stage::{Call, done, stage, world};

#[tokio::test]
async fn a_timer_ticks_with_its_status() {
    let mut world = world();
    world.settings.timer_interval = Some(Duration::from_millis(20));
    let stage = stage(|_| async { done() });
    let _host = world.start(stage.handler()).await;
    let calls = stage.until(|calls| calls.len() >= 2).await;
    assert!(calls.iter().all(|call| call.is("sweep")));
    let last = |call: &Call| call.envelope["Data"]["sweepTimer"]["ScheduleStatus"]["Last"].clone();
    assert_eq!(last(&calls[0]), "0001-01-01T00:00:00+00:00");
    assert_ne!(last(&calls[1]), "0001-01-01T00:00:00+00:00");
}

#[tokio::test]
async fn outputs_fall_into_the_real_traps() {
    let mut world = world();
    let signup = world.settings.app.functions.iter_mut().find(|f| f.name == "signup").unwrap();
    let out =
        json!({ "type": "serviceBus", "direction": "out", "name": "out", "queueName": "tenant-wakeups" });
    signup.bindings.push(serde_json::from_value(out).unwrap());
    let outputs = json!({
        "base64": "done",
        "exact": ["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"],
        "object": { "at": "2026-08-20T09:59:58.500+02:00" },
        "text": "two words",
    });
    let stage = stage(move |call: Call| {
        let outputs = outputs.clone();
        async move {
            if !call.is("signup") {
                return done();
            }
            Json(json!({ "outputs": { "out": outputs[call.body()], "unknown": 1 } })).into_response()
        }
    });
    let host = world.start(stage.handler()).await;
    let cases: [(&str, &[&str]); 4] = [
        ("base64", &["System.Byte[]"]),
        ("exact", &["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"]),
        ("object", &["{\n  \"at\": \"2026-08-20T07:59:58.5+00:00\"\n}"]),
        ("text", &["two words"]),
    ];
    for (case, messages) in cases {
        let before = stage.calls.borrow().len();
        world.request(case, "s").await;
        let calls = stage.until(|calls| calls.len() == before + 1 + messages.len()).await;
        let mut sent: Vec<String> = calls[before + 1..].iter().map(Call::body).collect();
        sent.sort();
        let mut wanted = messages.to_vec();
        wanted.sort_unstable();
        assert_eq!(sent, wanted, "{case}");
    }
    world.idle(&host).await;
}

/// Answers HTTP functions with what they were asked, and fails on demand.
struct Echo;

impl Functions for Echo {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let Trigger::Http(call) = &invocation.trigger else { return Answer::done() };
            if call.query.contains_key("fail") {
                return Answer::TryAgain { why: "as asked".to_owned() };
            }
            let body = call.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
            let seen = json!({ "function": invocation.function, "method": call.method, "path": call.path,
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
    let world = world();
    let handler = Handler::InProcess(Arc::new(|listener: TcpListener| {
        tokio::spawn(async move { serve(listener, Arc::new(Echo), pending()).await.unwrap() })
    }));
    let host = world.start(handler).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, host.router()).into_future());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

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
        (client.post(format!("{base}/admin/functions/SIGNUP")).body("{\"input\":\"{}\"}"), 202),
        (client.post(format!("{base}/admin/functions/nothing")).body("{\"input\":\"\"}"), 404),
        (client.post(format!("{base}/admin/functions/signup")).body("no"), 400),
        (client.post(format!("{base}/admin/functions/tenants")).body("{\"input\":\"\"}"), 400),
    ];
    for (request, status) in statuses {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{}", reply.url());
    }
    let names: Value =
        client.get(format!("{base}/admin/functions")).send().await.unwrap().json().await.unwrap();
    assert_eq!(names.as_array().unwrap().len(), 9);
}
