//! The function app's settings: each name is read, the program accepts the values, and blueprints can use the stamps.

#![expect(clippy::wildcard_enum_match_arm, reason = "other expressions are taken as a whole")]

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

/// The settings that the Functions platform reads; Microsoft, "App settings reference for Azure Functions" and
/// "Connecting to host storage with an identity".
pub(crate) const PLATFORM: [&str; 7] = [
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "ServiceBus__credential",
    "ServiceBus__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
];

/// The function app's settings with their values, conditional settings included.
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

/// Each setting is read by the program or the platform and documented; each required one is set.
pub(crate) fn known(infra: &Infra) -> Vec<String> {
    let settings = settings(infra);
    let own: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let page = file("docs/deploy.md");
    let mut wrong = Vec::new();
    for name in settings.keys() {
        if !own.contains(name.as_str()) && !PLATFORM.contains(&name.as_str()) {
            wrong.push(format!("nothing reads the setting {name}"));
        }
        if PLATFORM.contains(&name.as_str()) && !page.contains(&format!("`{name}`")) {
            wrong.push(format!("docs/deploy.md leaves out {name}"));
        }
    }
    let expected = SETTINGS.iter().filter(|setting| setting.default.contains("required for `azure`"));
    let mut needed: BTreeSet<String> = expected
        .map(|setting| setting.name.to_owned())
        // `TENANTRY_SERVICE_BUS` and the namespace setting are alternatives.
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
    wrong.extend(missing.map(|name| format!("the setting {name} is required")));
    wrong
}

/// A value that an expression may have in a deployment. `given` returns the values of names and of calls that are not
/// worked out here.
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

/// A GUID derived from a name.
fn guid(of: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, of.as_bytes()).to_string()
}

/// The stamp that stamp.bicep outputs.
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

/// The program starts on the Functions platform with these settings, and reads the intended values.
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
    let Some(azure) = config.azure else {
        return vec!["the settings select the local environment".to_owned()];
    };
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
        ("the allow list", allowed == ours),
        ("the kinds to heal", config.heal.len() == 2),
        ("topics", config.event_topics.len() == 1),
        ("stamps", azure.stamps.len() == 1),
    ];
    held.iter().filter(|(_, good)| !good).map(|(what, _)| format!("{what}: not the intended value")).collect()
}

/// The stamp has the members of the local environment's stamp and those that the built-in blueprint uses. Its roles are
/// those that blueprints grant.
pub(crate) fn stamp(infra: &Infra) -> Vec<String> {
    let (made, local) = (made_stamp(infra), local_stamp());
    let names = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let mut wrong = Vec::new();
    if names(&made) != names(&local) {
        wrong.push(format!("the stamp has {:?}, the local one {:?}", names(&made), names(&local)));
    }
    let path =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap().to_owned();
    for path in DEFAULT.split("stamp.").skip(1).map(path).filter(|path| !path.is_empty()) {
        if made.pointer(&format!("/{}", path.replace('.', "/"))).is_none() {
            wrong.push(format!("the built-in blueprint uses stamp.{path}"));
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
