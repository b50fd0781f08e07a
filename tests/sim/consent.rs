//! Invariant I23: an object that was ready in this incarnation is deleted only if the tenant is deprovisioned, its
//! step has left the plan, or a request on record has the consent to recreate it.

use std::collections::BTreeSet;

use serde_json::Value;
use tenantry_core::{
    steps::{Api, Method, Request},
    tenant::{Goal, StepState, Tenant},
};

use super::azure::{Azure, Replicated, text};

/// Which steps were ready, and the objects of which steps may be deleted. A permission ends when the step is ready
/// again.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    /// Steps that were ready: tenant, incarnation and step.
    ready: BTreeSet<(String, u32, String)>,
    /// Steps whose objects may be deleted: tenant and step.
    may_go: BTreeSet<(String, String)>,
    /// The ids of requests with `allowReplace: true`.
    given: BTreeSet<String>,
}

impl Consents {
    /// Records whether a request that is sent contains consent.
    pub(crate) fn asked(&mut self, id: &str, body: &Value) {
        let said = ["/spec/allowReplace", "/allowReplace"].map(|member| body.pointer(member));
        if said.into_iter().flatten().any(|said| *said == Value::Bool(true)) {
            self.given.insert(id.to_owned());
        }
    }

    /// Records a document that the store has saved.
    pub(crate) fn saved(&mut self, before: Option<&Tenant>, after: &Tenant) {
        let id = after.id.as_str();
        if before.is_none_or(|before| before.incarnation != after.incarnation) {
            self.may_go.retain(|(tenant, _)| tenant != id);
        }
        let same_request = before.is_some_and(|before| before.requests == after.requests);
        if !same_request {
            self.permit(before, after);
        }
        for (name, record) in after.steps() {
            let was = before.and_then(|before| before.steps().get(name)).map(|record| &record.state);
            if record.state.is_ready() && !was.is_some_and(StepState::is_ready) {
                self.ready.insert((id.to_owned(), after.incarnation, name.to_string()));
                self.may_go.remove(&(id.to_owned(), name.to_string()));
            }
        }
    }

    fn permit(&mut self, before: Option<&Tenant>, after: &Tenant) {
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

    /// The violation of a request that deletes an object which must not be deleted; `None` if the request is
    /// permitted.
    pub(crate) fn objects(&self, azure: &Azure, tenant: &Tenant, request: &Request) -> Option<String> {
        let step = deleted_step(azure, request)?;
        let id = tenant.id.to_string();
        let was_ready = self.ready.contains(&(id.clone(), tenant.incarnation, step.to_owned()));
        let may_go = self.may_go.contains(&(id.clone(), step.to_owned()));
        (was_ready && !may_go).then(|| {
            let path = request.path.split('?').next().unwrap_or_default();
            format!("{id}: {} {path} deletes {step}, which was ready, without consent", request.method)
        })
    }
}

/// The steps whose objects a request with consent may recreate: if the vault moves, the vault and all steps that
/// depend on it; with a retry, every step, because any may have failed.
fn replaced(before: Option<&Tenant>, after: &Tenant) -> BTreeSet<String> {
    let region = |tenant: &Tenant| tenant.spec.parameters.get("region").cloned();
    let moves = before.is_some_and(|before| region(before) != region(after));
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

/// The step whose object a request deletes or purges; `None` for other requests.
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
