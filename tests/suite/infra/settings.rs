//! The function app's settings: names that somebody reads, values that the program takes, stamps that blueprints can use.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into is taken as a whole")]

use std::collections::{BTreeMap, BTreeSet};

use azure_sim::{BLOB_READER_ROLE, TOPIC, local_stamp};
use serde_json::{Map, Value, json};
use tenantry::{
    config::{Config, Identity, Quarantine, SETTINGS, WakeUps},
    host::Function,
};
use tenantry_core::blueprint::DEFAULT;

use super::{
    bicep::{Expr, Kind, Object, Part},
    templates::{Infra, file},
};

/// What the Functions platform reads; Microsoft, "App settings reference for Azure Functions" and "Connecting to host
/// storage with an identity".
pub(crate) const PLATFORM: [&str; 7] = [
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "ServiceBus__credential",
    "ServiceBus__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
];

/// The settings, those that are there under a condition too.
pub(crate) fn settings(infra: &Infra) -> BTreeMap<String, Expr> {
    let app = infra.template("modules/app.bicep");
    let settings = app.resources().into_iter().find(|one| one.name == "settings").unwrap();
    let Some(Expr::Call(_, parts)) = settings.at(&["properties"]) else { panic!("settings are a union") };
    let mut found = BTreeMap::new();
    for part in parts {
        let Object { members, .. } = match part {
            Expr::Choice(_, _, there) => there.object().unwrap(),
            other => other.object().unwrap(),
        };
        found.extend(members.iter().map(|(name, value)| (name.text().unwrap().to_owned(), value.clone())));
    }
    found
}

/// Each is read by the program or the platform, and told of; each that has to be there is there.
pub(crate) fn known(infra: &Infra) -> Vec<String> {
    let settings = settings(infra);
    let own: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let page = file("docs/deploy.md");
    let mut wrong = Vec::new();
    for name in settings.keys() {
        if !own.contains(name.as_str()) && !PLATFORM.contains(&name.as_str()) {
            wrong.push(format!("nobody reads the setting {name}"));
        }
        if PLATFORM.contains(&name.as_str()) && !page.contains(&format!("`{name}`")) {
            wrong.push(format!("docs/deploy.md leaves out {name}"));
        }
    }
    let wanted = SETTINGS.iter().filter(|setting| setting.default.contains("required in the Azure world"));
    let mut needed: BTreeSet<String> = wanted
        .map(|setting| setting.name.to_owned())
        // Either stands for the other.
        .filter(|name| name != "TENANTRY_SERVICE_BUS")
        .collect();
    for function in Function::ALL {
        let text = file(&format!("{}/function.json", function.name()));
        let bindings: Value = serde_json::from_str(&text).unwrap();
        for connection in
            bindings["bindings"].as_array().unwrap().iter().filter_map(|one| one["connection"].as_str())
        {
            needed.extend(
                ["fullyQualifiedNamespace", "credential", "clientId"].map(|of| format!("{connection}__{of}")),
            );
        }
    }
    let missing = needed.iter().filter(|name| !settings.contains_key(*name));
    wrong.extend(missing.map(|name| format!("the setting {name} has to be there")));
    wrong
}

/// What an expression might come to in a deployment.
fn value(expr: &Expr, given: &dyn Fn(&str) -> Value) -> Value {
    match expr {
        Expr::Text(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Plain(text) => text.clone(),
                Part::Hole(hole) => value(hole, given).as_str().unwrap_or_default().to_owned(),
            })
            .collect::<String>()
            .into(),
        Expr::Object(object) => {
            let members = object.members.iter().map(|(key, of)| (key.shown(), value(of, given)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Expr::Array(items) => items.iter().map(|one| value(one, given)).collect(),
        Expr::Choice(_, _, there) => value(there, given),
        Expr::Call(of, with) => {
            let with: Vec<Value> = with.iter().map(|one| value(one, given)).collect();
            match (of.shown().as_str(), with.as_slice()) {
                ("string", [of]) => of.to_string().into(),
                ("join", [of, _]) => of
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join(",")
                    .into(),
                ("replace", [of, from, to]) => {
                    of.as_str().unwrap().replace(from.as_str().unwrap(), to.as_str().unwrap()).into()
                }
                ("concat", parts) => parts.iter().flat_map(|one| one.as_array().unwrap().clone()).collect(),
                ("union", parts) => parts
                    .iter()
                    .flat_map(|one| one.as_object().unwrap().clone())
                    .collect::<Map<_, _>>()
                    .into(),
                _ => given(&expr.shown()),
            }
        }
        other => given(&other.shown()),
    }
}

/// A GUID for each name, always the same.
fn guid(of: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, of.as_bytes()).to_string()
}

/// What stamp.bicep gives back.
fn made_stamp(infra: &Infra) -> Value {
    let output = infra.template("stamp.bicep").find(Kind::Output, "stamp").unwrap().body.clone().unwrap();
    value(&output, &|shown| match shown {
        "subscription().subscriptionId" | "tenant().tenantId" | "scorer.name" | "probePrincipalId" => {
            guid(shown).into()
        }
        "blobReader" => infra
            .template("stamp.bicep")
            .find(Kind::Var, "blobReader")
            .unwrap()
            .body
            .as_ref()
            .unwrap()
            .shown()
            .into(),
        "roleDefinitions" => {
            format!("/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions", guid("s")).into()
        }
        "pooled" => local_stamp()["pooled"].clone(),
        "name" => "prod-01".into(),
        other => format!("of-{other}").into(),
    })
}

/// The program starts in the Functions platform with these settings, and understands them as they are meant.
pub(crate) fn taken(infra: &Infra) -> Vec<String> {
    let mut given: BTreeMap<String, String> =
        BTreeMap::from([("WEBSITE_INSTANCE_ID".to_owned(), "x".to_owned())]);
    for (name, of) in settings(infra) {
        let value = value(&of, &|shown| match shown {
            "deployment" => "prod".into(),
            "eventsTopicName" => TOPIC.into(),
            "quarantine" => "take-back".into(),
            "heal" => "isolation,availability".into(),
            "environment().suffixes.storage" => "core.windows.net".into(),
            "stamps" => json!([made_stamp(infra)]),
            "isolationAllow" => json!([{"principal": guid("break-glass"), "why": "break-glass"}]),
            "eventTopics" => json!(["/subscriptions/x/topics/evgt-shop"]),
            "eventGridTopic.properties.endpoint" => {
                "https://evgt.westeurope-1.eventgrid.azure.net/api/events".into()
            }
            identity if identity.ends_with("Id") => guid(identity).into(),
            other => format!("of-{}", other.to_lowercase().replace('.', "-")).into(),
        });
        given.insert(name, value.as_str().unwrap_or_default().to_owned());
    }
    let config = match Config::read(|name| given.get(name).cloned()) {
        Ok(config) => config,
        Err(faults) => return faults.iter().map(ToString::to_string).collect(),
    };
    let Some(azure) = config.azure else { return vec!["this is the local world".to_owned()] };
    let managed = |of: &str| Some(Identity::Managed { client_id: Some(guid(&format!("{of}.clientId"))) });
    let allowed: Vec<Option<String>> =
        config.isolation.allow.iter().map(|one| one.principal.clone()).collect();
    let ours = ["provisioner.principalId", "remover.principalId", "break-glass"].map(|of| Some(guid(of)));
    let held = [
        ("the deployment", config.deployment == "prod"),
        ("the provisioner", Some(azure.identity) == managed("provisioner")),
        ("the remover", azure.remover == managed("remover")),
        ("the probe", azure.probe.is_some_and(|probe| probe.client_id == guid("probe.clientId"))),
        ("the tables", azure.tables.host_str().is_some_and(|host| host.starts_with("of-statestorage"))),
        ("the topic", azure.events_topic.as_deref() == Some(TOPIC)),
        ("Event Grid", azure.event_grid.is_some_and(|url| url.path() == "/")),
        ("wake-ups", azure.wake_ups == WakeUps::Queue),
        ("quarantine", config.isolation.quarantine == Quarantine::TakeBack),
        ("who may besides", allowed == ours),
        ("what is healed", config.heal.len() == 2),
        ("topics", config.event_topics.len() == 1),
        ("stamps", azure.stamps.len() == 1),
    ];
    held.iter()
        .filter(|(_, good)| !good)
        .map(|(what, _)| format!("{what}: not understood as meant"))
        .collect()
}

/// It has the members of the local world's stamp, and those that the built-in blueprint names; its roles are what
/// blueprints grant.
pub(crate) fn stamp(infra: &Infra) -> Vec<String> {
    let (made, local) = (made_stamp(infra), local_stamp());
    let names = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let mut wrong = Vec::new();
    if names(&made) != names(&local) {
        wrong.push(format!("the stamp has {:?}, the local one {:?}", names(&made), names(&local)));
    }
    let word =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap().to_owned();
    for path in DEFAULT.split("stamp.").skip(1).map(word).filter(|path| !path.is_empty()) {
        if made.pointer(&format!("/{}", path.replace('.', "/"))).is_none() {
            wrong.push(format!("the built-in blueprint asks for stamp.{path}"));
        }
    }
    let template = infra.template("stamp.bicep");
    let role = |name: &str| made[name].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    if role("blobReaderRoleId") != BLOB_READER_ROLE {
        wrong.push(format!(
            "blobReaderRoleId is {}, and not Storage Blob Data Reader",
            role("blobReaderRoleId")
        ));
    }
    let scorer = template.resources().into_iter().find(|one| one.name == "scorer").unwrap();
    let granted = &scorer.at(&["properties", "permissions"]).unwrap().items()[0];
    let actions: Vec<String> = granted.member("actions").unwrap().items().iter().map(Expr::shown).collect();
    if actions != ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"] {
        wrong.push(format!("a tenant may {actions:?}, and not just call"));
    }
    let permissions = template.find(Kind::Module, "permissions").unwrap();
    let may: Vec<String> =
        permissions.at(&["params", "grantedRoleIds"]).unwrap().items().iter().map(Expr::shown).collect();
    if may != ["blobReader", "scorer.name"] {
        wrong.push(format!("the provisioner may grant {may:?}, and not the stamp's roles"));
    }
    wrong
}
