//! The answers to the host, and the shutdown of the server.

use super::*;

#[tokio::test]
async fn answers_have_the_shapes_that_the_host_understands() {
    let served = served().await;
    let envelope = |binding: &str, value: Value| json!({ "Data": { binding: value } }).to_string();
    let requests = envelope("requestMsg", json!("e30="));
    let minimal = json!({ "Outputs": {}, "Logs": [], "ReturnValue": null });
    assert_eq!(served.post("requests", &requests).await.body, minimal);

    let not_found = Answer::Http {
        status: 404,
        headers: BTreeMap::from([("Content-Type".to_owned(), "application/json".to_owned())]),
        body: String::new(),
        logs: vec!["seen".to_owned()],
    };
    *served.recorder.answer.lock().unwrap() = Some(not_found);
    let reply = served.post("tenants", &envelope("req", json!({ "Method": "GET" }))).await;
    assert_eq!(reply.status, 200, "a 404 for the caller is a success for the host");
    let response =
        json!({ "statusCode": 404, "headers": { "Content-Type": "application/json" }, "body": "" });
    assert_eq!(reply.body, json!({ "Outputs": { "res": response }, "Logs": ["seen"], "ReturnValue": null }));
    assert_eq!(served.post("requests", &requests).await.body["Outputs"], json!({}));

    // This answer is delayed, which `at_home/late.rs` tests; in virtual time the delay passes at once.
    tokio::time::pause();
    *served.recorder.answer.lock().unwrap() = Some(Answer::TryAgain { why: "the disk is full".to_owned() });
    let reply = served.post("requests", &requests).await;
    assert_eq!((reply.status, reply.body), (503, json!({ "error": "the disk is full" })));
}

#[test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
fn http_answers_equal_the_payloads_and_never_the_bad_ones() {
    let folder = payloads();
    let read = |name: &str| serde_json::from_str::<Value>(&payload(&folder, name)).unwrap();
    let kind = FunctionTrigger::Http { binding: "req", output: "res" };
    for name in ["response-http-202.json", "response-http-404.json"] {
        let expected = read(name);
        let response = &expected["Outputs"]["res"];
        let answer = Answer::Http {
            status: u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap(),
            headers: serde_json::from_value(response["headers"].clone()).unwrap(),
            body: response["body"].as_str().unwrap().to_owned(),
            logs: serde_json::from_value(expected["Logs"].clone()).unwrap(),
        };
        assert_eq!(answer.to_host_json(kind), (200, expected.clone()));
    }
    for answer in [Answer::done(), Answer::TryAgain { why: String::new() }] {
        let (_, body) = answer.to_host_json(kind);
        assert!(body.is_object());
        for bad in ["response-hang.bad.json", "response-base64-trap.bad.json"] {
            assert_ne!(body, read(bad));
        }
    }
}

#[tokio::test]
async fn a_request_that_is_not_an_invocation_gets_a_json_object_too() {
    let served = served().await;
    let get = served.raw("GET /", "\r\n").await;
    assert_eq!((get.status, get.body.is_object()), (200, true));
    let huge = format!("Content-Length: {}\r\n\r\n", (8 << 20) + 1);
    let two = json!({ "Data": { "a": "e30=", "b": "e30=" } }).to_string();
    let number = json!({ "Data": { "requestMsg": 5 } }).to_string();
    let text = json!({ "Data": { "req": "text" } }).to_string();
    let refused = [
        (served.raw("GET /requests", "\r\n").await, 405, "POST"),
        (served.raw("POST /", "Content-Length: 0\r\n\r\n").await, 405, "GET"),
        (served.raw("POST /requests", &huge).await, 413, "8 MiB"),
        (served.post("provision", "{}").await, 404, "requests"),
        (served.post("requests", "").await, 400, "not JSON"),
        (served.post("requests", "null").await, 400, "Data"),
        (served.post("requests", "{\"Data\":[]}").await, 400, "Data"),
        (served.post("requests", &two).await, 400, "requestMsg"),
        (served.post("requests", &number).await, 400, "a string"),
        (served.post("tenants", &text).await, 400, "an object"),
    ];
    for (reply, status, expected) in refused {
        assert_eq!((reply.status, reply.content_type.as_str()), (status, "application/json"));
        let why = reply.body["error"].as_str().unwrap();
        assert!(why.contains(expected), "{why}");
    }
    assert!(served.recorder.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_panic_fails_one_invocation_and_no_other() {
    let served = served().await;
    let reply = served.post("requests", &json!({ "Data": { "requestMsg": "\"panic\"" } }).to_string()).await;
    assert_eq!((reply.status, reply.body["error"].is_string()), (500, true));
    assert_eq!(
        served.post("requests", &json!({ "Data": { "requestMsg": "e30=" } }).to_string()).await.status,
        200
    );
}

#[tokio::test]
async fn the_hosts_invocation_id_and_trace_are_read() {
    let served = served().await;
    let body = json!({ "Data": { "wakeupMsg": "e30=" } }).to_string();
    let length = body.len();
    let headers =
        format!("X-Azure-Functions-InvocationId: i-1\r\ntraceparent: 00-a-b-01\r\nContent-Length: {length}");
    served.raw("POST /wakeup", &format!("{headers}\r\n\r\n{body}")).await;
    let invocation = served.only_call();
    assert_eq!(invocation.id.as_deref(), Some("i-1"));
    assert_eq!(invocation.traceparent.as_deref(), Some("00-a-b-01"));
}

#[tokio::test]
async fn shutdown_ends_the_server() {
    let listener = bind(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let functions: Arc<dyn Functions> = Arc::<Recorder>::default();
    let task = tokio::spawn(serve(listener, functions, async move {
        let _ = ended.await;
    }));
    end.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

proptest! {
    #[test]
    fn every_body_arrives_as_it_was_sent(bytes: Vec<u8>, text in any::<String>()) {
        let requests = Function::named("requests").unwrap();
        let parse = |data: String| {
            let envelope = json!({ "Data": { "requestMsg": data } }).to_string();
            let Trigger::Message(message) = Trigger::parse(requests, envelope.as_bytes()).unwrap() else { panic!() };
            (message.body, message.metadata_trusted)
        };
        prop_assert_eq!(parse(BASE64_STANDARD.encode(&bytes)), (bytes, true));
        prop_assert_eq!(parse(json!(text).to_string()), (text.into_bytes(), false));
    }

    #[test]
    fn no_envelope_makes_the_parser_panic(bytes: Vec<u8>, name in "[A-Za-z]{1,12}", value in any::<String>()) {
        for function in Function::ALL {
            let _ = Trigger::parse(function, &bytes);
            for shape in [json!(value), json!([value]), json!({ &name: value }), json!({ "Url": value })] {
                let metadata = json!({ &name: shape, "EnqueuedTime": value, "DeliveryCount": value });
                let envelope = json!({ "Data": { &name: shape }, "Metadata": metadata });
                let _ = Trigger::parse(function, envelope.to_string().as_bytes());
            }
        }
    }
}
