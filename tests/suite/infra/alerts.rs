//! Alerts and workbook: they query lines that the program logs, and link to the runbooks.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{
    bicep::Expr,
    templates::{Infra, file, root},
};

/// The alerts; each is a heading of docs/runbooks.md.
const ALERTS: [&str; 5] =
    ["dead-letters", "stuck-tenants", "isolation-violated", "unreadable-rows", "sweep-late"];

/// Adds the lines that the sources in a folder log: their messages and fields.
fn lines(folder: &Path, found: &mut Vec<(String, BTreeSet<String>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for call in text.split("tracing::").skip(1) {
            let Some((level, rest)) = call.split_once("!(") else { continue };
            if !["error", "warn", "info"].contains(&level) {
                continue;
            }
            // The message is the last argument. A field may contain a string literal too, e.g. a separator.
            let Some(call) = rest.split_once(");").map(|(call, _)| call) else { continue };
            let Some((before, said)) = call.trim_end().trim_end_matches([',', '"']).rsplit_once('"') else {
                continue;
            };
            let fields = before.split(',').map(|field| field.split('=').next().unwrap().trim());
            let fields = fields.map(|field| field.trim_start_matches(['%', '?']).to_owned());
            found.push((said.to_owned(), fields.collect()));
        }
    }
}

/// The texts between two markers.
fn between(text: &str, before: &str, after: char) -> Vec<String> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split(after).next()?.to_owned())).collect()
}

/// The queries of alerts and workbook, each with the name of its alert or chart.
fn all(infra: &Infra) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for rule in infra.made("Microsoft.Insights/scheduledQueryRules") {
        let conditions = rule.at(&["properties", "criteria", "allOf"]).unwrap().items();
        all.extend(conditions.iter().map(|one| (rule.says(&["name"]), one.member("query").unwrap().shown())));
    }
    let workbook: Value = serde_json::from_str(&infra.texts["modules/workbook.json"]).unwrap();
    for item in workbook["items"].as_array().unwrap() {
        if let Some(query) = item["content"]["query"].as_str() {
            all.push((format!("workbook, {}", item["name"].as_str().unwrap()), query.to_owned()));
        }
    }
    all
}

pub(crate) fn queries(infra: &Infra) -> Vec<String> {
    let mut logged = Vec::new();
    lines(&root().join("src"), &mut logged);
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (owner, query) in all(infra) {
        if query.trim_start().starts_with("requests") {
            continue;
        }
        let said = between(&query, "tostring(line.message) == '", '\'');
        let quick = between(&query, "message has '", '\'');
        if said != quick {
            wrong.push(format!("{owner}: it filters by {quick:?}, then by {said:?}"));
        }
        let mut fields: BTreeSet<String> = between(&query, "line['", '\'').into_iter().collect();
        let identifier = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned()
        };
        fields.extend(query.split("line.").skip(1).map(identifier));
        // Every line has these two fields.
        fields.retain(|field| !["message", "level"].contains(&field.as_str()));
        for said in said {
            asked += 1;
            let Some((_, has)) = logged.iter().find(|(line, _)| *line == said) else {
                wrong.push(format!("{owner}: nothing logs {said:?}"));
                continue;
            };
            wrong.extend(fields.difference(has).map(|field| format!("{owner}: {said:?} has no {field}")));
        }
    }
    let verdict = tenantry_core::tenant::IsolationVerdict::Violated.as_str();
    let rule = all(infra).into_iter().find(|(owner, _)| owner == "isolation-violated");
    if rule.is_none_or(|(_, query)| !query.contains(&format!("tostring(line.verdict) == '{verdict}'"))) {
        wrong.push(format!("isolation-violated does not filter by {verdict}"));
    }
    if asked < 6 {
        wrong.push(format!("only {asked} lines are queried"));
    }
    // Alerts depend on traces, so sampling must not drop any.
    let host: Value = serde_json::from_str(&file("host.json")).unwrap();
    let kept =
        host.pointer("/logging/applicationInsights/samplingSettings/excludedTypes").and_then(Value::as_str);
    if kept.is_none_or(|kept| !kept.split(';').any(|of| of == "Trace")) {
        wrong.push("host.json lets traces be sampled, which alerts depend on".to_owned());
    }
    wrong
}

pub(crate) fn runbooks(infra: &Infra) -> Vec<String> {
    let page = file("docs/runbooks.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|heading| heading.trim().to_lowercase().replace(' ', "-"))
        .collect();
    let (mut wrong, mut names) = (Vec::new(), BTreeSet::new());
    let rules = infra.made("Microsoft.Insights/scheduledQueryRules");
    for alert in rules.into_iter().chain(infra.made("Microsoft.Insights/metricAlerts")) {
        let name = alert.says(&["name"]);
        let says = alert.says(&["properties", "description"]);
        if !says.ends_with(&format!("${{runbook}}#{name}")) {
            wrong.push(format!("{name} has no valid runbook link: {says}"));
        }
        if !headings.contains(&name) {
            wrong.push(format!("docs/runbooks.md has no heading {name}"));
        }
        let action_groups = alert.at(&["properties", "actions"]);
        let action_groups =
            action_groups.map(|groups| groups.member("actionGroups").unwrap_or(groups).items().len());
        if action_groups != Some(1) {
            wrong.push(format!("{name} notifies nobody"));
        }
        names.insert(name);
    }
    let alerts = infra.template("modules/alerts.bicep");
    let runbook =
        alerts.declarations.iter().find(|one| one.name == "runbook").and_then(|one| one.body.as_ref());
    if runbook.is_none_or(|text| !text.shown().ends_with("docs/runbooks.md")) {
        wrong.push("`runbook` does not name docs/runbooks.md".to_owned());
    }
    if names != ALERTS.map(str::to_owned).into() {
        wrong.push(format!("the alerts are {names:?}"));
    }
    let dimensions =
        infra.made("Microsoft.Insights/metricAlerts")[0].at(&["properties", "criteria", "allOf"]).unwrap();
    let queues = dimensions.items()[0].member("dimensions").unwrap().items()[0].member("values").unwrap();
    let queues: BTreeSet<String> = queues.items().iter().map(Expr::shown).collect();
    let there = infra.made("Microsoft.ServiceBus/namespaces/queues");
    if queues != there.iter().map(|queue| queue.says(&["name"])).collect() {
        wrong.push(format!("dead-letters covers {queues:?}"));
    }
    wrong
}
