//! Measures the load: signs up synthetic tenants through the library, with the state in redb and requests over HTTP to
//! the stub.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use azure_sim::{db::Db, local_stamp};
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use jiff::Timestamp;
use serde_json::json;
use tenantry::{
    azure::transport::HttpTransport,
    intake::{Intake, IntakeDecision, Stamp},
    local::state::LocalState,
    ports::{
        Clock as _, ETag, Ports, Publisher, RequestRecord, Scheduler, StateStore, SystemClock, Transport,
    },
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    steps::{Failure, Reply, Request},
    tenant::{CloudEvent, HistoryRow, Status, Tenant},
};

use crate::{
    Outcome, line, measure,
    over::{Asked, Over, Wrapped},
};

/// How many tenants sign up.
pub(crate) const TENANTS: usize = 1000;
/// How many tenants sign up at the same time.
pub(crate) const IN_FLIGHT: usize = 32;
/// How many steps each level of the blueprint's graph has.
pub(crate) const LEVELS: [usize; 5] = [1, 3, 3, 2, 1];

const DEPLOYMENT: &str = "bench";
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) fn run(url: &str) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(sign_up_all(url))
}

async fn sign_up_all(url: &str) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let crew = Arc::new(Crew::new(url, folder.path(), false).await?);
    let begun = measure::now();
    let mut tenants = stream::iter(0..TENANTS)
        .map(|number| {
            let crew = Arc::clone(&crew);
            tokio::spawn(async move { crew.tenant(number).await })
        })
        .buffer_unordered(IN_FLIGHT);
    let mut millis = Vec::with_capacity(TENANTS);
    while let Some(done) = tenants.next().await {
        millis.push(done??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let each = |count: u64| count as f64 / TENANTS as f64;
    let (saved, counts) = (crew.saved(), &crew.counts);
    line(json!({
        "perSecond": TENANTS as f64 / seconds,
        "p50Ms": measure::quantile(&mut millis, 0.5),
        "p99Ms": measure::quantile(&mut millis, 0.99),
        "cpuSeconds": measure::cpu_seconds("self"),
        "peakMiB": measure::memory_mib("self", "VmHWM"),
        "savesPerTenant": each(saved.documents),
        "changesPerTenant": each(saved.changes),
        "requestsPerTenant": each(counts.requests.load(Relaxed)),
        "eventsPerTenant": each(counts.events.load(Relaxed)),
        "requeued": counts.requeued.load(Relaxed),
    }));
    Ok(())
}

/// The program's intake and reconciler, assembled with ports as in production.
pub(crate) struct Crew {
    intake: Intake,
    reconciler: Reconciler,
    counts: Arc<Counts>,
}

impl Crew {
    /// Assembles the crew. If it `weighs`, it also counts the bytes of the documents that it saves, for which it makes
    /// the JSON of each twice.
    pub(crate) async fn new(url: &str, folder: &std::path::Path, weighs: bool) -> Outcome<Self> {
        let counts = Arc::new(Counts { weighs, ..Counts::default() });
        let store = LocalState::open(Db::open(&folder.join("state.redb"))?).await?;
        let transport = HttpTransport::simulated(&url.parse()?, REQUEST_TIMEOUT)?;
        let ports = Ports {
            store: Arc::new(Wrapped(Counted { inner: store, counts: Arc::clone(&counts) })),
            transport: Arc::new(Counted { inner: transport, counts: Arc::clone(&counts) }),
            prober: None,
            publisher: Arc::clone(&counts) as Arc<dyn Publisher>,
            scheduler: Arc::clone(&counts) as Arc<dyn Scheduler>,
            clock: Arc::new(SystemClock),
        };
        let checked = Blueprint::check(&blueprint()).map_err(|findings| format!("{findings:?}"))?;
        let stamps = vec![Stamp { value: local_stamp() }];
        Ok(Self {
            intake: Intake::new(ports.clone(), DEPLOYMENT, vec![checked.blueprint], stamps),
            reconciler: Reconciler::new(ports, Settings::local(DEPLOYMENT), "bench"),
            counts,
        })
    }

    /// What was saved so far.
    pub(crate) fn saved(&self) -> Saved {
        let counts = &self.counts;
        let [documents, records, histories] =
            [&counts.documents, &counts.records, &counts.histories].map(|count| count.load(Relaxed));
        Saved { documents, changes: documents + records + histories, bytes: counts.bytes.load(Relaxed) }
    }

    /// Signs up one tenant and reconciles it until it is active. Returns how many milliseconds that took.
    pub(crate) async fn tenant(&self, number: usize) -> Outcome<f64> {
        let begun = measure::now();
        let id = self.sign_up(number).await?;
        self.until_active(&id).await?;
        Ok(measure::millis_since(begun))
    }

    /// Takes one tenant's sign-up in.
    pub(crate) async fn sign_up(&self, number: usize) -> Outcome<TenantId> {
        let id = format!("tenant-{number:04}");
        let message = json!({
            "schema": "tenantry.request/1",
            "requestId": format!("signup-{id}"),
            "action": "signup",
            "tenantId": id,
            "spec": {"displayName": id, "tier": "dedicated", "adminContact": "ops@example.com"},
        });
        let answer = self.intake.take_in(message.to_string().as_bytes()).await?;
        if answer.decision != IntakeDecision::Accepted {
            return Err(format!("a sign-up was not accepted: {answer:?}").into());
        }
        Ok(id.parse()?)
    }

    /// Reconciles a tenant until it is active.
    pub(crate) async fn until_active(&self, id: &TenantId) -> Outcome<()> {
        loop {
            match self.reconciler.reconcile(id).await? {
                Progress::Settled(Status::Active) => return Ok(()),
                Progress::Requeued(at) | Progress::Held(at) => {
                    self.counts.requeued.fetch_add(1, Relaxed);
                    SystemClock.sleep_until(at).await;
                }
                other @ (Progress::Settled(_) | Progress::Unknown) => {
                    return Err(format!("{id} is not ready: {other:?}").into());
                }
            }
        }
    }
}

/// The blueprint: ten identities in the stamp's resource group. The steps of each level need all steps of the level
/// before.
fn blueprint() -> String {
    let mut text = String::from(
        "blueprint: synthetic\nversion: 1.0.0\nschema: tenantry.blueprint/1\ndescription: Ten steps in five levels.\n\
         tiers: [dedicated]\nvalues:\n  group: \"/subscriptions/{{ stamp.subscriptionId }}/resourceGroups/{{ \
         stamp.resourceGroup }}\"\nsteps:\n",
    );
    let mut needs: Vec<String> = Vec::new();
    for (level, width) in LEVELS.iter().enumerate() {
        let names: Vec<String> = (0..*width).map(|step| format!("thing_{level}_{step}")).collect();
        for name in &names {
            text.push_str(&format!(
                "  {name}:\n    kind: arm\n    type: Microsoft.ManagedIdentity/userAssignedIdentities\n    in: \"{{{{ \
                 values.group }}}}\"\n    needs: [{}]\n    body:\n      tags: {{ purpose: measuring, of: \"{{{{ \
                 tenant.displayName }}}}\" }}\n",
                needs.join(", ")
            ));
        }
        needs = names;
    }
    text.push_str("exports:\n  last: \"{{ steps.thing_4_0.id }}\"\n");
    text
}

/// How much was saved.
pub(crate) struct Saved {
    pub(crate) documents: u64,
    /// Documents, request records and groups of history rows.
    pub(crate) changes: u64,
    /// Bytes of the documents; 0 unless the crew weighs them.
    #[allow(dead_code, reason = "only benches/memory weighs")]
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct Counts {
    weighs: bool,
    bytes: AtomicU64,
    documents: AtomicU64,
    records: AtomicU64,
    histories: AtomicU64,
    requests: AtomicU64,
    events: AtomicU64,
    requeued: AtomicU64,
}

/// The real implementation of a port, with its calls counted.
struct Counted<T> {
    inner: T,
    counts: Arc<Counts>,
}

impl Transport for Counted<HttpTransport> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        self.counts.requests.fetch_add(1, Relaxed);
        self.inner.send(request)
    }
}

impl Publisher for Counts {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        self.events.fetch_add(events.len() as u64, Relaxed);
        Box::pin(async { Ok(()) })
    }
}

impl Scheduler for Counts {
    fn schedule<'a>(&'a self, _tenant: &'a TenantId, _at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

impl Over for Counted<LocalState> {
    fn inner(&self) -> &dyn StateStore {
        &self.inner
    }

    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.counts.documents.fetch_add(1, Relaxed);
        if self.counts.weighs {
            let bytes = tenant.to_json().map_or(0, |json| json.len());
            self.counts.bytes.fetch_add(bytes as u64, Relaxed);
        }
        self.inner.save(tenant, seen)
    }

    fn save_request<'a>(&'a self, record: &'a RequestRecord, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.counts.records.fetch_add(1, Relaxed);
        self.inner.save_request(record, seen)
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> Asked<'a, ()> {
        self.counts.histories.fetch_add(1, Relaxed);
        self.inner.append(rows)
    }
}
