//! Reads all steps of a tenant, a few at a time.

use futures_util::{StreamExt as _, stream};
use tenantry_core::{
    blueprint::Kind,
    drift::{DriftCheck, DriftObservation, DriftReport},
    ids::StepName,
    tenant::Tenant,
};

use super::super::AT_ONCE;
use crate::{paging, ports::Transport};

pub(super) async fn at(transport: &dyn Transport, tenant: &Tenant) -> DriftReport {
    let read_step = |name: StepName| async move {
        let observation = match DriftCheck::at(tenant, &name) {
            Err(why) => DriftObservation::Unknown(why),
            Ok(drift_check) => match paging::ask(transport, drift_check.question()).await {
                Ok(reply) => drift_check.judge(&reply),
                Err(failure) => DriftObservation::Unknown(failure.cause.message),
            },
        };
        (name, observation)
    };
    // The isolation check has a timer of its own.
    let names = tenant.steps().iter().filter(|(_, record)| record.kind != Kind::Isolation);
    let names: Vec<StepName> = names.map(|(name, _)| name.clone()).collect();
    let observations = stream::iter(names).map(read_step).buffer_unordered(AT_ONCE).collect().await;
    DriftReport::of(tenant, observations)
}
