//! Who may do what: role assignments with conditions for Resource Manager, application roles for Graph.
//!
//! It reads roles in the form in which Azure takes them, and works out by itself which actions a request takes, so that
//! whatever grants too little or too much shows here. Sources: Microsoft, "Understand Azure role definitions", "Azure
//! role assignment condition format and syntax", "Troubleshoot Azure RBAC" (the words of a refusal).
//!
//! Whoever sends no token is somebody with every right, such as a person at the portal.

mod actions;
mod condition;
mod directory;
mod needs;

use crate::{
    api_version,
    call::Call,
    path,
    reply::{Outcome, Refusal, Reply, refuse},
    store::Look,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

pub(crate) use self::actions::allows;
pub(crate) use self::directory::{check as check_directory, own};
use self::{
    condition::{Attributes, Condition},
    needs::Need,
};

/// What the provisioner's identity holds in Graph where nobody says otherwise.
const USUAL_GRAPH_ROLES: [&str; 2] = ["Application.ReadWrite.OwnedBy", "Application.Read.All"];

/// The object id of the provisioner.
pub const PROVISIONER: &str = "00000000-0000-0000-0000-0000000e0001";
/// The object id of a remover that is another identity.
pub const REMOVER: &str = "00000000-0000-0000-0000-0000000e0002";
/// The object id of the host.
pub const HOST: &str = "00000000-0000-0000-0000-0000000e0003";

/// An identity that calls the cloud.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The client id that its tokens are asked for with; the first holder is also everybody who is no other one.
    pub client_id: String,
    /// Its object id.
    pub object_id: String,
    /// Its application roles in Graph.
    pub graph: BTreeSet<String>,
}

/// A role at a scope.
#[derive(Debug, Clone)]
struct Assignment {
    principal: String,
    scope: String,
    actions: Vec<String>,
    not_actions: Vec<String>,
    condition: Option<Condition>,
}

/// What is known of identities and their rights.
#[derive(Debug, Clone)]
pub struct Access {
    /// The identities, the first of which is also everybody who is no other one.
    pub holders: Vec<Holder>,
    assignments: Vec<Assignment>,
}

impl Access {
    /// Reads `roleDefinitions` and `roleAssignments` as Azure's REST API takes them; the first holder comes first.
    ///
    /// # Errors
    /// In words: an assignment of a role that is not defined, or a condition that this cloud can't read.
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
            let role = path::last(text("roleDefinitionId"));
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

    /// Who it is that calls with a token for this client id.
    pub(crate) fn holder(&self, client_id: &str) -> Option<&Holder> {
        let named = self.holders.iter().find(|holder| holder.client_id.eq_ignore_ascii_case(client_id));
        named.or_else(|| self.holders.first())
    }

    fn of<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = &'a Assignment> {
        self.assignments.iter().filter(|one| one.principal.eq_ignore_ascii_case(&holder.object_id))
    }

    fn may(&self, holder: &Holder, need: &Need, attributes: &Attributes) -> bool {
        self.of(holder).any(|one| {
            let reaches = covers(&one.scope, &need.scope) || (need.asks && shares(&one.scope, &need.scope));
            let holds = || one.condition.as_ref().is_none_or(|c| c.holds(&need.action, attributes));
            reaches && allows(&one.actions, &one.not_actions, &need.action) && holds()
        })
    }
}

/// Whether what is assigned at one scope holds at another.
fn covers(scope: &str, at: &str) -> bool {
    at.to_lowercase().strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether two scopes are in the same subscription: rights in a resource group are enough to ask about its operations
/// (Microsoft, "Track asynchronous Azure operations").
fn shares(scope: &str, at: &str) -> bool {
    let subscription = |id: &str| id.to_lowercase().split('/').nth(2).map(str::to_owned);
    subscription(scope) == subscription(at)
}

/// Which actions were asked for, by whom, and whether they were allowed; for whoever looks at the window.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<BTreeMap<(String, String, bool), u64>>);

impl Used {
    fn note(&self, holder: &Holder, action: &str, allowed: bool) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *used.entry((holder.object_id.clone(), action.to_owned(), allowed)).or_default() += 1;
    }

    /// As JSON, in order.
    pub(crate) fn show(&self) -> Value {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |((principal, action, allowed), times): (&(String, String, bool), &u64)| json!({"principalId": principal, "action": action, "allowed": allowed, "times": times});
        used.iter().map(line).collect()
    }
}

/// Refuses what the caller may not do in Resource Manager.
pub(crate) fn check(
    access: &Access,
    used: &Used,
    holder: &Holder,
    look: &impl Look,
    call: &Call,
) -> Outcome<()> {
    let Some(need) = needs::main(call) else { return Ok(()) };
    let attributes = Attributes::of(look, call)?;
    if need.asks {
        let asked = look.operation(&path::last(&need.scope).to_lowercase())?;
        let other =
            asked.and_then(|asked| asked.caller).filter(|id| !id.eq_ignore_ascii_case(&holder.object_id));
        if other.is_some() {
            // Reported by users (MicrosoftDocs/azure-docs#119301).
            let message =
                "Only the original caller of an asynchronous operation is allowed to retrieve the results.";
            return refuse(403, "Forbidden", message);
        }
    }
    let links = needs::links(call);
    for (number, one) in std::iter::once(&need).chain(&links).enumerate() {
        let allowed = access.may(holder, one, &attributes);
        used.note(holder, &one.action, allowed);
        if !allowed {
            let refusal = if number == 0 { refused(holder, one) } else { refused_link(holder, &need, one) };
            return Err(refusal.into());
        }
    }
    Ok(())
}

fn refused(holder: &Holder, need: &Need) -> Refusal {
    let Holder { client_id, object_id, .. } = holder;
    let Need { action, scope, .. } = need;
    let message = format!(
        "The client '{client_id}' with object id '{object_id}' does not have authorization to perform action '{action}' \
         over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    );
    Refusal::new(403, "AuthorizationFailed", message)
}

fn refused_link(holder: &Holder, main: &Need, need: &Need) -> Refusal {
    let Holder { client_id, object_id, .. } = holder;
    let message = format!(
        "The client '{client_id}' with object id '{object_id}' has permission to perform action '{}' on scope '{}'; \
         however, it does not have permission to perform action '{}' on the linked scope(s) '{}' or the linked scope(s) \
         are invalid.",
        main.action, main.scope, need.action, need.scope
    );
    Refusal::new(403, "LinkedAuthorizationFailed", message)
}

/// The application roles in Graph of whoever has this client id; the usual ones where all is allowed.
pub(crate) fn roles(access: Option<&Access>, client_id: &str) -> BTreeSet<String> {
    let holder = access.and_then(|access| access.holder(client_id));
    let usual = || USUAL_GRAPH_ROLES.map(str::to_owned).into();
    holder.map_or_else(usual, |holder| holder.graph.clone())
}

/// The scope of a path that asks what the caller may do there.
pub(crate) fn listed(path: &str) -> Option<String> {
    let end = "/providers/microsoft.authorization/permissions";
    path.to_lowercase().strip_suffix(end).map(str::to_owned)
}

/// What a caller may do at a scope, as the service lists it: one entry for each assignment that reaches there.
/// Source: Microsoft, "Permissions - List For Resource Group".
pub(crate) fn list(caller: Option<(&Access, &Holder)>, call: &Call, scope: &str) -> Outcome {
    api_version::check(call, "permissions", "2022-04-01")?;
    let entry = |actions: &[String], not_actions: &[String]| json!({"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []});
    let value: Vec<Value> = match caller {
        None => vec![entry(&["*".to_owned()], &[])],
        Some((access, holder)) => {
            let held = access.of(holder).filter(|one| covers(&one.scope, scope));
            held.map(|one| entry(&one.actions, &one.not_actions)).collect()
        }
    };
    Ok(Reply::json(200, json!({ "value": value })))
}
