//! Sign-up: a message leads to an active tenant with all its objects, exports and events.

use azure_sim::Speed;
use serde_json::Value;

use crate::testkit::{
    SAMPLES,
    harness::Harness,
    judge::{check_event_sequence, kinds, list, nothing_was_made_twice, text, types},
    signup,
};

const EXPORTS: [&str; 7] = [
    "applicationId",
    "endpointName",
    "endpointUrl",
    "privateEndpointIp",
    "servicePrincipalObjectId",
    "tokenScope",
    "workspaceName",
];

#[tokio::test]
async fn the_samples_become_active_tenants_with_all_exports_and_objects() {
    let harness = Harness::at(Speed::Factor(2000.0)).await;
    for sample in SAMPLES {
        harness.enqueue(&signup(sample)).await;
    }
    for sample in SAMPLES {
        let tenant = harness.until_is(sample, "active").await;
        let outputs = tenant["outputs"].as_object().unwrap();
        assert_eq!(outputs.keys().map(String::as_str).collect::<Vec<_>>(), EXPORTS, "{sample}");
        assert!(
            outputs.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())),
            "{outputs:#?}"
        );
        assert_eq!(tenant["progress"]["ready"], tenant["progress"]["total"], "{tenant:#}");
        let objects = harness.objects(sample).await;
        assert!(list(&objects).iter().all(|object| object["state"] == "Succeeded"), "{objects:#}");
        let held = kinds(&objects);
        let dedicated = text(&tenant, "/tier") == "dedicated";
        let of = |kind: &str| held.get(kind).copied().unwrap_or_default();
        for kind in [
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            "graph/application",
        ] {
            assert_eq!(of(kind), 1, "{sample}: {kind}");
        }
        for kind in [
            "Microsoft.Resources/resourceGroups",
            "Microsoft.Storage/storageAccounts",
            "Microsoft.KeyVault/vaults",
            "Microsoft.Insights/components",
            "Microsoft.MachineLearningServices/workspaces",
            "Microsoft.Network/privateEndpoints",
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        ] {
            assert_eq!(of(kind), usize::from(dedicated), "{sample}: {kind}");
        }
        // One assignment is the scorer role at the endpoint; the identity of a dedicated tenant also reads its own
        // storage.
        assert_eq!(of("Microsoft.Authorization/roleAssignments"), 1 + usize::from(dedicated), "{sample}");
        // One credential is the prober's; another one is the customer's, if the customer has one.
        assert_eq!(of("graph/federatedIdentityCredential"), 1 + usize::from(sample == "contoso"), "{sample}");
    }
    nothing_was_made_twice(&harness.journal().await, 1);
}

#[tokio::test]
async fn the_events_of_a_signup_come_in_sequence() {
    let harness = Harness::new().await;
    for sample in SAMPLES {
        harness.enqueue(&signup(sample)).await;
    }
    for sample in SAMPLES {
        let events = harness.until_published(sample, "tenant.provision.succeeded", 1).await;
        check_event_sequence(sample, &events);
        let content = [
            "tenant.request.accepted",
            "tenant.provision.started",
            "tenant.isolation.verified",
            "tenant.provision.succeeded",
        ];
        assert_eq!(types(&events), content);
        let last = events.iter().max_by_key(|event| text(event, "/sequence")).unwrap();
        assert_eq!(last["data"]["outputs"], harness.tenant(sample).await["outputs"]);
        assert_eq!((text(last, "/data/status"), text(last, "/data/action")), ("active", "signup"));
        assert!(last["data"]["durationMs"].is_u64(), "{last:#}");
        let request = signup(sample);
        let request = request.get("data").unwrap_or(&request);
        assert!(events.iter().all(|event| event["correlationid"] == request["requestId"]));
    }
}

#[tokio::test]
async fn tenants_do_not_share_their_own_objects() {
    let harness = Harness::new().await;
    for sample in SAMPLES {
        harness.accept(&signup(sample)).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for sample in SAMPLES {
        let outputs = harness.until_is(sample, "active").await["outputs"].clone();
        for own in ["applicationId", "servicePrincipalObjectId", "endpointName", "endpointUrl"] {
            assert!(
                seen.insert(text(&outputs, &format!("/{own}")).to_owned()),
                "{own} of {sample} is another's"
            );
        }
        for object in list(&harness.objects(sample).await) {
            assert_eq!(object["tenant"], Value::from(sample));
        }
    }
}
