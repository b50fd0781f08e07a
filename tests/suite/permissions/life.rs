//! A tenant's whole life in a cloud in which only what is granted is allowed, with two identities or with one.

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
        wire::{Hosts, HttpWire},
    },
    config::Isolation,
    intake::IntakeDecision,
    local::access,
    ports::{Wire, World},
    reconciler::{Progress, Reconciler, Settings},
    scan::IsolationScanner,
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    permissions::{Permissions, derive},
    tenant::{Status, StepState, Tenant},
};

use crate::testkit::{as_three, judge::list, lab::Lab};

/// The client id of the remover.
pub(crate) const CLIENT: &str = "22222222-0000-0000-0000-000000000002";
const TIMEOUT: Duration = Duration::from_secs(30);

/// A blueprint with what a tenant asks of it: parameters, tier, then a change.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) blueprint: Blueprint,
    pub(crate) tier: &'static str,
    pub(crate) parameters: Value,
}

pub(crate) struct Life {
    pub(crate) lab: Lab,
    pub(crate) world: World,
    case: Blueprint,
    settings: Settings,
}

/// What was asked of Resource Manager, by identity.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Used {
    pub(crate) provisioner: BTreeSet<String>,
    pub(crate) remover: BTreeSet<String>,
    /// Refused actions, whoever asked.
    pub(crate) refused: BTreeSet<String>,
}

impl Life {
    /// With the permissions as they are derived, and the remover as a second identity.
    pub(crate) async fn new(case: &Case, permissions: &Permissions) -> Self {
        let access = access::granted(permissions, &[local_stamp()], Some(CLIENT)).unwrap();
        Self::with(case, access).await
    }

    pub(crate) async fn with(case: &Case, access: Access) -> Self {
        // Slow enough for every long-running operation to be asked about.
        let speed = Speed::Factor(30.0);
        let lab = Lab::guarded(speed, access).await;
        let url: reqwest::Url = lab.base().parse().unwrap();
        let hosts = Hosts { arm: url.clone(), graph: url.clone(), event_grid: Some(url) };
        let wire =
            HttpWire::new(client(TIMEOUT).unwrap(), hosts, Arc::new(Tokens::fixed("provisioner")), TIMEOUT);
        let wire: Arc<dyn Wire> = Arc::new(wire.remover(Arc::new(Tokens::fixed(CLIENT))));
        let world = World { wire, ..lab.world.clone() };
        let mut settings = Settings::local("local");
        settings.policy.visibility = speed.replication_lag() * 2;
        Self { lab, world, case: case.blueprint.clone(), settings }
    }

    /// Takes a request in and drives until nothing is left to do.
    pub(crate) async fn ask(&self, request: &Value) -> Status {
        let intake = Lab::intake(&self.world, &self.case);
        let answer = intake.take_in(request.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
        let id = answer.tenant_id.unwrap();
        for worker in 0..400 {
            let reconciler =
                Reconciler::new(self.world.clone(), self.settings.clone(), format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(status) => return status,
                Progress::Parked(at) | Progress::Held(at) => self.lab.clock.jump_to(at),
                Progress::Unknown => panic!("nobody knows {id}"),
            }
        }
        panic!("never came to rest: {:#?}", self.document().await.steps())
    }

    pub(crate) async fn document(&self) -> Tenant {
        let id: TenantId = "northwind".parse().unwrap();
        self.world.store.load(&id).await.unwrap().unwrap().value
    }

    /// What the timer says, which looks at many tenants together.
    pub(crate) async fn audit(&self) -> tenantry_core::isolation::IsolationVerdict {
        let scanner = IsolationScanner::new(self.world.clone(), &Isolation::default());
        scanner.verify(&as_three(self.document().await)).await[0].verdict
    }

    /// The causes of all steps that have stopped.
    pub(crate) async fn stopped(&self) -> Vec<tenantry_core::tenant::Cause> {
        let document = self.document().await;
        let causes = document.steps().values().filter_map(|step| {
            let StepState::Halted { cause, .. } = &step.state else { return None };
            Some(cause.clone())
        });
        causes.collect()
    }

    pub(crate) async fn used(&self) -> Used {
        let mut used = Used::default();
        for line in list(&self.lab.sim("access").await) {
            let action = line["action"].as_str().unwrap().to_owned();
            if line["allowed"] == false {
                used.refused.insert(action.clone());
            }
            match line["principalId"].as_str().unwrap() {
                PROVISIONER => used.provisioner.insert(action),
                REMOVER => used.remover.insert(action),
                other => panic!("who is {other}?"),
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

    /// Needs of this case's tier alone.
    pub(crate) fn permissions(&self) -> Permissions {
        derive(std::slice::from_ref(&self.blueprint), &[local_stamp()], &[self.tier.to_owned()]).unwrap()
    }
}
