//! Checks a file before any tenant is planned: references, expressions, cycles.

mod bodies;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Kind, ResourceType,
    expression::{self, Piece},
    file::{File, Step},
    findings::{Findings, Position},
    graph,
    references::{first, needs, reach, references},
    tree::Node,
};
use crate::{
    ids::{ApiVersion, segment_objection},
    spelling::did_you_mean,
};

/// The members of `tenant` that expressions can use.
pub(super) const TENANT: [&str; 9] = [
    "id",
    "displayName",
    "tier",
    "region",
    "homeTenantId",
    "adminContact",
    "tags",
    SUSPENSION[0],
    SUSPENSION[1],
];
/// The Boolean members of `tenant` about a suspension: whether the tenant is suspended, and whether resources that cost
/// money are stopped too.
pub(super) const SUSPENSION: [&str; 2] = ["suspended", "stopped"];
/// Fields whose value has to be known before anything exists, because names, ids and URLs are made from them.
const EARLY_FIELDS: [&str; 7] = ["in", "name", "id", "location", "scope", "uniqueName", "apiVersion"];

/// Checks a blueprint file, and adds what is wrong to `findings`.
pub(super) fn check(file: &File, findings: &mut Findings) {
    let mut checker = Checker { file, findings, used: BTreeSet::new() };
    for node in file.values.values().chain(file.exports.values()) {
        checker.node(node);
    }
    for step in &file.steps {
        checker.step(step);
    }
    super::proof::check(file, checker.findings);
    checker.circles();
    checker.unused();
}

/// Adds warnings about the bodies of all steps.
pub(super) fn bodies(file: &File, findings: &mut Findings) {
    file.steps.iter().for_each(|step| bodies::check(file, step, findings));
}

struct Checker<'a> {
    file: &'a File,
    findings: &'a mut Findings,
    used: BTreeSet<String>,
}

impl Checker<'_> {
    fn step(&mut self, step: &Step) {
        let own = step.name.as_str();
        for (name, at) in &step.needs {
            self.step_exists(name, *at, own);
        }
        for field in ["in", "of"] {
            if let (Some(target), Some(node)) = (step.target(field), step.keys.get(field)) {
                self.step_exists(target, node.position, own);
            }
        }
        for (field, node) in &step.keys {
            if field == "when" {
                self.condition(node);
                continue;
            }
            self.node(node);
            if EARLY_FIELDS.contains(&field.as_str()) && self.is_late(&references(field, node)) {
                self.findings.error_with_hint(
                    node.position,
                    "too-late",
                    format!("`{field}` has to be known before anything exists, but depends on what only Azure knows"),
                    "names and ids are fixed in the plan; use `steps.x.id` or `steps.x.name` of an arm step",
                );
            }
        }
        match step.kind {
            Kind::Arm => self.arm(step),
            Kind::ArmUpdate => self.belongs_to(step, Kind::Arm),
            Kind::ServicePrincipal | Kind::FederatedCredential => {
                self.belongs_to(step, Kind::EntraApplication);
            }
            Kind::Check => self.verification(step),
            Kind::RoleAssignment | Kind::EntraApplication | Kind::Isolation => {}
        }
    }

    fn step_exists(&mut self, name: &str, at: Position, own: &str) {
        if !self.file.step_names.contains(name) {
            let hint = did_you_mean(name, self.file.step_names.iter().map(String::as_str));
            self.findings.error_with_hint(at, "unknown-step", format!("there is no step `{name}`"), hint);
        } else if name == own {
            self.findings.error(at, "self-dependency", format!("step `{own}` needs itself"));
        }
    }

    /// Checks a `when`. It decides which steps a plan has, so it can't use outputs of steps.
    fn condition(&mut self, node: &Node) {
        let Some(text) = node.text() else { return };
        if expression::is_dynamic(text) {
            let hint = "write e.g. `when: tenant.tier == 'dedicated'`";
            self.findings.error_with_hint(
                node.position,
                "braces",
                "`when` is an expression without braces",
                hint,
            );
            return;
        }
        self.expression(text, node.position);
        let paths = reach(self.file, &references("when", node));
        if paths.iter().any(|path| path.starts_with("steps.")) {
            self.findings.error_with_hint(
                node.position,
                "too-late",
                "`when` is decided before anything exists and can't speak of steps",
                "use tenant, parameters, stamp or values that need no steps",
            );
        }
    }

    fn arm(&mut self, step: &Step) {
        let (Some(written), Some(node)) = (step.text("type"), step.keys.get("type")) else { return };
        let segments: Vec<&str> = written.split('/').collect();
        let is_segment =
            |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if segments.len() < 2 || !segments.iter().all(is_segment) {
            let hint = "write e.g. `Microsoft.Storage/storageAccounts`";
            self.findings.error_with_hint(
                node.position,
                "bad-type",
                format!("`{written}` is no resource type"),
                hint,
            );
            return;
        }
        if let Some(why) = super::forbidden::objection(written) {
            let message = format!("no step makes a resource of type `{written}`: {why}");
            self.findings.error(node.position, "forbidden-type", message);
        }
        let row = ResourceType::find(written);
        if row.is_none() && !step.keys.contains_key("apiVersion") {
            let near = did_you_mean(written, ResourceType::all().map(|row| row.name));
            let hint = if near.is_empty() {
                "add `apiVersion`".to_owned()
            } else {
                format!("{near} Otherwise add `apiVersion`")
            };
            let message = format!(
                "`{written}` is not in the table of resource types, so its `apiVersion` is not known"
            );
            self.findings.error_with_hint(node.position, "unknown-resource-type", message, hint);
        }
        if row.is_some_and(|row| row.names.is_none()) && !step.keys.contains_key("name") {
            let message = format!("resources of type {written} have no derived names");
            self.findings.error_with_hint(
                node.position,
                "missing-key",
                message,
                "add `name`, e.g. `name: default`",
            );
        }
        self.api_version(step);
        if let (Some(name), Some(node)) = (step.text("name"), step.keys.get("name"))
            && !expression::is_dynamic(name)
            && !is_resource_name(name)
        {
            let message = "a resource name holds letters, digits, dots, hyphens, underscores and brackets";
            self.findings.error(node.position, "bad-name", message);
        }
        self.parent(step, &segments, node.position);
    }

    fn api_version(&mut self, step: &Step) {
        if let (Some(version), Some(node)) = (step.text("apiVersion"), step.keys.get("apiVersion"))
            && version.parse::<ApiVersion>().is_err()
        {
            let hint = "write e.g. `apiVersion: \"2024-10-01\"`";
            self.findings.error_with_hint(node.position, "bad-api-version", "an API version is a date", hint);
        }
    }

    /// Checks the `id` of a check. Its resource is the tenant's own or named in the stamp, so the id contains an
    /// expression; all segments have to be valid.
    fn checked_id(&mut self, node: &Node) {
        let Some(pieces) = node.text().and_then(|text| expression::pieces(text).ok()) else { return };
        let filled: String = pieces
            .iter()
            .enumerate()
            .map(|(at, piece)| match piece {
                Piece::Literal(literal) => *literal,
                Piece::Expression(_) if at == 0 => "/x",
                Piece::Expression(_) => "x",
            })
            .collect();
        let segments = filled.strip_prefix('/').map(|rest| rest.split('/').find_map(segment_objection));
        if let Some(why) = segments.unwrap_or(Some("does not begin with a slash")) {
            let hint = "write e.g. `id: \"{{ steps.storage.id }}\"`";
            self.findings.error_with_hint(node.position, "bad-id", format!("an id that {why}"), hint);
        } else if matches!(pieces.as_slice(), [Piece::Literal(_)]) {
            let message = "a written-out id can't be each tenant's own, nor is it named in the stamp";
            let hint = "give it a name in the stamp, e.g. `id: \"{{ stamp.workspaceId }}\"`";
            self.findings.error_with_hint(node.position, "id-outside-tenant", message, hint);
        }
    }

    fn parent(&mut self, step: &Step, segments: &[&str], at: Position) {
        let group = segments.join("/").eq_ignore_ascii_case("Microsoft.Resources/resourceGroups");
        let Some(node) = step.keys.get("in") else {
            if !group {
                let hint =
                    "name the step that is its resource group or parent, or give an id as an expression";
                self.findings.error_with_hint(step.position, "missing-key", "`in` is missing", hint);
            }
            return;
        };
        let Some(parent) = step.target("in").and_then(|name| self.file.step(name)) else { return };
        let desired = if segments.len() > 2 {
            segments[..segments.len() - 1].join("/")
        } else {
            "Microsoft.Resources/resourceGroups".to_owned()
        };
        let found = parent.text("type").unwrap_or_default();
        if group || !found.eq_ignore_ascii_case(&desired) {
            let step_type = segments.join("/");
            let message = format!("a {step_type} stands in a {desired}; step `{}` is none", parent.name);
            self.findings.error(if group { at } else { node.position }, "wrong-parent", message);
        }
    }

    fn belongs_to(&mut self, step: &Step, desired: Kind) {
        let Some(node) = step.keys.get("of") else { return };
        let target = step.target("of");
        let fits = target.and_then(|name| self.file.step(name)).map(|target| target.kind == desired);
        let unknown = target.is_some_and(|name| self.file.step(name).is_none());
        if fits != Some(true) && !unknown {
            let message = format!("`of` names a step of kind {}", desired.as_str());
            self.findings.error(node.position, "wrong-parent", message);
        }
    }

    fn verification(&mut self, step: &Step) {
        self.api_version(step);
        match (step.keys.get("of"), step.keys.get("id")) {
            (Some(_), None) => self.belongs_to(step, Kind::Arm),
            (None, Some(node)) => self.checked_id(node),
            _ => {
                let message = "a check has either `of` (a step) or `id` (an expression)";
                self.findings.error(step.position, "missing-key", message);
            }
        }
        for (key, _) in step.keys.get("expect").and_then(Node::map).unwrap_or_default() {
            if !super::file::is_pointer(&key.text) {
                let message = "what is expected is named by JSON pointers, e.g. `/properties/authMode`";
                self.findings.error(key.position, "bad-pointer", message);
            }
        }
    }

    fn circles(&mut self) {
        let positions: BTreeMap<&str, Position> =
            self.file.steps.iter().map(|step| (step.name.as_str(), step.position)).collect();
        let listed: BTreeSet<&str> =
            self.file.steps.iter().filter(|step| lists_itself(step)).map(|step| step.name.as_str()).collect();
        for circle in graph::circles(&needs(self.file)) {
            let at = circle
                .first()
                .and_then(|name| positions.get(name.as_str()))
                .copied()
                .unwrap_or(Position::START);
            if let [only, _] = circle.as_slice() {
                if !listed.contains(only.as_str()) {
                    self.findings.error(at, "self-dependency", format!("step `{only}` needs itself"));
                }
            } else {
                let hint = "let one of them do without another";
                let message = format!("steps need one another in a circle: {}", circle.join(" -> "));
                self.findings.error_with_hint(at, "cycle", message, hint);
            }
        }
        let uses = |node: &Node| {
            references("", node).iter().filter_map(|path| path.strip_prefix("values.").map(first)).collect()
        };
        let values: graph::Needs<String> =
            self.file.values.iter().map(|(name, node)| (name.clone(), uses(node))).collect();
        for circle in graph::circles(&values) {
            let at = circle
                .first()
                .and_then(|name| self.file.values.get(name))
                .map_or(Position::START, |n| n.position);
            let message = format!("values use one another in a circle: {}", circle.join(" -> "));
            self.findings.error(at, "recursive-value", message);
        }
    }

    fn unused(&mut self) {
        let parameters = self.file.parameters.iter().map(|(name, (at, _))| ("parameters", name, *at));
        let values = self.file.values.iter().map(|(name, node)| ("values", name, node.position));
        for (root, name, at) in parameters.chain(values) {
            if !self.used.contains(&format!("{root}.{name}")) && !self.used.contains(&format!("{root}.")) {
                let message = format!("nothing uses `{root}.{name}`");
                self.findings.warning(at, "unused", message, "remove it, or use it");
            }
        }
    }
}

fn lists_itself(step: &Step) -> bool {
    let own = step.name.as_str();
    step.needs.iter().any(|(name, _)| name == own)
        || ["in", "of"].iter().any(|field| step.target(field) == Some(own))
}

/// Whether a text can be the name of a resource that a step creates. Ids of existing resources may contain more
/// characters ([`segment_objection`]).
pub(super) fn is_resource_name(text: &str) -> bool {
    (1..=260).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._()".contains(&b))
        && !text.ends_with('.')
        && !text.contains("..")
}
