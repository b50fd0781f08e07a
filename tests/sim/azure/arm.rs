//! Resources of Azure Resource Manager in the simulator's Azure, and the requests to them.

use serde_json::{Value, json};
use tenantry_core::steps::{Method, Reply, Request};

use super::{
    Azure, Meaning, SUBSCRIPTION, is_intruders, mark,
    operations::{Operation, Work},
    pages::Seen,
    refuse, reply, text,
};
use crate::exec::Millis;

pub(super) const HOST: &str = "https://management.azure.com";

/// How often a request has to be refused or a deletion repeated before an object may be deleted with its parent.
const TRIES_OF_A_PART: u32 = 4;

/// A resource in the simulator's Azure.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Value,
    /// The number of the operation that runs on the resource; `None` if there is none.
    pub(crate) busy: Option<u64>,
    /// Whether the object belongs to somebody else, so that tenantry must not change it.
    pub(crate) stranger: bool,
    /// The instant at which the resource was created.
    pub(crate) made: Millis,
    /// Whether the resource shows as failed although nobody changed it.
    pub(crate) rotten: bool,
    /// Whether the resource can't be purged after its deletion.
    pub(crate) protected: bool,
}

/// The id of the resource group that contains an id. Both are in lower case.
pub(crate) fn group_of(id: &str) -> &str {
    let mut slashes = id.match_indices('/').map(|(at, _)| at);
    slashes.nth(4).map_or(id, |end| &id[..end])
}

fn is_group(id: &str) -> bool {
    id.matches('/').count() == 4 && id.contains("/resourcegroups/")
}

fn is_vault(id: &str) -> bool {
    id.contains("/microsoft.keyvault/vaults/")
}

fn is_private_endpoint(id: &str) -> bool {
    id.rsplit('/').nth(1) == Some("privateendpoints")
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

impl Azure {
    pub(super) fn arm(&mut self, request: &Request, path: &str, query: &str) -> Reply {
        let path = path.strip_prefix(HOST).unwrap_or(path);
        let id = path.to_ascii_lowercase();
        if let Some(number) = id.strip_prefix(&format!("/subscriptions/{SUBSCRIPTION}/operations/")) {
            return self.poll(number);
        }
        if id.contains("/providers/microsoft.authorization/roleassignments") {
            return self.roles(request, &id, query);
        }
        if id.contains("/providers/microsoft.authorization/roledefinitions") {
            return self.role_definitions(request, &id);
        }
        if let Some(identity) = id.strip_suffix("/federatedidentitycredentials") {
            return match self.objects.contains_key(identity) {
                true => self.list(request, Vec::new(), Seen::Nothing),
                false => refuse(404, "ResourceNotFound", "there is no such identity"),
            };
        }
        if id.contains("/deletedvaults/") {
            return self.deleted_vault(request, &id);
        }
        match request.method {
            Method::Get => self.show(&id),
            Method::Put => self.put(path, &id, request.body.as_ref().unwrap_or(&Value::Null)),
            Method::Delete => self.delete(&id),
            Method::Post | Method::Patch => refuse(405, "MethodNotAllowed", "not that"),
        }
    }

    fn show(&mut self, id: &str) -> Reply {
        // A foreign object appears only before the first read: one that appears between a read and a write can't be
        // recognized.
        let first = self.read_once.insert(id.to_owned());
        if first
            && !self.objects.contains_key(id)
            && is_group(id)
            && self.strangers > 0
            && self.rng.permille(500)
        {
            self.strangers -= 1;
            self.hit("stranger");
            let body = json!({"id": id, "name": last(id), "tags": {"owner": "stranger"},
                "properties": {"provisioningState": "Succeeded"}});
            let object =
                Object { body, busy: None, stranger: true, made: self.now, rotten: false, protected: false };
            self.objects.insert(id.to_owned(), object);
        }
        self.rot(id);
        match self.objects.get(id) {
            Some(object) => {
                let shown = object.body.clone();
                reply(200, self.in_another_case(shown, &["/id"]))
            }
            None => refuse(404, "ResourceNotFound", "there is no such resource"),
        }
    }

    /// A refusal if the resource's group does not exist or is being deleted.
    fn in_its_group(&self, id: &str) -> Option<Reply> {
        match self.objects.get(group_of(id)) {
            None => Some(refuse(404, "ResourceGroupNotFound", "there is no such group")),
            Some(group) if text(&group.body, "/properties/provisioningState") == "Deleting" => {
                Some(refuse(409, "ResourceGroupBeingDeleted", "the group is being deleted"))
            }
            Some(_) => None,
        }
    }

    /// The refusal of a PUT; `None` if the PUT is carried out.
    fn refusal(&mut self, id: &str, past: Option<&Object>, requested: &Value) -> Option<Reply> {
        if !is_group(id)
            && let Some(refusal) = self.in_its_group(id)
        {
            return Some(refusal);
        }
        if let Some(past) = past {
            if past.stranger || mark(&past.body) != mark(requested) {
                self.wrongs.push(("I8", format!("PUT over somebody else's {id}")));
            }
            if let Some(number) = past.busy {
                return Some(self.busy(number));
            }
            let location = |body: &Value| text(body, "/location").to_owned();
            if location(&past.body) != location(requested) {
                return Some(refuse(409, "InvalidResourceLocation", "it exists in another region"));
            }
        }
        if is_private_endpoint(id)
            && let Some(refusal) = self.still_in_progress(requested)
        {
            return Some(refusal);
        }
        if past.is_none()
            && let Some(refusal) = self.wall(id)
        {
            return Some(refusal);
        }
        if is_vault(id)
            && past.is_none()
            && let Some(refusal) = self.name_taken(id)
        {
            return Some(refusal);
        }
        self.network_queue(id).or_else(|| self.refuses_to_change_back(id, past?, requested))
    }

    fn put(&mut self, path: &str, id: &str, requested: &Value) -> Reply {
        let past = self.objects.get(id).cloned();
        if let Some(refusal) = self.refusal(id, past.as_ref(), requested) {
            return refusal;
        }
        let made = past.is_none();
        let mut body = requested.clone();
        body["id"] = json!(path);
        body["name"] = json!(last(path));
        if !body["properties"].is_object() {
            body["properties"] = json!({});
        }
        if id.contains("/userassignedidentities/") {
            let known = past.as_ref().map(|past| text(&past.body, "/properties/principalId").to_owned());
            let principal = known.unwrap_or_else(|| {
                let principal = self.guid();
                let lag = self.rng.within(0, self.manners.role_lag);
                self.known_principals.insert(principal.clone(), self.now + lag);
                principal
            });
            body["properties"]["principalId"] = json!(principal);
        }
        let connections = body.pointer_mut("/properties/privateLinkServiceConnections");
        for connection in connections.and_then(Value::as_array_mut).into_iter().flatten() {
            connection["properties"]["privateLinkServiceConnectionState"] = json!({"status": "Approved"});
        }
        // Only a PUT with an operation can fail later: one that is answered as done is done.
        let cursed = !made && self.is_cursed(id);
        let takes_long = cursed
            || self.cursed.contains(id)
            || self.rng.permille(self.manners.operations)
            || is_private_endpoint(id);
        let state = if takes_long { if made { "Creating" } else { "Updating" } } else { "Succeeded" };
        body["properties"]["provisioningState"] = json!(state);
        let shown = body.clone();
        let protected =
            past.as_ref().map_or_else(|| self.rng.permille(self.manners.protected), |past| past.protected);
        let since = past.as_ref().map_or(self.now, |past| past.made);
        let object = Object { body, busy: None, stranger: false, made: since, rotten: false, protected };
        self.objects.insert(id.to_owned(), object);
        let was_ready = |past: &&Object| text(&past.body, "/properties/provisioningState") == "Succeeded";
        let ready = past.as_ref().filter(was_ready).map(|past| past.body.clone());
        let status = if made { 201 } else { 200 };
        if !takes_long {
            return reply(status, self.in_another_case(shown, &["/id"]));
        }
        let number = self.begin(id, Work::Write, ready, cursed);
        let shown = self.in_another_case(shown, &["/id"]);
        self.followed(number, reply(status, shown))
    }

    /// A refusal if another vault, existing or soft-deleted, has the name. For a deleted one the service may report
    /// only a conflict.
    fn name_taken(&mut self, id: &str) -> Option<Reply> {
        self.leave_a_deleted_vault(id);
        let name = last(id);
        if self.deleted_vaults.keys().any(|id| last(id) == name) {
            self.hit("name held by a deleted vault");
            let code = if self.rng.permille(500) { "VaultAlreadyExists" } else { "ConflictError" };
            return Some(self.means(refuse(409, code, "a conflict"), Meaning::NameHeld));
        }
        let taken = self.objects.keys().any(|id| is_vault(id) && last(id) == name);
        taken.then(|| refuse(409, "VaultAlreadyExists", "the name is taken"))
    }

    /// Sometimes adds a soft-deleted vault of this name that belongs to another customer.
    fn leave_a_deleted_vault(&mut self, id: &str) {
        if self.strangers == 0 || !self.rng.permille(300) {
            return;
        }
        self.strangers -= 1;
        self.hit("a stranger's deleted vault");
        let theirs = format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-theirs/providers/microsoft.keyvault/vaults/{}",
            last(id)
        );
        let vault = Object {
            body: json!({"id": theirs}),
            busy: None,
            stranger: true,
            made: self.now,
            rotten: false,
            protected: true,
        };
        self.deleted_vaults.insert(theirs, vault);
    }

    /// Refuses a change to a private endpoint while another one of the same network is being changed.
    fn network_queue(&mut self, id: &str) -> Option<Reply> {
        if !is_private_endpoint(id) {
            return None;
        }
        let busy = |number: &u64| {
            let other = &self.operations[number];
            !other.done && is_private_endpoint(&other.target) && other.target != id
        };
        if !self.running.iter().any(|(_, number)| busy(number)) {
            return None;
        }
        self.hit("429 subnet");
        let mut refusal = refuse(429, "RetryableErrorDueToAnotherOperation", "the network is being changed");
        if self.rng.permille(500) {
            self.ask_to_wait(&mut refusal, 5);
        }
        Some(refusal)
    }

    /// Sometimes refuses a private endpoint because its target is still in progress for the network, although the
    /// target shows as ready.
    fn still_in_progress(&mut self, requested: &Value) -> Option<Reply> {
        let to =
            text(requested, "/properties/privateLinkServiceConnections/0/properties/privateLinkServiceId");
        let made = self.objects.get(&to.to_ascii_lowercase())?.made;
        let young = self.now - made < 15_000;
        (young && self.rng.permille(self.manners.wordy)).then(|| self.in_a_passing_state(made + 15_000))
    }

    fn in_a_passing_state(&mut self, until: Millis) -> Reply {
        self.hit("in a passing state");
        let state = self.rng.pick(&["Creating", "Updating", "Accepted", "Resolving"]);
        let message = format!("the resource is in {state} provisioning state and can't be changed");
        self.passing(refuse(400, "BadRequest", &message), until)
    }

    /// Refuses a request because another operation runs on the resource. Services use different messages for this.
    fn busy(&mut self, number: u64) -> Reply {
        self.hit("409 busy");
        let until = self.operations[&number].ends;
        if self.rng.permille(self.manners.wordy) {
            return self.in_a_passing_state(until);
        }
        self.passing(refuse(409, "AnotherOperationInProgress", "it is being changed"), until)
    }

    fn delete(&mut self, id: &str) -> Reply {
        let Some(object) = self.objects.get(id).cloned() else { return reply(204, Value::Null) };
        if object.stranger {
            self.wrongs.push(("I8", format!("DELETE of somebody else's {id}")));
        }
        if let Some(number) = object.busy {
            return self.busy(number);
        }
        if let Some(refusal) = self.network_queue(id) {
            return refusal;
        }
        self.in_order(id);
        if !is_group(id) && !self.rng.permille(self.manners.operations) {
            self.remove(id);
            return reply(200, Value::Null);
        }
        if let Some(object) = self.objects.get_mut(id) {
            object.body["properties"]["provisioningState"] = json!("Deleting");
        }
        let number = self.begin(id, Work::Delete, None, false);
        self.followed(number, reply(202, Value::Null))
    }

    /// Records a violation if one of our objects still depends on the deleted one: deletions go in reverse order.
    fn in_order(&mut self, id: &str) {
        let within = format!("{id}/");
        // An object that could not be deleted after several attempts is deleted with its parent.
        let given_up = |other: &String| self.deletes.get(other).copied().unwrap_or(0) >= TRIES_OF_A_PART;
        let above = self.objects.keys().filter(|other| other.starts_with(&within) && !given_up(other));
        let above: Vec<&String> = above.collect();
        let granted: Vec<&String> = self
            .grants
            .iter()
            .filter(|(other, grant)| {
                let ours = grant.primary().filter(|grant| !is_intruders(grant));
                other.starts_with(&within) && ours.is_some() && !given_up(other)
            })
            .map(|(other, _)| other)
            .collect();
        if let Some(other) = above.into_iter().chain(granted).next() {
            let wrong = format!("DELETE of {id} while {other} depends on it");
            self.wrongs.push(("I14", wrong));
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        let Some(mut object) = self.objects.remove(id) else { return };
        let within = format!("{id}/");
        self.grants.retain(|other, _| !other.starts_with(&within));
        if is_vault(id) {
            object.busy = None;
            self.deleted_vaults.insert(id.to_owned(), object);
        }
        if is_group(id) {
            let inside: Vec<String> =
                self.objects.keys().filter(|other| other.starts_with(&within)).cloned().collect();
            for other in inside {
                self.remove(&other);
            }
        }
    }

    fn deleted_vault(&mut self, request: &Request, id: &str) -> Reply {
        let name = last(id.trim_end_matches("/purge"));
        let found = self.deleted_vaults.iter().find(|(id, _)| last(id) == name);
        let Some((held, vault)) = found.map(|(id, vault)| (id.clone(), vault.clone())) else {
            return refuse(404, "DeletedVaultNotFound", "there is no such deleted vault");
        };
        match request.method {
            Method::Get => {
                let mut properties = json!({"vaultId": text(&vault.body, "/id"), "tags": vault.body["tags"],
                    "deletionDate": "2026-11-30T10:00:00Z", "scheduledPurgeDate": "2027-02-28T10:00:00Z"});
                if vault.protected && self.rng.permille(500) {
                    properties["purgeProtectionEnabled"] = json!(true);
                }
                reply(200, json!({"id": id, "name": name, "properties": properties}))
            }
            Method::Post if vault.protected => {
                self.hit("405 on purge");
                let message = "Operation \"purge\" is not enabled for this vault.";
                refuse(405, "MethodNotAllowed", message)
            }
            Method::Post if self.rng.permille(self.manners.operations) => {
                let pending = |operation: &Operation| {
                    !operation.done && operation.work == Work::Purge && operation.target == held
                };
                if self.operations.values().any(pending) {
                    return refuse(409, "AnotherOperationInProgress", "it is being purged");
                }
                let number = self.begin(&held, Work::Purge, None, false);
                self.followed(number, reply(202, Value::Null))
            }
            Method::Post => {
                self.deleted_vaults.remove(&held);
                reply(200, Value::Null)
            }
            Method::Put | Method::Patch | Method::Delete => refuse(405, "MethodNotAllowed", "not that"),
        }
    }
}
