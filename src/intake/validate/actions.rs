//! Reads the `spec` of each action.

use serde_json::Value;
use tenantry_core::tenant::Spec;

use super::{Field, MAX_NAME, MAX_TEXT, Reader, action_pointer};
use crate::intake::{Changes, Command, Fault};

impl Reader {
    /// Reads the command of an action from the spec.
    pub(super) fn command(&mut self, action: &str, spec: &Field<'_>) -> Option<Command> {
        if !spec.value.is_null() && !spec.value.is_object() {
            return self.wrong_type(spec, "an object");
        }
        match action {
            "signup" => self.signup(spec),
            "update" => self.update(spec),
            "deprovision" => self.deprovision(spec),
            "suspend" => self.suspend(spec),
            "resume" => {
                let _ = self.optional(spec, "reason", |read, field| read.text(field, MAX_TEXT));
                Some(Command::Resume)
            }
            "retry" => {
                let allow_replace = self.optional(spec, "allowReplace", Self::flag).unwrap_or_default();
                Some(Command::Retry { allow_replace })
            }
            "reconcile" => Some(Command::Reconcile),
            "adopt" | "detach" | "verify" | "cancel" => {
                let message = format!("the action {action} is not available yet");
                self.faults.push(Fault::new(action_pointer(spec), "not_supported", message));
                None
            }
            _ => {
                let message =
                    "the action is one of signup, update, suspend, resume, deprovision, retry, reconcile";
                self.faults.push(Fault::new(action_pointer(spec), "unknown_value", message));
                None
            }
        }
    }

    fn signup(&mut self, spec: &Field<'_>) -> Option<Command> {
        let display_name = self.required(spec, "displayName", |read, field| read.text(field, MAX_NAME));
        let tier = self.required(spec, "tier", |read, field| read.text(field, MAX_NAME));
        let region = self.optional(spec, "region", Self::region);
        let home_tenant_id = self.optional(spec, "homeTenantId", Self::guid);
        let admin_contact = self.optional(spec, "adminContact", |read, field| read.text(field, MAX_TEXT));
        let blueprint = self.blueprint(spec);
        let quantity = self.optional(spec, "quantity", Self::count);
        let parameters = self.optional(spec, "parameters", Self::parameters).unwrap_or_default();
        let tags = self.optional(spec, "tags", Self::tags).unwrap_or_default();
        Some(Command::Signup(Spec {
            display_name: display_name?,
            tier: tier?,
            region,
            home_tenant_id,
            admin_contact,
            blueprint,
            quantity,
            parameters,
            tags,
            suspended: None,
        }))
    }

    fn update(&mut self, spec: &Field<'_>) -> Option<Command> {
        let text = |read: &mut Self, field: &Field<'_>| read.text(field, MAX_TEXT);
        Some(Command::Update(Changes {
            display_name: self.optional(spec, "displayName", |read, field| read.text(field, MAX_NAME)),
            tier: self.optional(spec, "tier", text),
            quantity: self.optional(spec, "quantity", Self::count),
            blueprint: self.blueprint(spec),
            admin_contact: self.optional(spec, "adminContact", text),
            parameters: self.optional(spec, "parameters", Self::parameters).unwrap_or_default(),
            tags: self.optional(spec, "tags", Self::tags),
            allow_replace: self.optional(spec, "allowReplace", Self::flag).unwrap_or_default(),
        }))
    }

    fn deprovision(&mut self, spec: &Field<'_>) -> Option<Command> {
        let _ = self.optional(spec, "reason", |read, field| read.text(field, MAX_TEXT));
        let grace = self.optional(spec, "gracePeriod", Self::duration);
        if grace.is_some_and(|grace| !grace.is_zero()) {
            let field = spec.object("gracePeriod");
            return self.fault(
                &field,
                "not_supported",
                "deletion begins at once: send PT0S, or leave it out",
            );
        }
        if spec.member("retain").is_some_and(|retain| retain.value != &Value::Array(Vec::new())) {
            return self.fault(
                &spec.object("retain"),
                "not_supported",
                "nothing can be retained: leave it out",
            );
        }
        Some(Command::Deprovision)
    }

    fn suspend(&mut self, spec: &Field<'_>) -> Option<Command> {
        let reason = self.required(spec, "reason", |read, field| {
            read.one_of(field, "the reason is billing, abuse, customer or operator")
        });
        let mode =
            self.optional(spec, "mode", |read, field| read.one_of(field, "the mode is access or compute"));
        Some(Command::Suspend(reason?, mode.unwrap_or_default()))
    }
}
