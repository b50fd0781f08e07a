//! Compares the resources of infra/ with Microsoft's descriptions: type, version, members and values.

use std::collections::BTreeSet;

use jsonschema::Draft;
use serde_json::{Map, Value, json};

use crate::{
    Recorded,
    bicep::{Declaration, Expr, Part},
    description::{Description, Descriptions},
    schema::{Way, plain},
    templates::Infra,
};

/// Members of a Bicep resource that are not part of the body that Azure receives.
const BESIDE: [&str; 4] = ["name", "parent", "scope", "dependsOn"];

/// Resource types without an operation of their own in the descriptions: type, service, and the definition that
/// describes the type as part of another one.
const INSIDE: [(&str, &str, &str); 4] = [
    ("Microsoft.Network/natGateways", "network", "NatGateway"),
    ("Microsoft.Network/networkSecurityGroups", "network", "NetworkSecurityGroup"),
    ("Microsoft.Network/publicIPAddresses", "network", "PublicIPAddress"),
    ("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "network", "VirtualNetworkPeering"),
];

/// Types that the available descriptions leave out, so that they are not compared. Bicep's own types check their
/// members.
const NOT_DESCRIBED: [&str; 11] = [
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.Insights/workbooks",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    // Child resources that are declared inside the site, without a provider in their type.
    "basicPublishingCredentialsPolicies",
    "config",
];

/// The placeholder for a value that is known only when the template is deployed.
fn unknown() -> Value {
    json!({"unknown until": "it is deployed"})
}

/// The JSON body of a Bicep expression with the values that are known. Of a conditional's two alternatives, `first`
/// selects the first or the second. `None` if the expression is null.
fn body(expr: &Expr, first: bool) -> Option<Value> {
    Some(match expr {
        Expr::Null => return None,
        Expr::Literal(text) => serde_json::from_str(text).unwrap_or_else(|_| unknown()),
        Expr::Text(parts) if parts.iter().any(|part| matches!(part, Part::Hole(_))) => unknown(),
        Expr::Text(_) => expr.shown().into(),
        Expr::Array(items) => items.iter().filter_map(|item| body(item, first)).collect(),
        Expr::For(_, _, element) => json!([body(element, first)?]),
        Expr::Choice(_, one, other) => return body(if first { one } else { other }, first),
        Expr::Object(object) => {
            let members =
                object.members.iter().filter_map(|(key, value)| Some((key.shown(), body(value, first)?)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Expr::Name(_) | Expr::Member(..) | Expr::Index(..) | Expr::Call(..) | Expr::Sides(..) => unknown(),
    })
}

fn faults(of: &Description, schema: &Value, body: &Value) -> Vec<String> {
    let schema = plain(of, schema, Way::Template);
    let validator = jsonschema::options().with_draft(Draft::Draft4).build(&schema).unwrap();
    let known = |at: &str| body.pointer(at) != Some(&unknown());
    let errors =
        validator.iter_errors(body).map(|error| (error.instance_path().to_string(), error.to_string()));
    errors.filter(|(at, _)| known(at)).map(|(at, error)| format!("{error} at {at:?}")).collect()
}

/// The body of a resource. For a resource in a loop, the body of the loop's element.
fn element(resource: &Declaration) -> &Expr {
    match resource.body.as_ref() {
        Some(Expr::For(_, _, element)) => element,
        Some(body) => body,
        None => panic!("{} has no body", resource.name),
    }
}

/// The differences between a resource and the description of its type; `None` if its type is not described.
fn wrong(descriptions: &Descriptions, resource: &Declaration, of: &str) -> Option<Vec<String>> {
    let (_, version) = resource.of.split_once('@').unwrap_or_default();
    let inside = INSIDE.iter().find(|(name, ..)| *name == of);
    let operation = descriptions.making(of);
    let (description, schema) = match (&operation, inside) {
        (Some(operation), _) => (operation.of, operation.body()?.0.clone()),
        (None, Some((_, service, definition))) => {
            let link = json!({"$ref": format!("#/definitions/{definition}")});
            (descriptions.service(service)?, link)
        }
        (None, None) => return None,
    };
    let mut wrong = Vec::new();
    if version != description.version {
        wrong.push(format!("{of}: the version is {version}, not {}", description.version));
    }
    for first in [true, false] {
        let mut body = body(element(resource), first).unwrap();
        let members = body.as_object_mut().unwrap();
        BESIDE.iter().for_each(|name| drop(members.remove(*name)));
        let found = faults(description, &schema, &body);
        wrong.extend(found.into_iter().map(|fault| format!("{of} {}: {fault}", resource.name)));
    }
    Some(wrong)
}

/// Compares all resources: the differences, the number of compared resources, and the types that are not described.
fn compare(descriptions: &Descriptions, infra: &Infra) -> (Vec<String>, usize, BTreeSet<String>) {
    let (mut faults, mut compared, mut left) = (Vec::new(), 0, BTreeSet::new());
    let all = infra.templates.iter().flat_map(|template| template.resources());
    for resource in all.filter(|resource| !resource.existing) {
        let of = resource.of.split('@').next().unwrap();
        match wrong(descriptions, resource, of) {
            Some(found) => {
                compared += 1;
                faults.extend(found);
            }
            None => _ = left.insert(of.to_owned()),
        }
    }
    (faults, compared, left)
}

/// Every resource of `infra/` whose type is described matches its description.
pub(crate) fn resources(recorded: &Recorded) -> String {
    let (faults, count, left) = compare(&recorded.descriptions, &Infra::read());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(left, NOT_DESCRIBED.map(str::to_owned).into(), "types that are not described");
    assert!(count > 40, "only {count} resources");
    format!("{count} resources; {} types are not described here", left.len())
}

/// The comparison finds each of these errors in a template: a wrong member, value, type or version, or a missing
/// member.
pub(crate) fn spoilt(recorded: &Recorded) -> String {
    let infra = Infra::read();
    let cases = [
        (
            "modules/messaging.bicep",
            "disableLocalAuth",
            "disableLocalAuths",
            "'disableLocalAuths' was unexpected",
        ),
        (
            "modules/messaging.bicep",
            "'Standard' : 'Premium'",
            "'Standard' : 'Premier'",
            "\"Premier\" is not one of",
        ),
        (
            "modules/messaging.bicep",
            "requiresSession: true",
            "requiresSession: 'yes'",
            "is not of type \"boolean\"",
        ),
        ("modules/messaging.bicep", "queues@2024-01-01", "queues@2021-11-01", "the version is 2021-11-01"),
        ("modules/storage.bicep", "'TLS1_2'", "'TLS1.2'", "\"TLS1.2\" is not one of"),
        (
            "modules/storage.bicep",
            "  sku: {\n    name: 'Standard_ZRS'\n  }\n",
            "",
            "\"sku\" is a required property",
        ),
        ("modules/events.bicep", "'Enabled' : 'Disabled'", "'Enabled' : 'Off'", "\"Off\" is not one of"),
        ("modules/network.bicep", "serviceName:", "service:", "'service' was unexpected"),
        ("modules/network.bicep", "direction: 'Inbound'", "direction: 'In'", "\"In\" is not one of"),
        ("modules/endpoints.bicep", "groupIds: [", "groupId: [", "'groupId' was unexpected"),
        (
            "modules/grants.bicep",
            "'ServicePrincipal'",
            "'ManagedIdentity'",
            "\"ManagedIdentity\" is not one of",
        ),
        (
            "modules/monitoring.bicep",
            "retentionInDays: 90",
            "retentionInDays: '90'",
            "\"90\" is not valid under any",
        ),
        ("modules/permissions.bicep", "assignableScopes", "scopes", "'scopes' was unexpected"),
        (
            "modules/dns.bicep",
            "registrationEnabled: false",
            "registration: false",
            "'registration' was unexpected",
        ),
    ];
    for (path, from, to, says) in cases {
        let (found, ..) = compare(&recorded.descriptions, &infra.spoilt(path, from, to));
        assert!(found.iter().any(|one| one.contains(says)), "{path}, {from:?} to {to:?}: {says}: {found:?}");
    }
    format!("{} faults", cases.len())
}
