//! Disrupts the program while tenants are provisioned, and reports the outcome.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Options,
    process::now,
    rng::TrialRng,
    testkit::judge::{list, text},
    verdict::{self, Finding, Harm},
    workload::{Front, Workload},
};

/// How many findings are printed in full.
const FINDINGS_SHOWN: usize = 30;

/// A kind of disruption of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, for longer than a lease lasts, then SIGCONT.
    Pause,
}

/// A disruption that was made.
#[derive(Debug, Clone)]
pub(crate) struct Disruption {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    /// The tenants whose request was accepted and not fulfilled at that time.
    pub(crate) under_way: Vec<String>,
    /// A line for the report.
    pub(crate) remark: Option<String>,
}

/// An environment in which the program runs and is disrupted.
pub(crate) trait Environment: Sized {
    fn front(&self) -> Arc<Front>;
    /// The kinds of all disruptions of a run. Their order is drawn.
    fn kinds(options: Options) -> Vec<Kind>;
    /// Waits for a random moment and disrupts the program.
    async fn disrupt(&mut self, kind: Kind, rng: &mut TrialRng, workload: &Workload) -> Disruption;
    /// Ends all processes, and checks what only this environment can show.
    async fn audit(self, workload: &Workload) -> Vec<Finding>;
    /// Further lines for the report.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Disrupts an environment in which tenants are provisioned, and checks the outcome.
pub(crate) async fn run<E: Environment>(
    make: impl AsyncFnOnce() -> E,
    options: Options,
    mut rng: TrialRng,
) -> Report {
    let mut environment = make().await;
    let front = environment.front();
    let workload = Arc::new(Workload::new(options.tenants));
    workload.sign_up_bystanders(&front).await;
    let baselines = verdict::baselines(&front).await;
    let began = now();
    let requests = tokio::spawn({
        let (workload, front) = (Arc::clone(&workload), Arc::clone(&front));
        async move { workload.sign_up_and_change(&front).await }
    });
    let mut kinds = E::kinds(options);
    let mut disruptions = Vec::new();
    while !kinds.is_empty() && workload.failure().is_none() {
        let drawn = usize::try_from(rng.below(kinds.len() as u64)).unwrap();
        disruptions.push(environment.disrupt(kinds.swap_remove(drawn), &mut rng, &workload).await);
    }
    workload.come_to_rest();
    requests.await.unwrap();
    let mut findings = Vec::new();
    if workload.failure().is_none() {
        findings.extend(verdict::at_rest(&front, &workload, &baselines, began).await);
        workload.remove_all(&front).await;
        verdict::until_nothing_is_due(&front, &workload).await;
    }
    if workload.failure().is_none() {
        findings.extend(verdict::after_removal(&front, &workload).await);
    }
    findings.extend(workload.failure().map(|what| Finding::new(Harm::Lost, what)));
    let journal = front.sim("journal").await;
    findings.extend(verdict::made_twice(&journal, &workload));
    let remarks = environment.remarks();
    findings.extend(environment.audit(&workload).await);
    Report {
        fulfilled: workload.all().iter().map(|tenant| tenant.fulfilled).sum(),
        last_requests: last_requests(&disruptions, &journal),
        recoveries: recoveries(&disruptions, &journal),
        took: seconds(began, now()),
        disruptions,
        findings,
        remarks,
    }
}

/// The outcome of a run in one environment.
pub(crate) struct Report {
    disruptions: Vec<Disruption>,
    fulfilled: usize,
    last_requests: BTreeMap<String, usize>,
    /// How long each recovery took, in seconds, the shortest first.
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
        let kills = self.disruptions.iter().filter(|disruption| disruption.kind == Kind::Kill).count();
        let under_way: usize = self.disruptions.iter().map(|disruption| disruption.under_way.len()).sum();
        let mut lines = vec![
            format!("  kills          {kills} in {:.0} s", self.took),
            format!("  requests       {} fulfilled", self.fulfilled),
            format!(
                "  under way      {} tenants at a disruption, on average",
                under_way / self.disruptions.len().max(1)
            ),
            format!(
                "  worked on      again after p50 {:.2} s, p99 {:.2} s, at most {:.2} s ({} times)",
                quantile(&self.recoveries, 50),
                quantile(&self.recoveries, 99),
                quantile(&self.recoveries, 100),
                self.recoveries.len()
            ),
            "  killed after".to_owned(),
        ];
        let mut last_requests: Vec<(&String, &usize)> = self.last_requests.iter().collect();
        last_requests.sort_by_key(|(request, times)| (std::cmp::Reverse(**times), *request));
        lines.extend(last_requests.iter().map(|(request, times)| format!("    {times:>4}  {request}")));
        lines.extend(
            self.disruptions
                .iter()
                .filter_map(|disruption| disruption.remark.as_ref())
                .map(|remark| format!("  {remark}")),
        );
        lines.extend(self.remarks.iter().map(|remark| format!("  {remark}")));
        let harms = Harm::ALL.map(|harm| {
            let count = self.findings.iter().filter(|finding| finding.harm == harm).count();
            format!("{} {count}", harm.as_str())
        });
        lines.push(format!("  {}", harms.join(", ")));
        let shown = self.findings.iter().take(FINDINGS_SHOWN);
        lines.extend(shown.map(|finding| format!("  {}: {}", finding.harm.as_str(), finding.what)));
        lines
    }
}

/// The value at this percentile of sorted values; NaN without values.
pub(crate) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    Duration::try_from(to.duration_since(from)).unwrap_or_default().as_secs_f64()
}

fn instant(line: &Value) -> Timestamp {
    text(line, "/at").parse().unwrap()
}

/// How often each kind of request was the last one in the journal before a kill.
fn last_requests(disruptions: &[Disruption], journal: &Value) -> BTreeMap<String, usize> {
    let lines: Vec<(Timestamp, &Value)> = list(journal).iter().map(|line| (instant(line), line)).collect();
    let mut last_requests = BTreeMap::new();
    for disruption in disruptions.iter().filter(|disruption| disruption.kind == Kind::Kill) {
        let last = lines.iter().filter(|(at, _)| *at <= disruption.at).max_by_key(|(at, _)| *at);
        let request = last.map_or_else(|| "nothing".to_owned(), |(_, line)| request_kind(line));
        *last_requests.entry(request).or_default() += 1;
    }
    last_requests
}

/// The kind of a request: method and types, without names, e.g. `PUT onlineEndpoints/deployments`.
fn request_kind(line: &Value) -> String {
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

/// How long it took, after a kill, until a tenant with an open request was worked on again, in seconds, sorted. Further
/// kills in between belong to the same outage.
fn recoveries(disruptions: &[Disruption], journal: &Value) -> Vec<f64> {
    let mut worked_on: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for line in list(journal) {
        worked_on.entry(text(line, "/tenant")).or_default().push(instant(line));
    }
    worked_on.values_mut().for_each(|instants| instants.sort_unstable());
    let mut outages: BTreeMap<(&str, Timestamp), Timestamp> = BTreeMap::new();
    for disruption in disruptions.iter().filter(|disruption| disruption.kind == Kind::Kill) {
        for tenant in &disruption.under_way {
            let Some(instants) = worked_on.get(tenant.as_str()) else { continue };
            let next = instants.partition_point(|at| *at <= disruption.at);
            let Some(next) = instants.get(next) else { continue };
            let begun = outages.entry((tenant, *next)).or_insert(disruption.at);
            *begun = disruption.at.min(*begun);
        }
    }
    let mut recoveries: Vec<f64> =
        outages.into_iter().map(|((_, ended), begun)| seconds(begun, ended)).collect();
    recoveries.sort_by(f64::total_cmp);
    recoveries
}
