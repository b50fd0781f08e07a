//! What a quarantine deletes, and which tenants it suspends.

use super::*;

#[tokio::test]
async fn quarantine_deletes_only_the_access_that_others_were_given() {
    let harness = active().await;
    let scanner = IsolationScanner::new(
        harness.local.ports.clone(),
        &Isolation { quarantine: Quarantine::TakeBack, ..Isolation::default() },
    );
    let (reports, reported) = scanner.run(100).await.unwrap();
    assert!(
        reports
            .iter()
            .all(|report| report.verdict == IsolationVerdict::Verified && report.quarantined.is_empty())
    );
    assert_eq!(reported, [], "the verdicts were reported at sign-up");
    let before = harness.get("/_sim/objects").await;

    // The violations: another tenant's role at the endpoint, and a federated credential with which others can act as
    // the tenant.
    let endpoint = object(&harness, SAMPLES[0], ENDPOINT).await;
    let principal = output(&harness, SAMPLES[1], "servicePrincipalObjectId").await;
    add_violation(&harness, &endpoint, SCORER, &principal).await;
    let (path, declared) = credentials(&harness, SAMPLES[0]).await;
    let foreign = json!({
        "issuer": "https://elsewhere.example", "subject": "somebody", "audiences": ["api://x"],
    });
    let made = testkit::client()
        .patch(format!("{}{path}(name='foreign')", harness.base))
        .header("prefer", "create-if-missing")
        .json(&foreign);
    assert_eq!(made.send().await.unwrap().status(), 201);
    let (reports, reported) = scanner.run(100).await.unwrap();
    assert_eq!(reports[0].quarantined.len(), 2, "{reports:#?}");
    assert!(reports[0].quarantined.iter().all(|taken| taken.outcome == "removed"), "{reports:#?}");
    // The report on the other tenant said that it reached beyond its own resources; after the deletion that is no
    // longer true.
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);
    let reported: Vec<&str> = reported.iter().map(TenantId::as_str).collect();
    assert_eq!(reported, SAMPLES[..2]);
    assert_eq!(credentials(&harness, SAMPLES[0]).await.1, declared);
    assert_eq!(harness.get("/_sim/objects").await, before, "nothing else was touched");
    // The next reconcile pass, in this process or by the sweep, publishes the violation and its end.
    let _ = harness.local.app.reconciler.reconcile(&SAMPLES[0].parse().unwrap()).await;
    let ends_with = ["tenant.isolation.violated", "tenant.isolation.verified"];
    let events = testkit::until("both are published", async || {
        let events = harness.events(SAMPLES[0]).await;
        if types(&events).ends_with(&ends_with) { Ok(events) } else { Err(json!(events)) }
    })
    .await;
    let last = events.iter().max_by_key(|event| event["sequence"].as_str().map(str::to_owned)).unwrap();
    assert_eq!(last["data"]["quarantined"].as_array().unwrap().len(), 2, "{last:#}");

    let (reports, _) = scanner.run(100).await.unwrap();
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);

    // A role assignment above the tenant also affects others, so it is only reported, and a person has to delete it.
    add_violation(&harness, "/subscriptions/00000000-0000-0000-0000-00000000a001", OWNER, &principal).await;
    let (reports, _) = scanner.run(100).await.unwrap();
    assert_eq!(reports[0].verdict, IsolationVerdict::Violated);
    assert_eq!(reports[0].quarantined, []);
}

/// Calls the timer function `audit` as the host does, in a process that suspends violated tenants. Returns the log
/// lines of the answer.
async fn audited(harness: &Harness) -> Vec<String> {
    let isolation = Isolation { quarantine: Quarantine::Suspend, ..Isolation::default() };
    let settings = Settings { isolation, ..Settings::local("local") };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let app = App::new(
        harness.local.ports.clone(),
        settings,
        vec![blueprint],
        vec![local_stamp()],
        "another process",
    );
    let function = Function::named("audit").unwrap();
    let trigger = Trigger::parse(function, br#"{"Data": {"timer": {}}, "Metadata": {}}"#).unwrap();
    let answer = app.call(Invocation { function, id: None, traceparent: None, trigger }).await;
    match answer {
        Answer::Done { logs } => logs,
        other @ (Answer::Http { .. } | Answer::TryAgain { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn quarantine_suspends_a_tenant_that_others_still_reach_until_a_person_resumes_it() {
    let harness = active().await;
    audited(&harness).await;
    assert_eq!(harness.tenant(SAMPLES[0]).await["status"], "active", "it is not violated");
    // An unknown principal becomes Owner of the subscription in which the tenants are.
    let upsert = async |path: &str, body: Value| -> Value {
        let url = format!("{}/v1.0/{path}", harness.base);
        let request = testkit::client().patch(url).header("prefer", "create-if-missing").json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    };
    let body = json!({"displayName": "Stranger", "signInAudience": "AzureADMyOrg"});
    let application = upsert("applications(uniqueName='stranger')", body).await;
    let path = format!("servicePrincipals(appId='{}')", application["appId"].as_str().unwrap());
    let stranger = upsert(&path, json!({})).await;
    let subscription = "/subscriptions/00000000-0000-0000-0000-00000000a001";
    add_violation(&harness, subscription, OWNER, stranger["id"].as_str().unwrap()).await;
    let logs = audited(&harness).await;
    let reported = logs.iter().filter(|line| line.starts_with("quarantine of tenant")).count();
    assert_eq!(reported, SAMPLES.len(), "{logs:#?}");
    for sample in SAMPLES {
        let tenant = testkit::until("access is cut", async || {
            let tenant = harness.tenant(sample).await;
            if tenant["status"] == "waiting" { Ok(tenant) } else { Err(tenant) }
        })
        .await;
        let kinds = harness.objects(sample).await.to_string();
        assert!(!kinds.contains("onlineEndpoints/deployments"), "the deployment is not deleted: {kinds}");
        assert_eq!(tenant["isolation"]["verdict"], "violated", "{tenant:#}");
    }
    // The timer makes the request only once for the same evidence, however often it runs.
    let logs = audited(&harness).await;
    assert!(!logs.iter().any(|line| line.starts_with("quarantine of tenant")), "{logs:#?}");
}

/// A tenant is suspended only if others reach it, not if it reaches others, and not because of a stale report.
#[tokio::test]
async fn quarantine_suspends_neither_by_a_stale_report_nor_a_tenant_that_only_reached_others() {
    let harness = active().await;
    let principal = output(&harness, SAMPLES[1], "servicePrincipalObjectId").await;
    let group = object(&harness, SAMPLES[0], "Microsoft.Resources/resourceGroups").await;
    add_violation(&harness, &group, SCORER, &principal).await;
    let logs = audited(&harness).await;
    assert!(!logs.iter().any(|line| line.starts_with("quarantine of tenant")), "{logs:#?}");
    assert!(
        !harness.objects(SAMPLES[0]).await.to_string().contains("0000000000f1"),
        "the assignment was not deleted"
    );
    for sample in SAMPLES {
        assert_eq!(harness.tenant(sample).await["suspended"], Value::Null, "{sample}: {logs:#?}");
    }
    // A role assignment above the tenants is not deleted; the tenants that the principal reaches are suspended. The
    // principal's own tenant is not, because no other tenant reaches it.
    let subscription = "/subscriptions/00000000-0000-0000-0000-00000000a001";
    add_violation(&harness, subscription, OWNER, &principal).await;
    let logs = audited(&harness).await;
    let suspended = async |sample: &str| !harness.tenant(sample).await["suspended"].is_null();
    let seen = [suspended(SAMPLES[0]).await, suspended(SAMPLES[1]).await, suspended(SAMPLES[2]).await];
    assert_eq!(seen, [true, false, true], "{logs:#?}");
}

#[tokio::test]
async fn quarantine_leaves_a_tenant_that_was_changed_after_the_check() {
    let harness = active().await;
    let intake = &harness.local.app.intake;
    let id: TenantId = SAMPLES[0].parse().unwrap();
    let version = harness.tenant(SAMPLES[0]).await["version"].as_u64().unwrap();
    let stale = intake.quarantine(&id, version - 1, "sha256:evidence").await.unwrap().unwrap();
    assert_eq!(stale.code.as_deref(), Some("stale"));
    assert_eq!(harness.tenant(SAMPLES[0]).await["suspended"], Value::Null);
    // An up-to-date report suspends the tenant, but only once for the same evidence, so that a person can resume the
    // tenant.
    let first = intake.quarantine(&id, version, "sha256:evidence").await.unwrap().unwrap();
    assert_eq!(first.code, None, "{first:?}");
    assert_eq!(intake.quarantine(&id, version + 1, "sha256:evidence").await.unwrap(), None);
}
