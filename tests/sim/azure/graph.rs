//! Microsoft Graph of the simulator's Azure: a primary accepts writes, and three replicas show them later, each with
//! a lag of its own.

use serde_json::{Value, json};
use tenantry_core::steps::{Method, Reply, Request};

use super::{Azure, GRAPH, is_intruders, mark, pages::Seen, refuse, reply, text};
use crate::exec::Millis;

/// The versions of one object, with the instants from which each replica shows them. A deletion is a version without
/// a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replicated(Vec<([Millis; 3], Option<Value>)>);

impl Replicated {
    /// The object's state at the primary; `None` if it does not exist.
    pub(crate) fn primary(&self) -> Option<&Value> {
        self.0.last()?.1.as_ref()
    }

    /// The object's state at the primary, or its last state before it was deleted.
    pub(crate) fn last(&self) -> Option<&Value> {
        self.0.iter().rev().find_map(|(_, body)| body.as_ref())
    }

    pub(crate) fn seen_by(&self, replica: usize, now: Millis) -> Option<&Value> {
        let shown = self.0.iter().rev().find(|(from, _)| from[replica] <= now)?;
        shown.1.as_ref()
    }

    /// Whether a replica still shows an earlier version than the last one.
    pub(super) fn is_behind(&self, replica: usize, now: Millis) -> bool {
        self.0.last().is_some_and(|(from, _)| from[replica] > now)
    }

    pub(crate) fn write(&mut self, now: Millis, lags: [Millis; 3], body: Option<Value>) {
        let past = self.0.last().map_or([0; 3], |(from, _)| *from);
        let from = [0, 1, 2].map(|replica| past[replica].max(now + lags[replica]));
        // Versions that no replica shows any longer are dropped.
        let seen = self.0.iter().rposition(|(from, _)| from.iter().all(|from| *from <= now)).unwrap_or(0);
        self.0.drain(..seen);
        self.0.push((from, body));
    }
}

/// What the path of a request addresses.
enum Target<'a> {
    Application(&'a str),
    ApplicationById(&'a str),
    Principal(&'a str),
    PrincipalById(&'a str),
    Credential(&'a str, &'a str),
    Credentials(&'a str),
    /// The owners of an application or a service principal. The list is always empty.
    Owners,
    Deleted(&'a str),
    DeletedList(&'a str),
    Restore(&'a str),
}

fn keyed<'a>(segment: &'a str, name: &str) -> Option<&'a str> {
    segment.strip_prefix(name)?.strip_prefix("='")?.strip_suffix("')")
}

fn target(path: &str) -> Option<Target<'_>> {
    let rest = path.strip_prefix("/v1.0/")?;
    if let Some(rest) = rest.strip_prefix("directory/deletedItems/") {
        return Some(match (rest.strip_prefix("microsoft.graph."), rest.strip_suffix("/restore")) {
            (Some(kind), _) => Target::DeletedList(kind),
            (None, Some(id)) => Target::Restore(id),
            (None, None) => Target::Deleted(rest),
        });
    }
    if let Some(key) = rest.strip_prefix("applications(") {
        return Some(Target::Application(keyed(key, "uniqueName")?));
    }
    if let Some(key) = rest.strip_prefix("servicePrincipals(") {
        return Some(Target::Principal(keyed(key, "appId")?));
    }
    if rest.ends_with("/owners") {
        return Some(Target::Owners);
    }
    if let Some(id) = rest.strip_prefix("servicePrincipals/") {
        return Some(Target::PrincipalById(id));
    }
    let rest = rest.strip_prefix("applications/")?;
    Some(match rest.split_once("/federatedIdentityCredentials(") {
        Some((id, key)) => Target::Credential(id, keyed(key, "name")?),
        None => match rest.strip_suffix("/federatedIdentityCredentials") {
            Some(id) => Target::Credentials(id),
            None => Target::ApplicationById(rest),
        },
    })
}

fn missing() -> Reply {
    refuse(404, "Request_ResourceNotFound", "the resource does not exist")
}

/// Merges the members of `body` into `past`.
fn over(mut past: Value, body: &Value) -> Value {
    for (name, value) in body.as_object().into_iter().flatten() {
        past[name.as_str()] = value.clone();
    }
    past
}

impl Azure {
    /// The tenant to which an Entra object belongs whose id occurs in a path.
    pub(crate) fn owner_in(&self, path: &str) -> Option<String> {
        let named = |body: &Value| {
            ["/id", "/appId"].iter().map(|key| text(body, key)).any(|id| !id.is_empty() && path.contains(id))
        };
        let live = self.applications.values().chain(self.principals.values()).filter_map(Replicated::last);
        let mut all = live.chain(self.deleted.values().map(|(_, body)| body));
        all.find(|body| named(body)).and_then(mark)
    }

    pub(super) fn replica(&mut self) -> usize {
        usize::try_from(self.rng.below(3)).unwrap_or(0)
    }

    pub(super) fn lags(&mut self) -> [Millis; 3] {
        let most = self.manners.graph_lag;
        [0; 3].map(|_| self.rng.within(0, most))
    }

    pub(super) fn graph(&mut self, request: &Request, path: &str, query: &str) -> Reply {
        let Some(target) = target(path.strip_prefix(GRAPH).unwrap_or(path)) else {
            return refuse(400, "BadRequest", "no such segment");
        };
        let body = request.body.as_ref().unwrap_or(&Value::Null);
        match (request.method, target) {
            (Method::Get, Target::Application(name)) => self.show_application(name),
            (Method::Get, Target::Principal(app)) => {
                let (replica, now) = (self.replica(), self.now);
                shown(visible(&mut self.behind, self.principals.get(app), replica, now))
            }
            (Method::Get, Target::Credential(app, name)) => {
                let (replica, now) = (self.replica(), self.now);
                let credential = self.credentials.get(&(app.to_owned(), name.to_owned()));
                shown(visible(&mut self.behind, credential, replica, now))
            }
            (Method::Get, Target::Credentials(app)) => self.list_credentials(request, app),
            (Method::Get, Target::Owners) => self.list(request, Vec::new(), Seen::Nothing),
            (Method::Get, Target::Deleted(id)) => shown(self.deleted.get(id).map(|(_, body)| body)),
            (Method::Get, Target::DeletedList(kind)) => self.list_deleted(request, kind, query),
            (Method::Patch, Target::Application(name)) => self.upsert_application(name, body),
            (Method::Patch, Target::Principal(app)) => self.upsert_principal(app, body),
            (Method::Patch, Target::Credential(app, name)) => self.upsert_credential(app, name, body),
            (Method::Delete, Target::ApplicationById(id)) => self.delete_application(id),
            (Method::Delete, Target::PrincipalById(id)) => self.delete_principal(id),
            (Method::Delete, Target::Credential(app, name)) => self.delete_credential(app, name),
            (Method::Delete, Target::Deleted(id)) => {
                if self.deleted.remove(id).is_some() {
                    reply(204, Value::Null)
                } else {
                    missing()
                }
            }
            (Method::Post, Target::Restore(id)) => self.restore(id),
            _ => refuse(405, "Request_BadRequest", "not that"),
        }
    }

    fn show_application(&mut self, name: &str) -> Reply {
        let held = self.deleted.values().any(|(_, body)| text(body, "/uniqueName") == name);
        let first = self.read_once.insert(name.to_owned());
        let absent =
            first && !held && self.applications.get(name).is_none_or(|versions| versions.primary().is_none());
        if absent && self.strangers > 0 && self.rng.permille(150) {
            self.strangers -= 1;
            self.hit("stranger");
            let (id, app) = (self.guid(), self.guid());
            let body =
                json!({"id": id, "appId": app, "uniqueName": name, "owner": "stranger", "tags": ["theirs"]});
            let now = self.now;
            self.applications.entry(name.to_owned()).or_default().write(now, [0; 3], Some(body));
        }
        let (replica, now) = (self.replica(), self.now);
        let mut answer = shown(visible(&mut self.behind, self.applications.get(name), replica, now));
        // A collection of Graph has no defined order. Here the order depends on the name only, so waiting does not
        // change it.
        let reversed = name.bytes().map(u64::from).sum::<u64>() % 1_000 < self.manners.reordered;
        let addresses = answer.body.pointer_mut("/web/redirectUris").and_then(Value::as_array_mut);
        if let Some(addresses) = addresses.filter(|_| reversed) {
            addresses.reverse();
            self.hit("a set in another order");
        }
        answer
    }

    fn upsert_application(&mut self, name: &str, body: &Value) -> Reply {
        let (now, lags) = (self.now, self.lags());
        if let Some(past) = self.applications.get(name).and_then(Replicated::primary).cloned() {
            if text(&past, "/owner") == "stranger" {
                self.wrongs.push(("I8", format!("PATCH of somebody else's application {name}")));
            }
            let merged = over(past, body);
            self.applications.entry(name.to_owned()).or_default().write(now, lags, Some(merged));
            return reply(204, Value::Null);
        }
        let held = self.deleted.values().any(|(_, body)| text(body, "/uniqueName") == name);
        if held {
            let message = "Another object with the same value for property uniqueName already exists.";
            return refuse(400, "Request_BadRequest", message);
        }
        let made = over(json!({"id": self.guid(), "appId": self.guid(), "uniqueName": name}), body);
        self.applications.entry(name.to_owned()).or_default().write(now, lags, Some(made.clone()));
        reply(201, made)
    }

    /// Whether the replica that a write reads shows an application. It may not show a new one yet.
    fn knows(&mut self, is_it: impl Fn(&Value) -> bool) -> bool {
        let (replica, now) = (self.replica(), self.now);
        self.applications.values().any(|versions| versions.seen_by(replica, now).is_some_and(&is_it))
    }

    /// Marks a refusal as passing if the object exists and one replica does not show it yet.
    fn lagging(&mut self, exists: bool, refusal: Reply) -> Reply {
        let until = self.now + self.manners.graph_lag;
        if exists { self.passing(refusal, until) } else { refusal }
    }

    fn upsert_principal(&mut self, app: &str, body: &Value) -> Reply {
        let (now, lags) = (self.now, self.lags());
        if let Some(past) = self.principals.get(app).and_then(Replicated::primary).cloned() {
            let merged = over(past, body);
            self.principals.entry(app.to_owned()).or_default().write(now, lags, Some(merged));
            return reply(204, Value::Null);
        }
        let exists = self.applications.values().filter_map(Replicated::primary);
        let exists = exists.into_iter().any(|body| text(body, "/appId") == app);
        if !exists || !self.knows(|body| text(body, "/appId") == app) {
            self.hit("NoBackingApplicationObject");
            if self.rng.permille(self.manners.gated) {
                self.hit("lag as 403");
                let message = "When using this permission, the backing application of the service principal being \
                    created must in the local tenant";
                return self.lagging(exists, refuse(403, "Authorization_RequestDenied", message));
            }
            let message = "the appId has no application behind it";
            return self.lagging(exists, refuse(400, "NoBackingApplicationObject", message));
        }
        let id = self.guid();
        let lag = self.rng.within(0, self.manners.role_lag);
        self.known_principals.insert(id.clone(), now + lag);
        let made = over(json!({"id": id, "appId": app}), body);
        self.principals.entry(app.to_owned()).or_default().write(now, lags, Some(made.clone()));
        reply(201, made)
    }

    fn upsert_credential(&mut self, app: &str, name: &str, body: &Value) -> Reply {
        let exists = self.applications.values().filter_map(Replicated::primary);
        let exists = exists.into_iter().any(|body| text(body, "/id") == app);
        if !exists || !self.knows(|body| text(body, "/id") == app) {
            return self.lagging(exists, missing());
        }
        let (now, lags) = (self.now, self.lags());
        let key = (app.to_owned(), name.to_owned());
        if let Some(past) = self.credentials.get(&key).and_then(Replicated::primary).cloned() {
            let merged = over(past, body);
            self.credentials.entry(key).or_default().write(now, lags, Some(merged));
            return reply(204, Value::Null);
        }
        let made = over(json!({"id": self.guid(), "name": name}), body);
        self.credentials.entry(key).or_default().write(now, lags, Some(made.clone()));
        reply(201, made)
    }

    fn delete_application(&mut self, id: &str) -> Reply {
        let all = self.applications.iter();
        let found = all
            .filter_map(|(name, versions)| Some((name.clone(), versions.primary()?.clone())))
            .find(|(_, body)| text(body, "/id") == id);
        let Some((name, body)) = found else { return missing() };
        if text(&body, "/owner") == "stranger" {
            self.wrongs.push(("I8", format!("DELETE of somebody else's application {name}")));
        }
        let app = text(&body, "/appId").to_owned();
        let standing = self.credentials.iter().any(|((of, _), credential)| {
            of == id && credential.primary().is_some_and(|credential| !is_intruders(credential))
        });
        let principal = self.principals.get(&app).and_then(Replicated::primary).cloned();
        if standing || principal.is_some() {
            self.wrongs
                .push(("I14", format!("DELETE of application {name} while other objects depend on it")));
        }
        if let Some(principal) = principal {
            self.delete_principal(text(&principal, "/id"));
        }
        let (now, lags) = (self.now, self.lags());
        self.applications.entry(name).or_default().write(now, lags, None);
        self.deleted.insert(id.to_owned(), ("application", body));
        self.credentials.retain(|(of, _), _| of != id);
        reply(204, Value::Null)
    }

    fn delete_principal(&mut self, id: &str) -> Reply {
        let all = self.principals.iter();
        let found = all
            .filter_map(|(app, versions)| Some((app.clone(), versions.primary()?.clone())))
            .find(|(_, body)| text(body, "/id") == id);
        let Some((app, body)) = found else { return missing() };
        let granted = self.grants.values().filter_map(Replicated::primary);
        if granted.into_iter().any(|grant| text(grant, "/properties/principalId") == id) {
            self.wrongs.push(("I14", format!("DELETE of service principal {id} while it has a role")));
        }
        let (now, lags) = (self.now, self.lags());
        self.principals.entry(app).or_default().write(now, lags, None);
        self.deleted.insert(id.to_owned(), ("servicePrincipal", body));
        self.known_principals.remove(id);
        reply(204, Value::Null)
    }

    fn delete_credential(&mut self, app: &str, name: &str) -> Reply {
        let (now, lags) = (self.now, self.lags());
        let key = (app.to_owned(), name.to_owned());
        match self.credentials.get_mut(&key).filter(|versions| versions.primary().is_some()) {
            Some(versions) => {
                versions.write(now, lags, None);
                reply(204, Value::Null)
            }
            None => missing(),
        }
    }

    fn list_credentials(&mut self, request: &Request, app: &str) -> Reply {
        if !self.knows(|body| text(body, "/id") == app) {
            return missing();
        }
        let (replica, now) = (self.replica(), self.now);
        let own = self.credentials.iter().filter(|((of, _), _)| of == app);
        let all = own.filter_map(|(_, versions)| versions.seen_by(replica, now)).cloned().collect();
        let seen = self.clean_of_credentials(app).map_or(Seen::Nothing, Seen::Credentials);
        self.list(request, all, seen)
    }

    fn list_deleted(&mut self, request: &Request, kind: &str, query: &str) -> Reply {
        let searched = query.split("%20eq%20'").nth(1).and_then(|rest| rest.split('\'').next());
        let searched = searched.unwrap_or_default().replace("%3A", ":");
        let fits = |body: &Value| {
            let tags = body.get("tags").and_then(Value::as_array);
            text(body, "/appId") == searched
                || tags.is_some_and(|tags| tags.iter().any(|tag| tag.as_str() == Some(&searched)))
        };
        let all = self.deleted.values().filter(|(of, body)| *of == kind && fits(body));
        let all = all.map(|(_, body)| body.clone()).collect();
        self.list(request, all, Seen::Nothing)
    }

    fn restore(&mut self, id: &str) -> Reply {
        let Some((kind, body)) = self.deleted.remove(id) else { return missing() };
        let (now, lags) = (self.now, self.lags());
        let back = Some(body.clone());
        if kind == "application" {
            let name = text(&body, "/uniqueName").to_owned();
            self.applications.entry(name).or_default().write(now, lags, back);
        } else {
            let app = text(&body, "/appId").to_owned();
            self.known_principals.insert(id.to_owned(), now);
            self.principals.entry(app).or_default().write(now, lags, back);
        }
        reply(200, body)
    }
}

/// The version of an object that a replica shows. Sets `behind` if the replica still shows an earlier version than
/// the last.
fn visible<'a>(
    behind: &mut bool,
    versions: Option<&'a Replicated>,
    replica: usize,
    now: Millis,
) -> Option<&'a Value> {
    let versions = versions?;
    *behind |= versions.is_behind(replica, now);
    versions.seen_by(replica, now)
}

fn shown(body: Option<&Value>) -> Reply {
    body.map_or_else(missing, |body| reply(200, body.clone()))
}
