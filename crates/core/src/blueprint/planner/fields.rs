//! Builds the fields of each kind of step for one tenant, in the JSON form that documents store.

use serde_json::{Map, Value, json};

use super::{
    super::{
        Kind, ResourceType,
        body::{self, Filled, Marks},
        file::Step,
        identity::Identities,
        tree::Node,
    },
    Planner,
};

impl Planner<'_> {
    /// The step's fields as documents store them; `None`, with a fault, if a step that they depend on is left out.
    pub(super) fn layout(&mut self, step: &Step, filled: &mut Filled) -> Option<Value> {
        match step.kind {
            Kind::Arm => self.arm(step, step.keys.get("body"), None, filled),
            Kind::ArmUpdate => self.arm_update(step, filled),
            Kind::RoleAssignment => self.members(
                step,
                &[("scope", "scope"), ("role", "roleDefinitionId"), ("principal", "principalId")],
                filled,
            ),
            Kind::EntraApplication | Kind::ServicePrincipal | Kind::FederatedCredential => {
                self.entra(step, filled)
            }
            Kind::Check => self.check(step, filled),
            Kind::Isolation => Some(self.proof(step, filled)),
        }
    }

    /// The fields of an `arm` step, or of an `arm-update` of its resource; `undo` is a second body for the same
    /// resource.
    fn arm(
        &self,
        base: &Step,
        body: Option<&Node>,
        undo: Option<&Node>,
        filled: &mut Filled,
    ) -> Option<Value> {
        let id = self.known.get(&base.name)?.get("id")?.clone();
        let written = base.text("type").unwrap_or_default();
        let row = ResourceType::find(written);
        let of = row.map_or(written, |row| row.name);
        let version = base.text("apiVersion").or(row.map(|row| row.api_version)).unwrap_or_default();
        let marks = Marks::new(self.plan_context);
        let location = base.keys.get("location").and_then(Node::text);
        let frame = body::Frame { row, location, marks: &marks };
        let mut fields = json!({"id": id, "type": of, "apiVersion": version});
        for (field, node) in [("body", body), ("undo", undo)] {
            if node.is_some() || field == "body" {
                let pointer = format!("/{field}");
                let mut whole = body::fill(node, &pointer, &self.scope, filled);
                body::complete(&mut whole, &pointer, &frame, &self.scope, filled);
                fields[field] = whole;
            }
        }
        Some(fields)
    }

    fn arm_update(&mut self, step: &Step, filled: &mut Filled) -> Option<Value> {
        let base = self.blueprint.file.step(step.target("of")?)?;
        if !self.included.contains(base.name.as_str()) {
            let why = format!("step {} is left out for this tenant; give both the same `when`", base.name);
            self.fault(&format!("step {}", step.name), "/of", "left-out", &why);
            return None;
        }
        let laid = |over: Option<&Node>| match (base.keys.get("body"), over) {
            (Some(below), Some(over)) => Some(below.overlaid(over)),
            (below, over) => over.or(below).cloned(),
        };
        let body = laid(step.keys.get("body"));
        let undo = step.keys.get("undo").and_then(|undo| laid(Some(undo)));
        self.arm(base, body.as_ref(), undo.as_ref(), filled)
    }

    /// The fields of a step whose keys are copied: each pair in `members` is a key and the name of its field.
    fn members(&self, step: &Step, members: &[(&str, &str)], filled: &mut Filled) -> Option<Value> {
        let mut fields = Map::new();
        for (written, planned) in members {
            let value = body::fill(step.keys.get(*written), &format!("/{planned}"), &self.scope, filled);
            fields.insert((*planned).to_owned(), value);
        }
        Some(Value::Object(fields))
    }

    fn entra(&mut self, step: &Step, filled: &mut Filled) -> Option<Value> {
        let mut fields = Map::new();
        if let Some(of) = step.target("of") {
            if !self.included.contains(of) {
                let why = format!("step {of} is left out for this tenant; give both the same `when`");
                self.fault(&format!("step {}", step.name), "/of", "left-out", &why);
                return None;
            }
            let (field, output) =
                if step.kind == Kind::ServicePrincipal { ("appId", "appId") } else { ("application", "id") };
            fields.insert(field.into(), Value::Null);
            filled.late.insert(format!("/{field}"), format!("{{{{ steps.{of}.{output} }}}}"));
        }
        let identities =
            Identities { plan_context: self.plan_context, scope: &self.scope, known: &self.known };
        let name = match step.kind {
            Kind::EntraApplication => Some(("uniqueName", identities.application_name(step))),
            Kind::FederatedCredential => Some(("name", identities.credential_name(step))),
            Kind::Arm
            | Kind::ArmUpdate
            | Kind::RoleAssignment
            | Kind::ServicePrincipal
            | Kind::Check
            | Kind::Isolation => None,
        };
        match name {
            Some((field, Ok(name))) => {
                fields.insert(field.into(), name.into());
            }
            Some((field, Err(why))) => filled.faults.push((format!("/{field}"), why)),
            None => {}
        }
        let mut body = body::fill(step.keys.get("body"), "/body", &self.scope, filled);
        if step.kind != Kind::FederatedCredential {
            body::label(&mut body, &Marks::new(self.plan_context), filled);
        }
        fields.insert("body".into(), body);
        Some(Value::Object(fields))
    }

    fn check(&mut self, step: &Step, filled: &mut Filled) -> Option<Value> {
        let base = step.target("of").and_then(|of| self.blueprint.file.step(of));
        let id = match base {
            Some(base) => self.known.get(&base.name).and_then(|known| known.get("id")).cloned(),
            None => Some(body::fill(step.keys.get("id"), "/id", &self.scope, filled)),
        };
        let Some(Value::String(id)) = id else {
            self.fault(
                &format!("step {}", step.name),
                "",
                "no-identity",
                "the resource that it reads is left out for this tenant",
            );
            return None;
        };
        let row = ResourceType::of_id(&id);
        let version = step
            .text("apiVersion")
            .or_else(|| base.and_then(|base| base.text("apiVersion")))
            .or(row.map(|row| row.api_version));
        let Some(version) = version else {
            self.fault(
                &format!("step {}", step.name),
                "",
                "no-api-version",
                "give `apiVersion` for this resource",
            );
            return None;
        };
        let expect = body::fill(step.keys.get("expect"), "/expect", &self.scope, filled);
        Some(json!({"id": id, "apiVersion": version, "expect": expect}))
    }

    fn proof(&self, step: &Step, filled: &mut Filled) -> Value {
        let fields = ["accept", "probe"].into_iter().filter_map(|name| {
            let node = step.keys.get(name)?;
            Some((name.to_owned(), body::fill(Some(node), &format!("/{name}"), &self.scope, filled)))
        });
        Value::Object(fields.collect())
    }
}
