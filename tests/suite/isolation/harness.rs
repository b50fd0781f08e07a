//! The harness: evidence of a fleet without violations, and the changes that the tables make to it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tenantry_core::isolation::{
    Aim, AllowList, Allowed, Application, Calls, Evidence, IsolationReport, JudgedTenant, Listing, Live,
    Probe, ProbeKind, ProbeTarget, Reading, RoleDefinition, judge,
};

#[derive(Clone, Deserialize)]
pub(crate) struct Harness {
    names: BTreeMap<String, String>,
    roles: BTreeMap<String, String>,
    allow: Vec<Allowed>,
    pub(crate) judged_tenants: Vec<JudgedTenant>,
    pub(crate) evidence: Evidence,
}

/// One row of a table: changes of the evidence, and what the isolation check must report then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(rename = "do")]
    pub(crate) changes: Vec<Value>,
    /// The codes of the expected findings, by tenant.
    #[serde(default)]
    pub(crate) expect: BTreeMap<String, Vec<String>>,
    /// What the holders of the reported access can do, over all findings; not compared if empty.
    #[serde(default)]
    pub(crate) can: Vec<String>,
    /// The tenants whose verdict is inconclusive.
    #[serde(default)]
    pub(crate) inconclusive: Vec<String>,
    /// The tenants whose verdict is violated.
    #[serde(default)]
    pub(crate) violated: Vec<String>,
}

pub(crate) fn table(text: &str) -> Vec<Row> {
    serde_json::from_value(super::yaml::value(text)).unwrap()
}

impl Harness {
    pub(crate) fn new() -> Self {
        let mut harness: Self = serde_json::from_str(include_str!("base.json")).unwrap();
        let built_in: BTreeMap<String, RoleDefinition> =
            serde_json::from_str(include_str!("../../../crates/azure-sim/src/built_in_roles.json")).unwrap();
        harness.evidence.roles.extend(built_in.into_iter().map(|(id, role)| (id, Reading::Shown(role))));
        harness.call_all();
        harness
    }

    /// Adds calls in which every service answers its own tenant and rejects all others.
    fn call_all(&mut self) {
        let ids: Vec<_> = self.judged_tenants.iter().map(|judged| judged.tenant_id.clone()).collect();
        let mut live = Live { location: "a test".to_owned(), seed: 7, ..Live::default() };
        for (at, judged) in self.judged_tenants.iter_mut().enumerate() {
            let id = &judged.tenant_id;
            let url = format!("https://{id}.westeurope.inference.ml.azure.com/score");
            judged.probe = Some(Aim::At(ProbeTarget { url, ..ProbeTarget::default() }));
            let own = || Some(id.clone());
            let before = Some(ids[(at + ids.len() - 1) % ids.len()].clone());
            let probes = vec![
                Probe::answered(ProbeKind::Own, own(), 200, false),
                Probe::answered(ProbeKind::OtherTenant, before, 403, false),
                Probe::answered(ProbeKind::NoToken, None, 401, false),
                Probe::answered(ProbeKind::WrongAudience, own(), 401, false),
                Probe::answered(ProbeKind::Expired, own(), 401, false),
                Probe::answered(ProbeKind::Key, None, 401, false),
            ];
            live.tenants.insert(id.clone(), Calls::Made(probes));
        }
        self.evidence.live = live;
    }

    pub(crate) fn after(row: &Row) -> Self {
        let mut harness = Self::new();
        for change in &row.changes {
            let (what, of) = change.as_object().unwrap().iter().next().unwrap();
            harness.apply(what, of);
        }
        harness
    }

    pub(crate) fn reports(&self) -> Vec<IsolationReport> {
        judge(&self.judged_tenants, &self.evidence, &AllowList::new(&self.allow))
    }

    fn apply(&mut self, change: &str, of: &Value) {
        match change {
            "assign" => self.assign(of),
            "role" => self.role(of),
            "group" => self.group(of),
            "set" => {
                let id = self.name(&of["of"]).to_ascii_lowercase();
                let to = self.named(&of["to"]);
                let Some(Reading::Shown(shown)) = self.evidence.resources.get_mut(&id) else {
                    panic!("no {id}")
                };
                put(shown, of["at"].as_str().unwrap(), to);
            }
            "absent" => self.resource(of, Reading::Absent),
            "unread" => self.resource(of, Reading::Unread("forbidden".to_owned())),
            "application" => self.application(of),
            "trust" => {
                let id = self.name(&of["of"]).to_ascii_lowercase();
                let seen = self.evidence.identity_credentials.get_mut(&id).unwrap();
                *seen = Reading::Shown(vec![of["to"].clone()]);
            }
            "allow" => {
                let more: Vec<Allowed> = serde_json::from_value(self.named(of)).unwrap();
                self.allow.extend(more);
            }
            "listing" => {
                let assignments = Reading::Unread(of["unread"].as_str().unwrap().to_owned());
                let one = of.get("of").map(|of| self.name(of));
                if one.is_none() {
                    self.evidence.listings.clear();
                }
                let scope = self.name(&of["scope"]);
                self.evidence.listings.push(Listing { scope, of: one, assignments });
            }
            "call" => self.call(of),
            "uncalled" => {
                let why = of["why"].as_str().map(|why| Calls::NotPossible(why.to_owned()));
                let live = &mut self.evidence.live.tenants;
                let id = of["of"].as_str().unwrap().parse().unwrap();
                match why {
                    None => _ = live.remove(&id),
                    Some(calls) => _ = live.insert(id, calls),
                }
            }
            "undeclared" => {
                let judged = self.judged_tenants.iter_mut().find(|one| one.tenant_id.as_str() == of).unwrap();
                judged.probe = None;
            }
            "suspended" => {
                let judged = self.judged_tenants.iter_mut().find(|one| one.tenant_id.as_str() == of).unwrap();
                // The tenant's service is not called, so that only Entra's evidence counts.
                (judged.suspended, judged.probe) = (true, None);
                judged.applications.iter_mut().for_each(|application| application.disabled = true);
            }
            "copy" => {
                let listing = self.evidence.listings[0].clone();
                self.evidence.listings.push(Listing { scope: self.name(of), ..listing });
            }
            _ => panic!("unknown change {change}"),
        }
    }

    /// Replaces a name that base.json defines with its value, and keeps what follows a `!`; any other text is
    /// unchanged.
    fn name(&self, text: &Value) -> String {
        let text = text.as_str().unwrap();
        let (name, rest) = text.split_once('!').unwrap_or((text, ""));
        let known = self.names.get(name).or_else(|| self.roles.get(name));
        known.map_or_else(|| text.to_owned(), |known| format!("{known}{rest}"))
    }

    /// Replaces the names that base.json defines in every text of a value.
    fn named(&self, value: &Value) -> Value {
        match value {
            Value::String(_) => self.name(value).into(),
            Value::Array(items) => items.iter().map(|item| self.named(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, value)| (key.clone(), self.named(value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Changes a call: another answer, no answer with a reason, or no call.
    fn call(&mut self, of: &Value) {
        let id = of["of"].as_str().unwrap().parse().unwrap();
        let Some(Calls::Made(probes)) = self.evidence.live.tenants.get_mut(&id) else { panic!("no {id}") };
        let kind: ProbeKind = serde_json::from_value(of["with"].clone()).unwrap();
        let at = probes.iter().position(|probe| probe.kind == kind).unwrap();
        let by = of["as"].as_str().map_or_else(|| probes[at].by.clone(), |by| Some(by.parse().unwrap()));
        let by_service = of["by"].as_str() == Some("service");
        match (of["status"].as_u64(), of["why"].as_str()) {
            (Some(status), _) => {
                probes[at] = Probe::answered(kind, by, u16::try_from(status).unwrap(), by_service);
            }
            (None, Some(why)) => probes[at] = Probe::unanswered(kind, by, why),
            (None, None) => _ = probes.remove(at),
        }
    }

    fn assign(&mut self, of: &Value) {
        let scope = self.name(&of["at"]);
        let kind = of.get("type").and_then(Value::as_str).unwrap_or("ServicePrincipal");
        let assignment = json!({
            "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/violation"),
            "scope": scope, "principalId": self.name(&of["who"]), "principalType": kind,
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", self.name(&of["role"])),
            "condition": of.get("condition"),
        });
        let Reading::Shown(all) = &mut self.evidence.listings[0].assignments else { panic!("no list") };
        all.push(serde_json::from_value(assignment).unwrap());
    }

    fn role(&mut self, of: &Value) {
        let seen = match (of.get("unread"), of.get("permissions")) {
            (Some(why), _) => Reading::Unread(why.as_str().unwrap().to_owned()),
            (None, Some(permissions)) => Reading::Shown(
                serde_json::from_value(json!({"roleName": "custom", "permissions": permissions})).unwrap(),
            ),
            (None, None) => Reading::Shown(
                serde_json::from_value(json!({"roleName": "custom", "permissions": [of]})).unwrap(),
            ),
        };
        self.evidence.roles.insert(of["id"].as_str().unwrap().to_owned(), seen);
    }

    fn group(&mut self, of: &Value) {
        let members = match of.get("unread") {
            Some(why) => Reading::Unread(why.as_str().unwrap().to_owned()),
            None => Reading::Shown(serde_json::from_value(self.named(&of["members"])).unwrap()),
        };
        self.evidence.groups.insert(of["id"].as_str().unwrap().to_owned(), members);
    }

    fn resource(&mut self, of: &Value, seen: Reading<Value>) {
        let id = self.name(of).to_ascii_lowercase();
        assert!(self.evidence.resources.insert(id.clone(), seen).is_some(), "no {id}");
    }

    /// Changes an application through its JSON, so that all parts are handled alike.
    fn application(&mut self, of: &Value) {
        let name = self.name(&format!("{}/application", of["of"].as_str().unwrap()).into());
        let to = self.named(&of["to"]);
        let mut whole = serde_json::to_value(&self.evidence.applications[&name]).unwrap();
        let part = &mut whole[of["part"].as_str().unwrap()];
        match (of.get("unread"), of.get("at").and_then(Value::as_str)) {
            (Some(why), _) => *part = json!({"unread": why}),
            (None, at) => put(&mut part["shown"], at.unwrap(), to),
        }
        let changed: Application = serde_json::from_value(whole).unwrap();
        self.evidence.applications.insert(name, changed);
    }
}

/// Sets the value at a pointer; a final `-` appends to a list, `null` deletes.
fn put(whole: &mut Value, at: &str, value: Value) {
    let Some((holder, last)) = at.rsplit_once('/') else { return *whole = value };
    let holder = whole.pointer_mut(holder).unwrap_or_else(|| panic!("there is no {holder}"));
    match holder {
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) if value.is_null() => _ = items.remove(last.parse().unwrap()),
        Value::Object(members) if value.is_null() => assert!(members.remove(last).is_some(), "no {at}"),
        Value::Array(items) => {
            let at: usize = last.parse().unwrap();
            *items.get_mut(at).unwrap() = value;
        }
        Value::Object(members) => _ = members.insert(last.to_owned(), value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("{at} is inside a scalar")
        }
    }
}
