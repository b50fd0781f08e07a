//! Microsoft's API descriptions: loads them, and finds the operation of a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tenantry_core::steps::{Api, Method};

/// The namespace that Graph's description puts before the names of its own types and actions.
const NAMESPACE: &str = "microsoft.graph.";

/// The API description of one service in one version.
pub(crate) struct Description {
    pub(crate) service: String,
    pub(crate) document: Value,
    /// The service's API version, as the manifest of the descriptions states it.
    pub(crate) version: String,
    /// The manifest's additional rules for path parameters, by parameter name, collected over the whole service.
    rules: Value,
    api: Api,
}

/// All API descriptions that are compared with the program's requests.
pub(crate) struct Descriptions {
    folder: PathBuf,
    all: Vec<Description>,
}

/// An operation of a description, found for a request.
pub(crate) struct Operation<'a> {
    pub(crate) of: &'a Description,
    pub(crate) template: &'a str,
    path_item: &'a Value,
    pub(crate) details: &'a Value,
    /// The path parameters of the request: name and percent-decoded value.
    pub(crate) given: BTreeMap<String, String>,
}

pub(crate) fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

impl Descriptions {
    /// Loads the descriptions from `../shared/azure-specs`; `None` if that folder has no manifest.
    pub(crate) fn load() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/azure-specs");
        if !folder.join("MANIFEST.json").is_file() {
            return None;
        }
        let manifest = read(&folder.join("MANIFEST.json"));
        let services = manifest["services"].as_object().unwrap();
        let all = services.iter().filter_map(|(service, facts)| {
            let document = read(&folder.join(facts["file"].as_str()?));
            let api = match document["host"].as_str() {
                Some("management.azure.com") => Api::Arm,
                _ if service == "graph" => Api::Graph,
                // Data-plane APIs that the program does not call.
                _ => return None,
            };
            let version = facts["api_version"].as_str()?.to_owned();
            let rules = facts["path_parameter_rules"].clone();
            Some(Description { service: service.clone(), document, version, rules, api })
        });
        let all = all.collect();
        Some(Self { folder, all })
    }

    /// Finds the operation with this method whose path template matches `path`, which has no query.
    pub(crate) fn find(&self, api: Api, method: Method, path: &str) -> Result<Operation<'_>, String> {
        let path = match api {
            Api::Graph => path.strip_prefix("/v1.0").ok_or("Graph's paths begin with /v1.0")?,
            Api::Arm | Api::EventGrid => path,
        };
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let mut found: Option<(usize, Operation<'_>)> = None;
        for of in self.all.iter().filter(|description| description.api == api) {
            for (template, path_item) in of.paths() {
                let parts: Vec<&str> = template.split('?').next().unwrap().split('/').skip(1).collect();
                let mut given = BTreeMap::new();
                let literal = template.len() - placeholders(template);
                // Graph's description writes the namespace before the name of an action; Graph also accepts the
                // action without it.
                let action = |part: &&str| method == Method::Post && part.starts_with(NAMESPACE);
                let last = parts.last().copied().filter(action).map(|part| &part[NAMESPACE.len()..]);
                let short: Vec<&str> = parts.iter().copied().take(parts.len() - 1).chain(last).collect();
                if found.as_ref().is_none_or(|(best, _)| literal > *best)
                    && (matches(&parts, &segments, &mut given)
                        || (last.is_some() && matches(&short, &segments, &mut given)))
                {
                    found =
                        Some((literal, Operation { of, template, path_item, details: &Value::Null, given }));
                }
            }
        }
        let (_, mut operation) = found.ok_or_else(|| format!("no operation has the path {path}"))?;
        let name = method.to_string().to_lowercase();
        operation.details = operation
            .path_item
            .get(&name)
            .ok_or_else(|| format!("{} has no {method}", operation.template))?;
        Ok(operation)
    }

    /// Finds the PUT that creates a resource of a type, such as `Microsoft.ServiceBus/namespaces/queues`.
    pub(crate) fn making(&self, of: &str) -> Option<Operation<'_>> {
        let (provider, types) = of.split_once('/')?;
        let path: String = types.split('/').map(|part| format!("/{part}/{{}}")).collect();
        let last = match provider {
            "Microsoft.Resources" => path,
            _ => format!("/providers/{provider}{path}"),
        };
        let all = self.all.iter().filter(|description| description.api == Api::Arm);
        let mut all = all.flat_map(|of| of.paths().map(move |(template, item)| (of, template, item)));
        all.find_map(|(of, template, path_item)| {
            let bare: String = template
                .split('/')
                .skip(1)
                .map(|part| if part.starts_with('{') { "/{}".to_owned() } else { format!("/{part}") })
                .collect();
            let fits = bare.to_lowercase().ends_with(&last.to_lowercase());
            let details = path_item.get("put").filter(|_| fits)?;
            Some(Operation { of, template, path_item, details, given: BTreeMap::new() })
        })
    }

    /// The description of a service, by the service's name in the manifest.
    pub(crate) fn service(&self, name: &str) -> Option<&Description> {
        self.all.iter().find(|description| description.service == name)
    }

    /// Microsoft's examples for an operation: the file's path below the folder of the descriptions, and its content.
    pub(crate) fn examples(&self, service: &str, operation: &str) -> Vec<(String, Value)> {
        let Ok(files) = fs::read_dir(self.folder.join("examples").join(service)) else { return Vec::new() };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| name.starts_with(&format!("{operation}__"))).collect();
        names.sort();
        let named = names.into_iter().map(|name| format!("examples/{service}/{name}"));
        named.map(|path| (path.clone(), read(&self.folder.join(&path)))).collect()
    }

    /// The examples that violate Microsoft's own description: the key is the example's path.
    pub(crate) fn deviating(&self) -> Value {
        read(&self.folder.join("EXAMPLE_DEVIATIONS.json"))["deviating"].clone()
    }
}

impl Description {
    fn paths(&self) -> impl Iterator<Item = (&str, &Value)> {
        let of = |name: &str| self.document.get(name).and_then(Value::as_object).into_iter().flatten();
        let all = of("paths").chain(of("x-ms-paths")).map(|(template, item)| (template.as_str(), item));
        // Templates such as `/{resourceId}` are skipped: they would match any path.
        all.filter(|(template, _)| !template.starts_with("/{") || template.matches('/').count() > 1)
    }

    pub(crate) fn is_graph(&self) -> bool {
        self.api == Api::Graph
    }

    /// The target of a `$ref`; any other node is returned as it is.
    pub(crate) fn resolved<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            Some(link) => self.resolved(self.document.pointer(link.trim_start_matches('#')).unwrap()),
            None => node,
        }
    }
}

impl Operation<'_> {
    /// The service's name and the operation id, which together identify an operation.
    pub(crate) fn id(&self) -> (String, String) {
        (self.of.service.clone(), self.details["operationId"].as_str().unwrap().to_owned())
    }

    /// The operation's parameters: location (`path`, `query`, `header`, `body`), name and declaration.
    pub(crate) fn parameters(&self) -> Vec<(&str, &str, &Value)> {
        let lists = [&self.path_item["parameters"], &self.details["parameters"]];
        let all = lists.into_iter().filter_map(Value::as_array).flatten();
        all.map(|parameter| self.of.resolved(parameter))
            .map(|parameter| {
                (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap(), parameter)
            })
            .collect()
    }

    /// The manifest's rules for a path parameter. A value has to follow at least one of them, if there are any.
    pub(crate) fn rules(&self, name: &str) -> Vec<&Value> {
        self.of.rules.get(name).and_then(Value::as_array).into_iter().flatten().collect()
    }

    /// The schema of the request's body, and whether a body is required.
    pub(crate) fn body(&self) -> Option<(&Value, bool)> {
        let required = |node: &Value| node.get("required") == Some(&Value::Bool(true));
        if let Some(body) = self.details.get("requestBody").map(|body| self.of.resolved(body)) {
            return Some((body.pointer("/content/application~1json/schema")?, required(body)));
        }
        let (_, _, body) = self.parameters().into_iter().find(|(location, ..)| *location == "body")?;
        Some((&body["schema"], required(body)))
    }

    fn declared(&self, status: u16) -> Option<&Value> {
        let family = format!("{}XX", status / 100);
        let all = &self.details["responses"];
        let response = all.get(status.to_string()).or_else(|| all.get(family));
        let response = response.or_else(|| all.get("default").filter(|_| status >= 400))?;
        Some(self.of.resolved(response))
    }

    /// The names of the headers that are declared for a status, in lower case.
    pub(crate) fn headers(&self, status: u16) -> BTreeSet<String> {
        let headers = self.declared(status).and_then(|declared| declared.get("headers")?.as_object());
        headers.into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect()
    }

    /// The schema of the answer with this status: `None` if the status is not declared, `Some(None)` if the answer
    /// has no body.
    pub(crate) fn response(&self, status: u16) -> Option<Option<&Value>> {
        let response = self.declared(status)?;
        Some(response.get("schema").or_else(|| response.pointer("/content/application~1json/schema")))
    }
}

/// The number of characters in a path template that belong to placeholders.
fn placeholders(template: &str) -> usize {
    template.split('{').skip(1).filter_map(|rest| Some(rest.find('}')? + 2)).sum()
}

/// Whether a path template matches a path, both split at slashes. Fills `given` with the path parameters. A parameter
/// such as `scope` or `resourceId` spans several segments.
fn matches(parts: &[&str], segments: &[&str], given: &mut BTreeMap<String, String>) -> bool {
    let (Some((part, parts)), Some(first)) = (parts.split_first(), segments.first()) else {
        return parts.is_empty() && segments.is_empty();
    };
    let Some((before, rest)) = part.split_once('{') else {
        return part.eq_ignore_ascii_case(first) && matches(parts, &segments[1..], given);
    };
    let (name, after) = rest.split_once('}').unwrap();
    let spans = ["scope", "resourceId", "resourceUri"].contains(&name);
    (1..=if spans { segments.len() } else { 1 }).any(|count| {
        let (taken, left) = segments.split_at(count);
        let taken = taken.join("/");
        let value = taken.strip_prefix(before).and_then(|value| value.strip_suffix(after));
        let Some(value) = value.filter(|value| !value.is_empty()) else { return false };
        given.insert(name.to_owned(), percent_decode_str(value).decode_utf8().unwrap().into_owned());
        matches(parts, left, given)
    })
}
