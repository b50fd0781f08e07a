//! Only a tenant reaches its service, or the report says who else: planted violations, harmless variations and what can't
//! be read, from tables; then reports as people and programs see them.

mod deeds;
pub(crate) mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_core::{
    isolation::{IsolationReport, IsolationVerdict, RULES, Subject, page},
    tenant::Tenant,
};

use deeds::{Row, Stage, table};

const VIOLATIONS: &str = include_str!("violations.yaml");
const HARMLESS: &str = include_str!("harmless.yaml");
const UNREADABLE: &str = include_str!("unreadable.yaml");

/// Each tenant's findings, by code, without those who have none.
fn codes(reports: &[IsolationReport]) -> BTreeMap<String, Vec<String>> {
    let of =
        |report: &IsolationReport| report.findings.iter().map(|finding| finding.code.to_string()).collect();
    let all = reports.iter().map(|report| (report.tenant_id.to_string(), of(report)));
    all.filter(|(_, codes): &(String, Vec<String>)| !codes.is_empty()).collect()
}

fn of_verdict(reports: &[IsolationReport], verdict: IsolationVerdict) -> BTreeSet<String> {
    let wanted = reports.iter().filter(|report| report.verdict == verdict);
    wanted.map(|report| report.tenant_id.to_string()).collect()
}

/// Judges each row and collects what is wrong, so that one run tells all.
fn each_row(text: &str, least: usize, wrong_with: impl Fn(&Row, &[IsolationReport]) -> Option<String>) {
    let rows = table(text);
    assert!(rows.len() >= least, "{} rows", rows.len());
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "each row has a name of its own");
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let why = wrong_with(row, &Stage::after(row).reports())?;
            Some(format!("{}: {why}", row.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn as_it_is_all_are_verified() {
    let reports = Stage::new().reports();
    assert_eq!(of_verdict(&reports, IsolationVerdict::Verified).len(), 4, "{reports:#?}");
}

/// The same evidence as Azure may show it the next time: lists the other way round, ids in capitals.
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

/// Neither verdict nor findings nor fingerprint depend on the form in which Azure shows things.
#[test]
fn another_form_of_the_same_evidence_changes_nothing() {
    for row in table(VIOLATIONS).iter().chain(&table(HARMLESS)) {
        let stage = Stage::after(row);
        let before = stage.reports();
        let mut again = stage;
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
fn each_planted_violation_is_found_and_nothing_else() {
    each_row(VIOLATIONS, 25, |row, reports| {
        let seen = codes(reports);
        if seen != row.expect {
            return Some(format!("{seen:?} in place of {:?}", row.expect));
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
        let wanted: BTreeSet<String> = row.can.iter().cloned().collect();
        (!wanted.is_empty() && can != wanted).then(|| format!("they can {can:?}"))
    });
}

#[test]
fn no_harmless_variation_is_reported() {
    each_row(HARMLESS, 25, |_, reports| {
        let verified = of_verdict(reports, IsolationVerdict::Verified).len() == reports.len();
        (!verified).then(|| {
            let gaps: Vec<_> = reports.iter().flat_map(|report| &report.gaps).collect();
            format!("{:?} {gaps:?}", reports.iter().flat_map(|report| &report.findings).collect::<Vec<_>>())
        })
    });
}

#[test]
fn what_cant_be_read_keeps_from_being_verified() {
    each_row(UNREADABLE, 10, |row, reports| {
        let seen = (
            of_verdict(reports, IsolationVerdict::Inconclusive),
            of_verdict(reports, IsolationVerdict::Violated),
        );
        let wanted = (row.inconclusive.iter().cloned().collect(), row.violated.iter().cloned().collect());
        (seen != wanted).then(|| format!("{seen:?} {:#?}", codes(reports)))
    });
}

/// Of what can't be asked for nothing is proved, and the reason says what is missing.
#[test]
fn a_record_that_does_not_tell_where_a_resource_is_keeps_a_tenant_from_being_proved() {
    let mut tenant = Tenant::from_json(include_bytes!("../../fixtures/tenant-v1.json")).unwrap();
    tenant.keep_steps(|name| name.as_str() == "group");
    let whole = tenant.steps().values().find_map(|record| record.target.clone()).unwrap();
    let mut read = |target: &Value| {
        tenant.change_step(&"group".parse().unwrap(), |record| record.target = Some(target.clone()));
        Subject::of(&tenant)
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
fn every_rule_is_broken_by_some_row() {
    let rows = table(VIOLATIONS);
    let broken: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.expect.values().flatten()).map(String::as_str).collect();
    let idle: Vec<&str> = RULES.iter().map(|rule| rule.code).filter(|code| !broken.contains(code)).collect();
    // Of the language service alone: no tenant of the stage has an account.
    assert_eq!(idle, ["account-public"]);
}

/// Whatever part of the evidence is taken away, nobody is called verified who needs it.
#[test]
fn evidence_that_is_left_out_is_a_gap() {
    let stage = Stage::new();
    let own: BTreeSet<String> =
        stage.subjects[0].resources.iter().map(|own| own.id.to_ascii_lowercase()).collect();
    for id in &own {
        let mut less = stage.clone();
        less.evidence.resources.remove(id);
        assert_eq!(less.reports()[0].verdict, IsolationVerdict::Inconclusive, "{id}");
    }
    let mut less = stage.clone();
    less.evidence.listings.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
    let mut less = stage.clone();
    less.evidence.applications.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
    let mut less = stage;
    less.evidence.identity_credentials.clear();
    assert_eq!(of_verdict(&less.reports(), IsolationVerdict::Inconclusive).len(), 4);
}

#[test]
fn the_digest_is_of_what_the_verdict_rests_on() {
    let (first, second) = (Stage::new().reports(), Stage::new().reports());
    assert_eq!(first, second);
    let rows = table(VIOLATIONS);
    let row = rows.iter().find(|row| row.name == "Key auth switched on").unwrap();
    let changed = Stage::after(row).reports();
    assert_ne!(first[0].digest, changed[0].digest);
    assert_eq!(first[1].digest, changed[1].digest, "another tenant's evidence is the same");
}

#[test]
fn a_report_in_json_and_as_a_page() {
    let rows = table(VIOLATIONS);
    let row = rows.iter().find(|row| row.name == "Another tenant's group in a role").unwrap();
    let mut stage = Stage::after(row);
    // What somebody else chose to write is shown, never obeyed.
    let mut evil = stage.evidence.listings[0].clone();
    let hostile = json!({"id": "<script>alert(1)</script>", "scope": stage.subjects[0].resources[0].id,
        "principalId": "\"><img src=x onerror=alert(1)>\u{202e}", "principalType": "User",
        "roleDefinitionId": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"});
    evil.assignments =
        tenantry_core::isolation::Reading::Shown(vec![serde_json::from_value(hostile).unwrap()]);
    evil.scope.push_str("/resourceGroups/rg-ada");
    stage.evidence.listings.push(evil);
    let reports = stage.reports();
    insta::assert_json_snapshot!("report", reports[0]);
    let page = page(&reports[..2], "2026-11-23T03:00:00Z");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'));
    insta::assert_snapshot!("page", page);
    let json: Value = serde_json::to_value(&reports[0]).unwrap();
    for member in ["tenantId", "verdict", "findings", "digest"] {
        assert!(json.get(member).is_some(), "{member}");
    }
}
