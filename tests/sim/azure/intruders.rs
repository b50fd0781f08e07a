//! Intruders that give themselves access to a tenant's objects, and which reads prove that there is none: before a
//! tenant is reported as active, its final state has to have been read while no intruder had access.

use serde_json::{Value, json};

use super::{
    Azure, Replicated,
    arm::group_of,
    mark,
    roles::{CONTRIBUTOR, PART, subscription, within},
    text,
};
use crate::exec::Millis;

/// The object id of the intruder: a principal that no blueprint declares.
const INTRUDER: &str = "00000000-0000-4000-8000-0000000bad00";
const ISSUER: &str = "https://intruder.example";

/// Whether a role assignment or a federated credential gives the intruder access.
pub(crate) fn is_intruders(body: &Value) -> bool {
    text(body, "/properties/principalId") == INTRUDER || text(body, "/issuer") == ISSUER
}

/// When a tenant was last changed, and when a complete read last showed that no intruder has access to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastReads {
    changed: Millis,
    roles: Option<Millis>,
    credentials: Option<Millis>,
}

impl Azure {
    /// Records that a tenant was changed: earlier reads prove nothing about it any longer.
    pub(crate) fn changed(&mut self, tenant: &str) {
        let now = self.now;
        self.last_reads.entry(tenant.to_owned()).or_default().changed = now;
    }

    /// The tenants whose resource group is at or below a scope and in whose group no intruder has a role.
    pub(super) fn clean_of_roles(&self, scope: &str) -> Vec<String> {
        let groups = self.objects.iter().filter(|(id, _)| group_of(id) == *id && within(id, scope));
        groups.filter(|(id, _)| !self.holds_roles(id)).filter_map(|(_, group)| mark(&group.body)).collect()
    }

    /// Records that a complete list of role assignments was read, and that it showed no intruder at the time `at`.
    pub(super) fn saw_roles(&mut self, tenant: &str, at: Millis) {
        let reads = self.last_reads.entry(tenant.to_owned()).or_default();
        reads.roles = reads.roles.max(Some(at));
    }

    /// The tenant of an application; `None` if an intruder has added a credential to it.
    pub(super) fn clean_of_credentials(&self, app: &str) -> Option<String> {
        self.application(app).filter(|_| !self.holds_credentials(app)).and_then(mark)
    }

    /// Records that all credentials of an application were read, and that none was an intruder's at the time `at`.
    pub(super) fn saw_credentials(&mut self, tenant: &str, at: Millis) {
        let reads = self.last_reads.entry(tenant.to_owned()).or_default();
        reads.credentials = reads.credentials.max(Some(at));
    }

    fn application(&self, id: &str) -> Option<&Value> {
        self.applications.values().filter_map(Replicated::primary).find(|body| text(body, "/id") == id)
    }

    fn holds_roles(&self, group: &str) -> bool {
        let live = self.grants.iter().filter_map(|(id, grant)| Some((id, grant.primary()?)));
        live.into_iter().any(|(id, grant)| within(id, group) && is_intruders(grant))
    }

    fn holds_credentials(&self, app: &str) -> bool {
        let own = self.credentials.iter().filter(|((of, _), _)| of == app);
        own.filter_map(|(_, versions)| versions.primary()).any(is_intruders)
    }

    /// Whether an intruder has access to a tenant's objects at the moment.
    pub(crate) fn intruded(&self, tenant: &str) -> bool {
        let of = |body: &Value| mark(body).as_deref() == Some(tenant);
        let mut groups = self.objects.iter().filter(|(id, object)| group_of(id) == *id && of(&object.body));
        let mut own = self.applications.values().filter_map(Replicated::primary).filter(|body| of(body));
        groups.any(|(group, _)| self.holds_roles(group))
            || own.any(|body| self.holds_credentials(text(body, "/id")))
    }

    /// What the isolation check has not read since the tenant was last changed, or has read only while an intruder
    /// had access. `None` if the check covers everything.
    pub(crate) fn unproved(&self, tenant: &str, has_application: bool) -> Option<String> {
        let reads = self.last_reads.get(tenant).copied().unwrap_or_default();
        let since = |read: Option<Millis>| read.is_some_and(|at| at >= reads.changed);
        let missing = |what: &str, read: Option<Millis>| {
            let changed = reads.changed;
            Some(format!("{what} were last seen to be its own at {read:?}, and it was changed at {changed}"))
        };
        match () {
            () if !since(reads.roles) => missing("the roles at its things", reads.roles),
            () if has_application && !since(reads.credentials) => {
                missing("the credentials of its application", reads.credentials)
            }
            () => None,
        }
    }

    /// Gives an intruder access to an existing object: a role at a vault or a group, or a credential of an
    /// application.
    pub(crate) fn intrude(&mut self, now: Millis) {
        self.now = now.max(self.now);
        let now = self.now;
        let kinds = ["vaults", "resourcegroups"];
        let of_kind = |id: &String| kinds.contains(&id.rsplit('/').nth(1).unwrap_or_default());
        let scopes: Vec<String> = self.objects.keys().filter(|id| of_kind(id)).cloned().collect();
        let apps: Vec<String> = self.credentials.keys().map(|(app, _)| app.clone()).collect();
        if !apps.is_empty() && self.rng.permille(400) {
            let app = self.rng.below(apps.len() as u64);
            let Some(app) = usize::try_from(app).ok().and_then(|at| apps.get(at)) else { return };
            let body = json!({"id": self.guid(), "name": "intruder", "issuer": ISSUER, "subject": "anybody", "audiences": []});
            let key = (app.clone(), "intruder".to_owned());
            self.credentials.entry(key).or_default().write(now, [0; 3], Some(body));
        } else {
            let at = self.rng.below(scopes.len() as u64);
            let Some(scope) = usize::try_from(at).ok().and_then(|at| scopes.get(at)) else { return };
            let role =
                format!("{}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}", subscription());
            let id = format!("{scope}{PART}/{}", self.guid());
            let body = json!({"id": id, "properties": {
                "principalId": INTRUDER, "roleDefinitionId": role, "scope": scope, "principalType": "User"}});
            self.grants.entry(id).or_default().write(now, [0; 3], Some(body));
        }
        self.hit("intruder");
    }

    /// Removes all access of intruders, as a person would.
    pub(crate) fn evict(&mut self) {
        self.grants.retain(|_, grant| !grant.primary().is_some_and(is_intruders));
        self.credentials.retain(|_, credential| !credential.primary().is_some_and(is_intruders));
    }
}
