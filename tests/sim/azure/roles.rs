//! Role assignments: one grant of one role to one principal at one scope.

use serde_json::{Value, json};
use tenantry::steps::{Method, Reply, Request};

use super::{Azure, Replicated, refuse, reply, text};

const PART: &str = "/providers/microsoft.authorization/roleassignments";

impl Azure {
    pub(super) fn roles(&mut self, request: &Request, id: &str, query: &str) -> Reply {
        let scope = id.split(PART).next().unwrap_or_default();
        if !self.objects.contains_key(scope) {
            return refuse(404, "ResourceNotFound", "there is no such scope");
        }
        match request.method {
            Method::Get => {
                let replica = self.replica();
                let below = format!("{scope}{PART}/");
                let principal = query.split("'").nth(1).unwrap_or_default().to_ascii_lowercase();
                let now = self.now;
                let all = self.grants.range(below.clone()..).take_while(|(id, _)| id.starts_with(&below));
                let seen = all.filter_map(|(_, grant)| grant.seen_by(replica, now));
                let value: Vec<&Value> = seen
                    .filter(|grant| text(grant, "/properties/principalId").eq_ignore_ascii_case(&principal))
                    .collect();
                reply(200, json!({ "value": value }))
            }
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

    fn grant(&mut self, id: &str, scope: &str, body: &Value) -> Reply {
        let principal = text(body, "/properties/principalId").to_owned();
        let role = text(body, "/properties/roleDefinitionId").to_owned();
        let known = self.known_principals.get(&principal).copied();
        if known.is_none_or(|known| known > self.now) {
            self.hit("PrincipalNotFound");
            return refuse(400, "PrincipalNotFound", "the principal does not exist in the directory");
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
