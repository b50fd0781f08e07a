//! The simulated Azure's tokens: how a managed identity gets them, and how services reject invalid ones.

use azure_sim::Speed;
use serde_json::json;

use super::fixture::{Answer, Fixture, GROUPS, group};

const ARM: &str = "https://management.azure.com";
const GRAPH: &str = "https://graph.microsoft.com";
const EVENT_GRID: &str = "https://eventgrid.azure.net";
const SERVICE_BUS: &str = "https://servicebus.azure.net";
const STORAGE: &str = "https://storage.azure.com";
const USER_ASSIGNED: &str = "7d0e1a52-95a5-4b7c-9d33-5f5f0e4b7b10";

async fn ask(fixture: &Fixture, query: &str, secret: &str) -> Answer {
    let path = format!("/msi/token?{query}");
    fixture.try_send("GET", &path, &[("x-identity-header", secret)], None).await.unwrap()
}

#[tokio::test]
async fn the_identity_endpoint_answers_as_app_service_does() {
    let fixture = Fixture::strict().await;
    for audience in [ARM, GRAPH, EVENT_GRID, SERVICE_BUS, STORAGE, "https://management.azure.com/"] {
        let query = format!("api-version=2019-08-01&resource={audience}");
        let answer = ask(&fixture, &query, fixture.secret()).await.is(200);
        assert_eq!((answer.text("/resource"), answer.text("/token_type")), (audience, "Bearer"));
        assert_eq!(answer.body["expires_on"], json!("1790000600"), "a text, ten minutes on");
        assert!(!answer.text("/access_token").is_empty());
    }
    let own = format!("api-version=2019-08-01&resource={ARM}&client_id={USER_ASSIGNED}");
    let theirs = ask(&fixture, &own, fixture.secret()).await.is(200);
    let system =
        ask(&fixture, &format!("api-version=2019-08-01&resource={ARM}"), fixture.secret()).await.is(200);
    assert_ne!(theirs.text("/access_token"), system.text("/access_token"));
}

#[tokio::test]
async fn the_identity_endpoint_refuses_calls_without_its_secret_and_invalid_requests() {
    let fixture = Fixture::strict().await;
    let good = format!("api-version=2019-08-01&resource={ARM}");
    let missing = fixture.send("GET", &format!("/msi/token?{good}"), None).await.is(401);
    assert_eq!(missing.body["statusCode"], 401);
    ask(&fixture, &good, "guessed").await.is(401);
    let bad = [
        "api-version=2019-08-01".to_owned(),
        "api-version=2019-08-01&resource=https://example.com".to_owned(),
        format!("api-version=2017-09-01&resource={ARM}"),
        format!("resource={ARM}"),
        format!("{good}/.default"),
        format!("{good}&client_id=somebody"),
        format!("{good}&object_id={USER_ASSIGNED}"),
    ];
    for query in &bad {
        ask(&fixture, query, fixture.secret()).await.is(400);
    }
    let headers = [("x-identity-header", fixture.secret())];
    fixture.try_send("POST", &format!("/msi/token?{good}"), &headers, None).await.unwrap().is(405);
}

/// Sends a valid request to each of the four services: ARM, Graph, Event Grid and Service Bus.
async fn asked(fixture: &Fixture, authorization: Option<&str>) -> [Answer; 4] {
    let arm = format!("{}?api-version={GROUPS}", group("acme"));
    let event = json!([{ "specversion": "1.0", "id": "1", "source": "/t", "type": "x" }]);
    let json = ("content-type", "application/json");
    let with = |kind| {
        let mut headers = vec![kind];
        headers.extend(authorization.map(|value| ("authorization", value)));
        headers
    };
    let batch = with(("content-type", "application/cloudevents-batch+json"));
    let mut upsert = with(json);
    upsert.push(("prefer", "create-if-missing"));
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body| {
        fixture.try_send(method, path, headers, Some(body)).await.unwrap()
    };
    [
        send("PUT", &arm, &with(json), json!({ "location": "westeurope" })).await,
        send("PATCH", "/v1.0/applications(uniqueName='acme')", &upsert, json!({ "displayName": "x" })).await,
        send("POST", "/api/events?api-version=2018-01-01", &batch, event).await,
        send("POST", "/tenant-wakeups/messages", &with(json), json!({ "tenantId": "acme" })).await,
    ]
}

#[track_caller]
fn all_refuse(answers: [Answer; 4], codes: [&str; 4]) {
    for (answer, code) in answers.into_iter().zip(codes) {
        let is_xml = answer.body.as_str().is_some_and(|text| {
            text.starts_with(&format!("<Error><Code>401</Code><Detail>{code}: "))
                && text.ends_with("</Error>")
        });
        assert!(answer.status == 401 && (is_xml || answer.code() == code), "{code}: {answer:?}");
    }
}

#[tokio::test]
async fn every_service_requires_a_token_for_itself() {
    let fixture = Fixture::strict().await;
    let codes = ["AuthenticationFailed", "InvalidAuthenticationToken", "Unauthorized", "MissingToken"];
    all_refuse(asked(&fixture, None).await, codes);
    all_refuse(asked(&fixture, Some("Basic abc")).await, codes);
    let codes =
        ["InvalidAuthenticationToken", "InvalidAuthenticationToken", "Unauthorized", "InvalidSignature"];
    all_refuse(asked(&fixture, Some("Bearer local")).await, codes);
    let tampered = format!("{}0", fixture.bearer(STORAGE).await);
    all_refuse(asked(&fixture, Some(&tampered)).await, codes);
    let storage = fixture.bearer(STORAGE).await;
    let codes = [
        "InvalidAuthenticationTokenAudience",
        "InvalidAuthenticationToken",
        "Unauthorized",
        "InvalidAudience",
    ];
    all_refuse(asked(&fixture, Some(&storage)).await, codes);
    for (at, audience) in [ARM, GRAPH, EVENT_GRID, SERVICE_BUS].into_iter().enumerate() {
        // Older clients write a slash at the end of the audience.
        let bearer = fixture.bearer(&format!("{audience}/")).await;
        let statuses = asked(&fixture, Some(&bearer)).await.map(|answer| answer.status);
        let taken: Vec<usize> = (0..4).filter(|at| statuses[*at] < 300).collect();
        assert_eq!(taken, [at], "{audience}: {statuses:?}");
    }
    let journal = fixture.sim("journal").await;
    let refused = journal.as_array().unwrap().iter().filter(|line| line["status"] == 401).count();
    assert_eq!(refused, 5 * 4 + 4 * 3, "a refusal of a token is in the journal");
    assert_eq!(fixture.sim("events").await.as_array().unwrap().len(), 1);
    assert_eq!(fixture.sim("queues/tenant-wakeups").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_expires_and_survives_a_restart() {
    let mut fixture = Fixture::strict().await;
    let bearer = fixture.bearer(ARM).await;
    let secret = fixture.secret().to_owned();
    fixture.restart().await;
    assert_eq!(fixture.secret(), secret, "pasted settings stay valid");
    let path = format!("{}?api-version={GROUPS}", group("acme"));
    let read = async || fixture.try_send("GET", &path, &[("authorization", &bearer)], None).await.unwrap();
    fixture.pass(599);
    read().await.is(404);
    fixture.pass(1);
    read().await.refuses(401, "ExpiredAuthenticationToken");
    let other = Fixture::strict().await;
    let headers = [("authorization", bearer.as_str())];
    other.try_send("GET", &path, &headers, None).await.unwrap().refuses(401, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn a_cloud_that_is_not_strict_accepts_any_token_or_none() {
    let fixture = Fixture::new(Speed::Max).await;
    for authorization in [None, Some("Bearer local")] {
        let statuses = asked(&fixture, authorization).await.map(|answer| answer.status);
        assert!(!statuses.contains(&401), "{statuses:?}");
    }
    assert!(asked(&fixture, Some("Bearer ")).await.iter().all(|answer| answer.status == 401));
}
