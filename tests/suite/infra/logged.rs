//! The lines that alerts ask for, as the program really writes them.

use serde_json::json;

use crate::testkit::{log::Log, signup, stage::Stage};

#[tokio::test]
async fn a_halt_and_a_sweep_are_logged_with_what_alerts_ask_for() {
    let (log, _guard) = Log::listen();
    let stage = Stage::new().await;
    stage
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "No."}}}}))
        .await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "waiting").await;
    stage.until_told("tailspin", "tenant.operation.waiting", 1).await;
    let halts = log.said("an operation came to a halt");
    assert_eq!(halts.len(), 1, "{halts:#?}");
    let (halt, why) = (&halts[0], halts[0]["why"].as_str().unwrap());
    assert_eq!(
        (&halt["tenant.id"], &halt["outcome"], &halt["level"]),
        (&"tailspin".into(), &"waiting".into(), &"WARN".into())
    );
    assert!(why.contains("endpoint: AuthorizationFailed"), "{halt:#}");

    let before = log.said("swept").len();
    let status = stage.run_function("sweep", &json!({})).await;
    assert_eq!(status, 202);
    crate::testkit::until("the sweep says that it is through", async || {
        let now = log.said("swept");
        if now.len() > before { Ok(now) } else { Err(json!(now)) }
    })
    .await
    .iter()
    .for_each(|line| assert!(line["due"].is_u64() && line["level"] == "INFO", "{line:#}"));
}
