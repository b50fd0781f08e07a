//! The prober calls only services of tenants, whatever URL a resource shows, and reads only the start of an answer.

use azure_sim::Speed;
use serde_json::json;
use tenantry::ports::{Credential, ProbeToken, TokenFor};
use tenantry_core::isolation::ProbeTarget;

use crate::testkit::fixture::Fixture;

fn target(url: &str) -> ProbeTarget {
    ProbeTarget { url: url.to_owned(), ..ProbeTarget::default() }
}

#[tokio::test]
async fn no_other_address_is_called() {
    let fixture = Fixture::new(Speed::Max).await;
    let prober = fixture.ports.prober.clone().unwrap();
    let token = Credential::Token(ProbeToken::new("canary"));
    let refused = [
        ("", "it is no URL"),
        ("/score", "it is no URL"),
        ("http://acme.westeurope.inference.ml.azure.com/score", "it is not https"),
        ("ftp://acme.westeurope.inference.ml.azure.com/score", "it is not https"),
        ("https://169.254.169.254/metadata/identity/oauth2/token", "its host does not belong"),
        ("https://[::1]/score", "its host does not belong"),
        ("https://localhost/score", "its host does not belong"),
        ("https://acme.example/score", "its host does not belong"),
        ("https://acme.inference.ml.azure.com.evil.example/score", "its host does not belong"),
        ("https://evilinference.ml.azure.com/score", "its host does not belong"),
        ("https://.inference.ml.azure.com/score", "its host does not belong"),
        ("https://acme.westeurope.inference.ml.azure.com.evil/score", "its host does not belong"),
        ("https://evil.example/acme.westeurope.inference.ml.azure.com", "its host does not belong"),
        ("https://evil.example?acme.openai.azure.com", "its host does not belong"),
        ("https://evil.example#.openai.azure.com", "its host does not belong"),
        ("https://acme.westeurope.inference.ml.azure.com@evil.example/score", "names a user"),
        ("https://user:word@acme.westeurope.inference.ml.azure.com/score", "names a user"),
        ("https://acme.westeurope.inference.ml.azure.com:8443/score", "names a port"),
        ("https://acme.westeurope.inference.ml.azure.com./score", "its host does not belong"),
    ];
    for (url, because) in refused {
        for with in [&token, &Credential::None, &Credential::Key] {
            let why = prober.call(&target(url), with).await.unwrap_err();
            assert!(why.contains(because) && !why.contains("canary"), "{url}: {why}");
        }
    }
    assert_eq!(fixture.sim("journal").await, json!([]), "nothing was sent");
}

#[tokio::test]
async fn known_services_are_called_under_their_own_names() {
    let fixture = Fixture::new(Speed::Max).await;
    let prober = fixture.ports.prober.clone().unwrap();
    for host in [
        "acme.westeurope.inference.ml.azure.com",
        "ACME.openai.azure.com",
        "acme.cognitiveservices.azure.com",
    ] {
        let answer =
            prober.call(&target(&format!("https://{host}/score?v=1")), &Credential::Key).await.unwrap();
        assert_eq!((answer.status, answer.from_service), (404, false), "{host}: no service has this name");
    }
    let journal = fixture.sim("journal").await;
    let paths: Vec<&str> =
        journal.as_array().unwrap().iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/score?v=1"; 3]);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let fixture = Fixture::new(Speed::Max).await;
    let fault = json!({"match": {"pathContains": "/score"}, "answer": {
        "status": 307, "headers": {"Location": format!("{}/elsewhere", fixture.base())}, "body": "x".repeat(1 << 20),
    }});
    let client = crate::testkit::client();
    client.post(format!("{}/_sim/faults", fixture.base())).json(&fault).send().await.unwrap();
    let prober = fixture.ports.prober.clone().unwrap();
    let at = target("https://acme.westeurope.inference.ml.azure.com/score");
    let answer = prober.call(&at, &Credential::Token(ProbeToken::new("canary"))).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(fixture.sim("journal").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_in_an_unknown_form_is_not_presented_as_expired() {
    let fixture = Fixture::new(Speed::Max).await;
    let prober = fixture.ports.prober.clone().unwrap();
    let at = target("https://acme.westeurope.inference.ml.azure.com/score");
    for token in ["canary", "a.b.c", "a.e30.c", "..", "a.b.c.d.e"] {
        let why = prober.call(&at, &Credential::Expired(ProbeToken::new(token))).await.unwrap_err();
        assert!(why.contains("can't be changed to an expired one"), "{why}");
    }
}

#[tokio::test]
async fn the_error_for_a_refused_token_has_no_secrets() {
    let fixture = Fixture::new(Speed::Max).await;
    let prober = fixture.ports.prober.clone().unwrap();
    let directory = azure_sim::DIRECTORY_ID.to_owned();
    let nobody = ProbeTarget {
        client_id: "00000000-0000-0000-0000-00000000ffff".to_owned(),
        scope: "https://ml.azure.com/.default".to_owned(),
        directory_id: directory,
        ..ProbeTarget::default()
    };
    let why = prober.token(&nobody, TokenFor::Service).await.unwrap_err().to_string();
    assert_eq!(why, "Entra gave no token of its application: AADSTS700016");
    let elsewhere =
        ProbeTarget { directory_id: "00000000-0000-0000-0000-00000000eeee".to_owned(), ..nobody.clone() };
    let why = prober.token(&elsewhere, TokenFor::Service).await.unwrap_err().to_string();
    assert!(why.contains("AADSTS90002"), "{why}");
    let without = ProbeTarget { client_id: String::new(), ..nobody };
    assert!(prober.token(&without, TokenFor::Another).await.is_err());
}
