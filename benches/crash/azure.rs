//! The environment `azure`: `tenantry serve` with settings as in Azure. Two handlers run behind two hosts on one queue,
//! with the simulated Azure in this process and the state in Azurite, neither of which is ever disrupted.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use azure_core_legacy::TransportOptions;
use azure_data_tables::clients::TableServiceClientBuilder;
use azure_sim::{
    Cloud, CloudSettings, Speed,
    db::Db,
    queue::{BrokerSettings, Queue},
};
use azure_storage::{CloudLocation, StorageCredentials};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tempfile::TempDir;
use tenantry::{
    azure::{
        bridge::LegacyTransport,
        client::client,
        tables::{TableState, TablesSettings},
        token::Tokens,
    },
    local::host::{AppFiles, EmbeddedHost, Handler, HostSettings, ProcessHandler},
    ports::{Listed, StateStore as _, SystemClock},
};
use tenantry_core::{ids::TenantId, tenant::Lease};
use tokio::task::JoinHandle;

use crate::{
    Options,
    deployment::{azurite, environment, log, logged, serve, table_prefix},
    disruptions::{Disruption, Environment, Kind, quantile},
    process::{ended_within, now, signal, wait},
    rng::TrialRng,
    testkit::folder,
    verdict::{self, Finding, Harm},
    workload::{Front, Workload},
};

/// The timeout of a request, in seconds. It is the shortest that is allowed, because the lease is derived from it.
const REQUEST_TIMEOUT: u64 = 1;
/// The lease that results from the timeout, plus the tolerated difference of clocks.
const LEASE: Duration = Duration::from_secs(16 + 3);
/// How long a due tenant is left to its wake-up before the sweep takes it up, plus the sweep's interval.
const SWEPT: Duration = Duration::from_secs(15 + 1);
/// The time limit for a handler after SIGTERM.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// After this many ends of its handler a host is replaced, because the third end within half an hour would stop it.
const ENDS: usize = 2;
/// How long the index of due tenants may contain entries that no document refers to.
const TIDYING: Duration = Duration::from_secs(90);

/// A host with its handler, like an instance of a function app.
struct Instance {
    host: EmbeddedHost,
    front: JoinHandle<()>,
    base: String,
    processes: PathBuf,
    ends: usize,
}

impl Instance {
    /// The id of the handler's process; `None` if it was not started yet.
    fn process(&self) -> Option<u32> {
        std::fs::read_to_string(&self.processes).ok()?.lines().last()?.parse().ok()
    }
}

pub(crate) struct Azure {
    front: Arc<Front>,
    queue: Queue,
    sim: String,
    environment: BTreeMap<String, String>,
    tables: TablesSettings,
    store: TableState,
    instances: Vec<Instance>,
    started: usize,
    retired: Vec<JoinHandle<()>>,
    /// How long handlers took to end after SIGTERM, in seconds.
    shutdowns: Vec<f64>,
    findings: Vec<Finding>,
    folder: TempDir,
}

impl Azure {
    pub(crate) async fn new(speed: Speed) -> Self {
        let folder = folder();
        let queue = Db::open(&folder.path().join("queue.redb")).unwrap();
        let queue = Queue::open(queue, BrokerSettings::default()).unwrap();
        let cloud = CloudSettings::new(folder.path().join("azure.redb"), Arc::new(now));
        let cloud = cloud.speed(speed).strict(true).queue(queue.clone());
        let cloud = Cloud::open(cloud).await.unwrap();
        let header = cloud.identity_header().to_owned();
        let (sim, _) = serve(cloud.router()).await;
        let tables = TablesSettings { endpoint: azurite(), prefix: table_prefix(&folder) };
        let mut environment = environment(&sim, &header, &tables.endpoint, &tables.prefix, Some("warn"));
        // Operations that are polled inline end in the process that has started them, as most do in Azure.
        environment.insert("TENANTRY_INLINE_WAIT".to_owned(), "3".to_owned());
        environment.insert("TENANTRY_REQUEST_TIMEOUT".to_owned(), REQUEST_TIMEOUT.to_string());
        // The tolerated lag of Graph's replicas depends on it: in Azure a quarter of an hour.
        environment.insert("TENANTRY_SPEED".to_owned(), speed.to_string());
        let http = client(Duration::from_secs(30)).unwrap();
        let tokens = Arc::new(Tokens::fixed("none"));
        let store = TableState::new(&tables, &http, tokens, Arc::new(SystemClock)).unwrap();
        let front = Arc::new(Front::new(Some(queue.clone())));
        let mut azure = Self {
            front,
            queue,
            sim,
            environment,
            tables,
            store,
            instances: Vec::new(),
            started: 0,
            retired: Vec::new(),
            shutdowns: Vec::new(),
            findings: Vec::new(),
            folder,
        };
        azure.start().await;
        azure.start().await;
        azure
    }

    /// Starts another host with its handler, and sends HTTP calls to it from now on.
    async fn start(&mut self) {
        self.started += 1;
        let processes = self.folder.path().join(format!("processes-{}", self.started));
        let handler = Handler::Process(ProcessHandler {
            root: self.folder.path().to_owned(),
            executable: Some(logged(self.folder.path(), Some(&processes))),
            environment: self.environment.clone(),
        });
        let interval = Some(Duration::from_secs(1));
        let settings =
            HostSettings { timer_interval: interval, ..HostSettings::new(AppFiles::embedded().unwrap()) };
        let host = EmbeddedHost::start(settings, handler, self.queue.clone(), Arc::new(now)).await;
        let host = host.unwrap_or_else(|error| panic!("{error}\n{}", log(self.folder.path())));
        let (base, front) = serve(host.router()).await;
        self.front.set_address(&base, &self.sim);
        self.instances.push(Instance { host, front, base, processes, ends: 0 });
    }

    /// Takes an instance out of service as the platform does: it gets no more messages, and its handler gets SIGTERM.
    async fn retire(&mut self, number: usize) {
        let Instance { host, front, processes, .. } = self.instances.swap_remove(number);
        if let Some(left) = self.instances.first() {
            self.front.set_address(&left.base, &self.sim);
        }
        let process = std::fs::read_to_string(processes).unwrap_or_default();
        let process = process.lines().last().and_then(|process| process.parse().ok()).unwrap_or_default();
        front.abort();
        self.retired.push(tokio::spawn(host.stop()));
        if signal("TERM", process) {
            match ended_within(process, SHUTDOWN_GRACE).await {
                Some(took) => self.shutdowns.push(took.as_secs_f64()),
                None => {
                    let what =
                        format!("a handler was still running {} s after SIGTERM", SHUTDOWN_GRACE.as_secs());
                    self.findings.push(Finding::new(Harm::LeftBehind, what));
                    self.shutdowns.push(f64::INFINITY);
                }
            }
        }
    }

    /// Waits until a handler is working on a message; before that there is nothing to disrupt.
    async fn until_at_work(&self, workload: &Workload) {
        while workload.failure().is_none() {
            let in_hand = |queue| self.queue.counts(queue, now()).unwrap().in_flight;
            if in_hand("tenant-requests") + in_hand("tenant-wakeups") > 0 && !workload.under_way().is_empty()
            {
                return;
            }
            wait(Duration::from_millis(1)).await;
        }
    }

    /// The leases of all tenants.
    async fn leases(&self) -> BTreeMap<TenantId, Lease> {
        let (tenants, _) = Listed::sorted_out(self.store.list(None, 1000).await.unwrap_or_default());
        tenants.into_iter().filter_map(|tenant| Some((tenant.id.clone(), tenant.lease()?.clone()))).collect()
    }

    /// Stops a handler for longer than its leases last, while the other one works, and continues it afterwards.
    async fn pause(&mut self, rng: &mut TrialRng, workload: &Workload) -> Disruption {
        let chosen = usize::try_from(rng.below(2)).unwrap();
        self.front.set_address(&self.instances[1 - chosen].base, &self.sim);
        let process = loop {
            match self.instances[chosen].process() {
                Some(process) if signal("STOP", process) => break process,
                // The host is about to start the handler again.
                Some(_) | None => wait(Duration::from_millis(1)).await,
            }
        };
        let (at, under_way) = (now(), workload.under_way());
        let before = self.leases().await;
        wait(Duration::from_secs(4)).await;
        let after = self.leases().await;
        wait(LEASE + SWEPT + rng.millis(0, 5000)).await;
        let mut overtaken = 0;
        // A working handler extends its leases; the stopped one does not.
        let moved = |id: &TenantId, lease: &Lease| after.get(id) != Some(lease);
        let alive: Vec<&str> =
            before.iter().filter(|(id, lease)| moved(id, lease)).map(|(_, lease)| worker(lease)).collect();
        for (id, lease) in before.iter().filter(|(_, lease)| !alive.contains(&worker(lease))) {
            let now = self.store.load(id).await.ok().flatten();
            overtaken += usize::from(now.is_some_and(|now| now.value.epoch() > lease.epoch));
        }
        if !signal("CONT", process) {
            self.findings
                .push(Finding::new(Harm::LeftBehind, "a handler was stopped and could not be continued"));
        }
        let remark =
            format!("stopped        past its lease; {overtaken} of its tenants were taken over meanwhile");
        Disruption { at, kind: Kind::Pause, under_way, remark: Some(remark) }
    }

    /// All entries in the index of due tenants.
    async fn index(&self) -> Vec<String> {
        let address = self.tables.endpoint.host_str().unwrap().to_owned();
        let location = CloudLocation::Emulator { address, port: self.tables.endpoint.port().unwrap() };
        let http = client(Duration::from_secs(30)).unwrap();
        let transport = LegacyTransport::new(http, Arc::new(SystemClock), 64 << 20);
        let service = TableServiceClientBuilder::with_location(location, StorageCredentials::emulator())
            .transport(TransportOptions::new(Arc::new(transport)))
            .build();
        let mut pages = service.table_client(format!("{}due", self.tables.prefix)).query().into_stream();
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            let page: Vec<serde_json::Map<String, serde_json::Value>> = page.unwrap().entities;
            rows.extend(page.iter().map(|row| row["RowKey"].to_string()));
        }
        rows
    }
}

/// The part of a lease's holder that identifies the process.
fn worker(lease: &Lease) -> &str {
    lease.holder.split('/').next().unwrap_or_default()
}

impl Environment for Azure {
    fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front)
    }

    fn kinds(options: Options) -> Vec<Kind> {
        [vec![Kind::Kill; options.kills], vec![Kind::Pause; options.pauses]].concat()
    }

    async fn disrupt(&mut self, kind: Kind, rng: &mut TrialRng, workload: &Workload) -> Disruption {
        // Half of the disruptions come while the recovery from the last one is still running.
        let span = if rng.below(2) == 0 { rng.millis(5, 400) } else { rng.millis(400, 2500) };
        wait(span).await;
        self.until_at_work(workload).await;
        wait(rng.millis(0, 300)).await;
        if kind == Kind::Pause {
            return self.pause(rng, workload).await;
        }
        let number = usize::try_from(rng.below(self.instances.len() as u64)).unwrap();
        let disruption = loop {
            let (at, under_way) = (now(), workload.under_way());
            if self.instances[number].process().is_some_and(|process| signal("KILL", process)) {
                break Disruption { at, kind, under_way, remark: None };
            }
            // The host is about to start the handler again.
            wait(Duration::from_millis(1)).await;
        };
        self.instances[number].ends += 1;
        if self.instances[number].ends == ENDS {
            self.start().await;
            // The killed handler has to be running again when its instance is retired.
            wait(rng.millis(500, 2500)).await;
            self.until_at_work(workload).await;
            wait(rng.millis(0, 300)).await;
            self.retire(number).await;
        }
        disruption
    }

    fn remarks(&self) -> Vec<String> {
        let mut shutdowns = self.shutdowns.clone();
        shutdowns.sort_by(f64::total_cmp);
        vec![format!(
            "SIGTERM        {} handlers, ended after p50 {:.2} s, at most {:.2} s",
            shutdowns.len(),
            quantile(&shutdowns, 50),
            quantile(&shutdowns, 100)
        )]
    }

    async fn audit(mut self, _: &Workload) -> Vec<Finding> {
        let mut findings = std::mem::take(&mut self.findings);
        for instance in &self.instances {
            if let Some(why) = instance.host.gave_up() {
                findings.push(Finding::new(Harm::LeftBehind, format!("a host has given up: {why}")));
            }
        }
        findings.extend(verdict::dead_letters(&self.queue));
        let due = self.store.due(Timestamp::MAX, 100).await.unwrap();
        if !due.is_empty() {
            findings.push(Finding::new(Harm::LeftBehind, format!("due although all is settled: {due:?}")));
        }
        // Entries in the future are read, and removed, when they are due.
        let deadline = now() + TIDYING;
        let mut left = self.index().await;
        while !left.is_empty() && now() < deadline {
            wait(Duration::from_millis(500)).await;
            left = self.index().await;
        }
        findings.extend(left.iter().map(|row| Finding::new(Harm::LeftBehind, format!("due entry {row}"))));
        while !self.instances.is_empty() {
            self.retire(0).await;
        }
        for retired in self.retired.drain(..) {
            retired.await.unwrap();
        }
        findings.append(&mut self.findings);
        findings
    }
}
