//! Lists the blueprints of a deployment: those that it offers, and those that tenants are pinned to.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef},
    ids::TenantId,
    tenant::Tenant,
};

use super::Catalogue;
use crate::ports::{Listed, StateStore, StoreError, Unreadable};

/// How many tenants' documents are read per page.
const PAGE: usize = 100;

/// One blueprint that is offered or in use.
#[derive(Debug, Clone)]
pub struct InUse {
    /// The blueprint's name, version and digest.
    pub reference: BlueprintRef,
    /// Whether new tenants can use the blueprint.
    pub offered: bool,
    /// How many tenants use the blueprint: those that are pinned to it, and those that may still have objects of it.
    pub tenants: u64,
    /// The values of the stamps that the blueprint is used with: the configured stamps if it is offered, and those of
    /// its tenants.
    pub stamps: Vec<Value>,
    /// The blueprint, or why it is not available.
    pub blueprint: Result<Arc<Blueprint>, String>,
}

impl InUse {
    fn add_stamp(&mut self, stamp: &Value) {
        if !self.stamps.contains(stamp) {
            self.stamps.push(stamp.clone());
        }
    }
}

impl Catalogue {
    /// Lists the offered blueprints, each with the stamps that are configured for new tenants.
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

    /// Lists all blueprints that are offered or in use, by name and version. Offered ones have the stamps that are
    /// configured for new tenants. Reads every tenant's document; an unreadable one is left out and logged.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read. A blueprint that is not available is listed with the reason.
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
            // Only an empty page is certainly the last one.
            let Some(last) = rows.last() else { break };
            after = Some(last.id().clone());
            for row in rows {
                match row {
                    Listed::Readable(tenant) => self.count(store, &tenant, &mut all).await?,
                    Listed::Unreadable(Unreadable { tenant_id, why }) => tracing::warn!(
                        tenant.id = %tenant_id,
                        why,
                        "the tenant's document can't be read; its blueprints are left out"
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
                    entry.add_stamp(stamp);
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
