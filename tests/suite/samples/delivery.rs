//! A sign-up by an app, with events that are delivered twice, late, or not at all.

use super::app::{Tenantry, apps};
use crate::testkit::{folder, judge::list};

#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn a_signup_is_handled_once_although_everything_is_delivered_twice() {
    for app in apps() {
        let language = app.language;
        let folder = folder();
        let webhook = app.serve(folder.path(), "127.0.0.1:0", &[("WEBHOOK_KEY", "k 1")]).await;
        let url = format!("{}?code=k%201", webhook.url);
        let tenantry = Tenantry::start(folder.path(), &url, &["--repeat-events"]).await;
        let settings = [("TENANTRY_URL", tenantry.base.as_str())];
        let order = ["signup", "order-1001", "northwind", "Northwind Traders", "pooled"];

        let first = app.run(folder.path(), &order, &settings).await;
        assert_eq!(first.code, Some(0), "{language}: {first:#?}");
        assert!(first.out.starts_with("accepted: tenant northwind, operation "), "{language}: {first:#?}");
        let welcome = webhook.until_says("welcome northwind: https://").await;
        let asked = app.run(folder.path(), &["wait", "northwind"], &settings).await;
        let endpoint = welcome.strip_prefix("welcome northwind: ").unwrap();
        assert_eq!(asked.out, format!("northwind is active {endpoint}\n"), "{language}: {asked:#?}");
        let repeated = app.run(folder.path(), &order, &settings).await;
        assert_eq!((repeated.code, repeated.out), (Some(0), first.out), "{language}: the same order twice");

        let events = list(&tenantry.get("/_sim/events").await).len();
        let twice = |one: &serde_json::Value| one["taken"].as_u64() >= u64::try_from(2 * events).ok();
        tenantry.until_delivery(&format!("{language} took each event twice"), twice).await;
        let said = webhook.said();
        let begin = |text: &str| said.iter().filter(|line| line.starts_with(text)).count();
        assert_eq!((begin("again: "), begin("late: ")), (events, 0), "{language}: {said:#?}");
        assert_eq!((begin("welcome "), begin("northwind is active")), (1, 1), "{language}: {said:#?}");
    }
}

#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn events_that_a_webhook_missed_are_delivered_when_it_is_back() {
    for app in apps() {
        let language = app.language;
        let folder = folder();
        let webhook = app.serve(folder.path(), "127.0.0.1:0", &[]).await;
        let (address, url) = (webhook.address(), webhook.url.clone());
        let tenantry = Tenantry::start(folder.path(), &url, &[]).await;
        tenantry.until_delivery("the handshake", |one| one["granted"] == true).await;
        webhook.kill().await;

        let settings = [("TENANTRY_URL", tenantry.base.as_str())];
        let order = ["signup", "order-1002", "northwind", "Northwind Traders", "pooled"];
        let sent = app.run(folder.path(), &order, &settings).await;
        assert_eq!(sent.code, Some(0), "{language}: {sent:#?}");
        tenantry.until_delivery("a delivery that failed", |one| one["missed"].as_u64() > Some(0)).await;
        let webhook = app.serve(folder.path(), &address, &[]).await;
        webhook.until_says("welcome northwind: https://").await;
        webhook.kill().await;

        let webhook = app.serve(folder.path(), &address, &[]).await;
        let events = tenantry.get("/_sim/events").await;
        let last = list(&events).last().unwrap();
        let answer = crate::testkit::client().post(&url).body(last.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{language}");
        webhook.until_says("again: ").await;
        assert_eq!(webhook.said().len(), 1, "{language}: {:#?}", webhook.said());
    }
}

#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn a_refused_order_is_reported_with_its_faults() {
    for app in apps() {
        let language = app.language;
        let folder = folder();
        let webhook = app.serve(folder.path(), "127.0.0.1:0", &[]).await;
        let tenantry = Tenantry::start(folder.path(), &webhook.url, &[]).await;
        let order = ["signup", "order-1003", "northwind", "Northwind Traders", "platinum"];
        let refused = app.run(folder.path(), &order, &[("TENANTRY_URL", tenantry.base.as_str())]).await;
        assert_eq!(refused.code, Some(1), "{language}: {refused:#?}");
        assert!(
            refused.err.starts_with("refused: unknown-tier\n  /spec/tier unknown-tier: "),
            "{refused:#?}"
        );
        let line = webhook.until_says("refused: order-1003 unknown-tier: /spec/tier ").await;
        assert!(line.contains("dedicated, pooled"), "{language}: {line}");

        let lost = app.run(folder.path(), &order, &[("TENANTRY_URL", "http://127.0.0.1:9")]).await;
        assert_eq!(lost.code, Some(2), "{language}: {lost:#?}");
        assert!(lost.err.contains("can't be called"), "{language}: {lost:#?}");
    }
}
