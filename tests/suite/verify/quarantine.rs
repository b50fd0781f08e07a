//! What quarantine takes back and whom it suspends.

use super::*;

#[tokio::test]
async fn quarantine_takes_back_what_others_were_given_and_nothing_else() {
    let stage = active().await;
    let scanner = IsolationScanner::new(
        stage.local.world.clone(),
        &Isolation { quarantine: Quarantine::TakeBack, ..Isolation::default() },
    );
    let (reports, told) = scanner.run(100).await.unwrap();
    assert!(
        reports
            .iter()
            .all(|report| report.verdict == IsolationVerdict::Verified && report.quarantined.is_empty())
    );
    assert_eq!(told, [], "all was told when they were signed up");
    let before = stage.get("/_sim/objects").await;

    // At its own endpoint, above it, and a way to become it.
    let endpoint = object(&stage, SAMPLES[0], ENDPOINT).await;
    let principal = output(&stage, SAMPLES[1], "servicePrincipalObjectId").await;
    plant(&stage, &endpoint, SCORER, &principal).await;
    let (path, declared) = credentials(&stage, SAMPLES[0]).await;
    let foreign = json!({
        "issuer": "https://elsewhere.example", "subject": "somebody", "audiences": ["api://x"],
    });
    let made = reqwest::Client::new()
        .patch(format!("{}{path}(name='foreign')", stage.base))
        .header("prefer", "create-if-missing")
        .json(&foreign);
    assert_eq!(made.send().await.unwrap().status(), 201);
    let (reports, told) = scanner.run(100).await.unwrap();
    assert_eq!(reports[0].quarantined.len(), 2, "{reports:#?}");
    assert!(reports[0].quarantined.iter().all(|taken| taken.outcome == "removed"), "{reports:#?}");
    // The other tenant reached too far when it was looked at; what was taken back made that report stale.
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);
    let told: Vec<&str> = told.iter().map(TenantId::as_str).collect();
    assert_eq!(told, SAMPLES[..2]);
    assert_eq!(credentials(&stage, SAMPLES[0]).await.1, declared);
    assert_eq!(stage.get("/_sim/objects").await, before, "nothing else was touched");
    // The violation and its end are both told, by whoever drives the tenant next: this process or the sweep.
    let _ = stage.local.app.reconciler.reconcile(&SAMPLES[0].parse().unwrap()).await;
    let ends_with = ["tenant.isolation.violated", "tenant.isolation.verified"];
    let events = testkit::until("both are told", async || {
        let events = stage.events(SAMPLES[0]).await;
        if types(&events).ends_with(&ends_with) { Ok(events) } else { Err(json!(events)) }
    })
    .await;
    let last = events.iter().max_by_key(|event| event["sequence"].as_str().map(str::to_owned)).unwrap();
    assert_eq!(last["data"]["quarantined"].as_array().unwrap().len(), 2, "{last:#}");

    let (reports, _) = scanner.run(100).await.unwrap();
    assert_eq!(verdicts(&reports), vec![IsolationVerdict::Verified; SAMPLES.len()]);

    // What was given above the tenant is others' too: it is told, and left to a person.
    plant(&stage, "/subscriptions/00000000-0000-0000-0000-00000000a001", OWNER, &principal).await;
    let (reports, _) = scanner.run(100).await.unwrap();
    assert_eq!(reports[0].verdict, IsolationVerdict::Violated);
    assert_eq!(reports[0].quarantined, []);
}

/// The timer's function as the host calls it, of a process that suspends who is violated.
async fn audited(stage: &Stage) -> Vec<String> {
    let isolation = Isolation { quarantine: Quarantine::Suspend, ..Isolation::default() };
    let settings = Settings { isolation, ..Settings::local("local") };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let app = App::new(
        stage.local.world.clone(),
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
async fn quarantine_suspends_whom_others_still_reach_until_a_person_says_otherwise() {
    let stage = active().await;
    audited(&stage).await;
    assert_eq!(stage.tenant(SAMPLES[0]).await["status"], "active", "nothing is wrong with it");
    // Somebody of whom nobody knows may do everything in the tenants' subscription.
    let upsert = async |path: &str, body: Value| -> Value {
        let url = format!("{}/v1.0/{path}", stage.base);
        let request = reqwest::Client::new().patch(url).header("prefer", "create-if-missing").json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    };
    let body = json!({"displayName": "Stranger", "signInAudience": "AzureADMyOrg"});
    let application = upsert("applications(uniqueName='stranger')", body).await;
    let path = format!("servicePrincipals(appId='{}')", application["appId"].as_str().unwrap());
    let stranger = upsert(&path, json!({})).await;
    let subscription = "/subscriptions/00000000-0000-0000-0000-00000000a001";
    plant(&stage, subscription, OWNER, stranger["id"].as_str().unwrap()).await;
    let logs = audited(&stage).await;
    let told = logs.iter().filter(|line| line.starts_with("quarantine of tenant")).count();
    assert_eq!(told, SAMPLES.len(), "{logs:#?}");
    for sample in SAMPLES {
        let tenant = testkit::until("access is cut", async || {
            let tenant = stage.tenant(sample).await;
            if tenant["status"] == "waiting" { Ok(tenant) } else { Err(tenant) }
        })
        .await;
        let kinds = stage.objects(sample).await.to_string();
        assert!(!kinds.contains("onlineEndpoints/deployments"), "nothing is served any more: {kinds}");
        assert_eq!(tenant["isolation"]["verdict"], "violated", "{tenant:#}");
    }
    // The same evidence is the same request, however often the timer runs.
    let logs = audited(&stage).await;
    assert!(!logs.iter().any(|line| line.starts_with("quarantine of tenant")), "{logs:#?}");
}

/// A run that suspends: who was cut off is the tenant that others reach.
#[tokio::test]
async fn quarantine_never_suspends_by_a_report_that_was_overtaken_nor_whom_only_reached_others() {
    let stage = active().await;
    let principal = output(&stage, SAMPLES[1], "servicePrincipalObjectId").await;
    let group = object(&stage, SAMPLES[0], "Microsoft.Resources/resourceGroups").await;
    plant(&stage, &group, SCORER, &principal).await;
    let logs = audited(&stage).await;
    assert!(!logs.iter().any(|line| line.starts_with("quarantine of tenant")), "{logs:#?}");
    assert!(!stage.objects(SAMPLES[0]).await.to_string().contains("0000000000f1"), "it was not taken back");
    for sample in SAMPLES {
        assert_eq!(stage.tenant(sample).await["suspended"], Value::Null, "{sample}: {logs:#?}");
    }
    // What was given further up is not taken back: whom others reach by it is suspended, and the stranger's own tenant only
    // because others reach it too, which here nobody does.
    let subscription = "/subscriptions/00000000-0000-0000-0000-00000000a001";
    plant(&stage, subscription, OWNER, &principal).await;
    let logs = audited(&stage).await;
    let suspended = async |sample: &str| !stage.tenant(sample).await["suspended"].is_null();
    let seen = [suspended(SAMPLES[0]).await, suspended(SAMPLES[1]).await, suspended(SAMPLES[2]).await];
    assert_eq!(seen, [true, false, true], "{logs:#?}");
}

#[tokio::test]
async fn quarantine_leaves_a_tenant_that_was_changed_after_the_look() {
    let stage = active().await;
    let intake = &stage.local.app.intake;
    let id: TenantId = SAMPLES[0].parse().unwrap();
    let version = stage.tenant(SAMPLES[0]).await["version"].as_u64().unwrap();
    let stale = intake.quarantine(&id, version - 1, "sha256:evidence").await.unwrap().unwrap();
    assert_eq!(stale.code.as_deref(), Some("stale"));
    assert_eq!(stage.tenant(SAMPLES[0]).await["suspended"], Value::Null);
    // A look that is not stale acts, once for the same evidence: a person has the last word.
    let first = intake.quarantine(&id, version, "sha256:evidence").await.unwrap().unwrap();
    assert_eq!(first.code, None, "{first:?}");
    assert_eq!(intake.quarantine(&id, version + 1, "sha256:evidence").await.unwrap(), None);
}
