//! Types of resources that the generic kinds never make: they give power over others, or run what is written in them
//! with the rights of whoever makes them.
//!
//! Sources: Microsoft, "Azure resource providers and types", and the documentation of each provider.

use crate::ids::ResourceId;

/// What a type begins with, word by word, and why it is refused. Compared without case.
const FORBIDDEN: [(&str, &str); 22] = [
    ("Microsoft.Authorization", "it grants power; a role is granted by a step of kind `role-assignment`"),
    ("Microsoft.ManagedServices", "it lets another directory manage this one's subscription"),
    ("Microsoft.Management", "management groups are above every tenant"),
    ("Microsoft.Subscription", "subscriptions are above every tenant"),
    ("Microsoft.Billing", "it is the company's contract"),
    ("Microsoft.BillingBenefits", "it is the company's contract"),
    ("Microsoft.Capacity", "it is the company's contract"),
    ("Microsoft.Blueprint", "it carries out templates, which can do anything"),
    ("Microsoft.Solutions", "it carries out templates, which can do anything"),
    ("Microsoft.ResourceGraph", "it reads beyond the tenant"),
    ("Microsoft.PolicyInsights", "it carries out what policies say"),
    ("Microsoft.GuestConfiguration", "it runs code in machines"),
    ("Microsoft.Automation", "it runs code with an identity of its own"),
    ("Microsoft.Features", "it changes what the whole subscription can do"),
    ("Microsoft.Support", "it speaks in the company's name"),
    ("Microsoft.AAD", "it is a directory of its own"),
    ("Microsoft.AzureActiveDirectory", "it is a directory of its own"),
    ("Microsoft.Deployment", "it carries out templates, which can do anything"),
    ("Microsoft.VirtualMachineImages", "it runs code with an identity of its own"),
    ("Microsoft.KeyVault/vaults/accessPolicies", "it replaces roles by access policies"),
    ("Microsoft.KeyVault/vaults/secrets", "it would put a secret into the blueprint"),
    ("Microsoft.DevTestLab", "it runs code in machines"),
];
/// Of this provider only groups are made: deployments, stacks, scripts and template specs carry out templates or
/// code, and its tags would forge the marks of ownership.
const RESOURCES: &str = "Microsoft.Resources";

/// Why a type is not made by a generic kind, or `None` if it is.
pub(super) fn objection(of: &str) -> Option<&'static str> {
    let words: Vec<&str> = of.split('/').collect();
    let begins = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() <= words.len() && known.iter().zip(&words).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if begins(RESOURCES) {
        let groups = words.len() == 2 && words[1].eq_ignore_ascii_case("resourceGroups");
        return (!groups).then_some("it carries out templates or code, or forges marks of ownership");
    }
    // Words that have a meaning of their own in an id: a type with one is another type in disguise.
    let is_disguise =
        |word: &&str| ["providers", "subscriptions"].iter().any(|w| w.eq_ignore_ascii_case(word));
    if words.iter().any(is_disguise) {
        return Some("it is another type in disguise");
    }
    FORBIDDEN.iter().find(|(known, _)| begins(known)).map(|(_, why)| *why)
}

/// Why a resource with this id is not made by a generic kind, by any of the types in it.
pub(super) fn objection_to(id: &ResourceId) -> Option<&'static str> {
    id.types().iter().find_map(|of| objection(of))
}
