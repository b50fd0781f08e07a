//! What a blueprint's steps do in Azure, for any tenant: which types they create, read and link to, and which roles
//! they assign. Permissions are derived from it.
//!
//! What a request decides (its parameters, its name) is not known here. A condition that depends on it counts as met,
//! so that no permission is missing; a role or an id that depends on it is a fault, because it could be anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Fault, Kind, Outputs, ResourceType,
    file::{File, Step},
    planner,
    references::{reach, references},
    scope::{Early, Scope},
    tree::{Node, Shape},
};
use crate::ids::StepName;

/// What one step does in Azure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The step.
    pub step: StepName,
    /// What it does.
    pub touch: Touch,
}

/// What a step does. Types are `Namespace/type`, in the spelling of the table if they have a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// Creates, changes and deletes a resource.
    Resource {
        /// Its type.
        of: String,
    },
    /// Changes a resource that another step creates.
    Update {
        /// The resource's type.
        of: String,
    },
    /// Names another resource in a body.
    Link {
        /// The other resource's type.
        to: String,
        /// The action that is needed there, e.g. `join/action`.
        needs: &'static str,
    },
    /// Reads a resource.
    Read {
        /// Its type.
        of: String,
    },
    /// Assigns a role and deletes the assignment.
    Grant {
        /// The role definition's GUID, in lower case.
        role: String,
    },
    /// Creates, changes and deletes an object in Entra.
    Entra,
}

/// See [`super::Blueprint::uses`].
pub(super) fn uses(file: &File, stamp: &Value, tiers: &[String]) -> Result<Vec<Use>, Vec<Fault>> {
    let unknown = tiers.iter().filter(|tier| !file.tiers.contains(tier)).map(|tier| Fault {
        pointer: "/tiers".into(),
        code: "unknown-tier",
        message: format!("the blueprint {} has no tier {tier}; it has {}", file.name, file.tiers.join(", ")),
    });
    let mut faults: Vec<Fault> = unknown.collect();
    let mut all = BTreeSet::new();
    let served = file.tiers.iter().filter(|tier| tiers.is_empty() || tiers.contains(tier));
    for tier in served {
        let mut reader =
            Reader { file, scope: scope(file, stamp, tier), uses: &mut all, faults: &mut faults };
        for step in &file.steps {
            if reader.may_have(step) {
                reader.step(step);
            }
        }
    }
    let position = |step: &StepName| file.steps.iter().position(|other| other.name == *step);
    let mut all: Vec<Use> = all.into_iter().collect();
    all.sort_by_key(|one| position(&one.step));
    faults.dedup();
    if faults.is_empty() { Ok(all) } else { Err(faults) }
}

/// The scope of expressions with all that is known for a tier without a tenant. The ids of steps show their types.
fn scope(file: &File, stamp: &Value, tier: &str) -> Scope {
    let context = json!({"tenant": {"tier": tier}, "stamp": stamp, "deployment": "any"});
    let texts: BTreeMap<String, String> =
        file.values.iter().filter_map(|(name, node)| Some((name.clone(), node.text()?.to_owned()))).collect();
    let mut scope = Scope::new(&context, &texts);
    for step in &file.steps {
        let outputs = base(file, step).and_then(|base| base.text("type")).map(example).unwrap_or_default();
        scope.set_outputs(&step.name, &outputs);
    }
    scope
}

/// An example id and name of a resource of a type.
fn example(of: &str) -> Outputs {
    let group = "/subscriptions/any/resourceGroups/any";
    let id = match of.split_once('/') {
        Some((namespace, types)) if !of.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") => {
            let types: String = types.split('/').map(|part| format!("/{part}/any")).collect();
            format!("{group}/providers/{namespace}{types}")
        }
        Some(_) | None => group.to_owned(),
    };
    Outputs::from([("id".into(), id.into()), ("name".into(), "any".into())])
}

/// The arm step that a step is, updates or checks.
fn base<'a>(file: &'a File, step: &'a Step) -> Option<&'a Step> {
    match step.kind {
        Kind::Arm => Some(step),
        Kind::ArmUpdate | Kind::Check => file.step(step.target("of")?),
        Kind::RoleAssignment
        | Kind::EntraApplication
        | Kind::ServicePrincipal
        | Kind::FederatedCredential
        | Kind::Isolation => None,
    }
}

struct Reader<'a> {
    file: &'a File,
    scope: Scope,
    uses: &'a mut BTreeSet<Use>,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// Whether a tenant of this tier may have a step.
    fn may_have(&self, step: &Step) -> bool {
        let Some(node) = step.keys.get("when").filter(|node| self.is_decided("when", node)) else {
            return true;
        };
        match self.scope.early_expression(node.text().unwrap_or_default()) {
            Ok(Early::Known(value)) => planner::is_true(&value),
            Ok(Early::Late) | Err(_) => true,
        }
    }

    /// Whether a node has the same value for every tenant of the tier.
    fn is_decided(&self, field: &str, node: &Node) -> bool {
        let decided = |path: &String| {
            let outputs = path.strip_prefix("steps.").and_then(|rest| rest.split_once('.'));
            path == "tenant.tier"
                || path == "deployment"
                || ["stamp.", "values."].iter().any(|root| path.starts_with(root))
                || outputs.is_some_and(|(_, output)| ["id", "name"].contains(&output))
        };
        reach(self.file, &references(field, node)).iter().all(decided)
    }

    fn step(&mut self, step: &Step) {
        let of = base(self.file, step).and_then(|base| base.text("type")).map(known);
        match (step.kind, of) {
            (Kind::Arm, Some(of)) => {
                self.links(step, &of, step.keys.get("body"));
                self.note(step, Touch::Resource { of });
            }
            (Kind::ArmUpdate, Some(of)) => {
                self.links(step, &of, step.keys.get("body"));
                self.links(step, &of, step.keys.get("undo"));
                self.note(step, Touch::Update { of });
            }
            (Kind::Check, Some(of)) => self.note(step, Touch::Read { of }),
            (Kind::Check, None) => {
                if let Some(of) = step.keys.get("id").and_then(|node| self.type_of(step, "id", node)) {
                    self.note(step, Touch::Read { of });
                }
            }
            (Kind::RoleAssignment, _) => self.grant(step),
            (Kind::EntraApplication | Kind::ServicePrincipal | Kind::FederatedCredential, _) => {
                self.note(step, Touch::Entra);
            }
            // It reads what the auditor's role allows.
            (Kind::Isolation, _) => {}
            // The file has a finding already.
            (Kind::Arm | Kind::ArmUpdate, None) => {}
        }
    }

    fn note(&mut self, step: &Step, touch: Touch) {
        self.uses.insert(Use { step: step.name.clone(), touch });
    }

    fn grant(&mut self, step: &Step) {
        let Some(id) = step.keys.get("role").and_then(|node| self.text(step, "role", node)) else { return };
        let guid = id.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        match guid.parse::<Uuid>() {
            Ok(role) => self.note(step, Touch::Grant { role: role.to_string() }),
            Err(_) => {
                self.fault(step, "role", &format!("`{id}` is no role definition's id: it ends in no GUID"));
            }
        }
    }

    /// Collects what a body names by its id.
    fn links(&mut self, step: &Step, of: &str, body: Option<&Node>) {
        let Some(body) = body else { return };
        for link in ResourceType::find(of).map_or(&[][..], |row| row.links) {
            let mut found = Vec::new();
            let segments: Vec<&str> = link.at.split('/').skip(1).collect();
            if !collect(body, &segments, &mut found) {
                self.fault(step, "body", &format!("{} is hidden in an expression; write it out", link.at));
            }
            for node in found {
                if let Some(to) = self.type_of(step, link.at, node) {
                    self.note(step, Touch::Link { to, needs: link.needs });
                }
            }
        }
        let mut identities = Vec::new();
        let seen = collect(body, &["identity", "userAssignedIdentities"], &mut identities);
        let none = |node: &&Node| node.map().is_some_and(<[_]>::is_empty);
        if !seen || !identities.iter().all(none) {
            let to = "Microsoft.ManagedIdentity/userAssignedIdentities".to_owned();
            self.note(step, Touch::Link { to, needs: "assign/action" });
        }
    }

    /// The type of the resource whose id a node gives.
    fn type_of(&mut self, step: &Step, at: &str, node: &Node) -> Option<String> {
        let id = self.text(step, at, node)?;
        let of = ResourceType::type_of_id(&id).map(|of| known(&of));
        if of.is_none() {
            self.fault(step, at, &format!("`{id}` is no resource's id"));
        }
        of
    }

    fn text(&mut self, step: &Step, at: &str, node: &Node) -> Option<String> {
        let why = if self.is_decided(at, node) {
            match self.scope.early(node.text().unwrap_or_default()) {
                Ok(Early::Known(Value::String(text))) => return Some(text),
                Ok(Early::Known(_)) => "this is no text".to_owned(),
                Ok(Early::Late) => "this is known only once something exists".to_owned(),
                Err(why) => why,
            }
        } else {
            "this depends on the request, so its value is not known".to_owned()
        };
        self.fault(step, at, &why);
        None
    }

    fn fault(&mut self, step: &Step, at: &str, why: &str) {
        let at = at.trim_start_matches('/');
        let message = format!("blueprint {}, step {}/{at}: {why}", self.file.name, step.name);
        self.faults.push(Fault {
            pointer: format!("/steps/{}/{at}", step.name),
            code: "not-derivable",
            message,
        });
    }
}

/// A type in the spelling of the table.
fn known(of: &str) -> String {
    ResourceType::find(of).map_or(of, |row| row.name).to_owned()
}

/// The nodes at a pointer, `*` for every item; `false` if an expression replaces a map or list on the path.
fn collect<'a>(node: &'a Node, pointer: &[&str], found: &mut Vec<&'a Node>) -> bool {
    let Some((first, rest)) = pointer.split_first() else {
        found.push(node);
        return true;
    };
    let inside: Vec<&Node> = match &node.shape {
        Shape::Map(entries) => entries
            .iter()
            .filter(|(key, _)| key.text.eq_ignore_ascii_case(first))
            .map(|(_, node)| node)
            .collect(),
        Shape::List(items) if *first == "*" => items.iter().collect(),
        Shape::Text(text, _) => return !super::expression::is_dynamic(text),
        Shape::List(_) | Shape::Plain(_) => Vec::new(),
    };
    let mut seen = true;
    for node in inside {
        seen &= collect(node, rest, found);
    }
    seen
}
