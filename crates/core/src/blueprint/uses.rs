//! What a blueprint's steps do in Azure, for any tenant: which types they create, read and link to, and which roles
//! they assign. The permissions of a deployment are derived from this.
//!
//! Values that a request decides (its parameters, its name) are not known here. A condition that depends on them counts
//! as met, so that no permission is missing. A role or an id that depends on them is a fault, because it could be
//! anything.

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
    /// The name of the step.
    pub step: StepName,
    /// What the step does.
    pub touch: Touch,
}

/// What a step does in Azure or Entra. Resource types are written as `Namespace/type`, in the spelling of
/// [`ResourceType::name`] if the table of resource types has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// Creates, changes and deletes a resource.
    Resource {
        /// The resource's type.
        of: String,
    },
    /// Changes a resource that another step creates.
    Update {
        /// The resource's type.
        of: String,
    },
    /// Names another resource by its id in a body, which needs a right on that resource.
    Link {
        /// The other resource's type.
        to: String,
        /// The end of the action that the sender needs on the other resource, e.g. `join/action`.
        needs: &'static str,
    },
    /// Reads a resource.
    Read {
        /// The resource's type.
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

/// Lists what the steps of a blueprint do in Azure; see [`super::Blueprint::uses`].
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

/// The scope of expressions for a tier without a tenant. Steps have example ids, which show only their types.
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

/// An example `id` and `name` of a resource of the type `of`.
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

/// The `arm` step of the resource that a step writes: the step itself, or the one that an `arm-update` or `check` names
/// in `of`. `None` for other kinds.
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

    /// Whether a node's value does not depend on the request. Ids and names of steps count as known, because only the
    /// types in ids are used.
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
            // The isolation check reads with the role of the auditor (`crate::permissions`).
            (Kind::Isolation, _) => {}
            // The type or the other step is missing, which the check of the file has reported.
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

    /// Records each resource that a body names by its id and that the sender needs a right on.
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

    /// The type of the resource whose id a node gives; if it can't be derived, records a fault and returns `None`.
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

/// A resource type in the spelling of the table of resource types; unchanged if the table does not have it.
fn known(of: &str) -> String {
    ResourceType::find(of).map_or(of, |row| row.name).to_owned()
}

/// Collects the nodes at a JSON pointer in which `*` stands for every item of a list. Returns `false` if an expression
/// replaces a map or list on the path, so that nodes may be missing.
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
