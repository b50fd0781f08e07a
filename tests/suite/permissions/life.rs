//! A tenant's lifecycle in a simulated Azure that enforces permissions, with one or two identities.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_sim::{
    Speed,
    access::{Access, PROVISIONER, REMOVER},
    local_stamp,
};
use serde_json::{Value, json};
use tenantry::{
    azure::{
        client::client,
        token::Tokens,
        transport::{Hosts, HttpTransport},
    },
    config::Isolation,
    intake::IntakeDecision,
    local::access,
    ports::{Ports, Transport},
    reconciler::{Progress, Reconciler, Settings},
    scan::IsolationScanner,
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    permissions::{Permissions, derive},
    tenant::{Status, StepState, Tenant},
};

use crate::testkit::{as_three, fixture::Fixture, judge::list};

/// The client id of the remover, the identity that deletes objects.
pub(crate) const CLIENT: &str = "22222222-0000-0000-0000-000000000002";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A blueprint with a tenant's tier and parameters.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) blueprint: Blueprint,
    pub(crate) tier: &'static str,
    pub(crate) parameters: Value,
}

pub(crate) struct Life {
    pub(crate) fixture: Fixture,
    pub(crate) ports: Ports,
    case: Blueprint,
    settings: Settings,
}

/// The actions of Resource Manager that were used, by identity.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Used {
    pub(crate) provisioner: BTreeSet<String>,
    pub(crate) remover: BTreeSet<String>,
    /// The actions that were refused, for all identities together.
    pub(crate) refused: BTreeSet<String>,
}

impl Life {
    /// An environment in which the provisioner and the remover have these permissions.
    pub(crate) async fn new(case: &Case, permissions: &Permissions) -> Self {
        let access = access::granted(permissions, &[local_stamp()], Some(CLIENT)).unwrap();
        Self::with(case, access).await
    }

    pub(crate) async fn with(case: &Case, access: Access) -> Self {
        // Slow enough that every long-running operation is polled at least once.
        let speed = Speed::Factor(30.0);
        let fixture = Fixture::guarded(speed, access).await;
        let url: reqwest::Url = fixture.base().parse().unwrap();
        let hosts = Hosts { arm: url.clone(), graph: url.clone(), event_grid: Some(url) };
        let transport = HttpTransport::new(
            client(TIMEOUT).unwrap(),
            hosts,
            Arc::new(Tokens::fixed("provisioner")),
            TIMEOUT,
        );
        let transport: Arc<dyn Transport> = Arc::new(transport.remover(Arc::new(Tokens::fixed(CLIENT))));
        let ports = Ports { transport, ..fixture.ports.clone() };
        let mut settings = Settings::local("local");
        settings.policy.visibility = speed.replication_lag() * 2;
        Self { fixture, ports, case: case.blueprint.clone(), settings }
    }

    /// Takes in a request, and reconciles the tenant until its status is settled.
    pub(crate) async fn ask(&self, request: &Value) -> Status {
        let intake = Fixture::intake(&self.ports, &self.case);
        let answer = intake.take_in(request.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
        let id = answer.tenant_id.unwrap();
        for worker in 0..400 {
            let reconciler =
                Reconciler::new(self.ports.clone(), self.settings.clone(), format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(status) => return status,
                Progress::Requeued(at) | Progress::Held(at) => self.fixture.clock.jump_to(at),
                Progress::Unknown => panic!("{id} is unknown"),
            }
        }
        panic!("never settled: {:#?}", self.document().await.steps())
    }

    pub(crate) async fn document(&self) -> Tenant {
        let id: TenantId = "northwind".parse().unwrap();
        self.ports.store.load(&id).await.unwrap().unwrap().value
    }

    /// The verdict of the isolation check that a timer makes for many tenants at once.
    pub(crate) async fn audit(&self) -> tenantry_core::isolation::IsolationVerdict {
        let scanner = IsolationScanner::new(self.ports.clone(), &Isolation::default());
        scanner.verify(&as_three(self.document().await)).await[0].verdict
    }

    /// The causes for which steps are blocked.
    pub(crate) async fn stopped(&self) -> Vec<tenantry_core::tenant::Cause> {
        let document = self.document().await;
        let causes = document.steps().values().filter_map(|step| {
            let StepState::Blocked { cause, .. } = &step.state else { return None };
            Some(cause.clone())
        });
        causes.collect()
    }

    pub(crate) async fn used(&self) -> Used {
        let mut used = Used::default();
        for line in list(&self.fixture.sim("access").await) {
            let action = line["action"].as_str().unwrap().to_owned();
            if line["allowed"] == false {
                used.refused.insert(action.clone());
            }
            match line["principalId"].as_str().unwrap() {
                PROVISIONER => used.provisioner.insert(action),
                REMOVER => used.remover.insert(action),
                other => panic!("unknown identity {other}"),
            };
        }
        used
    }
}

impl Case {
    pub(crate) fn signup(&self) -> Value {
        let spec = json!({
            "displayName": "Northwind", "tier": self.tier, "adminContact": "it@northwind.example",
            "parameters": self.parameters,
        });
        crate::testkit::request("signup-northwind", "signup", "northwind", spec)
    }

    /// The permissions that are derived for the tier of this case only.
    pub(crate) fn permissions(&self) -> Permissions {
        derive(std::slice::from_ref(&self.blueprint), &[local_stamp()], &[self.tier.to_owned()]).unwrap()
    }
}
