//! The isolation check: violations, benign changes and unreadable evidence, from tables; then the reports in JSON and
//! as a page.

mod harness;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_core::{
    isolation::{IsolationReport, IsolationVerdict, JudgedTenant, RULES, page},
    tenant::Tenant,
};

use harness::{Harness, Row, table};

const VIOLATIONS: &str = include_str!("violations.yaml");
const BENIGN: &str = include_str!("benign.yaml");
const UNREADABLE: &str = include_str!("unreadable.yaml");

/// The codes of each tenant's findings, without tenants that have none.
fn codes(reports: &[IsolationReport]) -> BTreeMap<String, Vec<String>> {
    let of =
        |report: &IsolationReport| report.findings.iter().map(|finding| finding.code.to_string()).collect();
    let all = reports.iter().map(|report| (report.tenant_id.to_string(), of(report)));
    all.filter(|(_, codes): &(String, Vec<String>)| !codes.is_empty()).collect()
}

fn of_verdict(reports: &[IsolationReport], verdict: IsolationVerdict) -> BTreeSet<String> {
    let matching = reports.iter().filter(|report| report.verdict == verdict);
    matching.map(|report| report.tenant_id.to_string()).collect()
}

/// Judges each row and collects the errors, so that one run reports all of them.
fn each_row(text: &str, least: usize, wrong_with: impl Fn(&Row, &[IsolationReport]) -> Option<String>) {
    let rows = table(text);
    assert!(rows.len() >= least, "{} rows", rows.len());
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "each row has a name of its own");
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let why = wrong_with(row, &Harness::after(row).reports())?;
            Some(format!("{}: {why}", row.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn without_changes_all_tenants_are_verified() {
    let reports = Harness::new().reports();
    assert_eq!(of_verdict(&reports, IsolationVerdict::Verified).len(), 4, "{reports:#?}");
}

/// Changes evidence into another form that Azure may return: lists reversed, ids in capitals.
fn in_another_form(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if text.starts_with("/subscriptions/") => *text = text.to_uppercase(),
        Value::Array(items) => {
            items.reverse();
            items.iter_mut().for_each(|item| in_another_form(item, ""));
        }
        Value::Object(members) if name != "live" => {
            members.iter_mut().for_each(|(name, value)| in_another_form(value, name));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    }
}

/// Verdict, findings and digest do not depend on the form of Azure's answers.
#[test]
fn another_form_of_the_same_evidence_changes_nothing() {
    for row in table(VIOLATIONS).iter().chain(&table(BENIGN)) {
        let harness = Harness::after(row);
        let before = harness.reports();
        let mut again = harness;
        let mut shown = serde_json::to_value(&again.evidence).unwrap();
        in_another_form(&mut shown, "");
        again.evidence = serde_json::from_value(shown).unwrap();
        let after = again.reports();
        let sorted = |reports: &[IsolationReport]| {
            let mut codes = codes(reports);
            codes.values_mut().for_each(|codes| codes.sort());
            codes
        };
        assert_eq!(sorted(&after), sorted(&before), "{}", row.name);
        let of =
            |reports: &[IsolationReport]| -> Vec<_> { reports.iter().map(|report| report.verdict).collect() };
        assert_eq!(of(&after), of(&before), "{}", row.name);
        if codes(&before).is_empty() {
            let prints = |reports: &[IsolationReport]| -> Vec<_> {
                reports.iter().map(|report| report.digest.clone()).collect()
            };
            assert_eq!(prints(&after), prints(&before), "{}", row.name);
        }
    }
}

#[test]
fn each_violation_is_found_and_nothing_else() {
    each_row(VIOLATIONS, 25, |row, reports| {
        let seen = codes(reports);
        if seen != row.expect {
            return Some(format!("{seen:?} instead of {:?}", row.expect));
        }
        let gaps: Vec<_> = reports.iter().flat_map(|report| &report.gaps).collect();
        if !gaps.is_empty() {
            return Some(format!("{gaps:?}"));
        }
        let can: BTreeSet<String> = reports
            .iter()
            .flat_map(|report| &report.findings)
            .flat_map(|finding| &finding.can)
            .map(|can| json!(can).as_str().unwrap().to_owned())
            .collect();
        let expected: BTreeSet<String> = row.can.iter().cloned().collect();
        (!expected.is_empty() && can != expected).then(|| format!("they can {can:?}"))
    });
}

#[test]
fn no_benign_change_is_reported() {
    each_row(BENIGN, 25, |_, reports| {
        let verified = of_verdict(reports, IsolationVerdict::Verified).len() == reports.len();
        (!verified).then(|| {
            let gaps: Vec<_> = reports.iter().flat_map(|report| &report.gaps).collect();
            format!("{:?} {gaps:?}", reports.iter().flat_map(|report| &report.findings).collect::<Vec<_>>())
        })
    });
}

#[test]
fn unreadable_evidence_prevents_verified() {
    each_row(UNREADABLE, 10, |row, reports| {
        let seen = (
            of_verdict(reports, IsolationVerdict::Inconclusive),
            of_verdict(reports, IsolationVerdict::Violated),
        );
        let expected = (row.inconclusive.iter().cloned().collect(), row.violated.iter().cloned().collect());
        (seen != expected).then(|| format!("{seen:?} {:#?}", codes(reports)))
    });
}

/// Nothing is proved about a resource without an id or API version; the reason says which one is missing.
#[test]
fn a_record_without_a_resource_id_or_api_version_can_not_be_checked() {
    let mut tenant = Tenant::from_json(include_bytes!("../../fixtures/tenant-v1.json")).unwrap();
    tenant.keep_steps(|name| name.as_str() == "group");
    let whole = tenant.steps().values().find_map(|record| record.target.clone()).unwrap();
    let mut read = |target: &Value| {
        tenant.change_step(&"group".parse().unwrap(), |record| record.target = Some(target.clone()));
        JudgedTenant::of(&tenant)
    };
    assert_eq!(read(&whole).unwrap().unwrap().resources[0].api_version, "2024-10-01");
    for (member, why) in [
        ("id", "step group: no id is on record"),
        ("apiVersion", "step group: the step's field apiVersion is missing or is not a text"),
    ] {
        let mut target = whole.clone();
        target.as_object_mut().unwrap().remove(member);
        assert_eq!(read(&target).unwrap_err(), why);
    }
}

#[test]
fn every_rule_is_violated_by_some_row() {
    let rows = table(VIOLATIONS);
    let violated: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.expect.values().flatten()).map(String::as_str).collect();
    let idle: Vec<&str> =
        RULES.iter().map(|rule| rule.code).filter(|code| !violated.contains(code)).collect();
    // This rule is for the language service only, and no tenant of the harness has an account.
    assert_eq!(idle, ["account-public"]);
}

/// A tenant that needs a missing part of the evidence is never verified.
#[test]
fn missing_evidence_is_a_gap() {
    let harness = Harness::new();
    let own: BTreeSet<String> =
        harness.judged_tenants[0].resources.iter().map(|own| own.id.to_ascii_lowercase()).collect();
    for id in &own {
        let mut less = harness.clone();
        less.evidence.resources.remove(id);
        assert_eq!(less.reports()[0].verdict, IsolationVerdict::Inconclusive, "{id}");
    }
    let mut less = harness.clone();
    less.evidence.listings.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
    let mut less = harness.clone();
    less.evidence.applications.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
    let mut less = harness;
    less.evidence.identity_credentials.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
}

#[test]
fn the_digest_covers_the_evidence_of_the_verdict() {
    let (first, second) = (Harness::new().reports(), Harness::new().reports());
    assert_eq!(first, second);
    let rows = table(VIOLATIONS);
    let row = rows.iter().find(|row| row.name == "Key auth switched on").unwrap();
    let changed = Harness::after(row).reports();
    assert_ne!(first[0].digest, changed[0].digest);
    assert_eq!(first[1].digest, changed[1].digest, "another tenant's evidence is the same");
}

#[test]
fn a_report_in_json_and_as_a_page() {
    let rows = table(VIOLATIONS);
    let row = rows.iter().find(|row| row.name == "Another tenant's group in a role").unwrap();
    let mut harness = Harness::after(row);
    // HTML in the evidence is shown as text and never interpreted.
    let mut evil = harness.evidence.listings[0].clone();
    let hostile = json!({"id": "<script>alert(1)</script>", "scope": harness.judged_tenants[0].resources[0].id,
        "principalId": "\"><img src=x onerror=alert(1)>\u{202e}", "principalType": "User",
        "roleDefinitionId": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"});
    evil.assignments =
        tenantry_core::isolation::Reading::Shown(vec![serde_json::from_value(hostile).unwrap()]);
    evil.scope.push_str("/resourceGroups/rg-ada");
    harness.evidence.listings.push(evil);
    let reports = harness.reports();
    insta::assert_json_snapshot!("report", reports[0]);
    let page = page(&reports[..2], "2026-11-23T03:00:00Z");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    insta::assert_snapshot!("page", page);
    let json: Value = serde_json::to_value(&reports[0]).unwrap();
    for member in ["tenantId", "verdict", "findings", "digest"] {
        assert!(json.get(member).is_some(), "{member}");
    }
}
