//! What all tenants of a deployment are made of: the blueprints that it offers, and those that tenants are pinned to.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef},
    ids::TenantId,
    tenant::Tenant,
};

use super::Catalogue;
use crate::ports::{Listed, StateStore, StoreError, Unreadable};

/// Documents that are read at a time.
const PAGE: usize = 100;

/// One blueprint that is offered or in use.
#[derive(Debug, Clone)]
pub struct InUse {
    /// Which one.
    pub reference: BlueprintRef,
    /// Whether new tenants can have it.
    pub offered: bool,
    /// How many tenants it is part of: those that are pinned to it, and those that still have something of it.
    pub tenants: u64,
    /// With which values of stamps: those that are configured if it is offered, and those that its tenants have.
    pub stamps: Vec<Value>,
    /// The blueprint itself, or why it can't be had.
    pub blueprint: Result<Arc<Blueprint>, String>,
}

impl InUse {
    fn meets(&mut self, stamp: &Value) {
        if !self.stamps.contains(stamp) {
            self.stamps.push(stamp.clone());
        }
    }
}

impl Catalogue {
    /// What is offered, with the stamps that are configured for new tenants.
    pub fn all_offered(&self, configured: &[Value]) -> Vec<InUse> {
        let one = |blueprint: &Arc<Blueprint>| InUse {
            reference: blueprint.reference(),
            offered: true,
            tenants: 0,
            stamps: configured.to_vec(),
            blueprint: Ok(Arc::clone(blueprint)),
        };
        self.offered().map(one).collect()
    }

    /// Everything that is offered or in use, by name and version, with the stamps that are configured for new tenants. Reads
    /// every tenant's document; one that can't be read is left out, and logged.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read. A blueprint that can't be had is in the list, and says so.
    pub async fn in_use(
        &self,
        store: &dyn StateStore,
        configured: &[Value],
    ) -> Result<Vec<InUse>, StoreError> {
        let offered = self.all_offered(configured);
        let mut all: BTreeMap<String, InUse> =
            offered.into_iter().map(|one| (one.reference.digest.clone(), one)).collect();
        let mut after: Option<TenantId> = None;
        loop {
            let rows = store.list(after.as_ref(), PAGE).await?;
            // A short page may not be the last one.
            let Some(last) = rows.last() else { break };
            after = Some(last.id().clone());
            for row in rows {
                match row {
                    Listed::Readable(tenant) => self.count(store, &tenant, &mut all).await?,
                    Listed::Unreadable(Unreadable { tenant_id, why }) => tracing::warn!(
                        tenant.id = %tenant_id,
                        why,
                        "the tenant's document can't be read; what it is made of is left out"
                    ),
                }
            }
        }
        let mut all: Vec<InUse> = all.into_values().collect();
        all.sort_by(|a, b| order(&a.reference).cmp(&order(&b.reference)));
        Ok(all)
    }

    async fn count(
        &self,
        store: &dyn StateStore,
        tenant: &Tenant,
        all: &mut BTreeMap<String, InUse>,
    ) -> Result<(), StoreError> {
        for reference in tenant.blueprints_in_use() {
            if !all.contains_key(&reference.digest) {
                let blueprint = self.pinned(store, &reference.digest).await?;
                let (reference, stamps) = (reference.clone(), Vec::new());
                let digest = reference.digest.clone();
                all.insert(digest, InUse { reference, offered: false, tenants: 0, stamps, blueprint });
            }
            if let Some(entry) = all.get_mut(&reference.digest) {
                entry.tenants += 1;
                if let Some(stamp) = tenant.plan.context.get("stamp") {
                    entry.meets(stamp);
                }
            }
        }
        Ok(())
    }
}

fn order(reference: &BlueprintRef) -> (&str, Option<[u32; 3]>, &str) {
    let numbers = tenantry_core::blueprint::version_numbers(&reference.version);
    (&reference.name, numbers, &reference.digest)
}
