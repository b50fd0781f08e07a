//! Looks at all steps of a tenant, a few at a time.

use futures_util::{StreamExt as _, stream};
use tenantry_core::{
    blueprint::Kind,
    drift::{DriftReport, Glance, Sighting},
    ids::StepName,
    tenant::Tenant,
};

use super::super::AT_ONCE;
use crate::{paging, ports::Wire};

pub(super) async fn at(wire: &dyn Wire, tenant: &Tenant) -> DriftReport {
    let look = |name: StepName| async move {
        let sighting = match Glance::at(tenant, &name) {
            Err(why) => Sighting::Unknown(why),
            Ok(glance) => match paging::ask(wire, glance.question()).await {
                Ok(reply) => glance.judge(&reply),
                Err(failure) => Sighting::Unknown(failure.cause.message),
            },
        };
        (name, sighting)
    };
    // The proof of isolation has a timer of its own.
    let names = tenant.steps().iter().filter(|(_, record)| record.kind != Kind::Isolation);
    let names: Vec<StepName> = names.map(|(name, _)| name.clone()).collect();
    let sightings = stream::iter(names).map(look).buffer_unordered(AT_ONCE).collect().await;
    DriftReport::of(tenant, sightings)
}
