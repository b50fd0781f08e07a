//! The identities in infra/ and their role assignments, compared with the roles that the program needs.

use std::collections::BTreeSet;

use azure_sim::local_stamp;
use tenantry::cli::permissions::{Format, PermissionsArgs, run};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    permissions::data_plane::ROLES,
};

use super::{
    bicep::{Expr, Kind},
    settings::settings,
    templates::Infra,
};

/// The scopes of the table of roles, each with the resource's symbolic name in grants.bicep and its Azure name.
const SCOPES: [(&str, &str, &str); 7] = [
    ("the queue tenant-requests", "requests", "tenant-requests"),
    ("the queue tenant-wakeups", "wakeups", "tenant-wakeups"),
    ("the host's own storage account (not that of the state)", "hostStorage", "hostStorageName"),
    ("the storage account of the state", "stateStorage", "stateStorageName"),
    ("the topic of TENANTRY_EVENTS_TOPIC, if set", "eventsTopic", "tenant-events"),
    ("the Event Grid topic of TENANTRY_EVENT_GRID, if set", "eventGridTopic", "eventGridTopicName"),
    ("Application Insights, if it takes no keys", "component", "componentName"),
];

/// The roles of other identities. Event Grid writes what it could not deliver into one container (Storage Blob Data
/// Contributor), and signup apps send requests (Azure Service Bus Data Sender).
const OTHERS: [(&str, &str, &str); 2] = [
    ("topic", "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "undelivered"),
    ("signup", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", "requests"),
];

/// The built-in roles are those of the program's table, at its scopes, for its identities.
pub(crate) fn roles(infra: &Infra) -> Vec<String> {
    let template = infra.template("modules/grants.bicep");
    let guids = template.find(Kind::Var, "roles").unwrap().body.clone().unwrap();
    let mut wrong = Vec::new();
    let mut held = BTreeSet::new();
    for one in infra.made("Microsoft.Authorization/roleAssignments") {
        let of = one.says(&["properties", "principalId"]);
        // Assignments of custom roles are printed by `tenantry permissions`; the function `permissions` below compares
        // them.
        let Some(who) = of.strip_suffix("PrincipalId").filter(|_| one.at(&["scope"]).is_some()) else {
            continue;
        };
        let role = one.says(&["properties", "roleDefinitionId"]);
        let role = role.rsplit_once("roles.").map_or("", |(_, rest)| rest.trim_end_matches(')'));
        let guid = guids.member(role).map(Expr::shown).unwrap_or_default();
        held.insert((who.to_owned(), guid, one.says(&["scope"])));
        let named = format!("guid({}.id, {of}, roles.{role})", one.says(&["scope"]));
        if one.says(&["name"]) != named || one.says(&["properties", "principalType"]) != "ServicePrincipal" {
            wrong.push(format!("{} is named {}, and not {named}", one.name, one.says(&["name"])));
        }
    }
    let mut should = BTreeSet::from(OTHERS.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    for role in &ROLES {
        let Some((_, resource, own)) = SCOPES.iter().find(|(scope, ..)| *scope == role.scope) else {
            wrong.push(format!("unknown scope: {}", role.scope));
            continue;
        };
        should.insert((role.identity.to_owned(), role.id.to_owned(), (*resource).to_owned()));
        let there = template.find(Kind::Resource, resource);
        if there.is_none_or(|there| !there.existing || there.says(&["name"]) != *own) {
            wrong.push(format!("{resource} is not {own}"));
        }
    }
    wrong.extend(should.difference(&held).map(|missing| format!("{missing:?} is not granted")));
    wrong.extend(held.difference(&should).map(|more| format!("{more:?} is granted, and nothing needs it")));
    wrong
}

/// There are four identities, all attached to the app, and each is used for its purpose.
pub(crate) fn identities(infra: &Infra) -> Vec<String> {
    const ALL: [&str; 4] = ["host", "provisioner", "remover", "probe"];
    let made: Vec<&str> = infra
        .made("Microsoft.ManagedIdentity/userAssignedIdentities")
        .iter()
        .map(|identity| identity.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    if made != ALL {
        wrong.push(format!("the identities are {made:?}"));
    }
    let app = infra.made("Microsoft.Web/sites")[0];
    let attached = app.at(&["identity", "userAssignedIdentities"]).and_then(Expr::object).unwrap();
    let attached: Vec<String> = attached.members.iter().map(|(key, _)| key.shown()).collect();
    if attached != ALL.map(|name| format!("${{{name}.id}}")) {
        wrong.push(format!("the app has {attached:?}"));
    }
    let settings = settings(infra);
    let reads = [
        ("AzureWebJobsStorage__clientId", "host.clientId"),
        ("ServiceBus__clientId", "host.clientId"),
        ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=${host.clientId};Authorization=AAD"),
        ("TENANTRY_CLIENT_ID", "provisioner.clientId"),
        ("TENANTRY_REMOVER_CLIENT_ID", "remover.clientId"),
        ("TENANTRY_PROBE_CLIENT_ID", "probe.clientId"),
    ];
    for (name, whose) in reads {
        let says = settings.get(name).map(Expr::shown).unwrap_or_default();
        if says != whose {
            wrong.push(format!("{name} is {says}, and not {whose}"));
        }
    }
    // A module's `xPrincipalId` belongs to the identity x; the topic has an identity of its own.
    for call in infra.template("main.bicep").declarations.iter().filter(|one| one.kind == Kind::Module) {
        let params = call.at(&["params"]).and_then(Expr::object).unwrap();
        for (key, value) in &params.members {
            let name = key.shown();
            let Some(who) = name.strip_suffix("PrincipalId") else { continue };
            let good = match who {
                "topic" => "events.outputs.principalId".to_owned(),
                who => format!("identities.outputs.{who}.principalId"),
            };
            if value.shown() != good {
                wrong.push(format!("{} is given {} as {name}", call.name, value.shown()));
            }
        }
    }
    wrong
}

/// modules/permissions.bicep is the output of the command that its first lines name.
pub(crate) fn permissions(infra: &Infra) -> Vec<String> {
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let blueprints = vec![blueprint.name().to_owned()];
    let args = PermissionsArgs {
        blueprints,
        format: Format::Bicep,
        tier: Vec::new(),
        stamp: None,
        url: None,
        held: false,
    };
    let mut printed = Vec::new();
    run(&args, &[blueprint], &[local_stamp()], &mut printed).unwrap();
    let (printed, kept) = (String::from_utf8(printed).unwrap(), &infra.texts["modules/permissions.bicep"]);
    let command = printed.lines().nth(1).unwrap().trim_start_matches(['/', ' ']);
    if printed == *kept {
        return Vec::new();
    }
    let changed = printed.lines().zip(kept.lines()).find(|(new, old)| new != old);
    vec![format!(
        "write modules/permissions.bicep again: `{command} > infra/modules/permissions.bicep`; {changed:?}"
    )]
}

/// Services with keys have key authentication disabled, and no file reads a key.
pub(crate) fn no_keys(infra: &Infra) -> Vec<String> {
    let mut wrong = Vec::new();
    for (of, path, value) in [
        ("Microsoft.Storage/storageAccounts", &["properties", "allowSharedKeyAccess"][..], "false"),
        ("Microsoft.Storage/storageAccounts", &["properties", "allowBlobPublicAccess"], "false"),
        ("Microsoft.ServiceBus/namespaces", &["properties", "disableLocalAuth"], "true"),
        ("Microsoft.EventGrid/topics", &["properties", "disableLocalAuth"], "true"),
        ("Microsoft.Insights/components", &["properties", "DisableLocalAuth"], "true"),
        ("Microsoft.OperationalInsights/workspaces", &["properties", "features", "disableLocalAuth"], "true"),
        ("basicPublishingCredentialsPolicies", &["properties", "allow"], "false"),
    ] {
        let made = infra.made(of);
        if made.is_empty() {
            wrong.push(format!("there is no {of}"));
        }
        let open = made.into_iter().filter(|one| one.says(path) != value);
        wrong.extend(open.map(|one| format!("{of} {}: {} is not {value}", one.name, path.join("."))));
    }
    for (path, text) in &infra.texts {
        let asks = ["listKeys", "AccountKey", "SharedAccessKey", "listConnectionStrings", "listSecrets"];
        wrong.extend(
            asks.iter().filter(|call| text.contains(**call)).map(|call| format!("{path} has {call}")),
        );
    }
    wrong
}
