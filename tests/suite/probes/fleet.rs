//! Several tenants in the simulated Azure, provisioned by the reconciler.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use azure_sim::Speed;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use serde_json::{Value, json};
use tenantry::{
    config::Isolation,
    ports::{Credential, Listed, NoToken, Ports, ProbeToken, Prober, Scored, TokenFor},
    reconciler::{Progress, Reconciler, Settings},
    scan::IsolationScanner,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    isolation::{IsolationReport, IsolationVerdict, ProbeTarget},
    tenant::Tenant,
};

use crate::testkit::{fixture::Fixture, request};

/// More tenants than a test has, so that one page of the store contains all of them.
const ALL: usize = 1000;

pub(crate) struct Fleet {
    pub(crate) fixture: Fixture,
    client: reqwest::Client,
}

impl Fleet {
    /// Provisions `count` active pooled tenants: `t-000`, `t-001` and so on.
    pub(crate) async fn new(count: usize) -> Self {
        let fixture = Fixture::new(Speed::Max).await;
        let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
        let intake = Fixture::intake(&fixture.ports, &blueprint);
        let reconciler = Reconciler::new(fixture.ports.clone(), Settings::azure("local"), "fleet");
        let ids = (0..count).map(|number| format!("t-{number:03}"));
        let (intake, reconciler, ports, clock) = (&intake, &reconciler, &fixture.ports, &fixture.clock);
        let made = stream::iter(ids).map(|id| async move {
            let spec =
                json!({"displayName": format!("Tenant {id}"), "tier": "pooled", "region": "westeurope"});
            let body = request(&format!("make-{id}"), "signup", &id, spec).to_string();
            let answer = intake.take_in(body.as_bytes()).await.unwrap();
            let id = answer.tenant_id.unwrap_or_else(|| panic!("{:?}", answer.faults));
            for _ in 0..100 {
                match reconciler.reconcile(&id).await.unwrap() {
                    Progress::Settled(status) => return assert_eq!(status.as_str(), "active", "{id}"),
                    Progress::Requeued(until) | Progress::Held(until) => clock.jump_to(until),
                    Progress::Unknown => panic!("{id} is unknown"),
                }
            }
            let tenant = ports.store.load(&id).await.unwrap().unwrap().value;
            panic!("{id}: {:#?}", tenant.steps().values().map(|step| &step.state).collect::<Vec<_>>());
        });
        let _: Vec<()> = made.buffered(8).collect().await;
        Self { fixture, client: crate::testkit::client() }
    }

    pub(crate) async fn tenants(&self) -> Vec<Tenant> {
        Listed::sorted_out(self.fixture.ports.store.list(None, ALL).await.unwrap()).0
    }

    pub(crate) async fn tenant(&self, id: &str) -> Tenant {
        self.fixture.ports.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value
    }

    /// Checks the isolation of all tenants, and returns the reports by tenant id.
    pub(crate) async fn verified(&self) -> BTreeMap<String, IsolationReport> {
        self.verified_in(&self.fixture.ports, &self.tenants().await).await
    }

    pub(crate) async fn verified_in(
        &self,
        ports: &Ports,
        tenants: &[Tenant],
    ) -> BTreeMap<String, IsolationReport> {
        let reports = IsolationScanner::new(ports.clone(), &Isolation::default()).verify(tenants).await;
        reports.into_iter().map(|report| (report.tenant_id.to_string(), report)).collect()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) {
        let answer =
            self.client.post(format!("{}{path}", self.fixture.base())).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path} {body}: {}", answer.status());
    }

    pub(crate) async fn change(&self, method: &str, path: &str, body: &Value) {
        let url = format!("{}{path}", self.fixture.base());
        let answer = self.client.request(method.parse().unwrap(), url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path} {body}: {}", answer.status());
    }

    /// Makes a tenant's service accept or reject calls that a service of Azure would not.
    pub(crate) async fn flaw(&self, tenant: &str, mut flaw: Value) {
        let url = self.tenant(tenant).await.exports["endpointUrl"].as_str().unwrap().to_owned();
        let host = url.strip_prefix("https://").unwrap().split('/').next().unwrap().to_owned();
        flaw["host"] = json!(host);
        self.post("/_sim/flaws", &flaw).await;
    }

    pub(crate) async fn mend(&self) {
        self.change("DELETE", "/_sim/flaws", &Value::Null).await;
    }

    /// The fixture's ports with a prober whose answer is replaced where `bend` returns one.
    pub(crate) fn calling(
        &self,
        bend: impl Fn(&Credential) -> Option<Result<Scored, String>> + Send + Sync + 'static,
    ) -> (Ports, Arc<Bent>) {
        let inner = self.fixture.ports.prober.clone().unwrap();
        let bent = Arc::new(Bent { inner, bend: Box::new(bend), tokens: Mutex::default() });
        (Ports { prober: Some(bent.clone()), ..self.fixture.ports.clone() }, bent)
    }
}

type Bend = Box<dyn Fn(&Credential) -> Option<Result<Scored, String>> + Send + Sync>;

/// A prober that replaces the answers to some calls, and records the token of every call.
pub(crate) struct Bent {
    inner: Arc<dyn Prober>,
    bend: Bend,
    pub(crate) tokens: Mutex<Vec<String>>,
}

impl Prober for Bent {
    fn location(&self) -> &str {
        self.inner.location()
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        Box::pin(async move {
            let token = self.inner.token(of, is_for).await?;
            self.tokens.lock().unwrap().push(token.expose().to_owned());
            Ok(token)
        })
    }

    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>> {
        match (self.bend)(with) {
            Some(answer) => Box::pin(async move { answer }),
            None => self.inner.call(target, with),
        }
    }
}

/// The ids of the tenants with this verdict.
pub(crate) fn with(reports: &BTreeMap<String, IsolationReport>, verdict: IsolationVerdict) -> Vec<&str> {
    reports.iter().filter(|(_, report)| report.verdict == verdict).map(|(id, _)| id.as_str()).collect()
}

/// All gaps and findings, for the message of a failed assertion.
pub(crate) fn why(reports: &BTreeMap<String, IsolationReport>) -> String {
    let lines = reports.values().flat_map(|report| {
        let gaps = report.gaps.iter().map(|gap| format!("{}: {}", report.tenant_id, gap.why));
        gaps.chain(
            report.findings.iter().map(|one| format!("{}: {} {}", report.tenant_id, one.code, one.says)),
        )
    });
    lines.take(12).collect::<Vec<_>>().join("\n")
}
