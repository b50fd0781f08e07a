//! Derives the actions that tenantry needs from what blueprints do in Azure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OPTIONAL, Permissions, Reach, Role, actions};
use crate::blueprint::{Blueprint, Fault, Purge, ResourceType, Touch, Use};

/// The resource type of role assignments.
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";
const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const ENDPOINTS: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
/// The workspace around an endpoint, and its storage account and key vault. Tenants may share them.
const KEEPS: [&str; 3] = [
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.KeyVault/vaults",
];
/// The action by which tenantry reads its own permissions at the start.
const OWN: &str = "Microsoft.Authorization/permissions/read";
const GROUPS: &str = "Microsoft.Resources/resourceGroups";

/// Derives what these blueprints together need for tenants of these tiers (of all tiers if none is named) in these
/// stamps.
///
/// The remover sends deletes and polls them. The provisioner sends all other requests, also reads during a deletion. No
/// action is a wildcard.
///
/// # Errors
/// Everything that can't be known without a tenant, and every action that is never granted.
pub fn derive(
    blueprints: &[Blueprint],
    stamps: &[Value],
    tiers: &[String],
) -> Result<Permissions, Vec<Fault>> {
    let placed: Vec<(Blueprint, Vec<Value>)> =
        blueprints.iter().map(|blueprint| (blueprint.clone(), stamps.to_vec())).collect();
    derive_placed(&placed, tiers)
}

/// Like [`derive()`], but each blueprint has its own stamps: those in which its tenants are placed, which may differ
/// from the current ones.
///
/// # Errors
/// The same as for [`derive()`].
pub fn derive_placed(
    placed: &[(Blueprint, Vec<Value>)],
    tiers: &[String],
) -> Result<Permissions, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut uses: Vec<Use> = Vec::new();
    for (blueprint, stamps) in placed {
        // Each blueprint derives only the tiers that it serves.
        let served: Vec<String> =
            tiers.iter().filter(|tier| blueprint.tiers().contains(tier)).cloned().collect();
        let foreign = !tiers.is_empty() && served.is_empty();
        for stamp in stamps.iter().filter(|_| !foreign) {
            match blueprint.uses(stamp, &served) {
                Ok(found) => uses.extend(found),
                Err(found) => faults.extend(found),
            }
        }
    }
    let known = |tier: &&String| placed.iter().any(|(blueprint, _)| blueprint.tiers().contains(tier));
    faults.extend(tiers.iter().filter(|tier| !known(tier)).map(|tier| Fault {
        pointer: "/tiers".into(),
        code: "unknown-tier",
        message: format!("no blueprint has the tier {tier}"),
    }));
    let mut derived = Derived::new();
    uses.iter().for_each(|one| derived.take(one));
    let mut permissions = derived.0;
    // The provisioner's identity has the auditor's role too.
    let held = permissions.provisioner.actions.clone();
    permissions.auditor.actions.retain(|action, _| !held.contains_key(action));
    let all = permissions.provisioner.names().chain(permissions.remover.names());
    let all = all.chain(permissions.auditor.names());
    faults.extend(all.filter_map(actions::objection).map(|message| Fault {
        pointer: "/steps".into(),
        code: "never-granted",
        message,
    }));
    // The condition lists the granted roles: if there are none there is no condition, and any role could be assigned.
    let granting = permissions.provisioner.names().chain(permissions.remover.names());
    let unbounded =
        granting.filter(|action| permissions.granted.is_empty() && actions::takes_condition(action));
    let auditor = permissions.auditor.names().filter(|action| actions::takes_condition(action));
    faults.extend(unbounded.chain(auditor).map(|action| Fault {
        pointer: "/steps".into(),
        code: "never-granted",
        message: format!("{action} is never granted without a condition"),
    }));
    faults.dedup();
    if faults.is_empty() { Ok(permissions) } else { Err(faults) }
}

struct Derived(Permissions);

impl Derived {
    fn new() -> Self {
        let mut permissions = Permissions {
            provisioner: Role::default(),
            remover: Role::default(),
            auditor: Role::default(),
            reach: Reach::StampGroup,
            granted: BTreeSet::new(),
            entra: false,
            providers: BTreeSet::new(),
        };
        for role in [&mut permissions.provisioner, &mut permissions.remover] {
            role.add(OWN.to_owned(), "the start compares what is held with what is needed".to_owned());
        }
        for of in [ASSIGNMENTS, DEFINITIONS] {
            permissions.auditor.add(format!("{of}/read"), "proof of isolation: who may what".to_owned());
        }
        permissions.auditor.add(OPTIONAL.to_owned(), "drift: who changed what (may be left out)".to_owned());
        Self(permissions)
    }

    fn take(&mut self, one: &Use) {
        let step = &one.step;
        match &one.touch {
            Touch::Resource { of } => self.resource(step.as_str(), of),
            Touch::Update { of } => {
                self.may(of, "read", format!("{step}: reads"));
                self.may(of, "write", format!("{step}: changes"));
                self.asks_write(of, format!("{step}: waits"));
            }
            Touch::Link { to, needs } => self.may(to, needs, format!("{step}: names it")),
            Touch::Read { of } => self.may(of, "read", format!("{step}: reads")),
            Touch::Grant { role } => {
                self.0.granted.insert(role.clone());
                self.may(ASSIGNMENTS, "read", format!("{step}: reads"));
                self.may(ASSIGNMENTS, "write", format!("{step}: grants"));
                self.0.remover.add(format!("{ASSIGNMENTS}/delete"), format!("{step}: takes back"));
            }
            Touch::Entra => self.0.entra = true,
        }
    }

    fn resource(&mut self, step: &str, of: &str) {
        let row = ResourceType::find(of);
        self.may(of, "read", format!("{step}: reads"));
        self.may(of, "write", format!("{step}: makes and changes"));
        self.asks_write(of, format!("{step}: waits"));
        self.0.remover.add(format!("{}/delete", ResourceType::actions_of(of)), format!("{step}: removes"));
        if let Some(ask) = row.and_then(|row| row.asks_delete) {
            self.0.remover.add(ask.to_owned(), format!("{step}: waits for its removal"));
        }
        if let Some(soft) = row.and_then(|row| row.soft_deletion) {
            let actions = soft.actions();
            self.0.provisioner.add(format!("{actions}/read"), format!("{step}: reads the deleted"));
            let purge = match soft.purge {
                Purge::Action => "purge/action",
                Purge::Delete => "delete",
            };
            self.0.remover.add(format!("{actions}/{purge}"), format!("{step}: purges"));
            self.reaches_subscription(format!(
                "{step}: what is deleted lies in the subscription, in no group"
            ));
        }
        self.proves(of);
        if of == GROUPS {
            self.reaches_subscription(format!("{step}: makes a resource group for each tenant"));
        } else {
            self.0.providers.extend(of.split('/').next().map(str::to_owned));
        }
    }

    /// What the isolation check reads about a resource of this type.
    fn proves(&mut self, of: &str) {
        let reads = "proof of isolation: reads";
        self.0.auditor.add(format!("{}/read", ResourceType::actions_of(of)), reads.to_owned());
        if of == IDENTITIES {
            let credentials = format!("{IDENTITIES}/federatedIdentityCredentials/read");
            self.0.auditor.add(credentials, "proof of isolation: who can become the identity".to_owned());
        }
        for keeps in KEEPS.iter().filter(|_| of == ENDPOINTS) {
            self.0
                .auditor
                .add(format!("{keeps}/read"), "proof of isolation: where the data is kept".to_owned());
        }
    }

    fn may(&mut self, of: &str, what: &str, why: String) {
        self.0.provisioner.add(format!("{}/{what}", ResourceType::actions_of(of)), why);
    }

    fn asks_write(&mut self, of: &str, why: String) {
        if let Some(ask) = ResourceType::find(of).and_then(|row| row.asks_write) {
            self.0.provisioner.add(ask.to_owned(), why);
        }
    }

    fn reaches_subscription(&mut self, why: String) {
        match &mut self.0.reach {
            Reach::Subscription(reasons) => _ = reasons.insert(why),
            Reach::StampGroup => self.0.reach = Reach::Subscription(BTreeSet::from([why])),
        }
    }
}
