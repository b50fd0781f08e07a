//! Bad inputs 109 to 120, HTTP calls, as far as they reach the handler. Who may call (110) is decided by the platform
//! in front of the handler: the functions have `authLevel: function`, and App Service checks tokens.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry_core::tenant::{Goal, StepState};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    case::signup,
    harness::{Harness, LIVE},
};

fn on(tenant: &str, method: &str) -> Value {
    json!({"Method": method, "Params": {"tenantId": tenant}})
}

#[tokio::test]
async fn unsupported_methods_are_refused() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let rows = [
        (109, json!({"Method": "GET"}), 200),
        (109, on(LIVE, "GET"), 200),
        (109, on(LIVE, "get"), 200),
        (109, json!({"Method": "PUT"}), 405),
        (109, on(LIVE, "PUT"), 405),
        (109, on(LIVE, "DELETE"), 405),
        (109, on(LIVE, "PATCH"), 405),
        (109, on(LIVE, "TRACE"), 405),
        (109, on(LIVE, "HEAD"), 405),
        (109, json!({"Method": ""}), 405),
        (109, json!({}), 405),
        // 117: a request names its tenant in the body only; a path with a tenant takes no request.
        (
            117,
            json!({"Method": "POST", "Params": {"tenantId": "other"}, "Body": signup("d117").to_string()}),
            405,
        ),
    ];
    let before = harness.census().await;
    for (number, request, expected) in rows {
        let (status, body) = harness.call("tenants", request.clone()).await;
        assert_eq!(status, expected, "{number} {request}: {body}");
    }
    let after = harness.census().await;
    assert_eq!((after.tenants, after.events), (before.tenants, before.events));
}

#[tokio::test]
async fn identities_that_a_caller_claims_change_nothing() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let plain = harness.call("tenants", on(LIVE, "GET")).await;
    // 111: the host checks a key in the query; the key appears in no answer. 112: only the platform may set these
    // headers and identities. 116: a header of 64 KiB.
    let rows = [
        (111, json!({"Query": {"code": "canary-key"}, "Url": "http://x/api/tenants?code=canary-key"})),
        (
            112,
            json!({"Headers": {"X-MS-CLIENT-PRINCIPAL": ["eyJjYW5hcnkiOjF9"], "X-MS-CLIENT-PRINCIPAL-ID": ["admin"]}}),
        ),
        (
            112,
            json!({"Identities": [{"AuthenticationType": "aad", "Claims": [{"Type": "roles", "Value": "admin"}]}]}),
        ),
        (116, json!({"Headers": {"X-Long": ["x".repeat(64 * 1024)]}})),
    ];
    for (number, claims) in rows {
        let mut request = on(LIVE, "GET");
        request.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let answer = harness.call("tenants", request).await;
        assert!(!answer.1.to_string().contains("canary"), "{number}");
        assert_eq!(answer, plain, "{number}");
    }
}

#[tokio::test]
async fn a_request_with_an_ambiguous_or_too_long_head_is_refused() {
    let harness = Harness::open().await;
    let before = harness.census().await;
    let envelope = json!({"Data": {"requestMsg": signup("d113").to_string()}, "Metadata": {}}).to_string();
    let length = envelope.len();
    let rows = [
        (113, format!("Content-Length: {length}\r\nContent-Length: 3\r\n"), envelope.clone()),
        (114, format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n".to_owned()),
        (114, format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {length}\r\n"), envelope),
        (116, format!("X-Long: {}\r\nContent-Length: 0\r\n", "x".repeat(600 * 1024)), String::new()),
    ];
    for (number, head, body) in rows {
        let mut stream = TcpStream::connect(("127.0.0.1", harness.port)).await.unwrap();
        let request = format!("POST /requests HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n{body}");
        // The server may close the connection in the middle of a head that it refuses.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        let reply = String::from_utf8_lossy(&reply);
        let status: u16 = reply.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(400);
        assert!((400..500).contains(&status), "{number}: {reply}");
    }
    let after = harness.census().await;
    assert_eq!((after.tenants, after.events), (before.tenants, before.events));
}

#[tokio::test]
async fn a_request_sets_nothing_but_the_desired_state() {
    let harness = Harness::open().await;
    let forged = json!({
        "state": "active", "status": "deleted", "outcome": "ready", "epoch": 99, "version": 77, "incarnation": 5,
        "generation": 9, "sequence": 1000, "lease": {"holder": "me", "epoch": 9, "until": "2099-01-01T00:00:00Z"},
        "steps": {}, "plan": {}, "operationId": "mine", "placement": {"stamp": "s", "subscriptionId": "x", "region": "y"},
        "channel": "operator", "replayed": true,
    });
    for into in ["", "/spec"] {
        for (name, value) in forged.as_object().unwrap() {
            let mut body = signup("d118");
            body.pointer_mut(into).unwrap()[name] = value.clone();
            let (status, answer) = harness.submit(body.to_string().as_bytes()).await;
            let seen = (status, answer["code"].as_str(), answer["faults"][0]["pointer"].as_str().unwrap());
            assert_eq!(seen, (400, Some("unknown_member"), &*format!("{into}/{name}")), "{answer}");
        }
    }
    assert!(harness.census().await.tenants.is_empty());
    // The same members in `external` belong to the other system and have no effect.
    let mut body = signup("d118");
    body["external"] = forged;
    let (status, answer) = harness.submit(body.to_string().as_bytes()).await;
    assert_eq!(status, 202, "{answer}");
    let tenant = harness.settled(&answer["tenantId"].as_str().unwrap().parse().unwrap()).await;
    assert_ne!(answer["operationId"], "mine");
    assert_eq!((tenant.incarnation, tenant.generation, tenant.sequence(), tenant.version()), (1, 1, 3, 2));
    assert_eq!(
        (tenant.placement.stamp.as_str(), tenant.lease(), tenant.steps().len()),
        ("local-01", None, 1)
    );
    assert!(tenant.unknown.is_empty(), "{:?}", tenant.unknown);
}

#[tokio::test]
async fn a_retry_of_a_tenant_without_blocked_steps_changes_nothing() {
    let harness = Harness::open().await;
    let tenant = harness.sign_up(LIVE).await;
    let retry = |id: &str, request: &str| {
        harness.call("retry", json!({"Method": "POST", "Params": {"tenantId": id}, "Body": json!({"requestId": request}).to_string()}))
    };
    // 120: the tenant is ready.
    let (status, body) = retry(LIVE, "d120-ready").await;
    assert_eq!((status, body["code"].as_str()), (409, Some("nothing_to_retry")), "{body}");
    // 120: unknown, foreign and impossible ids get the same answer.
    let unknown = retry("nobody", "d120-unknown").await;
    assert_eq!(unknown.0, 404);
    assert_eq!(retry("NoBody'; --", "d120-impossible").await, unknown);
    assert_eq!(harness.call("tenants", on("nobody", "GET")).await, unknown);
    assert_eq!(harness.call("tenants", on("../nobody", "GET")).await, unknown);
    // 117: a body that is not an object, or that contradicts the call.
    for (body, expected) in [
        ("[]", 400),
        (r#"{"tenantId": "other"}"#, 400),
        (r#"{"action": "deprovision"}"#, 400),
        (r#"{"schema": "tenantry.request/9"}"#, 400),
        (r#"{"dryrun": true}"#, 400),
        (r#"{"requestId": "a", "requestid": "b"}"#, 400),
        // The event's type is not a retry.
        (r#"{"specversion": "1.0", "type": "io.tenantry.request.deprovision.v1", "data": {}}"#, 400),
    ] {
        let call = json!({"Method": "POST", "Params": {"tenantId": LIVE}, "Body": body});
        assert_eq!(harness.call("retry", call).await.0, expected, "{body}");
    }
    let mut expected = tenant.clone();
    let after = harness.tenant(&tenant.id).await.unwrap();
    expected.updated_at = after.updated_at;
    assert_eq!(after, expected);
}

#[tokio::test]
async fn a_retry_in_the_middle_of_a_removal_changes_nothing() {
    let harness = Harness::open().await;
    let tenant = harness.sign_up(LIVE).await;
    let remove = json!({"schema": "tenantry.request/1", "requestId": "d120-remove", "action": "deprovision", "tenantId": LIVE});
    let (status, _) = harness.submit(remove.to_string().as_bytes()).await;
    assert_eq!(status, 202);
    let before = harness.tenant(&tenant.id).await.unwrap();
    assert_eq!(before.goal, Goal::Absent);
    let (status, body) = harness.call("retry", on(LIVE, "POST")).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("nothing_to_retry")), "{body}");
    assert_eq!(harness.tenant(&tenant.id).await.unwrap(), before);
    assert_eq!(harness.settled(&tenant.id).await.status.as_str(), "deleted");
}

#[tokio::test]
async fn many_copies_of_a_retry_at_once_start_one_operation() {
    let harness = Harness::open().await;
    let tenant = harness.sign_up(LIVE).await;
    let mut stored = harness.local.ports.store.load(&tenant.id).await.unwrap().unwrap();
    let names: Vec<_> = stored.value.steps().keys().cloned().collect();
    for name in names {
        let cause = tenantry_core::tenant::Cause::ours(
            tenantry_core::tenant::FailureClass::Quota,
            "OutOfQuota",
            "no room",
        );
        stored.value.change_step(&name, |record| record.enter(|effort| StepState::Blocked { effort, cause }));
    }
    harness.local.ports.store.save(&stored.value, Some(&stored.etag)).await.unwrap();
    let before = harness.census().await.events;
    let mut retry = on(LIVE, "POST");
    retry["Body"] = json!({"requestId": "d119"}).to_string().into();
    let answers = join_all((0..100).map(|_| harness.call("retry", retry.clone()))).await;
    let fresh = answers.iter().filter(|(status, body)| (*status, &body["replayed"]) == (202, &Value::Null));
    assert_eq!(fresh.count(), 1, "{answers:?}");
    let repeats = answers.iter().filter(|(status, body)| (*status, &body["replayed"]) == (200, &json!(true)));
    assert_eq!(repeats.count(), 99, "{answers:?}");
    let operations: BTreeSet<&str> =
        answers.iter().map(|(_, body)| body["operationId"].as_str().unwrap()).collect();
    assert_eq!(operations.len(), 1, "{operations:?}");
    harness.settled(&tenant.id).await;
    let events = harness.events().await.split_off(before);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["io.tenantry.tenant.provision.started.v1", "io.tenantry.tenant.provision.succeeded.v1"]
    );
}
