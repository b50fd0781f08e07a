//! Measures the rules of the isolation check over whole fleets in memory: the cost per tenant must not grow with the
//! number of tenants.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tenantry_core::isolation::{
    AllowList, Allowed, Assignment, Evidence, IsolationVerdict, JudgedTenant, Listing, Reading, judge,
};

use crate::{Outcome, line, measure};

const FLEETS: [usize; 3] = [1_000, 10_000, 50_000];
/// The fleet of the tests: four correct tenants, two with a workspace of their own, two in a shared one.
const BASE: &str = include_str!("../../tests/suite/isolation/base.json");
const BUILT_IN: &str = include_str!("../../crates/azure-sim/src/built_in_roles.json");

pub(crate) fn report() -> Outcome<()> {
    line("verify: whole fleets in memory, half dedicated, half pooled, on one core");
    let mut first = None;
    for tenants in FLEETS {
        let fleet = Fleet::of(tenants)?;
        let assignments: usize =
            fleet.evidence.listings.iter().map(|one| one.assignments.shown().map_or(0, Vec::len)).sum();
        let begun = measure::now();
        let reports = judge(&fleet.judged_tenants, &fleet.evidence, &fleet.allow);
        let millis = measure::millis_since(begun);
        let verified = reports.iter().filter(|report| report.verdict == IsolationVerdict::Verified).count();
        let each = millis * 1000.0 / tenants as f64;
        let growth = each / *first.get_or_insert(each);
        line(format_args!(
            "  {tenants} tenants, {assignments} assignments: {:.2} s, {each:.0} us each, {growth:.2} times the first; {verified} \
             verified{}",
            millis / 1000.0,
            if tenants == 10_000 { " (target: below 10 s)" } else { "" },
        ));
        if verified != tenants {
            return Err("not all of a right fleet were verified".into());
        }
    }
    Ok(())
}

struct Fleet {
    judged_tenants: Vec<JudgedTenant>,
    evidence: Evidence,
    allow: AllowList,
}

impl Fleet {
    /// A fleet of renamed copies of the base's tenants, each with ids and a resource group of its own. As in Azure, a
    /// subscription has room for only 4000 role assignments, so every 500 tenants have a subscription of their own,
    /// with the shared objects.
    fn of(tenants: usize) -> Outcome<Self> {
        const PER_SUBSCRIPTION: usize = 500;
        let base: Value = serde_json::from_str(BASE)?;
        let allow: Vec<Allowed> = serde_json::from_value(base["allow"].clone())?;
        let mut fleet = Self {
            judged_tenants: Vec::with_capacity(tenants),
            evidence: Evidence::default(),
            allow: AllowList::new(&allow),
        };
        let built_in: Value = serde_json::from_str(BUILT_IN)?;
        for (id, role) in built_in.as_object().into_iter().flatten() {
            fleet.evidence.roles.insert(id.clone(), Reading::Shown(serde_json::from_value(role.clone())?));
        }
        for start in (0..tenants).step_by(PER_SUBSCRIPTION) {
            let mut assignments: Vec<Assignment> = Vec::new();
            let mut scope = String::new();
            for number in (start..tenants.min(start + PER_SUBSCRIPTION)).step_by(2) {
                // One dedicated and one pooled tenant: the first and the third of the base.
                let part = Part::of(&base, start / PER_SUBSCRIPTION, number)?;
                scope = part.scope;
                fleet.judged_tenants.extend(part.judged_tenants);
                fleet.evidence.resources.extend(part.evidence.resources);
                fleet.evidence.identity_credentials.extend(part.evidence.identity_credentials);
                fleet.evidence.applications.extend(part.evidence.applications);
                fleet.evidence.roles.extend(part.evidence.roles);
                assignments.extend(part.assignments);
            }
            assignments.sort_by(|a, b| a.id.cmp(&b.id));
            assignments.dedup_by(|a, b| a.id == b.id);
            fleet.evidence.listings.push(Listing {
                scope,
                of: None,
                assignments: Reading::Shown(assignments),
            });
        }
        Ok(fleet)
    }
}

/// Two renamed tenants of the base, with their evidence.
struct Part {
    scope: String,
    judged_tenants: Vec<JudgedTenant>,
    evidence: Evidence,
    assignments: Vec<Assignment>,
}

impl Part {
    fn of(base: &Value, subscription: usize, number: usize) -> Outcome<Self> {
        let mut text = base["evidence"].to_string();
        let mut judged_tenants = json!([base["judged_tenants"][0], base["judged_tenants"][2]]).to_string();
        let mut renames =
            vec![("00000000a001".to_owned(), format!("{:012x}", 0xa_0000_0000_u64 + subscription as u64))];
        // Ids of a tenant's own principals begin at 0x1000 and 0x3000; 12 digits hold the number too.
        for (name, first) in [("ada", 0x1000_u64), ("cyd", 0x3000)] {
            renames.push((name.to_owned(), format!("{name}{number:05}")));
            for id in first..first + 10 {
                renames.push((format!("{id:012x}"), format!("{:07x}{id:05x}", number + 1)));
            }
        }
        for (from, to) in renames {
            text = text.replace(&from, &to);
            judged_tenants = judged_tenants.replace(&from, &to);
        }
        let mut evidence: Evidence = serde_json::from_str(&text)?;
        let judged_tenants: Vec<JudgedTenant> = serde_json::from_str(&judged_tenants)?;
        // The other two tenants of the base are left out, except for the shared objects.
        let others = |id: &str| ["bob", "dan"].iter().any(|name| id.contains(name));
        evidence.resources.retain(|id, _| !others(id));
        evidence.identity_credentials.retain(|id, _| !others(id));
        evidence.applications.retain(|id, _| !others(id));
        let listing = evidence.listings.pop().ok_or("the base has no list")?;
        let mut assignments = listing.assignments.shown().cloned().unwrap_or_default();
        assignments.retain(|one| !others(&one.scope));
        // The name of a role assignment is unique in the whole directory.
        for one in assignments
            .iter_mut()
            .filter(|one| one.scope.matches('/').count() > 2 && !one.scope.ends_with("rg-stamp"))
        {
            let _ = write!(one.id, "-{number}");
        }
        Ok(Self { scope: listing.scope, judged_tenants, evidence, assignments })
    }
}
