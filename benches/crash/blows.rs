//! Blows dealt while tenants live, and the report of how they were borne.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Wanted,
    dice::Dice,
    lives::{Front, Lives},
    process::now,
    testkit::judge::{list, text},
    verdict::{self, Finding, Harm},
};

/// How many findings are told at full length.
const FINDINGS_TOLD: usize = 30;

/// What can be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, for longer than a lease lasts, then SIGCONT.
    Pause,
}

/// What was done.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    /// Whose wish was taken and not fulfilled then.
    pub(crate) under_way: Vec<String>,
    /// What is to be said of it.
    pub(crate) told: Option<String>,
}

/// Where the program lives.
pub(crate) trait World: Sized {
    fn front(&self) -> Arc<Front>;
    /// All that is to be dealt, in any order.
    fn kinds(wanted: Wanted) -> Vec<Kind>;
    /// Waits for a moment of chance and deals a blow.
    async fn strike(&mut self, kind: Kind, dice: &mut Dice, lives: &Lives) -> Blow;
    /// Ends everything and says what only this world can be asked.
    async fn audit(self, lives: &Lives) -> Vec<Finding>;
    /// What else is to be said of the run.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Deals blows to a world in which tenants live, and judges what is left.
pub(crate) async fn deal<W: World>(make: impl AsyncFnOnce() -> W, wanted: Wanted, mut dice: Dice) -> Report {
    let mut world = make().await;
    let front = world.front();
    let lives = Arc::new(Lives::new(wanted.tenants));
    lives.place_bystanders(&front).await;
    let portraits = verdict::portraits(&front).await;
    let began = now();
    let living = tokio::spawn({
        let (lives, front) = (Arc::clone(&lives), Arc::clone(&front));
        async move { lives.live(&front).await }
    });
    let mut kinds = W::kinds(wanted);
    let mut blows = Vec::new();
    while !kinds.is_empty() && lives.complaint().is_none() {
        let drawn = usize::try_from(dice.below(kinds.len() as u64)).unwrap();
        blows.push(world.strike(kinds.swap_remove(drawn), &mut dice, &lives).await);
    }
    lives.come_to_rest();
    living.await.unwrap();
    let mut findings = Vec::new();
    if lives.complaint().is_none() {
        findings.extend(verdict::at_rest(&front, &lives, &portraits, began).await);
        lives.remove_all(&front).await;
        verdict::until_nothing_is_due(&front, &lives).await;
    }
    if lives.complaint().is_none() {
        findings.extend(verdict::after_removal(&front, &lives).await);
    }
    findings.extend(lives.complaint().map(|what| Finding::new(Harm::Lost, what)));
    let journal = front.sim("journal").await;
    findings.extend(verdict::made_twice(&journal, &lives));
    let remarks = world.remarks();
    findings.extend(world.audit(&lives).await);
    Report {
        fulfilled: lives.all().iter().map(|life| life.fulfilled).sum(),
        places: places(&blows, &journal),
        recoveries: recoveries(&blows, &journal),
        took: seconds(began, now()),
        blows,
        findings,
        remarks,
    }
}

/// How a run went.
pub(crate) struct Report {
    blows: Vec<Blow>,
    fulfilled: usize,
    places: BTreeMap<String, usize>,
    /// In seconds, from the shortest to the longest.
    recoveries: Vec<f64>,
    findings: Vec<Finding>,
    remarks: Vec<String>,
    took: f64,
}

impl Report {
    pub(crate) fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let kills = self.blows.iter().filter(|blow| blow.kind == Kind::Kill).count();
        let struck: usize = self.blows.iter().map(|blow| blow.under_way.len()).sum();
        let mut lines = vec![
            format!("  kills dealt    {kills} in {:.0} s", self.took),
            format!("  wishes         {} fulfilled", self.fulfilled),
            format!("  under way      {} tenants at a blow, on average", struck / self.blows.len().max(1)),
            format!(
                "  worked on      again after p50 {:.2} s, p99 {:.2} s, at most {:.2} s ({} times)",
                quantile(&self.recoveries, 50),
                quantile(&self.recoveries, 99),
                quantile(&self.recoveries, 100),
                self.recoveries.len()
            ),
            "  fell after".to_owned(),
        ];
        let mut places: Vec<(&String, &usize)> = self.places.iter().collect();
        places.sort_by_key(|(place, times)| (std::cmp::Reverse(**times), *place));
        lines.extend(places.iter().map(|(place, times)| format!("    {times:>4}  {place}")));
        lines.extend(self.blows.iter().filter_map(|blow| blow.told.as_ref()).map(|told| format!("  {told}")));
        lines.extend(self.remarks.iter().map(|remark| format!("  {remark}")));
        let harms = Harm::ALL.map(|harm| {
            let count = self.findings.iter().filter(|finding| finding.harm == harm).count();
            format!("{} {count}", harm.word())
        });
        lines.push(format!("  {}", harms.join(", ")));
        let told = self.findings.iter().take(FINDINGS_TOLD);
        lines.extend(told.map(|finding| format!("  {}: {}", finding.harm.word(), finding.what)));
        lines
    }
}

/// The value below which so many of a hundred lie; NaN without values.
pub(crate) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    Duration::try_from(to.duration_since(from)).unwrap_or_default().as_secs_f64()
}

fn instant(line: &Value) -> Timestamp {
    text(line, "/at").parse().unwrap()
}

/// What the journal's last line before each kill was about.
fn places(blows: &[Blow], journal: &Value) -> BTreeMap<String, usize> {
    let lines: Vec<(Timestamp, &Value)> = list(journal).iter().map(|line| (instant(line), line)).collect();
    let mut places = BTreeMap::new();
    for blow in blows.iter().filter(|blow| blow.kind == Kind::Kill) {
        let last = lines.iter().filter(|(at, _)| *at <= blow.at).max_by_key(|(at, _)| *at);
        let place = last.map_or_else(|| "nothing".to_owned(), |(_, line)| place(line));
        *places.entry(place).or_default() += 1;
    }
    places
}

/// A request without the names in it, e.g. `PUT onlineEndpoints/deployments`.
fn place(line: &Value) -> String {
    let path = text(line, "/path").split('?').next().unwrap_or_default();
    let what = match path {
        "/api/events" => "an event".to_owned(),
        "/msi/token" => "a token".to_owned(),
        _ if path.ends_with("/messages") => path.trim_matches('/').to_owned(),
        _ => match (path.rsplit_once("/providers/"), path.strip_prefix("/v1.0/")) {
            (Some((_, typed)), _) => typed.split('/').skip(1).step_by(2).collect::<Vec<_>>().join("/"),
            (None, Some(graph)) => graph.split(['/', '(']).next().unwrap_or_default().to_owned(),
            (None, None) => "resourceGroups".to_owned(),
        },
    };
    format!("{} {what}", text(line, "/method"))
}

/// How long it took, after a kill, until a tenant that was under way was worked on again. Kills in between belong to the
/// same outage.
fn recoveries(blows: &[Blow], journal: &Value) -> Vec<f64> {
    let mut worked_on: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for line in list(journal) {
        worked_on.entry(text(line, "/tenant")).or_default().push(instant(line));
    }
    worked_on.values_mut().for_each(|instants| instants.sort_unstable());
    let mut outages: BTreeMap<(&str, Timestamp), Timestamp> = BTreeMap::new();
    for blow in blows.iter().filter(|blow| blow.kind == Kind::Kill) {
        for tenant in &blow.under_way {
            let Some(instants) = worked_on.get(tenant.as_str()) else { continue };
            let next = instants.partition_point(|at| *at <= blow.at);
            let Some(next) = instants.get(next) else { continue };
            let begun = outages.entry((tenant, *next)).or_insert(blow.at);
            *begun = blow.at.min(*begun);
        }
    }
    let mut recoveries: Vec<f64> =
        outages.into_iter().map(|((_, ended), begun)| seconds(begun, ended)).collect();
    recoveries.sort_by(f64::total_cmp);
    recoveries
}
