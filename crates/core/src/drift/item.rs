//! The parts of a drift report.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DriftClass, DriftObservation};
use crate::{
    blueprint::{Kind, PlannedStep},
    ids::{StepName, TenantId},
    steps::redact,
    tenant::Tenant,
};

/// How many characters of a value's JSON are shown.
const VALUE_CHARACTERS: usize = 300;

/// One difference between the desired and the observed state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The name of the step that the object belongs to.
    pub step: StepName,
    /// The resource's id, or the name of the object in Entra.
    pub resource: String,
    /// The JSON pointer to the difference in the object. If the object is absent or its provisioning state is Failed,
    /// the same as `resource`.
    pub path: String,
    /// The desired value, redacted and truncated.
    pub desired: Value,
    /// The observed value, redacted and truncated; null if there is none.
    pub observed: Value,
    /// What the change may do.
    pub severity: DriftClass,
    /// Who made the change, if Azure's activity log shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Why it is not known who made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_unknown: Option<String>,
    /// What is done about the difference; `None` if it is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healing: Option<Healing>,
    /// What would repair the difference.
    #[serde(skip)]
    pub remedy: Remedy,
}

impl Item {
    /// The key that identifies the same difference in later checks: step and path.
    pub fn key(&self) -> String {
        format!("{} {}", self.step, self.path)
    }
}

/// What would repair a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remedy {
    /// Nothing that tenantry may do: the object is another owner's, was never desired, or would have to be deleted
    /// first.
    #[default]
    Person,
    /// The step writes the object again.
    Write,
    /// The step recreates the object, after which all steps that depend on it have to be read again too.
    Remake,
}

/// What is done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Healing {
    /// The step is restarted to repair the difference.
    Begun,
    /// The difference was repaired [`GIVE_UP`](super::GIVE_UP) times within a day and came back: a person has to find
    /// out why.
    GivenUp,
}

/// Who made a change, from the activity log. Personal data if the caller is a person.
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
    /// The time of the change, as the log has it.
    pub at: String,
}

/// A step that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The name of the step.
    pub step: StepName,
    /// Why the step's object could not be read.
    pub why: String,
}

/// The result of the drift checks of one tenant's steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The schema of the report: [`Self::SCHEMA`].
    pub schema: String,
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// The differences, in the order of steps and paths.
    pub items: Vec<Item>,
    /// The steps whose objects could not be read.
    pub unread: Vec<Unread>,
    /// What a person should do next, as a sentence with a command; `None` if everything matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Steps that were blocked and match again: their records have to be updated.
    #[serde(skip)]
    pub recovered: Vec<StepName>,
    /// Whether an object's provisioning state is Failed or Canceled: then a person has to check the object before
    /// anything is recreated.
    #[serde(skip)]
    pub has_failed: bool,
}

impl DriftReport {
    /// The schema of reports.
    pub const SCHEMA: &str = "tenantry.drift/1";

    /// Makes the report from the observations of a tenant's steps. A difference that both a `check` and the step that
    /// writes the resource find is reported once.
    pub fn of(tenant: &Tenant, observations: Vec<(StepName, DriftObservation)>) -> Self {
        let mut report = Self {
            schema: Self::SCHEMA.to_owned(),
            tenant_id: tenant.id.clone(),
            items: Vec::new(),
            unread: Vec::new(),
            next: None,
            recovered: Vec::new(),
            has_failed: false,
        };
        for (step, observation) in observations {
            match observation {
                DriftObservation::Right => {
                    let stopped = tenant.steps.get(&step).is_some_and(|past| past.state.blocked().is_some());
                    report.recovered.extend(stopped.then_some(step));
                }
                DriftObservation::Drifted(items) => report.items.extend(items),
                DriftObservation::Failed(item) => {
                    report.has_failed = true;
                    report.items.push(*item);
                }
                DriftObservation::Unknown(why) => report.unread.push(Unread { step, why }),
            }
        }
        let rank = |item: &Item| match tenant.plan.steps.get(&item.step).map(PlannedStep::kind) {
            Some(Kind::Check) => 2,
            Some(Kind::ArmUpdate) => 1,
            Some(_) | None => 0,
        };
        report.items.sort_by_key(rank);
        let mut reported = BTreeSet::new();
        report.items.retain(|item| {
            let (resource, path) = (item.resource.to_ascii_lowercase(), item.path.to_ascii_lowercase());
            // A difference below the path of a reported item is part of that item.
            let above = path.match_indices('/').map(|(at, _)| path.get(..at).unwrap_or_default());
            if above
                .chain([path.as_str()])
                .any(|above| reported.contains(&(resource.clone(), above.to_owned())))
            {
                return false;
            }
            reported.insert((resource, path))
        });
        report.items.sort_by(|a, b| (&a.step, &a.path).cmp(&(&b.step, &b.path)));
        report.unread.sort_by(|a, b| a.step.cmp(&b.step));
        report.next = report.next_action();
        report
    }

    /// A sentence with the command that repairs what can be repaired, and with what a person has to do about the rest.
    fn next_action(&self) -> Option<String> {
        let id = &self.tenant_id;
        let mendable = self.items.iter().any(|item| item.remedy != Remedy::Person);
        let by_hand = self.items.iter().any(|item| item.remedy == Remedy::Person);
        match (mendable, by_hand || self.has_failed) {
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

    /// Whether everything was read, and nothing has drifted.
    pub fn is_clean(&self) -> bool {
        self.items.is_empty() && self.unread.is_empty()
    }
}

/// A value as reports show it: secrets are redacted, by the member's name and the value's form, and long values
/// truncated.
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
