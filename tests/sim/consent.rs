//! I23: nothing that was ready in this incarnation is deleted unless the tenant is to go, or its step has left the plan, or
//! somebody has said on record that it may be made anew.

use std::collections::BTreeSet;

use serde_json::Value;
use tenantry_core::{
    steps::{Api, Method, Request},
    tenant::{Goal, StepState, Tenant},
};

use super::azure::{Azure, Replicated, text};

/// Who was ready, and who may go. A permission lasts until the step is ready again.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    /// By tenant, incarnation and step.
    ready: BTreeSet<(String, u32, String)>,
    /// By tenant and step.
    may_go: BTreeSet<(String, String)>,
    /// Requests whose senders take it that something is made anew.
    given: BTreeSet<String>,
}

impl Consents {
    /// Somebody sends a request, and says so in it or not.
    pub(crate) fn asked(&mut self, id: &str, body: &Value) {
        let said = ["/spec/allowReplace", "/allowReplace"].map(|member| body.pointer(member));
        if said.into_iter().flatten().any(|said| *said == Value::Bool(true)) {
            self.given.insert(id.to_owned());
        }
    }

    /// A document that the store has taken.
    pub(crate) fn saved(&mut self, before: Option<&Tenant>, after: &Tenant) {
        let id = after.id.as_str();
        if before.is_none_or(|before| before.incarnation != after.incarnation) {
            self.may_go.retain(|(tenant, _)| tenant != id);
        }
        let same_wish = before.is_some_and(|before| before.requests == after.requests);
        if !same_wish {
            self.wished(before, after);
        }
        for (name, record) in after.steps() {
            let was = before.and_then(|before| before.steps().get(name)).map(|record| &record.state);
            if record.state.is_ready() && !was.is_some_and(StepState::is_ready) {
                self.ready.insert((id.to_owned(), after.incarnation, name.to_string()));
                self.may_go.remove(&(id.to_owned(), name.to_string()));
            }
        }
    }

    fn wished(&mut self, before: Option<&Tenant>, after: &Tenant) {
        let id = after.id.as_str();
        let known = before.into_iter().chain([after]).flat_map(|tenant| tenant.steps().keys());
        let known: BTreeSet<String> = known.map(ToString::to_string).collect();
        let consents = after.requests.back().is_some_and(|past| self.given.contains(&past.request_id));
        let replaced = if consents { replaced(before, after) } else { BTreeSet::new() };
        for step in known {
            let planned = after.plan.steps.keys().any(|planned| planned.as_str() == step);
            if after.goal == Goal::Absent || !planned || replaced.contains(&step) {
                self.may_go.insert((id.to_owned(), step));
            }
        }
    }

    /// What is wrong with a request that is sent.
    pub(crate) fn objects(&self, azure: &Azure, tenant: &Tenant, request: &Request) -> Option<String> {
        let step = deleted_step(azure, request)?;
        let id = tenant.id.to_string();
        let was_ready = self.ready.contains(&(id.clone(), tenant.incarnation, step.to_owned()));
        let may_go = self.may_go.contains(&(id.clone(), step.to_owned()));
        (was_ready && !may_go).then(|| {
            let path = request.path.split('?').next().unwrap_or_default();
            format!(
                "{id}: {} {path} removes {step}, which was ready, and nobody has allowed that",
                request.method
            )
        })
    }
}

/// What a request with consent makes anew: the vault, if it is to be elsewhere, and what stands on it; with a retry, all
/// that may have failed.
fn replaced(before: Option<&Tenant>, after: &Tenant) -> BTreeSet<String> {
    let place = |tenant: &Tenant| tenant.spec.parameters.get("place").cloned();
    let moves = before.is_some_and(|before| place(before) != place(after));
    let retries = after.requests.back().is_some_and(|past| past.request_id.starts_with("retry"));
    let mut all: BTreeSet<String> = match (moves, retries) {
        (true, _) => BTreeSet::from(["vault".to_owned()]),
        (false, true) => return after.plan.steps.keys().map(ToString::to_string).collect(),
        (false, false) => return BTreeSet::new(),
    };
    loop {
        let above = after
            .plan
            .steps
            .iter()
            .filter(|(_, step)| step.needs.iter().any(|need| all.contains(need.as_str())));
        let above: Vec<String> =
            above.map(|(name, _)| name.to_string()).filter(|name| !all.contains(name)).collect();
        if above.is_empty() {
            return all;
        }
        all.extend(above);
    }
}

/// Which step's object a request deletes or purges.
fn deleted_step(azure: &Azure, request: &Request) -> Option<&'static str> {
    let path = request.path.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let purges = request.method == Method::Post && path.ends_with("/purge");
    if request.method != Method::Delete && !purges {
        return None;
    }
    if request.api == Api::Graph {
        return match () {
            () if path.contains("/federatedidentitycredentials(") => Some("credential"),
            () if path.contains("/deleteditems/") => {
                let id = path.rsplit('/').next().unwrap_or_default();
                let kind = azure.deleted.get(id).map(|(kind, _)| *kind);
                kind.map(|kind| if kind == "application" { "application" } else { "principal" })
            }
            () if path.contains("/serviceprincipals/") => Some("principal"),
            () => Some("application"),
        };
    }
    if path.contains("/roleassignments/") {
        let grant = azure.grants.get(&path).and_then(Replicated::primary)?;
        let holder = text(grant, "/properties/principalId");
        let directory = azure.principals.values().filter_map(Replicated::last);
        let is_app = directory.into_iter().any(|principal| text(principal, "/id") == holder);
        return Some(if is_app { "scorer" } else { "reader" });
    }
    let kind = path.trim_end_matches("/purge").rsplit('/').nth(1).unwrap_or_default().to_owned();
    match kind.as_str() {
        "resourcegroups" => Some("group"),
        "vaults" | "deletedvaults" => Some("vault"),
        "userassignedidentities" => Some("identity"),
        "privateendpoints" => Some("private_endpoint"),
        "components" => Some("panel"),
        "privatednszonegroups" => Some("zone_group"),
        _ => None,
    }
}
