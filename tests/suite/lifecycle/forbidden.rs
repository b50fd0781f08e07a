//! A request that violates the rules is rejected, and a late value that does so blocks its step, before anything is
//! sent.

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    harness::Harness,
    judge::{list, text},
    request,
};

const HEAD: &str = "blueprint: odd\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [dedicated]\nparameters:\n  c: { type: string, default: c }\nsteps:\n  group: { kind: arm, type: Microsoft.Resources/resourceGroups }\n  identity:\n    kind: arm\n    type: Microsoft.ManagedIdentity/userAssignedIdentities\n    in: group\n    outputs: { principalId: /properties/principalId }\n  storage:\n    kind: arm\n    type: Microsoft.Storage/storageAccounts\n    in: group\n    body:\n      kind: StorageV2\n      sku: { name: Standard_LRS }\n      properties: { publicNetworkAccess: ACCESS }\n";

fn blueprint(access: &str, more: &str) -> String {
    format!("{}{more}", HEAD.replace("ACCESS", access))
}

fn sign_up(parameters: &Value, more: &Value) -> Value {
    let mut spec = json!({"displayName": "Contoso", "tier": "dedicated", "parameters": parameters});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    request("r-1", "signup", "contoso", spec)
}

fn puts(journal: &Value, what: &str) -> usize {
    let lines = list(journal).iter().map(ToString::to_string);
    lines.filter(|line| line.contains("PUT") && line.contains(what)).count()
}

#[tokio::test]
async fn a_late_value_that_violates_the_rules_blocks_its_step_and_is_not_sent() {
    let late = "\"{{ 'Enabled' if steps.identity.principalId else 'Disabled' }}\"";
    let harness = Harness::with(Speed::Max, &[&blueprint(late, "")]).await;
    harness.accept(&sign_up(&json!({}), &json!({}))).await;
    let failed = harness.until_published("contoso", "tenant.provision.failed", 1).await;
    let error = failed.iter().find_map(|event| event.pointer("/data/error")).unwrap();
    assert_eq!(text(error, "/code"), "public-network", "{error}");
    assert_eq!(text(error, "/step"), "storage", "{error}");
    let journal = harness.journal().await;
    assert!(puts(&journal, "userAssignedIdentities") > 0, "{journal}");
    assert_eq!(puts(&journal, "storageAccounts"), 0, "{journal}");
}

/// If container names were not checked, a name of dots would assign a role at the whole subscription.
#[tokio::test]
async fn a_parameter_can_not_change_the_scope_of_a_role_assignment() {
    let grant = "  grant:\n    kind: role-assignment\n    scope: \"{{ steps.storage.id }}/blobServices/default/containers/{{ parameters.c }}\"\n    role: \"{{ stamp.blobReaderRoleId }}\"\n    principal: \"{{ steps.identity.principalId }}\"\n";
    let harness = Harness::with(Speed::Max, &[&blueprint("Disabled", grant)]).await;
    for (n, c) in ["../../../../../../../../..", "%2e%2e/%2e%2e", "a?api-version=1&b=", "a#b", "a\\b", "a//b"]
        .iter()
        .enumerate()
    {
        let mut body = sign_up(&json!({"c": c}), &json!({}));
        body["requestId"] = json!(format!("r-{n}"));
        let answer = harness.submit(&body).await;
        assert_eq!(text(&answer.body, "/code"), "bad-segment", "{c}: {}", answer.body);
        assert_eq!(text(&answer.body, "/faults/0/pointer"), "/spec/parameters/c", "{c}");
    }
    let journal = harness.journal().await;
    assert!(list(&journal).iter().all(|line| text(line, "/path").starts_with("/api/events")), "{journal}");
}

#[tokio::test]
async fn a_request_that_carries_a_secret_is_refused_and_nothing_of_it_is_repeated() {
    let harness = Harness::with(Speed::Max, &[&blueprint("Disabled", "")]).await;
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvZk3vQmFy\n-----END PRIVATE KEY-----";
    let key = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zk3vQmFyZk3vQmFy==";
    let sas = "https://a.blob.core.windows.net/c?sv=2024-01-01&sig=Zk3vQmFy%2B";
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJaazN2UW1GeSJ9.Zk3vQmFyZk3vQmFy";
    let rows = [
        (json!({"c": key}), json!({}), "/spec/parameters/c"),
        (json!({"c": sas}), json!({}), "/spec/parameters/c"),
        (json!({"c": {"deep": [1, token]}}), json!({}), "/spec/parameters/c/deep/1"),
        (json!({}), json!({"tags": {"note": key}}), "/spec/tags/note"),
        (json!({}), json!({"displayName": sas}), "/spec/displayName"),
        (
            json!({}),
            json!({"adminContact": "abc8Q~Zk3vQmFyZk3vQmFyZk3vQmFyZk3vQmFyZk3"}),
            "/spec/adminContact",
        ),
        (json!({"c": pem}), json!({}), "/spec/parameters/c"),
    ];
    for (n, (parameters, more, pointer)) in rows.into_iter().enumerate() {
        let mut body = sign_up(&parameters, &more);
        body["requestId"] = json!(format!("r-{n}"));
        let answer = harness.submit(&body).await;
        let fault = answer.body["faults"].as_array().unwrap().iter().find(|fault| fault["code"] == "secret");
        assert_eq!(fault.unwrap_or(&json!({}))["pointer"], pointer, "{}", answer.body);
        let reported = format!("{}{}", answer.body, harness.get("/_sim/events").await);
        assert!(!reported.contains("Zk3vQmFy"), "{reported}");
    }
    let fine = sign_up(&json!({"c": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}), &json!({}));
    let answer = harness.submit(&fine).await;
    assert_eq!(text(&answer.body, "/decision"), "accepted", "{}", answer.body);
}

/// A secret in an id, in a member's name or in a body that is not JSON does not appear in answers, either.
#[tokio::test]
async fn a_secret_in_an_id_a_name_or_an_unreadable_text_is_not_repeated_either() {
    let harness = Harness::with(Speed::Max, &[&blueprint("Disabled", "")]).await;
    let key = "AccountName=a;AccountKey=Zk3vQmFyZk3vQmFyZk3vQmFyZk3vQmFyZk3vQmFy==";
    let sas = "sig=Zk3vQmFyZk3vQmFy%2BZk3vQmFyZk3vQmFy";
    let with = |pointer: &str, name: &str, value: Value| {
        let mut body = sign_up(&json!({}), &json!({"tags": {}}));
        body.pointer_mut(pointer).unwrap()[name] = value;
        body.to_string()
    };
    let good = sign_up(&json!({}), &json!({})).to_string();
    let event = |attribute: &str| {
        json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "io.tenantry.request.signup.v1",
            attribute: "x", "data": {}})
        .to_string()
    };
    let rows = [
        with("", "requestId", json!(sas)),
        with("", key, json!(1)),
        with("/spec", key, json!(1)),
        with("/spec/tags", key, json!("x")),
        with("/spec/tags", &format!("{key}&{sas}"), json!("x")),
        with("/spec", "parameters", json!({key: {"deep": "\u{202e}"}})),
        event(key),
        good.replacen('{', &format!("{{\"{key}\":1,\"{key}\":2,"), 1),
        format!("{good}{key}"),
        key.to_owned(),
    ];
    for body in rows {
        let answer = crate::testkit::client()
            .post(format!("{}/api/tenants", harness.base))
            .header("content-type", "application/json")
            .body(body.clone());
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{body}");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(!answer.to_string().contains("Zk3vQmFy"), "{body}: {answer:#}");
        let requeued =
            harness.local.ports.store.request(text(&answer, "/keptAs")).await.unwrap().unwrap().value;
        assert_eq!(requeued.kept_body, None, "{body}");
        assert!(!json!(requeued).to_string().contains("Zk3vQmFy"), "{body}");
    }
    crate::testkit::until("all are published", async || {
        let reported = harness.get("/_sim/events").await;
        if list(&reported).len() == 10 { Ok(()) } else { Err(reported) }
    })
    .await;
    let reported = harness.get("/_sim/events").await.to_string();
    assert!(!reported.contains("Zk3vQmFy"), "{reported}");
}
