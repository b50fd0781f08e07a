//! Role assignments in the simulator's Azure: each gives one principal one role at one scope.

use serde_json::{Value, json};
use tenantry_core::steps::{Method, Reply, Request};

use super::{Azure, Meaning, Replicated, SUBSCRIPTION, pages::Seen, refuse, reply, text};

pub(super) const PART: &str = "/providers/microsoft.authorization/roleassignments";
/// The role that an intruder gets.
pub(super) const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
pub(crate) const READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
pub(crate) const SCORER: &str = "5c0e0000-0000-4000-8000-00000000c0de";

pub(super) fn subscription() -> String {
    format!("/subscriptions/{SUBSCRIPTION}")
}

/// The scope of a role assignment, from the assignment's id.
pub(super) fn scope_of(id: &str) -> &str {
    id.split(PART).next().unwrap_or_default()
}

/// Whether a scope is `root` or below it.
pub(super) fn within(id: &str, root: &str) -> bool {
    id.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Azure {
    pub(super) fn roles(&mut self, request: &Request, id: &str, query: &str) -> Reply {
        let scope = scope_of(id);
        if scope != subscription() && !self.objects.contains_key(scope) {
            let refusal = refuse(404, "ResourceNotFound", "there is no such scope");
            return self.means(refusal, Meaning::DeletedWithScope);
        }
        match request.method {
            Method::Get => self.list_roles(request, scope, query),
            Method::Put => self.grant(id, scope, request.body.as_ref().unwrap_or(&Value::Null)),
            Method::Delete => {
                let lags = self.lags();
                let Some(grant) = self.grants.get_mut(id).filter(|grant| grant.primary().is_some()) else {
                    return reply(204, Value::Null);
                };
                let was = grant.primary().cloned().unwrap_or_default();
                grant.write(self.now, lags, None);
                reply(200, was)
            }
            Method::Post | Method::Patch => refuse(405, "MethodNotAllowed", "not that"),
        }
    }

    /// Lists the assignments at a scope, above it and below it; with a filter in the query, only those of one
    /// principal.
    fn list_roles(&mut self, request: &Request, scope: &str, query: &str) -> Reply {
        let replica = self.replica();
        let principal = query.split('\'').nth(1);
        let whose = |grant: &Value| {
            let holder = text(grant, "/properties/principalId");
            principal.is_none_or(|principal| holder.eq_ignore_ascii_case(principal))
        };
        let now = self.now;
        let near = self.grants.iter().filter(|(id, _)| {
            let at = scope_of(id);
            within(at, scope) || within(scope, at)
        });
        self.behind |= near.clone().any(|(_, grant)| grant.is_behind(replica, now));
        let seen = near.filter_map(|(_, grant)| grant.seen_by(replica, now)).filter(|grant| whose(grant));
        let all: Vec<Value> = seen.cloned().collect();
        let members = ["/id", "/properties/scope", "/properties/roleDefinitionId"];
        let all = all.into_iter().map(|grant| self.in_another_case(grant, &members)).collect();
        let seen = if principal.is_none() { Seen::Roles(self.clean_of_roles(scope)) } else { Seen::Nothing };
        self.list(request, all, seen)
    }

    /// The definition of a role with the permissions that the isolation check reads.
    pub(super) fn role_definitions(&mut self, request: &Request, id: &str) -> Reply {
        if request.method != Method::Get {
            return refuse(405, "MethodNotAllowed", "not that");
        }
        let roles = [
            (READER, "Key Vault Reader", "Microsoft.KeyVault/vaults/read"),
            (SCORER, "Scorer", "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"),
            (CONTRIBUTOR, "Contributor", "*"),
        ];
        let role = |(name, title, action): (&str, &str, &str)| {
            let permissions =
                json!([{"actions": [action], "notActions": [], "dataActions": [], "notDataActions": []}]);
            json!({"id": id, "name": name, "properties": {"roleName": title, "permissions": permissions}})
        };
        let name = id.rsplit('/').next().unwrap_or_default();
        match roles.into_iter().find(|(known, ..)| *known == name) {
            Some(known) => reply(200, role(known)),
            None if name == "roledefinitions" => {
                let all = roles.map(role).to_vec();
                self.list(request, all, Seen::Nothing)
            }
            None => refuse(404, "RoleDefinitionDoesNotExist", "there is no such role"),
        }
    }

    fn grant(&mut self, id: &str, scope: &str, body: &Value) -> Reply {
        let principal = text(body, "/properties/principalId").to_owned();
        // Azure always shows a role id with the subscription in front.
        let name = text(body, "/properties/roleDefinitionId").rsplit('/').next().unwrap_or_default();
        let role = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{name}", subscription());
        if role != text(body, "/properties/roleDefinitionId") {
            self.hit("role id in a longer form");
        }
        let known = self.known_principals.get(&principal).copied();
        if known.is_none_or(|known| known > self.now) {
            self.hit("PrincipalNotFound");
            let refusal = refuse(400, "PrincipalNotFound", "the principal does not exist in the directory");
            return match known {
                Some(known) => self.passing(refusal, known),
                None => refusal,
            };
        }
        let same = |grant: &Value| {
            text(grant, "/properties/principalId") == principal
                && text(grant, "/properties/roleDefinitionId") == role
                && text(grant, "/properties/scope").eq_ignore_ascii_case(scope)
        };
        if let Some(past) = self.grants.get(id).and_then(Replicated::primary) {
            return if same(past) {
                reply(200, past.clone())
            } else {
                refuse(400, "RoleAssignmentUpdateNotPermitted", "an assignment can't be changed")
            };
        }
        if self.grants.values().filter_map(Replicated::primary).any(same) {
            return refuse(409, "RoleAssignmentExists", "it exists under another name");
        }
        let made = json!({"id": id, "properties": {
            "principalId": principal, "roleDefinitionId": role, "scope": scope, "principalType": "ServicePrincipal"}});
        let (now, lags) = (self.now, self.lags());
        self.grants.entry(id.to_owned()).or_default().write(now, lags, Some(made.clone()));
        reply(201, made)
    }
}
