//! The program logs the lines that the alerts query, with the fields that the alerts use.

use serde_json::json;

use crate::testkit::{harness::Harness, log::Log, signup};

#[tokio::test]
async fn a_blocked_operation_and_a_sweep_are_logged_with_the_fields_of_the_alerts() {
    let (log, _guard) = Log::listen();
    let harness = Harness::new().await;
    harness
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "No."}}}}))
        .await;
    harness.accept(&signup("tailspin")).await;
    harness.until_is("tailspin", "waiting").await;
    harness.until_published("tailspin", "tenant.operation.waiting", 1).await;
    let blocks = log.said("an operation is blocked");
    assert_eq!(blocks.len(), 1, "{blocks:#?}");
    let (block, why) = (&blocks[0], blocks[0]["why"].as_str().unwrap());
    assert_eq!(
        (&block["tenant.id"], &block["outcome"], &block["level"]),
        (&"tailspin".into(), &"waiting".into(), &"WARN".into())
    );
    assert!(why.contains("endpoint: AuthorizationFailed"), "{block:#}");

    let before = log.said("swept").len();
    let status = harness.run_function("sweep", &json!({})).await;
    assert_eq!(status, 202);
    crate::testkit::until("the sweep is logged", async || {
        let now = log.said("swept");
        if now.len() > before { Ok(now) } else { Err(json!(now)) }
    })
    .await
    .iter()
    .for_each(|line| assert!(line["due"].is_u64() && line["level"] == "INFO", "{line:#}"));
}
