//! The runbooks have a section for each alert and each class of failure, and each fault that a section gives to try
//! leads to its class.

use serde_json::{Value, json};
use tenantry_core::tenant::FailureClass;

use super::{
    class_name,
    pages::{anchors, headings, read, section},
};
use crate::testkit::{CLASSES, harness::Harness, judge::text, signup, until};

/// The alerts, by the ids that their rules link to.
const ALERTS: [&str; 5] =
    ["dead-letters", "stuck-tenants", "isolation-violated", "sweep-late", "unreadable-rows"];

const PAGE: &str = "docs/runbooks.md";

#[test]
fn there_is_a_section_for_each_alert_and_each_class_of_failure() {
    let page = read(PAGE);
    let (anchors, headings) = (anchors(&page), headings(&page));
    let missing: Vec<&str> =
        ALERTS.into_iter().chain(CLASSES.map(class_name)).filter(|id| !anchors.contains(*id)).collect();
    assert_eq!(missing, [""; 0], "{PAGE} has no section for them; it has {headings:?}");
}

/// The parts that every section has, in this order.
const PARTS: [&str; 5] =
    ["**Meaning.**", "**Diagnose.**", "**Mitigate.**", "**Resolved when**", "**Try it.**"];

#[test]
fn each_section_has_all_its_parts_in_order() {
    let page = read(PAGE);
    for id in ALERTS.into_iter().chain(CLASSES.map(class_name)) {
        let text = flat(&page, id);
        let found = PARTS.map(|part| text.find(part));
        assert!(
            found.iter().all(Option::is_some) && found.is_sorted(),
            "{PAGE}, {id}: {PARTS:?} at {found:?}"
        );
    }
}

#[test]
fn each_section_says_what_the_customer_sees() {
    let page = read(PAGE);
    let silent: Vec<&str> =
        ALERTS.into_iter().filter(|id| !flat(&page, id).to_lowercase().contains("customer")).collect();
    assert_eq!(silent, [""; 0], "{PAGE}: these do not say what the customer sees");
    // The introduction of the classes says it for all of them.
    let classes = page.split("\n## Classes of failure\n").nth(1).unwrap().split("\n### ").next().unwrap();
    assert!(classes.contains("the customer waits"), "{PAGE}: {classes}");
}

#[test]
fn the_section_of_a_class_names_its_next_action_and_its_fault() {
    let page = read(PAGE);
    for class in CLASSES {
        let text = flat(&page, class_name(class));
        let does = text.to_lowercase().contains(&class.next_action().to_lowercase());
        assert!(does, "{PAGE}, {}: not `{}`", class_name(class), class.next_action());
        let fault = format!("examples/faults/{}.json", class_name(class));
        assert!(text.contains(&fault), "{PAGE}, {}: not {fault}", class_name(class));
    }
}

/// The text of a section on one line, however it is wrapped.
fn flat(page: &str, id: &str) -> String {
    section(page, id).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The failure causes in contoso's history, as class and code.
async fn causes(harness: &Harness) -> Vec<(String, String)> {
    let history = harness.get("/api/tenants/contoso?view=history&limit=1000").await;
    let mut found = Vec::new();
    let mut open = vec![&history];
    while let Some(value) = open.pop() {
        if value.get("class").is_some() && value.get("code").is_some() {
            found.push((text(value, "/class").to_owned(), text(value, "/code").to_owned()));
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

/// Every fault that a section names leads to its class: the tenant recovers by itself, or a retry unblocks it.
#[tokio::test]
async fn every_fault_of_a_section_provokes_its_class() {
    let page = read(PAGE);
    for class in CLASSES {
        let harness = Harness::new().await;
        let fault: Value =
            serde_json::from_str(&read(&format!("examples/faults/{}.json", class_name(class)))).unwrap();
        harness.fault(fault).await;
        harness.accept(&signup("contoso")).await;
        // The derived role does not allow registering a provider, so the class is `denied`.
        let registers = class == FailureClass::NeedsProvider;
        let stops = if class == FailureClass::Permanent {
            Some("failed")
        } else {
            (registers || !class.retryable()).then_some("waiting")
        };
        let reported = class_name(if registers { FailureClass::Denied } else { class });
        if let Some(status) = stops {
            let tenant = harness.until_is("contoso", status).await;
            assert_eq!(text(&tenant, "/status"), status);
            harness.no_more_faults().await;
            // The printed next action works literally, once the cause is removed.
            let stopped = tenant["steps"].as_object().unwrap().values().find_map(|step| {
                let next = text(step, "/nextAction");
                next.split('`').skip(1).step_by(2).find(|quoted| quoted.starts_with("tenantry "))
            });
            let command =
                stopped.unwrap_or_else(|| panic!("{}: no command in {tenant:#}", class_name(class)));
            assert_eq!(command, "tenantry retry contoso", "{}", class_name(class));
            let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
            program.args(command.split_whitespace().skip(1)).args(["--url", &harness.base]).env_clear();
            assert!(program.status().await.unwrap().success(), "{}: {command}", class_name(class));
        }
        harness.until_is("contoso", "active").await;
        let seen = until("the history has the class", async || {
            let seen = causes(&harness).await;
            if seen.iter().any(|(of, _)| of == reported) { Ok(seen) } else { Err(json!(seen)) }
        })
        .await;
        let text = flat(&page, class_name(class));
        let named = seen.iter().any(|(of, code)| of == reported && text.contains(&format!("`{code}`")));
        assert!(named, "{PAGE}, {}: none of its codes is named: {seen:?}", class_name(class));
    }
}
