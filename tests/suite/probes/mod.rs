//! The isolation check by calls: services in the simulated Azure are called as their tenants, as other tenants and
//! without a valid token.

mod fleet;
mod guard;

use std::collections::BTreeSet;

use serde_json::json;
use tenantry::ports::{Credential, Ports, Scored};
use tenantry_core::{
    blueprint::{Desired, Plan},
    isolation::{
        IsolationReport, IsolationVerdict, Probe, ProbeKind, ProbeOutcome, Probing, RANDOM_PAIRS, page, pairs,
    },
};

use crate::testkit::log::Log;
use fleet::{Fleet, why, with};

fn of_kind(report: &IsolationReport, kind: ProbeKind) -> Vec<&Probe> {
    report.probes.iter().filter(|probe| probe.kind == kind).collect()
}

#[tokio::test]
async fn two_hundred_tenants_are_checked_and_a_finding_names_the_service_and_the_accepted_caller() {
    const COUNT: usize = 200;
    let fleet = Fleet::new(COUNT).await;
    let reports = fleet.verified().await;
    assert_eq!(with(&reports, IsolationVerdict::Verified).len(), COUNT, "{}", why(&reports));
    let mut tried = 0;
    for report in reports.values() {
        let probes = &report.probes;
        assert!(probes.iter().all(|probe| probe.outcome == probe.expected), "{probes:?}");
        let kinds: BTreeSet<ProbeKind> = probes.iter().map(|probe| probe.kind).collect();
        assert_eq!(kinds.len(), 6, "{probes:?}");
        let others = of_kind(report, ProbeKind::OtherTenant);
        assert!(others.iter().all(|probe| probe.by.as_ref() != Some(&report.tenant_id)));
        tried += others.len();
        assert_eq!((report.probing, report.location.is_some()), (Probing::Made, true));
        assert_eq!(report.seed, reports["t-000"].seed, "one run, one seed");
    }
    assert_eq!(tried, COUNT + RANDOM_PAIRS, "the ring and the random pairs");

    fleet.flaw("t-077", json!({"accepts": ["any-token"]})).await;
    fleet.flaw("t-150", json!({"is": "refuses"})).await;
    let reports = fleet.verified().await;
    assert_eq!(with(&reports, IsolationVerdict::Violated), ["t-077"], "{}", why(&reports));
    assert_eq!(with(&reports, IsolationVerdict::Inconclusive), ["t-150"], "{}", why(&reports));
    let finding = &reports["t-077"].findings[0];
    assert_eq!(finding.code, "probe-accepted");
    assert_eq!(finding.says, "the token of t-076 was accepted at the service of t-077 (HTTP 200)");
    // A token that is rejected by its own tenant's service is not used to call other services.
    let by: BTreeSet<&str> = of_kind(&reports["t-151"], ProbeKind::OtherTenant)
        .iter()
        .map(|probe| probe.by.as_ref().unwrap().as_str())
        .collect();
    assert!(by.contains("t-149") && !by.contains("t-150"), "{by:?}");
}

#[tokio::test]
async fn every_kind_of_wrongly_accepted_call_is_found_at_its_tenant() {
    let fleet = Fleet::new(3).await;
    let flaws = [
        ("any-token", "the token of t-000 was accepted at the service of t-001 (HTTP 200)"),
        ("no-token", "called with no token, the service of t-001 answered (HTTP 200)"),
        (
            "wrong-audience",
            "called with its own token for another service, the service of t-001 answered (HTTP 200)",
        ),
        (
            "expired",
            "called with its own token made out as expired, the service of t-001 answered (HTTP 200)",
        ),
        ("any-key", "called with a made-up key, the service of t-001 answered (HTTP 200)"),
    ];
    for (flaw, says) in flaws {
        fleet.flaw("t-001", json!({"accepts": [flaw]})).await;
        let reports = fleet.verified().await;
        assert_eq!(with(&reports, IsolationVerdict::Violated), ["t-001"], "{flaw}: {}", why(&reports));
        assert_eq!(
            with(&reports, IsolationVerdict::Verified),
            ["t-000", "t-002"],
            "{flaw}: {}",
            why(&reports)
        );
        let findings = &reports["t-001"].findings;
        assert!(findings.iter().all(|one| one.code == "probe-accepted"), "{flaw}");
        assert!(findings.iter().any(|one| one.says == says), "{flaw}: {findings:#?}");
        assert_eq!(findings.len(), if flaw == "any-token" { 2 } else { 1 }, "{flaw}: {findings:#?}");
        // If the model fails on the input of a call that should be rejected, the call was accepted all the same.
        fleet.flaw("t-001", json!({"accepts": [flaw], "is": "model-fails"})).await;
        let reports = fleet.verified().await;
        assert_eq!(with(&reports, IsolationVerdict::Violated), ["t-001"], "{flaw}: {}", why(&reports));
        fleet.mend().await;
    }
    // A failure of the model alone is no violation: the service has accepted the call of its own tenant.
    fleet.flaw("t-001", json!({"is": "model-fails"})).await;
    let reports = fleet.verified().await;
    assert_eq!(with(&reports, IsolationVerdict::Verified).len(), 3, "{}", why(&reports));
}

/// Asserts that only this tenant is inconclusive, because its service did not accept the tenant's own call.
#[track_caller]
fn lacks_its_control(
    reports: &std::collections::BTreeMap<String, IsolationReport>,
    tenant: &str,
    because: &str,
) {
    assert_eq!(with(reports, IsolationVerdict::Inconclusive), [tenant], "{because}: {}", why(reports));
    let report = &reports[tenant];
    assert!(report.findings.is_empty());
    assert_ne!(of_kind(report, ProbeKind::Own)[0].outcome, ProbeOutcome::Reached);
    let has_gap =
        report.gaps.iter().any(|gap| gap.why.starts_with("no positive control") && gap.why.contains(because));
    assert!(has_gap, "{because}: {:#?}", report.gaps);
}

#[tokio::test]
async fn without_a_positive_control_nothing_is_proved() {
    let fleet = Fleet::new(3).await;
    fleet.flaw("t-001", json!({"is": "down"})).await;
    lacks_its_control(&fleet.verified().await, "t-001", "the connection broke");
    fleet.mend().await;

    fleet.flaw("t-001", json!({"is": "refuses"})).await;
    lacks_its_control(&fleet.verified().await, "t-001", "it was refused (HTTP 403)");
    fleet.mend().await;

    for (scope, because) in [
        ("https://nowhere.example/.default", "AADSTS500011"),
        ("https://graph.microsoft.com/.default", "HTTP 401"),
    ] {
        let mut tenants = fleet.tenants().await;
        let mut plan = Plan::clone(&tenants[1].plan);
        let probe = plan.steps.values_mut().find_map(|step| {
            let Desired::Isolation(proof) = &mut step.desired else { return None };
            proof.probe.as_mut()
        });
        probe.unwrap().scope = json!(scope).into();
        tenants[1].plan = plan.into();
        let reports = fleet.verified_in(&fleet.fixture.ports, &tenants).await;
        lacks_its_control(&reports, "t-001", because);
    }

    let tenant = fleet.tenant("t-001").await;
    let principal = tenant.exports["servicePrincipalObjectId"].as_str().unwrap().to_owned();
    let path = format!("/v1.0/servicePrincipals/{principal}");
    fleet.change("PATCH", &path, &json!({"accountEnabled": false})).await;
    lacks_its_control(&fleet.verified().await, "t-001", "AADSTS7000112");
    fleet.change("PATCH", &path, &json!({"accountEnabled": true})).await;
    assert_eq!(with(&fleet.verified().await, IsolationVerdict::Verified).len(), 3);

    let application =
        tenant.outputs().iter().find(|(name, _)| name.as_str() == "application").unwrap().1["id"].clone();
    let list = format!("/v1.0/applications/{}/federatedIdentityCredentials", application.as_str().unwrap());
    let url = format!("{}{list}", fleet.fixture.base());
    let shown: serde_json::Value = crate::testkit::get(url).await.unwrap().json().await.unwrap();
    let one = shown["value"][0]["id"].as_str().unwrap();
    fleet.change("DELETE", &format!("{list}/{one}"), &json!(null)).await;
    lacks_its_control(&fleet.verified().await, "t-001", "AADSTS700213");

    let ports = Ports { prober: None, ..fleet.fixture.ports.clone() };
    let reports = fleet.verified_in(&ports, &fleet.tenants().await).await;
    assert_eq!(with(&reports, IsolationVerdict::Inconclusive).len(), 3);
    for report in reports.values() {
        assert_eq!((report.probing, report.probes.len()), (Probing::NotPossible, 0));
        assert!(
            report.gaps.iter().any(|gap| gap.why.contains("TENANTRY_PROBE_CLIENT_ID")),
            "{:?}",
            report.gaps
        );
    }
}

#[tokio::test]
async fn an_unclear_answer_is_a_gap_and_not_a_refusal() {
    let fleet = Fleet::new(2).await;
    let answers = [
        Err("the connection broke before the answer was whole".to_owned()),
        Ok(Scored { status: 302, from_service: false }),
        Ok(Scored { status: 404, from_service: false }),
        Ok(Scored { status: 429, from_service: false }),
        Ok(Scored { status: 503, from_service: false }),
    ];
    for answer in answers {
        for kind in 0..4 {
            let answer = answer.clone();
            let (ports, _) = fleet.calling(move |with| {
                let hit = match with {
                    Credential::None => kind == 0,
                    Credential::Expired(_) => kind == 1,
                    Credential::Key => kind == 2,
                    Credential::Token(_) => kind == 3,
                };
                hit.then(|| answer.clone())
            });
            let reports = fleet.verified_in(&ports, &fleet.tenants().await).await;
            assert_eq!(with(&reports, IsolationVerdict::Inconclusive).len(), 2, "{kind}: {}", why(&reports));
        }
    }
}

#[tokio::test]
async fn a_single_tenant_is_called_with_the_next_ones_token_if_there_is_one() {
    let fleet = Fleet::new(3).await;
    for (at, next) in [(0, "t-001"), (2, "t-000")] {
        let tenant = fleet.tenants().await.swap_remove(at);
        let reports = fleet.verified_in(&fleet.fixture.ports, std::slice::from_ref(&tenant)).await;
        let report = &reports[tenant.id.as_str()];
        assert_eq!(report.verdict, IsolationVerdict::Verified, "{}", why(&reports));
        let by: Vec<_> =
            of_kind(report, ProbeKind::OtherTenant).iter().map(|probe| probe.by.clone()).collect();
        assert_eq!(by, [Some(next.parse().unwrap())]);
    }
    // If a tenant's token is rejected by its own service, the next tenant's token is used. If no usable token is
    // left, that is not a gap.
    fleet.flaw("t-001", json!({"is": "refuses"})).await;
    let first = fleet.tenant("t-000").await;
    let reports = fleet.verified_in(&fleet.fixture.ports, std::slice::from_ref(&first)).await;
    let by = of_kind(&reports["t-000"], ProbeKind::OtherTenant)[0].by.clone();
    assert_eq!(by, Some("t-002".parse().unwrap()));
    fleet.flaw("t-002", json!({"is": "refuses"})).await;
    let reports = fleet.verified_in(&fleet.fixture.ports, &[first]).await;
    assert_eq!(with(&reports, IsolationVerdict::Verified), ["t-000"], "{}", why(&reports));
    assert!(of_kind(&reports["t-000"], ProbeKind::OtherTenant).is_empty());

    let alone = Fleet::new(1).await;
    let reports = alone.verified().await;
    assert_eq!(with(&reports, IsolationVerdict::Verified), ["t-000"], "{}", why(&reports));
    assert!(of_kind(&reports["t-000"], ProbeKind::OtherTenant).is_empty());
}

/// Tokens and keys appear in no log, report, page, history or document.
#[tokio::test]
async fn no_token_or_key_appears_in_any_output() {
    let (log, _guard) = Log::listen_to_everything();
    let fleet = Fleet::new(2).await;
    fleet.flaw("t-000", json!({"is": "down"})).await;
    fleet.flaw("t-001", json!({"accepts": ["any-token", "any-key", "expired"]})).await;
    let (ports, bent) = fleet.calling(|_| None);
    let reports = fleet.verified_in(&ports, &fleet.tenants().await).await;
    let scanner =
        tenantry::scan::IsolationScanner::new(ports.clone(), &tenantry::config::Isolation::default());
    scanner.run(10).await.unwrap();
    let tokens = bent.tokens.lock().unwrap().clone();
    assert!(tokens.len() >= 4, "{}", tokens.len());

    let mut outputs = vec![
        ("log", log.text()),
        ("journal", fleet.fixture.sim("journal").await.to_string()),
        ("debug", format!("{:?}", tenantry::ports::ProbeToken::new(&tokens[0]))),
    ];
    let all: Vec<IsolationReport> = reports.into_values().collect();
    outputs.push(("reports", json!(all).to_string()));
    outputs.push(("page", page(&all, "now")));
    for tenant in fleet.tenants().await {
        let history = ports.store.history(&tenant.id, 1000).await.unwrap();
        outputs.push(("history", json!(history).to_string()));
        outputs.push(("document", json!(tenant).to_string()));
    }
    assert!(outputs[0].1.len() > 1000, "the log is empty");
    for (output, text) in outputs {
        for token in &tokens {
            for part in token.split('.').skip(1) {
                assert!(!text.contains(part), "a part of a token is in the {output}");
            }
        }
        assert!(!text.contains("0123456789abcdef0123456789abcdef"), "the key is in the {output}");
    }
}

#[test]
fn pairs_are_a_ring_of_usable_tokens_and_some_that_the_seed_draws() {
    assert_eq!(pairs(&[], 1), []);
    assert_eq!(pairs(&[true], 1), []);
    assert_eq!(pairs(&[true, false], 1), [(0, 1)]);
    assert_eq!(pairs(&[false, false], 1), []);
    assert_eq!(pairs(&[true; 3], 1).len(), 6, "all there are");
    for seed in 0..200 {
        let good: Vec<bool> = (0..50).map(|at| at % 7 != 3).collect();
        let drawn = pairs(&good, seed);
        assert_eq!(drawn, pairs(&good, seed));
        assert_eq!(drawn.len(), 50 + RANDOM_PAIRS);
        let unlike: BTreeSet<&(usize, usize)> = drawn.iter().collect();
        assert_eq!(unlike.len(), drawn.len());
        assert!(drawn.iter().all(|(by, at)| by != at && good[*by]));
        assert!((0..50).all(|at| drawn.iter().any(|(_, to)| *to == at)), "each service is tried");
    }
    assert_ne!(pairs(&[true; 50], 1), pairs(&[true; 50], 2));
}
