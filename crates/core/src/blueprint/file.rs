//! The structure of the file: which keys there are, their types, and what each kind of step requires.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Kind,
    findings::{Findings, Position},
    parameter::Parameter,
    tree::{Key, Node, Shape},
};
use crate::{ids::StepName, spelling::did_you_mean};

/// The schema that this version reads.
pub(super) const SCHEMA: &str = "tenantry.blueprint/1";
/// The maximum number of steps of a blueprint.
pub(super) const MAX_STEPS: usize = 500;
/// The maximum number of parameters, of values and of exports of a blueprint.
const MAX_NAMES: usize = 200;

/// The content of a blueprint file.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) tiers: Vec<String>,
    pub(super) parameters: BTreeMap<String, (Position, Parameter)>,
    pub(super) values: BTreeMap<String, Node>,
    /// The valid steps, in the order of the file.
    pub(super) steps: Vec<Step>,
    /// The names of all steps, also of invalid ones.
    pub(super) step_names: BTreeSet<String>,
    pub(super) exports: BTreeMap<String, Node>,
}

/// One step of a blueprint file.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: StepName,
    pub(super) position: Position,
    pub(super) kind: Kind,
    pub(super) needs: Vec<(String, Position)>,
    /// The values of the keys of the step's kind, and of `when`.
    pub(super) keys: BTreeMap<String, Node>,
    pub(super) outputs: BTreeMap<String, String>,
}

impl File {
    /// The step with this name, if the file has it and it is valid.
    pub(super) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name.as_str() == name)
    }
}

impl Step {
    /// The value of a key, if the step has the key and its value is a text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.keys.get(field).and_then(Node::text)
    }

    /// The name of the step that a key such as `in` or `of` refers to; `None` if its value is an expression or an id.
    pub(super) fn target(&self, field: &str) -> Option<&str> {
        self.text(field).filter(|text| text.parse::<StepName>().is_ok())
    }

    /// The outputs that a step of this kind has without declaring them.
    pub(super) fn own_outputs(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Arm | Kind::ArmUpdate => &["id", "name"],
            Kind::EntraApplication | Kind::ServicePrincipal => &["id", "appId"],
            Kind::RoleAssignment | Kind::FederatedCredential => &["id"],
            Kind::Isolation => &["verdict", "digest"],
            Kind::Check => &[],
        }
    }
}

/// Required and optional keys of a kind, besides `kind`, `description`, `when`, `needs` and `outputs`.
fn keys(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::Arm => (&["type"], &["in", "name", "apiVersion", "location", "body"]),
        Kind::ArmUpdate => (&["of", "body"], &["undo"]),
        Kind::RoleAssignment => (&["scope", "role", "principal"], &[]),
        Kind::EntraApplication => (&["body"], &["uniqueName"]),
        Kind::ServicePrincipal => (&["of"], &["body"]),
        Kind::FederatedCredential => (&["of", "body"], &["name"]),
        Kind::Check => (&["expect"], &["of", "id", "apiVersion"]),
        Kind::Isolation => (&[], &["accept", "probe"]),
    }
}

const TOP: [&str; 9] =
    ["blueprint", "version", "schema", "description", "tiers", "parameters", "values", "steps", "exports"];
const COMMON: [&str; 5] = ["kind", "description", "when", "needs", "outputs"];

/// Reads the structure of a blueprint from its YAML tree. Each invalid part is left out, with a finding.
pub(super) fn read(root: &Node, findings: &mut Findings) -> File {
    let mut file = File::default();
    let Some(entries) = entries(root, "a blueprint", findings) else { return file };
    only(entries, &TOP, "a blueprint", findings);
    for required in ["blueprint", "version", "schema", "tiers", "steps"] {
        if root.get(required).is_none() {
            let hint = if required == "schema" { format!("write `schema: {SCHEMA}`") } else { String::new() };
            findings.error_with_hint(root.position, "missing-key", format!("`{required}` is missing"), hint);
        }
    }
    file.name = slug(root.get("blueprint"), "blueprint", is_slug, "a-z, 0-9 and hyphens", findings);
    file.version = slug(root.get("version"), "version", is_version, "three numbers such as 1.0.0", findings);
    file.description = root.get("description").and_then(Node::text).unwrap_or_default().trim().to_owned();
    schema(root.get("schema"), findings);
    file.tiers = slugs(root.get("tiers"), "tiers", findings);
    for (key, node) in section(root, "parameters", findings) {
        identifier(key, "a parameter", findings);
        if let Some(parameter) = super::file_parameter::read(key, node, &file.tiers, findings) {
            file.parameters.insert(key.text.clone(), (key.position, parameter));
        }
    }
    for (name, into) in [("values", &mut file.values), ("exports", &mut file.exports)] {
        for (key, node) in section(root, name, findings) {
            identifier(key, "a name here", findings);
            if matches!(node.shape, Shape::Text(..)) {
                into.insert(key.text.clone(), node.clone());
            } else {
                let what = node.what();
                findings.error(
                    node.position,
                    "wrong-type",
                    format!("`{}` is to be a text, not {what}", key.text),
                );
            }
        }
    }
    steps(root, &mut file, findings);
    file
}

fn steps(root: &Node, file: &mut File, findings: &mut Findings) {
    let written = section(root, "steps", findings);
    if let Some(node) = root.get("steps").filter(|node| node.map().is_some_and(<[_]>::is_empty)) {
        findings.error(node.position, "no-steps", "a blueprint has at least one step");
    }
    file.step_names = written.iter().map(|(key, _)| key.text.clone()).collect();
    file.steps = written.iter().filter_map(|(key, node)| step(key, node, findings)).collect();
}

fn step(key: &Key, node: &Node, findings: &mut Findings) -> Option<Step> {
    let name: Option<StepName> = key
        .text
        .parse()
        .map_err(|why| findings.error(key.position, "bad-name", format!("`{}`: {why}", key.text)))
        .ok();
    let entries = entries(node, "a step", findings)?;
    let Some(kind_node) = node.get("kind") else {
        let hint = "write `kind: arm` for an Azure resource";
        findings.error_with_hint(
            key.position,
            "missing-key",
            format!("step `{}` has no `kind`", key.text),
            hint,
        );
        return None;
    };
    let written = kind_node.text().unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == written) else {
        let near = did_you_mean(written, Kind::ALL.map(Kind::as_str));
        let all = Kind::ALL.map(Kind::as_str);
        let hint = if near.is_empty() { format!("there are {}", all.join(", ")) } else { near };
        findings.error_with_hint(
            kind_node.position,
            "unknown-kind",
            format!("there is no step kind `{written}`"),
            hint,
        );
        return None;
    };
    let (required, further) = keys(kind);
    let allowed: Vec<&str> = COMMON.iter().chain(required).chain(further).copied().collect();
    only(entries, &allowed, &format!("a step of kind {written}"), findings);
    for missing in required.iter().filter(|field| node.get(field).is_none()) {
        let message = format!("step `{}` of kind {written} has no `{missing}`", key.text);
        findings.error(key.position, "missing-key", message);
    }
    fields_have_types(entries, &allowed, findings);
    let keys = entries
        .iter()
        .filter(|(key, _)| !matches!(key.text.as_str(), "kind" | "description" | "needs" | "outputs"));
    Some(Step {
        name: name?,
        position: key.position,
        kind,
        needs: needs(node.get("needs"), findings),
        keys: keys.map(|(key, node)| (key.text.clone(), node.clone())).collect(),
        outputs: outputs(node.get("outputs"), kind, findings),
    })
}

/// Checks the types of a step's fields: bodies, `expect` and `probe` are maps, all other fields are texts.
fn fields_have_types(entries: &[(Key, Node)], allowed: &[&str], findings: &mut Findings) {
    for (key, node) in entries {
        let desired = match key.text.as_str() {
            "needs" | "outputs" | "kind" => continue,
            "body" | "undo" | "expect" | "probe" => "a map",
            known if allowed.contains(&known) => "a text",
            _ => continue,
        };
        if node.what() != desired {
            let message = format!("`{}` is to be {desired}, not {}", key.text, node.what());
            findings.error(node.position, "wrong-type", message);
        }
    }
}

fn needs(node: Option<&Node>, findings: &mut Findings) -> Vec<(String, Position)> {
    let Some(node) = node else { return Vec::new() };
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    let mut needs = Vec::new();
    for item in items {
        match item.text() {
            Some(name) => needs.push((name.to_owned(), item.position)),
            None => findings.error(item.position, "wrong-type", "`needs` is a list of step names"),
        }
    }
    needs
}

fn outputs(node: Option<&Node>, kind: Kind, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let Some(entries) = node.and_then(|node| entries(node, "`outputs`", findings)) else { return outputs };
    for (key, node) in entries {
        identifier(key, "an output", findings);
        super::rules::secret_name(key, "an output", findings);
        let secret = ["secret", "secure", "sensitive"].iter().any(|mark| node.get(mark).is_some());
        let path = node.text().unwrap_or_default();
        if secret {
            findings.error_with_hint(
                node.position,
                "secret-output",
                format!("output `{}` is marked as a secret; outputs are stored and published", key.text),
                "use an identity or a federated credential, so that no secret exists",
            );
        } else if matches!(kind, Kind::Arm | Kind::ArmUpdate) && matches!(key.text.as_str(), "id" | "name") {
            findings.error(
                key.position,
                "reserved-output",
                format!("`{}` is there without being declared", key.text),
            );
        } else if !is_pointer(path) {
            let hint = "write e.g. `/properties/scoringUri`; `~1` stands for `/` within a name";
            findings.error_with_hint(
                node.position,
                "bad-pointer",
                "an output is a JSON pointer into the resource",
                hint,
            );
        } else {
            super::rules::no_secret_pointer(node.position, path, findings);
            outputs.insert(key.text.clone(), path.to_owned());
        }
    }
    outputs
}

/// The entries of a map; if the node is not a map, adds a finding and returns `None`.
pub(super) fn entries<'a>(node: &'a Node, what: &str, findings: &mut Findings) -> Option<&'a [(Key, Node)]> {
    if node.map().is_none() {
        findings.error(node.position, "wrong-type", format!("{what} is a map, not {}", node.what()));
    }
    node.map()
}

fn section<'a>(root: &'a Node, name: &str, findings: &mut Findings) -> &'a [(Key, Node)] {
    let written =
        root.get(name).and_then(|node| entries(node, &format!("`{name}`"), findings)).unwrap_or_default();
    let most = if name == "steps" { MAX_STEPS } else { MAX_NAMES };
    if let Some((key, _)) = written.get(most) {
        let message = format!("there are {} {name}; a blueprint has at most {most}", written.len());
        findings.error_with_hint(key.position, "too-many", message, "split it into several blueprints");
        return &[];
    }
    written
}

/// Adds a finding for each key that is not in `allowed`; `what` names the map in the message.
pub(super) fn only(entries: &[(Key, Node)], allowed: &[&str], what: &str, findings: &mut Findings) {
    for (key, _) in entries.iter().filter(|(key, _)| !allowed.contains(&key.text.as_str())) {
        let name = key.text.as_str();
        if matches!(name, "include" | "includes" | "import" | "imports" | "extends" | "$ref") {
            let hint = "copy what you need into this file; it is digested and pinned as a whole";
            findings.error_with_hint(
                key.position,
                "include",
                "a blueprint is one file and reads no other",
                hint,
            );
        } else if name != "<<" {
            let near = did_you_mean(name, allowed.iter().copied());
            let hint = if near.is_empty() { format!("there are {}", allowed.join(", ")) } else { near };
            findings.error_with_hint(
                key.position,
                "unknown-key",
                format!("{what} has no key `{name}`"),
                hint,
            );
        }
    }
}

fn schema(node: Option<&Node>, findings: &mut Findings) {
    let Some(node) = node else { return };
    let written = node.text().unwrap_or_default();
    if written == SCHEMA {
        return;
    }
    let newer = written.strip_prefix("tenantry.blueprint/").and_then(|number| number.parse::<u32>().ok());
    if newer.is_some_and(|number| number > 1) {
        let message = format!("`{written}` is newer than this program, which reads {SCHEMA}");
        findings.error_with_hint(node.position, "schema-from-the-future", message, "use a newer tenantry");
    } else {
        findings.error_with_hint(
            node.position,
            "unknown-schema",
            format!("`{written}` is no schema of a blueprint"),
            format!("write `schema: {SCHEMA}`"),
        );
    }
}

fn slug(
    node: Option<&Node>,
    what: &str,
    fits: fn(&str) -> bool,
    rule: &str,
    findings: &mut Findings,
) -> String {
    let Some(node) = node else { return String::new() };
    match node.text() {
        Some(text) if fits(text) => text.to_owned(),
        Some(_) => {
            findings.error(node.position, "bad-name", format!("`{what}` is made of {rule}"));
            String::new()
        }
        None => {
            let message = format!("`{what}` is to be a text, not {}", node.what());
            findings.error_with_hint(node.position, "wrong-type", message, "quote it");
            String::new()
        }
    }
}

/// Reads a list of slugs (`a-z`, `0-9`, hyphens) such as tiers. Invalid ones are left out, with a finding.
pub(super) fn slugs(node: Option<&Node>, what: &str, findings: &mut Findings) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    let Some(items) = node.list().filter(|items| !items.is_empty()) else {
        findings.error(node.position, "wrong-type", format!("`{what}` is a list of at least one word"));
        return Vec::new();
    };
    let slugs = items.iter().map(|item| slug(Some(item), what, is_slug, "a-z, 0-9 and hyphens", findings));
    slugs.filter(|slug| !slug.is_empty()).collect()
}

/// Adds a finding for a name that is not a valid identifier in expressions.
pub(super) fn identifier(key: &Key, what: &str, findings: &mut Findings) {
    let fits = key.text.len() <= 64
        && key.text.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits {
        let message =
            format!("`{}`: {what} begins with a letter and holds letters, digits and underscores", key.text);
        findings.error(key.position, "bad-name", message);
    }
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_version(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.len() <= 9 && number.parse::<u32>().is_ok())
}

/// Whether a text is a JSON pointer (RFC 6901) to a part of a value.
pub(super) fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.starts_with('/') && escapes && !text.contains("{{")
}
