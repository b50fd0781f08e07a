//! azure.yaml compared with the templates: what azd needs exists under the name that azure.yaml uses.

use serde_json::Value;

use super::{
    bicep::{Expr, Kind},
    templates::{Infra, file, root},
};
use crate::isolation::yaml;

/// Adds the commands of all hooks of azure.yaml.
fn commands(of: &Value, found: &mut Vec<String>) {
    match of {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if name == "run" => found.push(text.to_owned()),
            _ => commands(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| commands(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(crate) fn azd(infra: &Infra) -> Vec<String> {
    let azd = yaml::value(&file("azure.yaml"));
    let mut wrong = Vec::new();
    let mut must = |good: bool, what: &str| {
        if !good {
            wrong.push(what.to_owned());
        }
    };
    let says = |at: &str| azd.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let services = azd["services"].as_object().unwrap();
    must(services.len() == 1, "azure.yaml has one service");
    let (service, of) = services.iter().next().unwrap();
    must(
        of["host"] == "function" && of["language"] == "custom",
        "the service is a function app, built by us",
    );
    must(
        of["dist"] == "target/package/tenantry.zip",
        "azd deploys the file that `cargo xtask package` writes",
    );
    let module = format!("{}/{}.bicep", says("/infra/path"), says("/infra/module"));
    must(root().join(&module).is_file(), "azd's module exists");

    let app = infra.made("Microsoft.Web/sites")[0];
    let tag = "union(tags, {..})";
    let own = app.at(&["tags"]);
    let named = match own {
        Some(Expr::Call(_, with)) if own.is_some_and(|tags| tags.shown() == tag) => {
            with[1].member("azd-service-name").map(Expr::shown)
        }
        _ => None,
    };
    must(named.as_deref() == Some(service), "the app's tag azd-service-name names the service of azure.yaml");
    let main = infra.template("main.bicep");
    let tags = main.find(Kind::Var, "tags").and_then(|tags| tags.at(&["azd-env-name"]));
    must(
        tags.map(Expr::shown).as_deref() == Some("deployment"),
        "the group's tag azd-env-name is the environment",
    );
    let sample = infra.template("main.bicepparam").find(Kind::Param, "deployment").unwrap();
    let from = sample.body.as_ref().unwrap().shown();
    must(from.starts_with("readEnvironmentVariable(AZURE_ENV_NAME"), "the deployment is azd's environment");

    let mut all = Vec::new();
    commands(&azd, &mut all);
    must(all.len() == 4, "two hooks, for two kinds of shells");
    must(
        says("/services/tenantry/hooks/prepackage/posix/run") == "cargo xtask package",
        "the package is made first",
    );
    for command in all {
        for name in command
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|w| w.starts_with("TENANTRY_"))
        {
            must(main.find(Kind::Output, name).is_some(), &format!("main.bicep has no output {name}"));
        }
        for script in command.split_whitespace().filter(|argument| argument.starts_with("infra/")) {
            must(root().join(script).is_file(), &format!("there is no {script}"));
        }
    }
    wrong
}
