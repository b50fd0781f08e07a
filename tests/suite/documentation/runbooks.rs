//! The runbooks have a section for whatever may call a person, and what they say to try does what they say.

use serde_json::{Value, json};
use tenantry_core::tenant::FailureClass;

use super::{
    pages::{anchors, headings, read, section},
    word,
};
use crate::testkit::{CLASSES, judge::text, signup, stage::Stage, until};

/// The alerts, by the ids that their rules link to.
const ALERTS: [&str; 5] =
    ["dead-letters", "stuck-tenants", "isolation-violated", "sweep-late", "unreadable-rows"];

const PAGE: &str = "docs/runbooks.md";

#[test]
fn there_is_a_section_for_each_alert_and_each_class_of_failure() {
    let page = read(PAGE);
    let (anchors, headings) = (anchors(&page), headings(&page));
    let missing: Vec<&str> =
        ALERTS.into_iter().chain(CLASSES.map(word)).filter(|id| !anchors.contains(*id)).collect();
    assert_eq!(missing, [""; 0], "{PAGE} has no section for them; it has {headings:?}");
}

#[test]
fn each_section_says_all_that_is_asked_of_it() {
    let page = read(PAGE);
    for id in ALERTS {
        let text = flat(&page, id);
        for part in ["**Means.**", "**The customer**", "**Look.**", "**Do.**", "**Over**", "**Try it.**"] {
            assert!(text.contains(part), "{PAGE}, {id}: no {part}");
        }
    }
    for class in CLASSES {
        let text = flat(&page, word(class));
        for part in ["**Means.**", "**The customer**", "**Do.**", "**Over**", "**Try it.**"] {
            assert!(text.contains(part), "{PAGE}, {}: no {part}", word(class));
        }
        let does = text.to_lowercase().contains(&class.next_action().to_lowercase());
        assert!(does, "{PAGE}, {}: not `{}`", word(class), class.next_action());
        let fault = format!("examples/faults/{}.json", word(class));
        assert!(text.contains(&fault), "{PAGE}, {}: not {fault}", word(class));
    }
}

/// The text of a section on one line, however it is wrapped.
fn flat(page: &str, id: &str) -> String {
    section(page, id).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The causes in a tenant's history, as class and code.
async fn causes(stage: &Stage) -> Vec<(String, String)> {
    let history = stage.get("/api/tenants/contoso?view=history&limit=1000").await;
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

/// Every fault that a section names leads to its class: by itself through it, or to a stop that a retry ends.
#[tokio::test]
async fn every_fault_of_a_section_provokes_its_class() {
    let page = read(PAGE);
    for class in CLASSES {
        let stage = Stage::new().await;
        let fault: Value =
            serde_json::from_str(&read(&format!("examples/faults/{}.json", word(class)))).unwrap();
        stage.fault(fault).await;
        stage.accept(&signup("contoso")).await;
        // Registering a provider is a right that is not derived, so it is that right which is told to be missing.
        let registers = class == FailureClass::NeedsProvider;
        let stops = if class == FailureClass::Permanent {
            Some("failed")
        } else {
            (registers || !class.retryable()).then_some("waiting")
        };
        let told = word(if registers { FailureClass::Denied } else { class });
        if let Some(status) = stops {
            let tenant = stage.until_is("contoso", status).await;
            assert_eq!(text(&tenant, "/status"), status);
            stage.no_more_faults().await;
            // What is printed for the stopped step, done to the letter once its cause is gone, leads on.
            let stopped = tenant["steps"].as_object().unwrap().values().find_map(|step| {
                let next = text(step, "/nextAction");
                next.split('`').skip(1).step_by(2).find(|quoted| quoted.starts_with("tenantry "))
            });
            let command = stopped.unwrap_or_else(|| panic!("{}: no command in {tenant:#}", word(class)));
            assert_eq!(command, "tenantry retry contoso", "{}", word(class));
            let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"));
            program.args(command.split_whitespace().skip(1)).args(["--url", &stage.base]).env_clear();
            assert!(program.status().await.unwrap().success(), "{}: {command}", word(class));
        }
        stage.until_is("contoso", "active").await;
        let seen = until("the history tells of it", async || {
            let seen = causes(&stage).await;
            if seen.iter().any(|(of, _)| of == told) { Ok(seen) } else { Err(json!(seen)) }
        })
        .await;
        let text = flat(&page, word(class));
        let named = seen.iter().any(|(of, code)| of == told && text.contains(&format!("`{code}`")));
        assert!(named, "{PAGE}, {}: none of its codes is named: {seen:?}", word(class));
    }
}
