//! Resources of Azure Resource Manager and their long-running operations.

use serde_json::{Value, json};
use tenantry::steps::{Method, Reply, Request};

use super::{Azure, SUBSCRIPTION, is_intruders, mark, refuse, reply, text};
use crate::exec::Millis;

const HOST: &str = "https://management.azure.com";

/// A resource.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Value,
    /// The operation that is under way.
    pub(crate) busy: Option<u64>,
    /// Somebody else's, put there to be left alone.
    pub(crate) stranger: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Write,
    Delete,
    Purge,
}

/// How an operation comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    /// The resource is left failed, and the operation says so.
    Failed,
    /// The operation says that all is well, and the resource has failed.
    Lied,
    /// Nobody knows of the operation; the resource ends well.
    Vanished,
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    target: String,
    work: Work,
    pub(crate) ends: Millis,
    end: End,
    pub(crate) done: bool,
    retry_after: Option<i64>,
}

/// The resource group's id within an id, in lower case.
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
                true => reply(200, json!({"value": []})),
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
        // Before anybody looks: one who comes between a look and a write can't be told apart.
        let first = self.looked.insert(id.to_owned());
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
            self.objects.insert(id.to_owned(), Object { body, busy: None, stranger: true });
        }
        match self.objects.get(id) {
            Some(object) => reply(200, object.body.clone()),
            None => refuse(404, "ResourceNotFound", "there is no such resource"),
        }
    }

    /// Whether the group is there to hold something.
    fn in_its_group(&self, id: &str) -> Option<Reply> {
        match self.objects.get(group_of(id)) {
            None => Some(refuse(404, "ResourceGroupNotFound", "there is no such group")),
            Some(group) if text(&group.body, "/properties/provisioningState") == "Deleting" => {
                Some(refuse(409, "ResourceGroupBeingDeleted", "the group is going"))
            }
            Some(_) => None,
        }
    }

    fn put(&mut self, path: &str, id: &str, wanted: &Value) -> Reply {
        if !is_group(id)
            && let Some(refusal) = self.in_its_group(id)
        {
            return refusal;
        }
        let past = self.objects.get(id).cloned();
        if let Some(past) = &past {
            if past.stranger || mark(&past.body) != mark(wanted) {
                self.wrongs.push(("I8", format!("PUT over somebody else's {id}")));
            }
            if past.busy.is_some() {
                self.hit("409 busy");
                return refuse(409, "AnotherOperationInProgress", "it is being changed");
            }
        }
        if is_vault(id) && past.is_none() && self.vault_name_taken(last(id)) {
            return refuse(409, "VaultAlreadyExists", "the name is taken");
        }
        if let Some(refusal) = self.lane(id) {
            return refusal;
        }
        let made = past.is_none();
        let mut body = wanted.clone();
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
        let takes_long = self.rng.permille(self.manners.operations) || is_private_endpoint(id);
        let state = if takes_long { if made { "Creating" } else { "Updating" } } else { "Succeeded" };
        body["properties"]["provisioningState"] = json!(state);
        let shown = body.clone();
        self.objects.insert(id.to_owned(), Object { body, busy: None, stranger: false });
        let status = if made { 201 } else { 200 };
        if !takes_long {
            return reply(status, shown);
        }
        let number = self.begin(id, Work::Write);
        self.followed(number, reply(status, shown))
    }

    fn vault_name_taken(&self, name: &str) -> bool {
        let live = self.objects.keys().filter(|id| is_vault(id));
        live.chain(self.deleted_vaults.keys()).any(|id| last(id) == name)
    }

    /// Private endpoints of one network are changed one at a time.
    fn lane(&mut self, id: &str) -> Option<Reply> {
        if !is_private_endpoint(id) {
            return None;
        }
        let busy = |other: &Operation| !other.done && is_private_endpoint(&other.target);
        if !self.operations.values().any(|other| busy(other) && other.target != id) {
            return None;
        }
        self.hit("429 subnet");
        let mut refusal = refuse(429, "RetryableErrorDueToAnotherOperation", "the network is being changed");
        if self.rng.permille(500) {
            refusal.headers.insert("retry-after".to_owned(), "5".to_owned());
        }
        Some(refusal)
    }

    fn begin(&mut self, id: &str, work: Work) -> u64 {
        self.drawn += 1;
        let number = self.drawn;
        let manners = self.manners.clone();
        let mut ends = self.now + self.rng.within(200, manners.longest);
        let writes = work == Work::Write;
        let end = match self.rng.below(1000) {
            draw if draw < manners.op_failed && writes => End::Failed,
            draw if draw < 2 * manners.op_failed && writes => End::Lied,
            draw if draw < 3 * manners.op_failed => End::Vanished,
            draw if draw < 4 * manners.op_failed => {
                self.hit("LRO stuck");
                ends = self.now + 10 * 3_600_000;
                End::Well
            }
            _ => End::Well,
        };
        match end {
            End::Failed => self.hit("LRO failed"),
            End::Lied => self.hit("LRO lied"),
            End::Vanished => self.hit("LRO vanished"),
            End::Well => {}
        }
        let retry_after = self.rng.permille(600).then(|| self.rng.within(1, 15));
        let operation = Operation { target: id.to_owned(), work, ends, end, done: false, retry_after };
        self.operations.insert(number, operation);
        self.running.insert((ends, number));
        if let Some(object) = self.objects.get_mut(id) {
            object.busy = Some(number);
        }
        number
    }

    /// The answer of a request that was taken on: with either header, or none at all.
    fn followed(&mut self, number: u64, mut answer: Reply) -> Reply {
        let url = |form: &str| {
            format!("{HOST}/subscriptions/{SUBSCRIPTION}/operations/{form}{number}?api-version=1")
        };
        match self.rng.below(4) {
            0 | 1 => _ = answer.headers.insert("azure-asyncoperation".to_owned(), url("a")),
            2 => {
                answer = reply(202, Value::Null);
                answer.headers.insert("location".to_owned(), url("l"));
            }
            _ if answer.status == 202 => {}
            _ => return answer,
        }
        let operation = &self.operations[&number];
        if let Some(seconds) = operation.retry_after {
            answer.headers.insert("retry-after".to_owned(), seconds.to_string());
        }
        answer
    }

    fn poll(&mut self, number: &str) -> Reply {
        let (by_location, digits) = match number.strip_prefix('l') {
            Some(digits) => (true, digits),
            None => (false, number.trim_start_matches('a')),
        };
        let found = digits.parse().ok().and_then(|number: u64| self.operations.get(&number));
        let Some(operation) = found.filter(|operation| operation.end != End::Vanished) else {
            return refuse(404, "OperationNotFound", "there is no such operation");
        };
        let failed = operation.done && operation.end == End::Failed;
        let mut answer = match (by_location, operation.done) {
            (true, false) => reply(202, Value::Null),
            (true, true) if failed => refuse(400, "ProvisioningFailed", "it came to nothing"),
            (true, true) => reply(200, Value::Null),
            (false, false) => reply(200, json!({"status": "InProgress"})),
            (false, true) if failed => reply(
                200,
                json!({"status": "Failed", "error": {"code": "ProvisioningFailed", "message": "it came to nothing"}}),
            ),
            (false, true) => reply(200, json!({"status": "Succeeded"})),
        };
        if let (false, Some(seconds)) = (operation.done, operation.retry_after) {
            answer.headers.insert("retry-after".to_owned(), seconds.to_string());
        }
        answer
    }

    fn delete(&mut self, id: &str) -> Reply {
        let Some(object) = self.objects.get(id).cloned() else { return reply(204, Value::Null) };
        if object.stranger {
            self.wrongs.push(("I8", format!("DELETE of somebody else's {id}")));
        }
        if object.busy.is_some() {
            self.hit("409 busy");
            return refuse(409, "AnotherOperationInProgress", "it is being changed");
        }
        if let Some(refusal) = self.lane(id) {
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
        let number = self.begin(id, Work::Delete);
        self.followed(number, reply(202, Value::Null))
    }

    /// Removal goes in reverse order: nothing of ours may stand on what is deleted.
    fn in_order(&mut self, id: &str) {
        let within = format!("{id}/");
        let above: Vec<&String> = self.objects.keys().filter(|other| other.starts_with(&within)).collect();
        let granted: Vec<&String> = self
            .grants
            .iter()
            .filter(|(other, grant)| {
                let ours = grant.primary().filter(|grant| !is_intruders(grant));
                other.starts_with(&within) && ours.is_some()
            })
            .map(|(other, _)| other)
            .collect();
        if let Some(other) = above.into_iter().chain(granted).next() {
            let wrong = format!("DELETE of {id} while {other} stands on it");
            self.wrongs.push(("I14", wrong));
        }
    }

    fn remove(&mut self, id: &str) {
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
                let properties = json!({"vaultId": text(&vault.body, "/id"), "tags": vault.body["tags"]});
                reply(200, json!({"id": id, "name": name, "properties": properties}))
            }
            Method::Post if self.rng.permille(self.manners.operations) => {
                let pending = |operation: &Operation| {
                    !operation.done && operation.work == Work::Purge && operation.target == held
                };
                if self.operations.values().any(pending) {
                    return refuse(409, "AnotherOperationInProgress", "it is being purged");
                }
                let number = self.begin(&held, Work::Purge);
                self.followed(number, reply(202, Value::Null))
            }
            Method::Post => {
                self.deleted_vaults.remove(&held);
                reply(200, Value::Null)
            }
            Method::Put | Method::Patch | Method::Delete => refuse(405, "MethodNotAllowed", "not that"),
        }
    }

    /// Ends every operation whose time has come.
    pub(crate) fn settle(&mut self) {
        while let Some((ends, number)) = self.running.first().copied().filter(|(ends, _)| *ends <= self.now) {
            self.running.remove(&(ends, number));
            let Some(operation) = self.operations.get_mut(&number) else { continue };
            operation.done = true;
            let operation = operation.clone();
            match operation.work {
                Work::Purge => _ = self.deleted_vaults.remove(&operation.target),
                Work::Delete
                    if self.objects.get(&operation.target).is_some_and(|o| o.busy == Some(number)) =>
                {
                    self.remove(&operation.target);
                }
                Work::Delete => {}
                Work::Write => {
                    let Some(object) = self.objects.get_mut(&operation.target) else { continue };
                    if object.busy == Some(number) {
                        let ok = matches!(operation.end, End::Well | End::Vanished);
                        object.busy = None;
                        object.body["properties"]["provisioningState"] =
                            json!(if ok { "Succeeded" } else { "Failed" });
                    }
                }
            }
        }
    }
}
