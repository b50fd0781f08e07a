//! Identities and their role assignments in Resource Manager.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    access::{
        condition::{Attributes, Condition},
        needs::Need,
    },
    path::last,
    roles::actions::allows,
};

/// The object id of the provisioner.
pub const PROVISIONER: &str = "00000000-0000-0000-0000-0000000e0001";
/// The object id of the deleting identity, where it is a separate one.
pub const REMOVER: &str = "00000000-0000-0000-0000-0000000e0002";
/// The object id of the host.
pub const HOST: &str = "00000000-0000-0000-0000-0000000e0003";

/// An identity that calls the simulated Azure.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The client id of its tokens. The first holder also stands for every client id that no other one has.
    pub client_id: String,
    /// Its object id.
    pub object_id: String,
    /// Its application roles in Graph.
    pub graph: BTreeSet<String>,
}

/// A role at a scope.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    principal: String,
    pub(super) scope: String,
    pub(super) actions: Vec<String>,
    pub(super) not_actions: Vec<String>,
    condition: Option<Condition>,
}

/// The known identities and their rights.
#[derive(Debug, Clone)]
pub struct Access {
    /// The identities. The first one also stands for every client id that no other one has.
    pub holders: Vec<Holder>,
    assignments: Vec<Assignment>,
}

impl Access {
    /// Reads `roleDefinitions` and `roleAssignments` as Azure's REST API accepts them; the first holder comes first.
    ///
    /// # Errors
    /// A message: an assignment of a role that is not defined, or a condition that can't be parsed.
    pub fn read(document: &Value, holders: Vec<Holder>) -> Result<Self, String> {
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let texts = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|text| Some(text.as_str()?.to_owned()))
                .collect()
        };
        let definitions = list("roleDefinitions");
        let mut assignments = Vec::new();
        for assignment in list("roleAssignments") {
            let text = |name: &str| assignment["properties"][name].as_str().unwrap_or_default();
            let role = last(text("roleDefinitionId"));
            let definition = definitions.iter().find(|definition| definition["name"] == role);
            let definition = definition.ok_or_else(|| format!("the role {role} is not defined"))?;
            let condition = match text("condition") {
                "" => None,
                text => Some(Condition::parse(text)?),
            };
            for permission in definition["properties"]["permissions"].as_array().into_iter().flatten() {
                assignments.push(Assignment {
                    principal: text("principalId").to_owned(),
                    scope: assignment["scope"].as_str().unwrap_or_default().to_lowercase(),
                    actions: texts(&permission["actions"]),
                    not_actions: texts(&permission["notActions"]),
                    condition: condition.clone(),
                });
            }
        }
        Ok(Self { holders, assignments })
    }

    /// The identity of a client id.
    pub(crate) fn holder(&self, client_id: &str) -> Option<&Holder> {
        let named = self.holders.iter().find(|holder| holder.client_id.eq_ignore_ascii_case(client_id));
        named.or_else(|| self.holders.first())
    }

    /// The assignments of an identity.
    pub(super) fn of<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = &'a Assignment> {
        self.assignments.iter().filter(|one| one.principal.eq_ignore_ascii_case(&holder.object_id))
    }

    /// Whether an identity is allowed what a request needs.
    pub(super) fn may(&self, holder: &Holder, need: &Need, attributes: &Attributes) -> bool {
        self.of(holder).any(|one| {
            let reaches = covers(&one.scope, &need.scope) || (need.asks && shares(&one.scope, &need.scope));
            let holds = || one.condition.as_ref().is_none_or(|c| c.holds(&need.action, attributes));
            reaches && allows(&one.actions, &one.not_actions, &need.action) && holds()
        })
    }
}

/// Whether an assignment at one scope covers another one.
pub(super) fn covers(scope: &str, at: &str) -> bool {
    at.to_lowercase().strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether two scopes are in the same subscription: rights in a resource group are enough to poll its operations
/// (Microsoft, "Track asynchronous Azure operations").
fn shares(scope: &str, at: &str) -> bool {
    let subscription = |id: &str| id.to_lowercase().split('/').nth(2).map(str::to_owned);
    subscription(scope) == subscription(at)
}

/// The provisioner's application roles in Graph unless others are given.
const USUAL_GRAPH_ROLES: [&str; 2] = ["Application.ReadWrite.OwnedBy", "Application.Read.All"];

/// The application roles in Graph of a client id; the default ones where everything is allowed.
pub(crate) fn roles(access: Option<&Access>, client_id: &str) -> BTreeSet<String> {
    let holder = access.and_then(|access| access.holder(client_id));
    let usual = || USUAL_GRAPH_ROLES.map(str::to_owned).into();
    holder.map_or_else(usual, |holder| holder.graph.clone())
}
