//! The names of Azure objects: each tenant has names of its own, whatever its id, and every name fits the rule of its
//! type.
//!
//! The ids are similar to each other: they differ only in the middle, at the end, in hyphens or in one letter. Each
//! is combined with several incarnations, deployments and steps. No combination occurs twice, so no name may.

use std::collections::BTreeSet;

use tenantry_core::{
    blueprint::{NameRule, Owner, ResourceType, derive_name},
    ids::TenantId,
};

use crate::{arguments::Arguments, draw::Draw, run::Outcome};

/// The number of names in a test. A long run makes as many as it is given, or as many as its time allows, at most
/// `MOST`.
const NAMES: u64 = 100_000;
const MOST: u64 = 10_000_000;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut outcome = Outcome::default();
    let rules = rules();
    let (mut draw, mut owners, mut made) = (Draw::new(arguments.seed), BTreeSet::new(), Vec::new());
    for n in arguments.budget(NAMES).take_while(|n| *n < MOST) {
        let n = usize::try_from(n).unwrap();
        let (id, incarnation, deployment, slot) = alike(n, &mut draw);
        let tenant: TenantId = id.parse().unwrap();
        let owner = Owner { deployment, tenant: &tenant, incarnation };
        for (kind, rule) in &rules {
            if let Some(fault) = misfit(rule, &derive_name(rule, kind, owner, slot)) {
                outcome.faults.push(format!("{kind} of {id}: {fault}"));
            }
        }
        // The name of one type is compared per owner, with the types in rotation. Azure ignores case.
        let (kind, rule) = &rules[n % rules.len()];
        let name = derive_name(rule, kind, owner, slot).to_lowercase();
        made.push(fingerprint(kind, &name));
        if n < 20_000 {
            owners.insert((id, incarnation, deployment, slot));
        }
        if outcome.faults.len() > 5 {
            break;
        }
    }
    assert_eq!(owners.len(), made.len().min(20_000), "the owners are not all different");
    outcome.inputs = made.len() as u64;
    made.sort_unstable();
    made.dedup();
    outcome.verdicts = made.len();
    if made.len() as u64 != outcome.inputs {
        outcome.faults.push(format!(
            "{} of {} names are shared",
            outcome.inputs - made.len() as u64,
            outcome.inputs
        ));
    }
    outcome
}

fn rules() -> Vec<(&'static str, NameRule)> {
    let rows = ResourceType::all().filter_map(|row| Some((row.name, row.names?)));
    // Types that have no row in the table of resource types, applications and credentials.
    let further = [
        ("Contoso.Test/things", 50, "t"),
        ("entra-application", 120, "app"),
        ("federated-credential", 120, "fc"),
    ];
    let further =
        further.map(|(kind, most, prefix)| (kind, NameRule { length: (3, most), hyphen: true, prefix }));
    rows.chain(further).collect()
}

/// The n-th owner of an object: tenant id, incarnation, deployment and step. The id encodes `n` so that it differs
/// from the ids of its neighbours in few letters.
fn alike(n: usize, draw: &mut Draw) -> (String, u32, &'static str, &'static str) {
    const SLOTS: [&str; 4] = ["group", "group_", "store", "s"];
    const DEPLOYMENTS: [&str; 3] = ["prod", "prod-1", "p"];
    let (n, own) = (n / 24, n % 24);
    // The ids consist of two letters only, because some name rules drop or merge hyphens.
    let digits: String = (0..24).map(|bit| if n >> bit & 1 == 1 { 'a' } else { '-' }).collect();
    let id = match n % 5 {
        0 => format!("x{digits}z"),
        1 => format!("x2345678901{n:020x}z"),
        2 => format!("a{n:x}-{}b", "-".repeat(draw.below(8))),
        3 => format!("contoso{}", digits.replace('-', "0")),
        _ => format!("t{n:0>30}"),
    };
    (id, 1 + u32::try_from(own / 12).unwrap_or_default(), DEPLOYMENTS[own % 3], SLOTS[own / 3 % 4])
}

/// How a name violates its type's rule or the limits that Microsoft sets for the names of all types; `None` if it
/// fits.
fn misfit(rule: &NameRule, name: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || (rule.hyphen && b == b'-');
    if !(rule.length.0..=rule.length.1).contains(&name.len()) {
        return Some(format!("{name} has {} characters", name.len()));
    }
    let hash = &name[name.len() - 16..];
    let fits = name.bytes().all(plain)
        && name.starts_with(rule.prefix)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.contains("--")
        && !name.ends_with('-')
        && hash.bytes().all(|b| b.is_ascii_alphanumeric());
    (!fits).then(|| format!("{name} is no name for it"))
}

/// A 64-bit hash of a kind and a name. Among ten million, two collide by chance in one of three hundred thousand
/// runs.
fn fingerprint(kind: &str, name: &str) -> u64 {
    Draw::of(format!("{kind}/{name}").as_bytes()).next()
}
