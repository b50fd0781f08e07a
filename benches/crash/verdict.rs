//! What must hold once all has come to rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use azure_sim::queue::Queue;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    lives::{Front, Life, Lives},
    process::{now, pass},
    testkit::judge::{self, list, text},
};

/// How long the last notices may take to be told.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    Lost,
    Duplicated,
    Orphaned,
    /// Somebody whom it was not about.
    Disturbed,
    /// In the state or a queue, or a process that did not do as it was told.
    LeftBehind,
}

impl Harm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Lost, Self::Duplicated, Self::Orphaned, Self::Disturbed, Self::LeftBehind];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Orphaned => "orphaned",
            Self::Disturbed => "disturbed",
            Self::LeftBehind => "left behind",
        }
    }
}

/// Something that must not be.
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

/// What each bystander has.
pub(crate) async fn portraits(front: &Front) -> BTreeMap<&'static str, Value> {
    let mut portraits = BTreeMap::new();
    for name in BYSTANDERS {
        portraits.insert(name, front.sim(&format!("objects?tenant={name}")).await);
    }
    portraits
}

/// Everybody has what an undisturbed tenant of the same tier has, and nobody has touched the bystanders.
pub(crate) async fn at_rest(
    front: &Front,
    lives: &Lives,
    portraits: &BTreeMap<&'static str, Value>,
    began: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all = front.sim("objects").await;
    let objects_of = |name: &str| -> Value {
        list(&all).iter().filter(|object| text(object, "/tenant") == name).cloned().collect()
    };
    for (name, portrait) in portraits {
        if objects_of(name) != *portrait {
            findings.push(Finding::new(
                Harm::Disturbed,
                format!("{name} had {portrait}, has {}", objects_of(name)),
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
    for life in lives.all().iter().filter(|life| !life.bystander) {
        let has = objects_of(&life.name);
        let usual = match life.status() {
            "active" => portraits[BYSTANDERS[usize::from(life.pooled)]].clone(),
            _ => json!([]),
        };
        findings.extend(compare(life, &judge::kinds(&has), &judge::kinds(&usual)));
    }
    findings
}

fn compare(life: &Life, has: &BTreeMap<&str, usize>, usual: &BTreeMap<&str, usize>) -> Vec<Finding> {
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
            format!("{} ({}) has {has} {kind}, not {usual}", life.name, life.status()),
        ));
    }
    findings
}

/// Waits until nobody has anything left to be told or done.
pub(crate) async fn until_nothing_is_due(front: &Front, lives: &Lives) {
    let deadline = now() + PATIENCE;
    for life in lives.all() {
        let path = format!("/api/tenants/{}", life.name);
        while now() < deadline {
            if front.get(&path).await.is_some_and(|shown| shown["dueAt"].is_null()) {
                break;
            }
            pass(Duration::from_millis(50)).await;
        }
    }
}

/// Nothing is left in Azure, and everything was told.
pub(crate) async fn after_removal(front: &Front, lives: &Lives) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in list(&front.sim("objects").await) {
        findings.push(Finding::new(Harm::Orphaned, object.to_string()));
    }
    for life in lives.all() {
        let shown = front.get(&format!("/api/tenants/{}", life.name)).await.unwrap_or_default();
        if (text(&shown, "/status"), &shown["dueAt"]) != ("deleted", &Value::Null) {
            findings.push(Finding::new(Harm::Lost, format!("{} is not at rest: {shown}", life.name)));
        }
        let events = front.sim(&format!("events?tenant={}", life.name)).await;
        let told = catch_unwind(AssertUnwindSafe(|| judge::tell_one_story(&life.name, list(&events))));
        if told.is_err() {
            findings.push(Finding::new(Harm::Lost, format!("{}: its events are no whole story", life.name)));
        }
        let types = judge::types(list(&events));
        for kind in [".accepted", ".succeeded"] {
            let told = types.iter().filter(|told| told.ends_with(kind)).count();
            if told != life.fulfilled {
                let what =
                    format!("{}: {told} events `{kind}`, not {}: {types:?}", life.name, life.fulfilled);
                findings.push(Finding::new(Harm::Lost, what));
            }
        }
        let path = format!("/api/tenants/{}?view=history&limit=1000", life.name);
        let history = front.get(&path).await.unwrap_or_default();
        findings.extend(gaps(&life, list(&history["history"])));
    }
    findings
}

/// The newest thousand rows of a history have no gap; the newest tells of the removal.
fn gaps(life: &Life, rows: &[Value]) -> Option<Finding> {
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
    let first = if rows.len() == 1000 { numbers.last().copied().unwrap_or_default() } else { 1 };
    let whole: Vec<u64> = (first..first + numbers.len() as u64).rev().collect();
    let ends = rows.first().is_some_and(|row| text(row, "/what").contains("deprovision.succeeded"));
    let what = format!("{}: its history has gaps: {numbers:?}", life.name);
    (numbers != whole || !ends).then(|| Finding::new(Harm::Lost, what))
}

/// Nothing was made a second time under its name; what has no name was made once in each life of its tenant at most.
pub(crate) fn made_twice(journal: &Value, lives: &Lives) -> Vec<Finding> {
    let duplicated = |what| Finding::new(Harm::Duplicated, what);
    let mut findings: Vec<Finding> = judge::made_twice(journal).into_iter().map(duplicated).collect();
    let signups: BTreeMap<String, usize> =
        lives.all().iter().map(|life| (life.name.clone(), life.signups())).collect();
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
            findings.push(duplicated(format!("{tenant}: {times} times POST {path} in {most} lives")));
        }
    }
    findings
}

/// Messages that were given up.
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
