//! Checks what must hold once all requests are fulfilled.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use azure_sim::queue::Queue;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    process::{now, wait},
    testkit::judge::{self, list, text},
    workload::{Front, TrialTenant, Workload},
};

/// How long the last outbox entries may take to be published.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A kind of harm that a disruption may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    Lost,
    Duplicated,
    Orphaned,
    /// A change to a tenant that no request was about.
    Disturbed,
    /// An entry that is left in the state or in a queue, or a process that does not end.
    LeftBehind,
}

impl Harm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Lost, Self::Duplicated, Self::Orphaned, Self::Disturbed, Self::LeftBehind];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Orphaned => "orphaned",
            Self::Disturbed => "disturbed",
            Self::LeftBehind => "left behind",
        }
    }
}

/// A violated expectation.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) harm: Harm,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(harm: Harm, what: impl Into<String>) -> Self {
        Self { harm, what: what.into() }
    }
}

const BYSTANDERS: [&str; 2] = ["bystander-dedicated", "bystander-pooled"];

/// The objects that each bystander has in the simulated Azure before the first disruption.
pub(crate) async fn baselines(front: &Front) -> BTreeMap<&'static str, Value> {
    let mut baselines = BTreeMap::new();
    for name in BYSTANDERS {
        baselines.insert(name, front.sim(&format!("objects?tenant={name}")).await);
    }
    baselines
}

/// Checks that every tenant has the objects that an undisturbed tenant of the same tier has, and that the bystanders
/// are unchanged.
pub(crate) async fn at_rest(
    front: &Front,
    workload: &Workload,
    baselines: &BTreeMap<&'static str, Value>,
    began: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all = front.sim("objects").await;
    let objects_of = |name: &str| -> Value {
        list(&all).iter().filter(|object| text(object, "/tenant") == name).cloned().collect()
    };
    for (name, baseline) in baselines {
        if objects_of(name) != *baseline {
            findings.push(Finding::new(
                Harm::Disturbed,
                format!("{name} had {baseline}, has {}", objects_of(name)),
            ));
        }
    }
    let journal = front.sim("journal").await;
    for line in judge::changes(&journal) {
        let after = text(line, "/at").parse::<Timestamp>().is_ok_and(|at| at > began);
        let message = text(line, "/path").ends_with("/messages");
        if after && !message && BYSTANDERS.contains(&text(line, "/tenant")) {
            findings.push(Finding::new(Harm::Disturbed, format!("a change to a bystander: {line}")));
        }
    }
    for tenant in workload.all().iter().filter(|tenant| !tenant.bystander) {
        let has = objects_of(&tenant.name);
        let usual = match tenant.status() {
            "active" => baselines[BYSTANDERS[usize::from(tenant.pooled)]].clone(),
            _ => json!([]),
        };
        findings.extend(compare(tenant, &judge::kinds(&has), &judge::kinds(&usual)));
    }
    findings
}

fn compare(tenant: &TrialTenant, has: &BTreeMap<&str, usize>, usual: &BTreeMap<&str, usize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in has.keys().chain(usual.keys()).collect::<BTreeSet<_>>() {
        let (has, usual) = (has.get(kind).copied().unwrap_or(0), usual.get(kind).copied().unwrap_or(0));
        let harm = match has.cmp(&usual) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Less => Harm::Lost,
            std::cmp::Ordering::Greater if usual == 0 => Harm::Orphaned,
            std::cmp::Ordering::Greater => Harm::Duplicated,
        };
        findings.push(Finding::new(
            harm,
            format!("{} ({}) has {has} {kind}, not {usual}", tenant.name, tenant.status()),
        ));
    }
    findings
}

/// Waits until no tenant is due, or until the timeout.
pub(crate) async fn until_nothing_is_due(front: &Front, workload: &Workload) {
    let deadline = now() + TIMEOUT;
    for tenant in workload.all() {
        let path = format!("/api/tenants/{}", tenant.name);
        while now() < deadline {
            if front.get(&path).await.is_some_and(|shown| shown["dueAt"].is_null()) {
                break;
            }
            wait(Duration::from_millis(50)).await;
        }
    }
}

/// Checks that nothing is left in Azure, that every event was published, and that history is complete.
pub(crate) async fn after_removal(front: &Front, workload: &Workload) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in list(&front.sim("objects").await) {
        findings.push(Finding::new(Harm::Orphaned, object.to_string()));
    }
    for tenant in workload.all() {
        let shown = front.get(&format!("/api/tenants/{}", tenant.name)).await.unwrap_or_default();
        if (text(&shown, "/status"), &shown["dueAt"]) != ("deleted", &Value::Null) {
            findings.push(Finding::new(Harm::Lost, format!("{} is not at rest: {shown}", tenant.name)));
        }
        let events = front.sim(&format!("events?tenant={}", tenant.name)).await;
        let checked =
            catch_unwind(AssertUnwindSafe(|| judge::check_event_sequence(&tenant.name, list(&events))));
        if checked.is_err() {
            findings.push(Finding::new(Harm::Lost, format!("{}: its events are incomplete", tenant.name)));
        }
        let types = judge::types(list(&events));
        for kind in [".accepted", ".succeeded"] {
            let published = types.iter().filter(|event| event.ends_with(kind)).count();
            if published != tenant.fulfilled {
                let what = format!(
                    "{}: {published} events `{kind}`, not {}: {types:?}",
                    tenant.name, tenant.fulfilled
                );
                findings.push(Finding::new(Harm::Lost, what));
            }
        }
        let path = format!("/api/tenants/{}?view=history&limit=1000", tenant.name);
        let history = front.get(&path).await.unwrap_or_default();
        findings.extend(gaps(&tenant, list(&history["history"])));
    }
    findings
}

/// Checks that the newest thousand rows of a history have no gap, and that the newest row is about the deletion.
fn gaps(tenant: &TrialTenant, rows: &[Value]) -> Option<Finding> {
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
    let first = if rows.len() == 1000 { numbers.last().copied().unwrap_or_default() } else { 1 };
    let whole: Vec<u64> = (first..first + numbers.len() as u64).rev().collect();
    let ends = rows.first().is_some_and(|row| text(row, "/what").contains("deprovision.succeeded"));
    let what = format!("{}: its history has gaps: {numbers:?}", tenant.name);
    (numbers != whole || !ends).then(|| Finding::new(Harm::Lost, what))
}

/// Checks that nothing was created a second time under its name, and that an object which gets its name from Azure was
/// created at most once per incarnation.
pub(crate) fn made_twice(journal: &Value, workload: &Workload) -> Vec<Finding> {
    let duplicated = |what| Finding::new(Harm::Duplicated, what);
    let mut findings: Vec<Finding> = judge::made_twice(journal).into_iter().map(duplicated).collect();
    let signups: BTreeMap<String, usize> =
        workload.all().iter().map(|tenant| (tenant.name.clone(), tenant.signups())).collect();
    let mut posted: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in judge::changes(journal) {
        let path = text(line, "/path");
        if text(line, "/method") == "POST" && line["status"] == 201 && !path.ends_with("/messages") {
            *posted.entry((text(line, "/tenant"), path)).or_default() += 1;
        }
    }
    for ((tenant, path), times) in posted {
        let most = signups.get(tenant).copied().unwrap_or_default();
        if times > most {
            findings.push(duplicated(format!("{tenant}: {times} times POST {path} in {most} incarnations")));
        }
    }
    findings
}

/// A finding for each queue with dead-lettered messages.
pub(crate) fn dead_letters(queue: &Queue) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["tenant-requests", "tenant-wakeups"] {
        let dead = queue.counts(name, now()).unwrap().dead_lettered;
        if dead > 0 {
            findings.push(Finding::new(Harm::LeftBehind, format!("{dead} dead letters of {name}")));
        }
    }
    findings
}
