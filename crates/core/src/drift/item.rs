//! What a report consists of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DriftClass, Sighting};
use crate::{
    blueprint::{Kind, PlannedStep},
    ids::{StepName, TenantId},
    steps::redact,
    tenant::Tenant,
};

/// How many characters of a value's JSON are shown.
const VALUE_CHARACTERS: usize = 300;

/// One thing that is not as it was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The step whose it is.
    pub step: StepName,
    /// The resource's id, or the name of the object in Entra.
    pub resource: String,
    /// A JSON pointer into it; its id where it is absent or broken as a whole.
    pub path: String,
    /// What the plan says, redacted and cut.
    pub wanted: Value,
    /// What Azure shows, likewise; `null` for nothing.
    pub seen: Value,
    /// What the change may do.
    pub severity: DriftClass,
    /// Who made it, where Azure's activity log tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_unknown: Option<String>,
    /// What is done about it; absent where it is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healing: Option<Healing>,
    /// What would put it right.
    #[serde(skip)]
    pub remedy: Remedy,
}

impl Item {
    /// What it is known by from one look to the next.
    pub fn key(&self) -> String {
        format!("{} {}", self.step, self.path)
    }
}

/// What would put an item right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remedy {
    /// Nothing that tenantry may do: it is a stranger's, it was never asked for, or it would have to be deleted first.
    #[default]
    Person,
    /// Its step writes it again.
    Write,
    /// Its step makes it anew, so that all that stands on it has to be looked at too.
    Remake,
}

/// What is done about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Healing {
    /// Its step looks again and puts it right.
    Begun,
    /// It was put right several times within a day and came back: somebody has to find out why.
    GivenUp,
}

/// Who made a change, as the activity log has it. Personal data where the caller is a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// A person's sign-in name, or the object id of an application.
    pub caller: String,
    /// The application that was used, by its client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// What was done, e.g. `Microsoft.Storage/storageAccounts/write`.
    pub operation: String,
    /// When, as the log has it.
    pub at: String,
}

/// A step that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The step.
    pub step: StepName,
    /// Why.
    pub why: String,
}

/// What became of comparing one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// [`Self::SCHEMA`].
    pub schema: String,
    /// Whose.
    pub tenant_id: TenantId,
    /// What has drifted, in the order of steps and paths.
    pub items: Vec<Item>,
    /// What is not known.
    pub unread: Vec<Unread>,
    /// What a person should do next, as a command; absent where all is as it was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Steps that had stopped and are right again: their records have to catch up.
    #[serde(skip)]
    pub recovered: Vec<StepName>,
    /// Whether Azure gave up on something: then a person has to look before anything is made anew.
    #[serde(skip)]
    pub broken: bool,
}

impl DriftReport {
    /// The schema of reports.
    pub const SCHEMA: &str = "tenantry.drift/1";

    /// The report on what was sighted of a tenant's steps. What a check and the step that makes it so both see is told once.
    pub fn of(tenant: &Tenant, sightings: Vec<(StepName, Sighting)>) -> Self {
        let mut report = Self {
            schema: Self::SCHEMA.to_owned(),
            tenant_id: tenant.id.clone(),
            items: Vec::new(),
            unread: Vec::new(),
            next: None,
            recovered: Vec::new(),
            broken: false,
        };
        for (step, sighting) in sightings {
            match sighting {
                Sighting::Right => {
                    let stopped = tenant.steps.get(&step).is_some_and(|past| past.state.halted().is_some());
                    report.recovered.extend(stopped.then_some(step));
                }
                Sighting::Drifted(items) => report.items.extend(items),
                Sighting::Broken(item) => {
                    report.broken = true;
                    report.items.push(*item);
                }
                Sighting::Unknown(why) => report.unread.push(Unread { step, why }),
            }
        }
        let rank = |item: &Item| match tenant.plan.steps.get(&item.step).map(PlannedStep::kind) {
            Some(Kind::Check) => 2,
            Some(Kind::ArmUpdate) => 1,
            Some(_) | None => 0,
        };
        report.items.sort_by_key(rank);
        let mut told = BTreeSet::new();
        report.items.retain(|item| {
            let (resource, path) = (item.resource.to_ascii_lowercase(), item.path.to_ascii_lowercase());
            // What is below something that is told is told with it.
            let above = path.match_indices('/').map(|(at, _)| path.get(..at).unwrap_or_default());
            if above.chain([path.as_str()]).any(|above| told.contains(&(resource.clone(), above.to_owned())))
            {
                return false;
            }
            told.insert((resource, path))
        });
        report.items.sort_by(|a, b| (&a.step, &a.path).cmp(&(&b.step, &b.path)));
        report.unread.sort_by(|a, b| a.step.cmp(&b.step));
        report.next = report.next_action();
        report
    }

    /// The command that puts right what can be; for the rest a person has to do something first.
    fn next_action(&self) -> Option<String> {
        let id = &self.tenant_id;
        let mendable = self.items.iter().any(|item| item.remedy != Remedy::Person);
        let by_hand = self.items.iter().any(|item| item.remedy == Remedy::Person);
        match (mendable, by_hand || self.broken) {
            (true, false) => Some(format!("run `tenantry reconcile {id}`: what drifted is put right")),
            (true, true) => Some(format!(
                "run `tenantry reconcile {id}`; what `tenantry drift {id}` still shows then has to be mended by hand in Azure"
            )),
            (false, true) => Some(format!(
                "mend it by hand in Azure, for tenantry does not change what is not its own; then run `tenantry drift {id}`"
            )),
            (false, false) if !self.unread.is_empty() => Some(format!("run `tenantry drift {id}` again")),
            (false, false) => None,
        }
    }

    /// Whether all was looked at, and nothing has drifted.
    pub fn is_clean(&self) -> bool {
        self.items.is_empty() && self.unread.is_empty()
    }
}

/// A value for people: without what its name or form says is a secret, and cut.
pub(super) fn shown(path: &str, value: Option<&Value>) -> Value {
    let Some(value) = value else { return Value::Null };
    let name = path.rsplit('/').next().unwrap_or_default();
    let redacted = redact(&json!({ name: value }).to_string());
    let redacted: Value = serde_json::from_str(&redacted).unwrap_or_default();
    let value = redacted.get(name).cloned().unwrap_or_default();
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((at, _)) => Value::String(format!("{}…", text.get(..at).unwrap_or_default())),
        None => value,
    }
}
