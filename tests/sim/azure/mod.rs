//! An Azure in memory, with what the simulated tenants need. It carries out a request at one instant; a long-running
//! operation ends at a later one. Requests that are lost or delayed are in the transport ([`super::transport`]).
//!
//! It shares no code with `crates/azure-sim/src`, so that no error can be in both. Sources: Microsoft, "Track
//! asynchronous Azure operations"; "Understand how Azure Resource Manager throttles requests"; "Troubleshoot Azure
//! RBAC"; Microsoft Graph, "Upsert application", "Upsert servicePrincipal", "List deletedItems"; public reports of
//! `NoBackingApplicationObject` and of `RetryableErrorDueToAnotherOperation` between private endpoints of a network.

mod arm;
mod faults;
mod graph;
mod intruders;
mod meaning;
mod operations;
mod pages;
mod roles;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_core::steps::{Api, Method, Reply, Request};

use super::{exec::Millis, profile::AzureManners, rng::Rng};

pub(crate) use arm::Object;
use faults::FAILED_ONCE;
pub(crate) use faults::UNKNOWN_CODES;
pub(crate) use graph::Replicated;
use intruders::LastReads;
pub(crate) use intruders::is_intruders;
pub(crate) use meaning::Meaning;
pub(crate) use operations::Operation;
use pages::Rest;

pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-00000000a001";

/// A secret in Azure's messages, which the product must not repeat anywhere.
pub(crate) const SECRET: &str =
    "c2VjcmV0LW9mLWEtc2ltdWxhdGVkLWFjY291bnQtdGhhdC1ub2JvZHktbWF5LXJlcGVhdC1oZXJlIQ==";

const GRAPH: &str = "https://graph.microsoft.com";

/// The stamp as blueprints read it. With `short`, role ids lack the subscription, which Azure shows.
pub(crate) fn stamp(short: bool) -> Value {
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-stamp");
    let role = |guid: &str| {
        let short_form = format!("/providers/Microsoft.Authorization/roleDefinitions/{guid}");
        if short { short_form } else { format!("/subscriptions/{SUBSCRIPTION}{short_form}") }
    };
    json!({
        "name": "sim-01", "subscriptionId": SUBSCRIPTION, "region": "westeurope", "resourceGroup": "rg-stamp",
        "directoryId": "00000000-0000-0000-0000-0000000d0001",
        "subnetId": format!("{group}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"),
        "readerRoleId": role(roles::READER), "scorerRoleId": role(roles::SCORER),
        "zones": { "vault": format!("{group}/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net") },
    })
}

pub(crate) struct Azure {
    pub(crate) now: Millis,
    pub(crate) rng: Rng,
    pub(crate) manners: AzureManners,
    drawn: u64,
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) deleted_vaults: BTreeMap<String, Object>,
    pub(crate) operations: BTreeMap<u64, Operation>,
    running: BTreeSet<(Millis, u64)>,
    pub(crate) grants: BTreeMap<String, Replicated>,
    /// Applications by unique name.
    pub(crate) applications: BTreeMap<String, Replicated>,
    /// Service principals by `appId`.
    pub(crate) principals: BTreeMap<String, Replicated>,
    /// Federated credentials by the application's object id and the credential's name.
    pub(crate) credentials: BTreeMap<(String, String), Replicated>,
    /// Entra's deleted items by object id: kind and body.
    pub(crate) deleted: BTreeMap<String, (&'static str, Value)>,
    /// Service principals and managed identities by object id, with the instant from which role assignments accept
    /// them.
    pub(crate) known_principals: BTreeMap<String, Millis>,
    /// Whether the last answer came from a replica that did not show the last write yet.
    pub(crate) behind: bool,
    /// Violated invariants that this Azure has detected: number and description.
    pub(crate) wrongs: Vec<(&'static str, String)>,
    pub(crate) strangers: u32,
    /// The resource ids that were read at least once.
    read_once: BTreeSet<String>,
    /// What the isolation check has last read of each tenant.
    last_reads: BTreeMap<String, LastReads>,
    /// Current refusals with unknown codes, by method and path: their end, and the index of the code.
    unknown_codes: BTreeMap<String, (Millis, usize)>,
    /// The ids of objects whose updates always fail.
    cursed: BTreeSet<String>,
    /// By resource id: how many deletions were requested and how many requests failed.
    deletes: BTreeMap<String, u32>,
    /// The pages of each list that have not been read yet, by the token in the link to the next page.
    rests: BTreeMap<u64, Rest>,
    /// The real meaning of refusals, by request id.
    meanings: BTreeMap<String, Meaning>,
    /// By resource id: whether the object refuses to be changed back.
    stubborn: BTreeMap<String, bool>,
    /// Tenants of which an object was deleted by hand.
    pub(crate) robbed: BTreeSet<String>,
    /// How often each kind of fault occurred.
    pub(crate) hits: BTreeMap<&'static str, u64>,
}

/// An answer of Azure without headers.
pub(crate) fn reply(status: u16, body: Value) -> Reply {
    Reply { status, headers: BTreeMap::new(), body }
}

pub(crate) fn refuse(status: u16, code: &str, message: &str) -> Reply {
    reply(status, json!({"error": {"code": code, "message": message}}))
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The tenant that an object's ownership mark names: a tag in ARM or in Graph.
pub(crate) fn mark(body: &Value) -> Option<String> {
    if let Some(tenant) = body.pointer("/tags/tenantry-tenant").and_then(Value::as_str) {
        return Some(tenant.to_owned());
    }
    let tags = body.get("tags")?.as_array()?;
    let mut texts = tags.iter().filter_map(Value::as_str);
    texts.find_map(|tag| tag.strip_prefix("tenantry-tenant:")).map(str::to_owned)
}

impl Azure {
    pub(crate) fn new(seed: u64, manners: AzureManners) -> Self {
        let strangers = manners.strangers;
        Self {
            now: 0,
            rng: Rng::new(seed, 2),
            manners,
            drawn: 0,
            objects: BTreeMap::new(),
            deleted_vaults: BTreeMap::new(),
            operations: BTreeMap::new(),
            running: BTreeSet::new(),
            grants: BTreeMap::new(),
            applications: BTreeMap::new(),
            principals: BTreeMap::new(),
            credentials: BTreeMap::new(),
            deleted: BTreeMap::new(),
            known_principals: BTreeMap::new(),
            behind: false,
            wrongs: Vec::new(),
            strangers,
            read_once: BTreeSet::new(),
            last_reads: BTreeMap::new(),
            unknown_codes: BTreeMap::new(),
            cursed: BTreeSet::new(),
            deletes: BTreeMap::new(),
            rests: BTreeMap::new(),
            meanings: BTreeMap::new(),
            stubborn: BTreeMap::new(),
            robbed: BTreeSet::new(),
            hits: BTreeMap::new(),
        }
    }

    pub(crate) fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    /// A new id in the form of the ids that Azure gives.
    fn guid(&mut self) -> String {
        self.drawn += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.drawn)
    }

    /// Answers a request at the instant `now`, after operations that are due have ended.
    pub(crate) fn handle(&mut self, now: Millis, request: &Request) -> Reply {
        self.now = now.max(self.now);
        self.behind = false;
        self.settle();
        let reply = self.fault(request).unwrap_or_else(|| self.carry_out(request));
        if request.method == Method::Delete || reply.status >= 400 && reply.status != 404 {
            self.in_vain(request);
        }
        reply
    }

    /// Counts a deletion that was requested or a request that failed.
    pub(crate) fn in_vain(&mut self, request: &Request) {
        let id = request.path.split('?').next().unwrap_or_default().to_ascii_lowercase();
        *self.deletes.entry(id).or_default() += 1;
    }

    fn carry_out(&mut self, request: &Request) -> Reply {
        if let Some(page) = self.next_page(request) {
            return page;
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match request.api {
            Api::Arm => self.arm(request, path, query),
            Api::Graph => self.graph(request, path, query),
            Api::EventGrid => refuse(404, "NotFound", "no such service"),
        }
    }

    /// The ids of all existing objects of a tenant, including soft-deleted ones.
    pub(crate) fn belongings(&self, tenant: &str) -> Vec<String> {
        let of = |body: &Value| mark(body).as_deref() == Some(tenant);
        // A soft-deleted vault that can't be purged before its date is not a leftover.
        let held = self.deleted_vaults.iter().filter(|(_, vault)| !vault.protected);
        let live = self.objects.iter().chain(held);
        let mut found: Vec<String> =
            live.filter(|(_, object)| of(&object.body)).map(|(id, _)| id.clone()).collect();
        let graph = self.applications.values().chain(self.principals.values());
        found.extend(graph.filter_map(Replicated::primary).filter(|body| of(body)).map(|body| {
            let key = if body.get("uniqueName").is_some() { "application" } else { "service principal" };
            format!("{key} {}", text(body, "/id"))
        }));
        found.extend(
            self.deleted.iter().filter(|(_, (_, body))| of(body)).map(|(id, _)| format!("deleted {id}")),
        );
        let group = |id: &str| {
            let group = arm::group_of(id);
            self.objects.get(group).is_some_and(|group| of(&group.body))
        };
        found.extend(
            self.grants
                .iter()
                .filter(|(id, grant)| grant.primary().is_some() && group(id))
                .map(|(id, _)| id.clone()),
        );
        found
    }

    /// Ends all faults of Azure. Stuck operations end within a minute; foreign objects disappear, as if a person had
    /// moved them.
    pub(crate) fn heal(&mut self, now: Millis) {
        self.now = now.max(self.now);
        self.manners = AzureManners::healed(&self.manners);
        self.strangers = 0;
        self.heal_objects();
        for number in self.operations.keys().copied().collect::<Vec<_>>() {
            let Some(operation) = self.operations.get_mut(&number) else { continue };
            if !operation.done && operation.ends > now + 60_000 {
                self.running.remove(&(operation.ends, number));
                operation.ends = now + 60_000;
                self.running.insert((operation.ends, number));
            }
        }
        self.objects.retain(|_, object| !object.stranger);
        self.deleted_vaults.retain(|_, vault| !vault.stranger);
        self.applications
            .retain(|_, versions| versions.primary().is_none_or(|body| text(body, "/owner") != "stranger"));
    }
}
