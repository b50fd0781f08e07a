//! Role assignments, indexed by scope and by principal, so that the lookup for a resource reads only the scopes above
//! and below it.
//!
//! Each role is converted to powers once, each group to its members once. Assignments that all tenants share, such as
//! those of a subscription, are filtered once: those that reach nothing are dropped, those that are allowed are marked.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    allow::AllowList,
    evidence::{Assignment, Evidence, Listing, Reading},
    judged_tenant::within,
    powers::Powers,
};

/// A role assignment whose role gives some power of the table in `powers`, or could not be read.
#[derive(Debug)]
pub(super) struct Grant<'a> {
    pub(super) assignment: &'a Assignment,
    pub(super) powers: Powers,
    pub(super) role_name: &'a str,
    /// Why it is not known what the role allows; `None` if it is known.
    pub(super) unknown_role: Option<String>,
    pub(super) holders: Holders<'a>,
}

/// Who has the role of an assignment.
#[derive(Debug)]
pub(super) enum Holders<'a> {
    /// One principal.
    One(&'a str),
    /// The members of a group, without those that are allowed.
    Members(BTreeSet<&'a str>),
    /// The members of a group that could not be read, for this reason.
    Unknown(String),
    /// Only principals of the allow list, for this reason.
    Allowed(&'a str),
}

/// All grants; the maps have indexes into `grants`.
pub(super) struct Index<'a> {
    grants: Vec<Grant<'a>>,
    /// Grants in subscriptions, by their scope in lower case.
    at: BTreeMap<String, Vec<usize>>,
    /// Grants above all subscriptions, by the subscription whose list showed them.
    above: BTreeMap<String, Vec<usize>>,
    /// Grants by the object id of each principal that has them, in lower case; also by the members of a group.
    of: BTreeMap<String, Vec<usize>>,
    listings: BTreeMap<String, &'a Listing>,
}

impl<'a> Index<'a> {
    pub(super) fn new(evidence: &'a Evidence, allow: &'a AllowList) -> Self {
        let mut index = Self {
            grants: Vec::new(),
            at: BTreeMap::new(),
            above: BTreeMap::new(),
            of: BTreeMap::new(),
            listings: BTreeMap::new(),
        };
        let shown = evidence.roles.iter().filter_map(|(id, role)| Some((id.as_str(), role.shown()?)));
        let roles: BTreeMap<&str, (Powers, &str)> =
            shown.map(|(id, role)| (id, (Powers::of_role(role), role.role_name.as_str()))).collect();
        let mut seen = BTreeMap::new();
        for listing in &evidence.listings {
            if listing.of.is_none() {
                index.listings.insert(listing.scope.to_ascii_lowercase(), listing);
            }
            let subscription = subscription_of(&listing.scope);
            for assignment in listing.assignments.shown().into_iter().flatten() {
                // Several lists may show the same assignment.
                let id = assignment.id.to_ascii_lowercase();
                let at = *seen.entry(id).or_insert_with(|| {
                    let grant = grant(assignment, &roles, evidence, allow);
                    grant.map(|grant| index.add(grant))
                });
                if let Some(at) = at
                    && !assignment.scope.to_ascii_lowercase().starts_with("/subscriptions/")
                {
                    let above = index.above.entry(subscription.clone()).or_default();
                    if !above.contains(&at) {
                        above.push(at);
                    }
                }
            }
        }
        index
    }

    fn add(&mut self, grant: Grant<'a>) -> usize {
        let at = self.grants.len();
        let scope = grant.assignment.scope.trim_end_matches('/').to_ascii_lowercase();
        if scope.starts_with("/subscriptions/") {
            self.at.entry(scope).or_default().push(at);
        }
        let holders = match &grant.holders {
            Holders::One(one) => vec![one.to_ascii_lowercase()],
            Holders::Members(members) => members.iter().map(|one| one.to_ascii_lowercase()).collect(),
            Holders::Unknown(_) | Holders::Allowed(_) => Vec::new(),
        };
        for holder in holders {
            self.of.entry(holder).or_default().push(at);
        }
        self.grants.push(grant);
        at
    }

    /// Indexes of the grants that apply to a resource: those at the resource and at scopes above it, and with `below`
    /// also those at scopes within it.
    pub(super) fn reaching(&self, id: &str, below: bool) -> Vec<usize> {
        let id = id.trim_end_matches('/').to_ascii_lowercase();
        let mut found: Vec<usize> =
            self.above.get(&subscription_of(&id)).into_iter().flatten().copied().collect();
        let cuts = id.match_indices('/').map(|(at, _)| at).skip(1).chain([id.len()]);
        for scope in cuts.filter_map(|cut| id.get(..cut)) {
            found.extend(self.at.get(scope).into_iter().flatten());
        }
        if below {
            let inside = format!("{id}/");
            let range = self.at.range(inside.clone()..).take_while(|(scope, _)| scope.starts_with(&inside));
            found.extend(range.flat_map(|(_, grants)| grants));
        }
        found
    }

    /// Indexes of the grants that a principal has, itself or as a member of a group.
    pub(super) fn held_by(&self, principal: &str) -> impl Iterator<Item = usize> {
        self.of.get(&principal.to_ascii_lowercase()).into_iter().flatten().copied()
    }

    pub(super) fn grant(&self, at: usize) -> Option<&Grant<'a>> {
        self.grants.get(at)
    }

    /// Why the role assignments at a resource and above it, and with `below` within it, are not known; `None` if they
    /// are known.
    pub(super) fn unread(&self, id: &str, below: bool) -> Option<String> {
        let id = id.trim_end_matches('/').to_ascii_lowercase();
        let mut why = "no list of the role assignments there was read".to_owned();
        let cuts = id.match_indices('/').map(|(at, _)| at).skip(1).chain([id.len()]);
        for scope in cuts.filter_map(|cut| id.get(..cut)) {
            match self.listings.get(scope).map(|listing| &listing.assignments) {
                Some(Reading::Shown(_)) => return None,
                Some(Reading::Unread(reason)) => why.clone_from(reason),
                Some(Reading::Absent) => "the scope is not there".clone_into(&mut why),
                None => {}
            }
        }
        // A list at a scope within the resource also has the assignments above that scope, but not those at other
        // scopes within the resource.
        let inside = |scope: &&String| within(scope, &id) && **scope != id;
        let from = self.listings.range(id.clone()..).map(|(scope, _)| scope);
        let shown = |scope: &String| {
            self.listings.get(scope).is_some_and(|listing| listing.assignments.shown().is_some())
        };
        let partly = from.take_while(|scope| scope.starts_with(&id)).filter(inside).any(shown);
        if partly && !below { None } else { Some(why) }
    }
}

/// An assignment as a grant; `None` if its role gives no power.
fn grant<'a>(
    assignment: &'a Assignment,
    roles: &BTreeMap<&str, (Powers, &'a str)>,
    evidence: &'a Evidence,
    allow: &'a AllowList,
) -> Option<Grant<'a>> {
    let id = assignment.role();
    let (powers, role_name, unknown_role) = match (roles.get(id.as_str()), evidence.roles.get(&id)) {
        (Some((powers, name)), _) => (*powers, *name, None),
        (None, Some(Reading::Unread(why))) => (Powers::ALL, "", Some(why.clone())),
        (None, Some(Reading::Absent | Reading::Shown(_))) => {
            (Powers::ALL, "", Some("there is no such role definition".to_owned()))
        }
        (None, None) => (Powers::ALL, "", Some("its definition was not read".to_owned())),
    };
    if powers.is_empty() {
        return None;
    }
    Some(Grant { assignment, powers, role_name, unknown_role, holders: holders(assignment, evidence, allow) })
}

fn holders<'a>(assignment: &'a Assignment, evidence: &'a Evidence, allow: &'a AllowList) -> Holders<'a> {
    let principal = assignment.principal_id.as_str();
    if let Some(why) = allow.principal(principal) {
        return Holders::Allowed(why);
    }
    if !assignment.principal_type.eq_ignore_ascii_case("Group") {
        return Holders::One(principal);
    }
    match evidence.groups.get(&principal.to_ascii_lowercase()) {
        Some(Reading::Shown(members)) => {
            let members = members.iter().map(String::as_str);
            let outside: BTreeSet<&str> = members.filter(|one| allow.principal(one).is_none()).collect();
            if outside.is_empty() {
                return Holders::Allowed("nobody is in the group but who is allowed");
            }
            Holders::Members(outside)
        }
        Some(Reading::Unread(why)) => Holders::Unknown(why.clone()),
        Some(Reading::Absent) => Holders::Unknown("the directory does not show the group".to_owned()),
        None => Holders::Unknown("the group's members were not read".to_owned()),
    }
}

/// The subscription of an id, in lower case; empty if it has none.
fn subscription_of(id: &str) -> String {
    let lower = id.to_ascii_lowercase();
    let rest = lower.strip_prefix("/subscriptions/").unwrap_or_default();
    rest.split('/').next().unwrap_or_default().to_owned()
}
