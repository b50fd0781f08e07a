//! Tokens: how the platform's identity gets them, and what the services say to those that are no good.

use azure_sim::Speed;
use serde_json::json;

use super::world::{Answer, GROUPS, World, group};

const ARM: &str = "https://management.azure.com";
const GRAPH: &str = "https://graph.microsoft.com";
const EVENT_GRID: &str = "https://eventgrid.azure.net";
const SERVICE_BUS: &str = "https://servicebus.azure.net";
const STORAGE: &str = "https://storage.azure.com";
const USER_ASSIGNED: &str = "7d0e1a52-95a5-4b7c-9d33-5f5f0e4b7b10";

async fn ask(world: &World, query: &str, secret: &str) -> Answer {
    let path = format!("/msi/token?{query}");
    world.try_send("GET", &path, &[("x-identity-header", secret)], None).await.unwrap()
}

#[tokio::test]
async fn the_identity_endpoint_answers_as_app_service_does() {
    let world = World::strict().await;
    for audience in [ARM, GRAPH, EVENT_GRID, SERVICE_BUS, STORAGE, "https://management.azure.com/"] {
        let query = format!("api-version=2019-08-01&resource={audience}");
        let answer = ask(&world, &query, world.secret()).await.is(200);
        assert_eq!((answer.text("/resource"), answer.text("/token_type")), (audience, "Bearer"));
        assert_eq!(answer.body["expires_on"], json!("1790000600"), "a text, ten minutes on");
        assert!(!answer.text("/access_token").is_empty());
    }
    let own = format!("api-version=2019-08-01&resource={ARM}&client_id={USER_ASSIGNED}");
    let theirs = ask(&world, &own, world.secret()).await.is(200);
    let system = ask(&world, &format!("api-version=2019-08-01&resource={ARM}"), world.secret()).await.is(200);
    assert_ne!(theirs.text("/access_token"), system.text("/access_token"));
}

#[tokio::test]
async fn the_identity_endpoint_refuses_strangers_and_nonsense() {
    let world = World::strict().await;
    let good = format!("api-version=2019-08-01&resource={ARM}");
    let missing = world.send("GET", &format!("/msi/token?{good}"), None).await.is(401);
    assert_eq!(missing.body["statusCode"], 401);
    ask(&world, &good, "guessed").await.is(401);
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
        ask(&world, query, world.secret()).await.is(400);
    }
    let headers = [("x-identity-header", world.secret())];
    world.try_send("POST", &format!("/msi/token?{good}"), &headers, None).await.unwrap().is(405);
}

/// The four services, each asked for something that it would do.
async fn asked(world: &World, authorization: Option<&str>) -> [Answer; 4] {
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
        world.try_send(method, path, headers, Some(body)).await.unwrap()
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
async fn every_service_wants_a_token_that_is_its_own() {
    let world = World::strict().await;
    let codes = ["AuthenticationFailed", "InvalidAuthenticationToken", "Unauthorized", "MissingToken"];
    all_refuse(asked(&world, None).await, codes);
    all_refuse(asked(&world, Some("Basic abc")).await, codes);
    let codes =
        ["InvalidAuthenticationToken", "InvalidAuthenticationToken", "Unauthorized", "InvalidSignature"];
    all_refuse(asked(&world, Some("Bearer local")).await, codes);
    let tampered = format!("{}0", world.bearer(STORAGE).await);
    all_refuse(asked(&world, Some(&tampered)).await, codes);
    let storage = world.bearer(STORAGE).await;
    let codes = [
        "InvalidAuthenticationTokenAudience",
        "InvalidAuthenticationToken",
        "Unauthorized",
        "InvalidAudience",
    ];
    all_refuse(asked(&world, Some(&storage)).await, codes);
    for (at, audience) in [ARM, GRAPH, EVENT_GRID, SERVICE_BUS].into_iter().enumerate() {
        // With the slash that older clients put behind it.
        let bearer = world.bearer(&format!("{audience}/")).await;
        let statuses = asked(&world, Some(&bearer)).await.map(|answer| answer.status);
        let taken: Vec<usize> = (0..4).filter(|at| statuses[*at] < 300).collect();
        assert_eq!(taken, [at], "{audience}: {statuses:?}");
    }
    let journal = world.sim("journal").await;
    let refused = journal.as_array().unwrap().iter().filter(|line| line["status"] == 401).count();
    assert_eq!(refused, 5 * 4 + 4 * 3, "a refusal of a token is in the journal");
    assert_eq!(world.sim("events").await.as_array().unwrap().len(), 1);
    assert_eq!(world.sim("queues/tenant-wakeups").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_ends_and_outlives_the_process() {
    let mut world = World::strict().await;
    let bearer = world.bearer(ARM).await;
    let secret = world.secret().to_owned();
    world.restart().await;
    assert_eq!(world.secret(), secret, "settings that were pasted stay good");
    let path = format!("{}?api-version={GROUPS}", group("acme"));
    let look = async || world.try_send("GET", &path, &[("authorization", &bearer)], None).await.unwrap();
    world.pass(599);
    look().await.is(404);
    world.pass(1);
    look().await.refuses(401, "ExpiredAuthenticationToken");
    let other = World::strict().await;
    let headers = [("authorization", bearer.as_str())];
    other.try_send("GET", &path, &headers, None).await.unwrap().refuses(401, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn a_cloud_that_is_not_strict_takes_any_token_or_none() {
    let world = World::new(Speed::Max).await;
    for authorization in [None, Some("Bearer local")] {
        let statuses = asked(&world, authorization).await.map(|answer| answer.status);
        assert!(!statuses.contains(&401), "{statuses:?}");
    }
    assert!(asked(&world, Some("Bearer ")).await.iter().all(|answer| answer.status == 401));
}
