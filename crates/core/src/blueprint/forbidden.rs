//! Resource types that steps of kind `arm` and `arm-update` never write: such resources give power over other tenants
//! or the subscription, or run code with the rights of their creator.
//!
//! Sources: Microsoft, "Azure resource providers and types", and the documentation of each provider.

use crate::ids::ResourceId;

/// Prefixes of refused resource types, and why they are refused. Compared segment by segment, without case.
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
/// Of this provider's types only resource groups are allowed: deployments, stacks, scripts and template specs run
/// templates or code, and the tags resource can forge ownership marks.
const RESOURCES: &str = "Microsoft.Resources";

/// Why an `arm` or `arm-update` step may not write a resource of the type `of`, or `None` if it may.
pub(super) fn objection(of: &str) -> Option<&'static str> {
    let segments: Vec<&str> = of.split('/').collect();
    let begins = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() <= segments.len() && known.iter().zip(&segments).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if begins(RESOURCES) {
        let groups = segments.len() == 2 && segments[1].eq_ignore_ascii_case("resourceGroups");
        return (!groups).then_some("it carries out templates or code, or forges marks of ownership");
    }
    // These segments have a meaning in ids: a type with one of them would yield the id of another type.
    let is_disguise =
        |segment: &&str| ["providers", "subscriptions"].iter().any(|w| w.eq_ignore_ascii_case(segment));
    if segments.iter().any(is_disguise) {
        return Some("it is another type in disguise");
    }
    FORBIDDEN.iter().find(|(known, _)| begins(known)).map(|(_, why)| *why)
}

/// Why an `arm` or `arm-update` step may not write the resource with this id, by any of the types in the id; `None` if
/// it may.
pub(super) fn objection_to(id: &ResourceId) -> Option<&'static str> {
    id.types().iter().find_map(|of| objection(of))
}
