//! The bridge to the legacy Azure crates: which answers reach their parsers.

use std::time::Duration;

use azure_core_legacy::{HttpClient as _, Method, Request};
use serde_json::json;
use tenantry::azure::{bridge::LegacyTransport, client::client};

use super::script::{Answer, Jumping, Script, json as reply};

async fn through(answer: Answer, most: usize) -> azure_core_legacy::Result<(u16, String)> {
    let script = Script::new([answer]).await;
    let transport = LegacyTransport::new(client(Duration::from_secs(5)).unwrap(), Jumping::new(), most);
    let request = Request::new(script.url.parse().unwrap(), Method::Get);
    let response = transport.execute_request(&request).await?;
    Ok((response.status().into(), response.into_body().collect_string().await.unwrap()))
}

#[tokio::test]
async fn xml_does_not_reach_the_parsers_of_the_legacy_crates() {
    for kind in ["application/xml", "text/xml; charset=utf-8", "text/html"] {
        let xml = Answer::Whole {
            status: 409,
            headers: vec![("content-type", kind.to_owned())],
            body: "<Error><Code>EntityAlreadyExists</Code></Error>".to_owned(),
        };
        assert_eq!(through(xml, 1000).await.unwrap(), (409, String::new()), "{kind}");
    }
    assert_eq!(through(reply(409, &json!({"a": 1})), 1000).await.unwrap(), (409, r#"{"a":1}"#.to_owned()));
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_an_error() {
    assert!(through(Answer::Flood(1001), 1000).await.is_err());
}
