//! Names and ids of a tenant's objects, fixed before anything is created.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Kind, NameRule, Outputs, PlanContext, ResourceType,
    check::is_resource_name,
    file::Step,
    forbidden,
    hand::AtHand,
    names::{self, Owner},
    scope::{Early, Scope},
};
use crate::ids::{BadId, ResourceId, StepName};

/// What the names and ids of one tenant's objects are derived from.
pub(super) struct Identities<'a> {
    pub(super) plan_context: &'a PlanContext,
    pub(super) scope: &'a Scope,
    /// The `id` and `name` of each preceding step that has them.
    pub(super) known: &'a BTreeMap<StepName, Outputs>,
}

impl Identities<'_> {
    /// The `id` and `name` of an `arm` step, or of the step that an `arm-update` changes; empty for other kinds.
    ///
    /// Errors: the name of the invalid field, and why it is invalid.
    pub(super) fn of(&self, step: &Step) -> Result<Outputs, (&'static str, String)> {
        match step.kind {
            Kind::Arm => {
                let name = self.resource_name(step).map_err(|why| ("name", why))?;
                let id = self.resource_id(step, &name)?;
                Ok(Outputs::from([("id".into(), id.as_str().into()), ("name".into(), name.into())]))
            }
            Kind::ArmUpdate => {
                let of = step.target("of").and_then(|of| of.parse::<StepName>().ok());
                Ok(of.and_then(|of| self.known.get(&of)).cloned().unwrap_or_default())
            }
            Kind::RoleAssignment
            | Kind::EntraApplication
            | Kind::ServicePrincipal
            | Kind::FederatedCredential
            | Kind::Check
            | Kind::Isolation => Ok(Outputs::new()),
        }
    }

    /// The `uniqueName` of an Entra application: as the blueprint gives it, or derived.
    pub(super) fn application_name(&self, step: &Step) -> Result<String, String> {
        self.name(step, "uniqueName", &names::APPLICATION, "entra-application")
    }

    /// The name of a federated credential: as the blueprint gives it, or derived.
    pub(super) fn credential_name(&self, step: &Step) -> Result<String, String> {
        self.name(step, "name", &names::CREDENTIAL, "federated-credential")
    }

    fn resource_name(&self, step: &Step) -> Result<String, String> {
        let kind = step.text("type").unwrap_or_default();
        let rule = ResourceType::find(kind).map_or(Some(names::COMMON), |row| row.names);
        let name = self.name(step, "name", &rule.unwrap_or(names::COMMON), kind)?;
        if is_resource_name(&name) {
            Ok(name)
        } else {
            Err(format!("`{name}` can't be the name of a resource"))
        }
    }

    fn name(&self, step: &Step, field: &str, rule: &NameRule, kind: &str) -> Result<String, String> {
        let Some(text) = step.text(field) else {
            let PlanContext { deployment, tenant_id, incarnation, .. } = self.plan_context;
            let owner = Owner { deployment, tenant: tenant_id, incarnation: *incarnation };
            return Ok(names::derive(rule, kind, owner, step.name.as_str()));
        };
        self.text(text)
    }

    fn text(&self, text: &str) -> Result<String, String> {
        match self.scope.early(text)? {
            Early::Known(Value::String(text)) => Ok(text),
            Early::Known(_) => Err("this is to be a text".into()),
            Early::Late => Err("this has to be known before anything exists".into()),
        }
    }

    fn resource_id(&self, step: &Step, name: &str) -> Result<ResourceId, (&'static str, String)> {
        let written = step.text("type").unwrap_or_default();
        let kind = ResourceType::find(written).map_or(written, |row| row.name);
        if let Some(why) = forbidden::objection(kind) {
            return Err(("type", format!("no step makes a {kind}: {why}")));
        }
        let named = |why: BadId| ("name", why.to_string());
        if kind == "Microsoft.Resources/resourceGroups" {
            let subscription = self.text("{{ stamp.subscriptionId }}").map_err(|why| ("in", why))?;
            return ResourceId::of_group(&subscription, name).map_err(named);
        }
        let parent = self.parent(step).map_err(|why| ("in", why))?;
        let (above, own) = kind.rsplit_once('/').unwrap_or(("", kind));
        if !above.contains('/') {
            return parent.provided(kind, name).map_err(named);
        }
        if !parent.resource_type().is_some_and(|found| found.eq_ignore_ascii_case(above)) {
            return Err(("in", format!("a {kind} stands in a {above}, and `{parent}` is none")));
        }
        parent.part(own, name).map_err(named)
    }

    /// The id of the parent resource or resource group of a step.
    fn parent(&self, step: &Step) -> Result<ResourceId, String> {
        if let Some(name) = step.target("in") {
            let known = name.parse::<StepName>().ok().and_then(|name| self.known.get(&name));
            let id = known.and_then(|known| known.get("id")).and_then(Value::as_str);
            let id = id.ok_or_else(|| {
                format!("step {name} is left out for this tenant; give both the same `when`")
            })?;
            return id.parse().map_err(|why: BadId| why.to_string());
        }
        let written = self.text(step.text("in").unwrap_or_default())?;
        let parent: ResourceId = written
            .parse()
            .map_err(|why| format!("`{written}` is no id of a resource group or resource: {why}"))?;
        if parent.group().is_none() && parent.types().is_empty() {
            return Err(format!("`{written}` is no id of a resource group or resource"));
        }
        // Otherwise a request could create resources below another tenant's resource.
        let own = self.known.values().filter_map(|known| known.get("id")?.as_str()?.parse().ok());
        if !AtHand::new(own, &self.plan_context.stamp).names(&parent) {
            return Err(format!("`{written}` is neither this tenant's nor named in its stamp"));
        }
        Ok(parent)
    }
}
