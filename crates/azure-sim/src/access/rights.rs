//! The known identities, and their role assignments in Resource Manager.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    access::{
        condition::{Attributes, Condition},
        needs::Need,
    },
    path::{covers, last},
    roles::actions::allows,
};

/// The object id of the provisioner, the identity that creates tenants' resources.
pub const PROVISIONER: &str = "00000000-0000-0000-0000-0000000e0001";
/// The object id of the remover, the identity that deletes tenants' resources where the provisioner may not.
pub const REMOVER: &str = "00000000-0000-0000-0000-0000000e0002";
/// The object id of the identity of the Functions host.
pub const HOST: &str = "00000000-0000-0000-0000-0000000e0003";

/// An identity that calls the simulated Azure, with its application roles in Graph.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The client id in the identity's tokens.
    pub client_id: String,
    /// The object id of the identity, which role assignments refer to.
    pub object_id: String,
    /// The identity's application roles in Graph, for example `Application.Read.All`.
    pub graph: BTreeSet<String>,
}

/// A role that an identity has at a scope, with one of the role's entries in `permissions`. The scope is in lower case.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    principal: String,
    pub(super) scope: String,
    pub(super) actions: Vec<String>,
    pub(super) not_actions: Vec<String>,
    condition: Option<Condition>,
}

/// The known identities and their permissions.
#[derive(Debug, Clone)]
pub struct Access {
    /// The known identities. A token with an unknown client id belongs to the first of them.
    pub holders: Vec<Holder>,
    assignments: Vec<Assignment>,
}

impl Access {
    /// Reads the members `roleDefinitions` and `roleAssignments` of a document, in the form that Azure's REST API
    /// accepts. A token with an unknown client id belongs to the first of `holders`.
    ///
    /// # Errors
    /// A message, if an assignment has a role that is not defined, or a condition that can't be parsed.
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

    /// The identity with a client id, or the first identity if no other has this client id.
    pub(crate) fn holder(&self, client_id: &str) -> Option<&Holder> {
        let named = self.holders.iter().find(|holder| holder.client_id.eq_ignore_ascii_case(client_id));
        named.or_else(|| self.holders.first())
    }

    /// The role assignments of an identity.
    pub(super) fn of<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = &'a Assignment> {
        self.assignments.iter().filter(|one| one.principal.eq_ignore_ascii_case(&holder.object_id))
    }

    /// Whether an identity has a role assignment that allows what a request needs.
    pub(super) fn may(&self, holder: &Holder, need: &Need, attributes: &Attributes) -> bool {
        self.of(holder).any(|one| {
            let reaches = covers(&one.scope, &need.scope) || (need.asks && shares(&one.scope, &need.scope));
            let holds = || one.condition.as_ref().is_none_or(|c| c.holds(&need.action, attributes));
            reaches && allows(&one.actions, &one.not_actions, &need.action) && holds()
        })
    }
}

/// Whether two scopes are in the same subscription. That is enough for polls: a permission in a resource group allows
/// polling of the group's operations, whose ids are directly below the subscription (Microsoft, "Track asynchronous
/// Azure operations").
fn shares(scope: &str, at: &str) -> bool {
    let subscription = |id: &str| id.to_lowercase().split('/').nth(2).map(str::to_owned);
    subscription(scope) == subscription(at)
}

/// The application roles in Graph that tokens contain if permissions are not enforced: those of the provisioner.
const USUAL_GRAPH_ROLES: [&str; 2] = ["Application.ReadWrite.OwnedBy", "Application.Read.All"];

/// The application roles in Graph of the identity with a client id; the default roles if permissions are not enforced.
pub(crate) fn roles(access: Option<&Access>, client_id: &str) -> BTreeSet<String> {
    let holder = access.and_then(|access| access.holder(client_id));
    let usual = || USUAL_GRAPH_ROLES.map(str::to_owned).into();
    holder.map_or_else(usual, |holder| holder.graph.clone())
}
