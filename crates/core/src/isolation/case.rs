//! One tenant with its evidence: its own objects, which of them are protected, and who reaches those.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    access::{Grant, Holders, Index},
    allow::AllowList,
    evidence::{Evidence, Reading},
    judged_tenant::{JudgedTenant, Own},
    powers::{ENDPOINT, Powers, STORAGE, VAULT, WORKSPACE},
    probe::{Aim, Calls, Probe, ProbeKind, ProbeOutcome},
    report::{Accepted, Gap},
};
use crate::{
    compare::{at, eq_ignore_case, same_id, text_at},
    ids::TenantId,
};

/// The kinds of calls that every proof needs. [`ProbeKind::OtherTenant`] is not included: there may be no other tenant.
const ALWAYS: [ProbeKind; 5] =
    [ProbeKind::Own, ProbeKind::NoToken, ProbeKind::WrongAudience, ProbeKind::Expired, ProbeKind::Key];

/// The context that all tenants judged together share.
pub(super) struct EvalContext<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) allow: &'a AllowList,
    pub(super) index: Index<'a>,
    /// The tenant that each tenant's own principal belongs to, by the principal's object id in lower case.
    pub(super) principals: BTreeMap<String, &'a TenantId>,
}

impl<'a> EvalContext<'a> {
    pub(super) fn new(
        evidence: &'a Evidence,
        allow: &'a AllowList,
        judged_tenants: &'a [JudgedTenant],
    ) -> Self {
        let of = |judged: &'a JudgedTenant| {
            own_principals(judged, evidence).into_keys().map(|id| (id, &judged.tenant_id))
        };
        Self {
            evidence,
            allow,
            index: Index::new(evidence, allow),
            principals: judged_tenants.iter().flat_map(of).collect(),
        }
    }
}

/// An object that only the tenant, or nobody, may reach.
pub(super) struct Protected {
    pub(super) id: String,
    pub(super) kind: String,
    /// Whether tenants share the object: then the tenant's own principals may not reach it either.
    pub(super) shared: bool,
}

/// An assignment by which someone else reaches a protected object.
pub(super) struct Reached {
    pub(super) grant: usize,
    pub(super) powers: Powers,
    /// The id of the first protected object that the assignment reaches.
    pub(super) what: String,
    /// The object ids of the principals with this access that are neither the tenant's own nor allowed.
    pub(super) who: Vec<String>,
}

/// A tenant with everything that the rules need.
pub(super) struct Case<'a> {
    pub(super) judged: &'a JudgedTenant,
    pub(super) context: &'a EvalContext<'a>,
    /// The object ids of the tenant's own principals in lower case, and what each principal is.
    pub(super) own: BTreeMap<String, &'static str>,
    pub(super) protected: Vec<Protected>,
    pub(super) reached: Vec<Reached>,
    pub(super) accepted: Vec<Accepted>,
    pub(super) gaps: Vec<Gap>,
}

impl<'a> Case<'a> {
    pub(super) fn new(judged: &'a JudgedTenant, context: &'a EvalContext<'a>) -> Self {
        let mut case = Self {
            judged,
            context,
            own: own_principals(judged, context.evidence),
            protected: Vec::new(),
            reached: Vec::new(),
            accepted: Vec::new(),
            gaps: Vec::new(),
        };
        case.protected = case.protect();
        case.find_gaps();
        case.judge_calls();
        case.follow_grants();
        case.gaps.sort();
        case.gaps.dedup();
        case
    }

    /// A resource as Azure shows it, if it exists and could be read.
    pub(super) fn resource(&self, id: &str) -> Option<&'a Value> {
        self.context.evidence.resources.get(&id.to_ascii_lowercase())?.shown()
    }

    /// The tenant's existing resources of a type, with what Azure shows of them.
    pub(super) fn shown(&self, kind: &'a str) -> impl Iterator<Item = (&'a Own, &'a Value)> {
        self.judged.of_type(kind).filter_map(|own| Some((own, self.resource(&own.id)?)))
    }

    /// All existing protected resources of a type: the tenant's own, and those that it shares.
    pub(super) fn all_shown(&self, kind: &str) -> impl Iterator<Item = (&Protected, &'a Value)> {
        let of = self.protected.iter().filter(move |one| one.kind.eq_ignore_ascii_case(kind));
        of.filter_map(|one| Some((one, self.resource(&one.id)?)))
    }

    pub(super) fn is_own(&self, principal: &str) -> bool {
        self.own.contains_key(&principal.to_ascii_lowercase())
    }

    fn protect(&self) -> Vec<Protected> {
        let own = |own: &Own| Protected { id: own.id.clone(), kind: own.kind.clone(), shared: false };
        let mut protected: Vec<Protected> = self.judged.resources.iter().map(own).collect();
        let mut add = |id: &str, kind: &str| {
            let known = protected.iter().any(|one| same_id(&one.id, id));
            if !id.is_empty() && !known && !self.judged.owns(id) {
                protected.push(Protected { id: id.to_owned(), kind: kind.to_owned(), shared: true });
            }
        };
        let endpoints = self.judged.of_type(ENDPOINT);
        let around = endpoints.filter_map(|own| Some(super::parent(&own.id)?.to_owned()));
        let workspaces = self.judged.of_type(WORKSPACE).map(|own| own.id.clone()).chain(around);
        for workspace in workspaces.collect::<BTreeSet<_>>() {
            add(&workspace, WORKSPACE);
            let shown = self.resource(&workspace).unwrap_or(&Value::Null);
            for (pointer, kind) in [("/properties/storageAccount", STORAGE), ("/properties/keyVault", VAULT)]
            {
                add(text_at(shown, pointer), kind);
            }
        }
        protected
    }

    fn gap(&mut self, about: &str, why: impl Into<String>) {
        self.gaps.push(Gap { about: about.to_owned(), why: why.into() });
    }

    /// Records a gap for each object that could not be or was not read, because it may hide a violation.
    fn find_gaps(&mut self) {
        let evidence = self.context.evidence;
        if !self.judged.settled {
            self.gap(self.judged.tenant_id.as_str(), "the tenant is being made or changed, or has failed");
        }
        for at in 0..self.protected.len() {
            let Some(Protected { id, shared, .. }) = self.protected.get(at) else { continue };
            let (id, below) = (id.clone(), !shared);
            match evidence.resources.get(&id.to_ascii_lowercase()) {
                Some(Reading::Shown(_) | Reading::Absent) => {}
                Some(Reading::Unread(why)) => self.gap(&id, why),
                None => self.gap(&id, "it was not read"),
            }
            if let Some(why) = self.context.index.unread(&id, below) {
                self.gap(&id, format!("who has roles there is not known: {why}"));
            }
        }
        for listing in &evidence.listings {
            if let (Some(own), Some(why)) = (&listing.of, reason(&listing.assignments))
                && self.is_own(own)
            {
                self.gap(own, format!("which roles it has elsewhere is not known: {why}"));
            }
        }
        for own in self.judged.of_type(super::powers::IDENTITY) {
            match evidence.identity_credentials.get(&own.id.to_ascii_lowercase()) {
                Some(Reading::Shown(_) | Reading::Absent) => {}
                Some(Reading::Unread(why)) => self.gap(&own.id, format!("its credentials: {why}")),
                None => self.gap(&own.id, "its credentials were not read"),
            }
        }
        for own in &self.judged.applications {
            let Some(seen) = evidence.applications.get(&own.unique_name) else {
                self.gap(&own.unique_name, "it was not read");
                continue;
            };
            let unread = |what: &str, why: Option<&String>| Some(format!("{what}: {}", why?));
            let reasons = [
                unread("the application", reason(&seen.object)),
                unread("its service principal", reason(&seen.principal)),
                unread("its federated credentials", reason(&seen.credentials)),
                unread("its owners", reason(&seen.owners)),
            ];
            for why in reasons.into_iter().flatten() {
                self.gap(&own.unique_name, why);
            }
        }
    }

    /// The calls that were made to the tenant's service; empty if the blueprint declares no probe.
    pub(super) fn probes(&self) -> &'a [Probe] {
        match self.context.evidence.live.tenants.get(&self.judged.tenant_id) {
            Some(Calls::Made(probes)) if self.judged.probe.is_some() => probes,
            Some(_) | None => &[],
        }
    }

    /// Records gaps in the calls: the positive control has to succeed, and one call of each kind needs a clear outcome.
    fn judge_calls(&mut self) {
        let (aim, url) = match &self.judged.probe {
            None => return,
            Some(Aim::At(target)) => (None, target.url.as_str()),
            Some(Aim::Unknown(why)) => (Some(why), self.judged.tenant_id.as_str()),
        };
        if let Some(why) = aim {
            return self.gap(url, format!("its service can't be called yet: {why}"));
        }
        match self.context.evidence.live.tenants.get(&self.judged.tenant_id) {
            Some(Calls::Made(_)) => {}
            Some(Calls::NotPossible(why)) => {
                return self.gap(url, format!("its service can't be called: {why}"));
            }
            None => return self.gap(url, "its service was not called"),
        }
        // For a suspended tenant only refusals are expected; the rules report any call that was answered.
        if self.judged.suspended {
            return;
        }
        let probes = self.probes();
        for probe in probes.iter().filter(|probe| probe.kind == ProbeKind::Own) {
            let why = match (probe.outcome, &probe.why) {
                (ProbeOutcome::Reached, _) => continue,
                (ProbeOutcome::Refused, _) => format!("it was refused ({})", status(probe)),
                (ProbeOutcome::Unclear, why) => why.clone().unwrap_or_default(),
            };
            self.gap(url, format!("no positive control: called with {}, {why}", probe.with()));
        }
        for probe in probes.iter().filter(|probe| probe.kind != ProbeKind::Own) {
            if probe.outcome == ProbeOutcome::Unclear {
                let why = probe.why.as_deref().unwrap_or_default();
                // Gaps are published to subscribers, who must not learn the names of other tenants.
                let is_others = probe.kind == ProbeKind::OtherTenant;
                let with = if is_others { "the token of another tenant".to_owned() } else { probe.with() };
                self.gap(url, format!("called with {with}, what came of it shows nothing: {why}"));
            }
        }
        for kind in ALWAYS {
            if !probes.iter().any(|probe| probe.kind == kind) {
                self.gap(url, format!("the call of the kind {} was not made", kind.as_str()));
            }
        }
    }

    /// Classifies each assignment that reaches a protected object: the tenant's own, allowed, someone else's, or
    /// unknown.
    fn follow_grants(&mut self) {
        let mut reaching: BTreeMap<usize, (Powers, String)> = BTreeMap::new();
        for one in &self.protected {
            let about = Powers::on(&one.kind);
            for at in self.context.index.reaching(&one.id, !one.shared) {
                let Some(grant) = self.context.index.grant(at) else { continue };
                let powers = grant.powers.and(about);
                if !powers.is_empty() {
                    let entry = reaching.entry(at).or_insert_with(|| (Powers::default(), one.id.clone()));
                    entry.0 = entry.0.or(powers);
                }
            }
        }
        for (at, (powers, what)) in reaching {
            if let Some(grant) = self.context.index.grant(at) {
                self.sort_grant(at, grant, powers, what);
            }
        }
        for grant in self.beyond() {
            if let Some(why) = &grant.unknown_role {
                let why = format!("the tenant's own role at {}: {why}", grant.assignment.scope);
                self.gap(&grant.assignment.role_definition_id, why);
            }
        }
    }

    /// Grants of the tenant's own principals outside of the tenant's own resources.
    pub(super) fn beyond(&self) -> Vec<&'a Grant<'a>> {
        let held = self.own.keys().flat_map(|own| self.context.index.held_by(own));
        let held: BTreeSet<usize> = held.collect();
        let grants = held.into_iter().filter_map(|at| self.context.index.grant(at));
        grants.filter(|grant| !self.judged.owns(&grant.assignment.scope)).collect()
    }

    fn sort_grant(&mut self, at: usize, grant: &Grant<'_>, powers: Powers, what: String) {
        let scope = &grant.assignment.scope;
        let who = match &grant.holders {
            Holders::Allowed(why) => return self.accept(grant, powers, why),
            Holders::Unknown(why) => {
                let why = format!("a group with the role {} at {scope}: {why}", role_of(grant));
                return self.gap(&grant.assignment.principal_id, why);
            }
            Holders::One(one) => self.others([*one].into_iter()),
            Holders::Members(members) => self.others(members.iter().copied()),
        };
        if who.is_empty() {
            return;
        }
        if who.iter().all(|one| self.is_shared_workspace(one)) {
            return self.accept(grant, powers, "the shared workspace works as itself");
        }
        if self.may_be_own(grant, &who) {
            let why = format!(
                "{} with the role {} at {scope} may be an identity of a resource that could not be read",
                who.join(", "),
                role_of(grant)
            );
            return self.gap(&grant.assignment.principal_id, why);
        }
        if let Some(why) = &grant.unknown_role {
            let why = format!("a role of {} at {scope}: {why}", who.join(", "));
            return self.gap(&grant.assignment.role_definition_id, why);
        }
        self.reached.push(Reached { grant: at, powers, what, who });
    }

    /// Those principals that are not the tenant's own. The rule `reaches-beyond` judges what the tenant's own may
    /// reach.
    fn others<'b>(&self, who: impl Iterator<Item = &'b str>) -> Vec<String> {
        who.filter(|one| !self.is_own(one)).map(str::to_owned).collect()
    }

    /// Whether these principals may be the tenant's own, because a resource that may have an identity could not be
    /// read.
    fn may_be_own(&self, grant: &Grant<'_>, who: &[String]) -> bool {
        let resources = &self.context.evidence.resources;
        let unknown = |one: &Protected| {
            !matches!(resources.get(&one.id.to_ascii_lowercase()), Some(Reading::Shown(_) | Reading::Absent))
        };
        let is_known = |one: &String| self.context.principals.contains_key(&one.to_ascii_lowercase());
        !grant.assignment.principal_type.eq_ignore_ascii_case("User")
            && !who.iter().any(is_known)
            && self.protected.iter().any(unknown)
    }

    /// Whether a principal is the identity of a workspace that the tenant shares.
    fn is_shared_workspace(&self, principal: &str) -> bool {
        let shared = self.protected.iter().filter(|one| one.shared && eq_ignore_case(&one.kind, WORKSPACE));
        let id = |one: &Protected| at(self.resource(&one.id)?, "/identity/principalId")?.as_str();
        shared.filter_map(id).any(|id| eq_ignore_case(id, principal))
    }

    fn accept(&mut self, grant: &Grant<'_>, powers: Powers, why: &str) {
        let entry = Accepted {
            principal: grant.assignment.principal_id.clone(),
            role: role_of(grant),
            scope: grant.assignment.scope.clone(),
            can: powers.capabilities(),
            why: why.to_owned(),
        };
        match self.accepted.iter_mut().find(|other| {
            (&other.principal, &other.role, &other.scope) == (&entry.principal, &entry.role, &entry.scope)
        }) {
            Some(other) => {
                other.can.extend(entry.can);
                other.can.sort_unstable();
                other.can.dedup();
            }
            None => self.accepted.push(entry),
        }
    }
}

/// The HTTP status of the answer to a call, as text.
pub(super) fn status(probe: &Probe) -> String {
    probe.status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"))
}

/// A role's name, or its id if the name is not known.
pub(super) fn role_of(grant: &Grant<'_>) -> String {
    if grant.role_name.is_empty() { grant.assignment.role() } else { grant.role_name.to_owned() }
}

fn reason<T>(seen: &Reading<T>) -> Option<&String> {
    if let Reading::Unread(why) = seen { Some(why) } else { None }
}

/// The tenant's own principals: its applications' service principals and the identities of its resources.
fn own_principals(judged: &JudgedTenant, evidence: &Evidence) -> BTreeMap<String, &'static str> {
    let mut own = BTreeMap::new();
    for application in judged.applications.iter().filter(|one| !one.principal_id.is_empty()) {
        own.insert(application.principal_id.to_ascii_lowercase(), "its service principal");
    }
    for resource in &judged.resources {
        let seen = evidence.resources.get(&resource.id.to_ascii_lowercase()).and_then(Reading::shown);
        let (pointer, what) = match resource.is(super::powers::IDENTITY) {
            true => ("/properties/principalId", "its managed identity"),
            false => ("/identity/principalId", "the identity of one of its resources"),
        };
        if let Some(id) = seen.and_then(|seen| at(seen, pointer)).and_then(Value::as_str) {
            own.insert(id.to_ascii_lowercase(), what);
        }
    }
    own
}
