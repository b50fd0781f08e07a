//! Validates the JSON of a message: returns a [`Request`], or all faults.

mod actions;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tenantry_core::{
    ids::TenantId,
    pointer,
    secrets::carried_within,
    tenant::{Channel, External},
};

use super::{
    Command, ExternalKey, Fault, Request, characters,
    envelope::{Opened, is_request_id, kind_of},
    external, members, own_hash,
    refuse::SECRET,
};

const SCHEMA: &str = "tenantry.request/1";
const MAX_TEXT: usize = 512;
const MAX_NAME: usize = 120;
/// The most tags that a request may set. Azure allows fifty tags per resource, and tenantry sets three.
const MAX_TAGS: usize = 40;

/// Validates a parsed message.
///
/// # Errors
/// All faults, each with a JSON pointer into the message.
pub(super) fn request(opened: &Opened, deployment: &str, channel: &Channel) -> Result<Request, Vec<Fault>> {
    let mut read = Reader { faults: Vec::new() };
    let top = Field { value: &opened.body, at: opened.at.to_owned() };
    read.no_secret(&top);
    read.schema(&top);
    let request_id = read.required(&top, "requestId", Reader::id);
    let action = read.action(&top, opened.action.as_deref());
    let spec = top.object("spec");
    let command = action.as_deref().and_then(|action| read.command(action, &spec));
    let external = read.optional(&top, "external", Reader::external);
    let operation = external.as_ref().and_then(|external| external::key(external, deployment, channel));
    let request_key = request_id
        .as_ref()
        .map(|id| own_hash(channel, &["tenant", deployment, operation.as_deref().unwrap_or(id)]));
    let tenant_id = read.tenant_id(&top, command.as_ref(), request_key);
    let deadline = read.optional(&top, "deadline", Reader::instant);
    let _ = read.optional(&top, "requestedAt", Reader::instant);
    let _ = read.optional(&top, "requestedBy", Reader::requester);
    let expected_version = read.optional(&top, "expectedVersion", Reader::count);
    let dry_run = read.optional(&top, "dryRun", Reader::flag).unwrap_or_default();
    let blueprint_version = read.blueprint_version(&spec);
    read.faults.extend(members::unknown(&opened.body, opened.at, action.as_deref()));
    match (request_id, tenant_id, command) {
        (Some(request_id), Some(tenant_id), Some(command)) if read.faults.is_empty() => Ok(Request {
            at: opened.at,
            channel: channel.clone(),
            operation_id: own_hash(channel, &["operation", deployment, &request_id]),
            external_key: operation
                .map(|key| ExternalKey { key, content: external::content(&command, &tenant_id, spec.value) }),
            request_id,
            tenant_id,
            deadline,
            expected_version,
            dry_run,
            external,
            blueprint_version,
            command,
        }),
        _ => Err(read.faults),
    }
}

/// A value with its JSON pointer.
struct Field<'a> {
    value: &'a Value,
    at: String,
}

impl<'a> Field<'a> {
    fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Field { value, at: format!("{}/{}", self.at, pointer::segment(name)) })
    }

    /// A member; the value null, with the member's pointer, if it is absent.
    fn object(&self, name: &str) -> Self {
        self.member(name).unwrap_or_else(|| Field {
            value: &Value::Null,
            at: format!("{}/{}", self.at, pointer::segment(name)),
        })
    }
}

struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault<T>(&mut self, field: &Field<'_>, code: &str, message: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(field.at.clone(), code, message));
        None
    }

    fn wrong_type<T>(&mut self, field: &Field<'_>, expected: &str) -> Option<T> {
        let message = format!("expected {expected}, found {}", kind_of(field.value));
        self.fault(field, "wrong_type", message)
    }

    fn optional<T>(
        &mut self,
        of: &Field<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Field<'_>) -> Option<T>,
    ) -> Option<T> {
        let field = of.member(name)?;
        read(self, &field)
    }

    fn required<T>(
        &mut self,
        of: &Field<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Field<'_>) -> Option<T>,
    ) -> Option<T> {
        match of.member(name) {
            Some(field) => read(self, &field),
            None => self.fault(&of.object(name), "missing", format!("{name} is required")),
        }
    }

    /// Reports a secret in any member, because requests are stored and parts of them are published. The fault does not
    /// repeat the secret.
    fn no_secret(&mut self, top: &Field<'_>) {
        if let Some((inside, what)) = carried_within(top.value) {
            let message = format!(
                "this is {what}; requests are stored, and no field is meant for a secret: name an identity or a \
                 reference to a key vault instead, and replace the secret, for it has been sent"
            );
            self.faults.push(Fault::new(format!("{}{inside}", top.at), SECRET, message));
        }
    }

    fn schema(&mut self, top: &Field<'_>) {
        let schema = self.required(top, "schema", |read, field| read.text(field, MAX_TEXT));
        if schema.is_some_and(|schema| schema != SCHEMA) {
            self.faults.push(Fault::new(
                format!("{}/schema", top.at),
                "unsupported",
                format!("this version reads {SCHEMA}"),
            ));
        }
    }

    /// Reads the action from the body or the event type, which must not contradict each other.
    fn action(&mut self, top: &Field<'_>, of_event: Option<&str>) -> Option<String> {
        let of_body = self.optional(top, "action", |read, field| read.text(field, MAX_TEXT));
        match (of_body, of_event) {
            (Some(body), Some(event)) if body != event => {
                let field = top.object("action");
                self.fault(&field, "contradiction", format!("the event's type says {event}"))
            }
            (Some(action), _) => Some(action),
            (None, Some(action)) => Some(action.to_owned()),
            (None, None) => self.fault(&top.object("action"), "missing", "action is required"),
        }
    }

    /// Reads a value of a closed list. `values` is the message for any other value.
    fn one_of<T: DeserializeOwned>(&mut self, field: &Field<'_>, values: &str) -> Option<T> {
        match field.value {
            Value::String(_) => match T::deserialize(field.value) {
                Ok(value) => Some(value),
                Err(_) => self.fault(field, "unknown_value", values),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong_type(field, "a text")
            }
        }
    }

    fn blueprint_version(&mut self, spec: &Field<'_>) -> Option<String> {
        let chosen = spec.member("blueprint")?;
        self.optional(&chosen, "version", |read, field| read.text(field, MAX_NAME))
    }

    /// Reads the blueprint's name. Whether the deployment offers it is checked later.
    fn blueprint(&mut self, spec: &Field<'_>) -> Option<String> {
        let field = spec.member("blueprint")?;
        if !field.value.is_object() {
            return self.wrong_type(&field, "an object with a name");
        }
        self.required(&field, "name", |read, field| read.text(field, MAX_NAME))
    }

    /// Reads the tenant's id. A sign-up without one gets an id derived from the other system's operation, otherwise
    /// from the request id, so that a repeated sign-up creates no second tenant.
    fn tenant_id(
        &mut self,
        top: &Field<'_>,
        command: Option<&Command>,
        derived: Option<String>,
    ) -> Option<TenantId> {
        let Some(field) = top.member("tenantId") else {
            let (Some(Command::Signup(_)), Some(derived)) = (command, derived) else {
                // The derived id of a sign-up is missing only if the request id is invalid, and that fault is reported.
                if command.is_some_and(|command| !matches!(command, Command::Signup(_))) {
                    let _: Option<()> =
                        self.fault(&top.object("tenantId"), "missing", "tenantId is required");
                }
                return None;
            };
            return format!("t-{derived}").parse().ok();
        };
        let Value::String(text) = field.value else { return self.wrong_type(&field, "a text") };
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => self.fault(&field, "bad_id", error.to_string()),
        }
    }

    fn text(&mut self, field: &Field<'_>, most: usize) -> Option<String> {
        let Value::String(text) = field.value else { return self.wrong_type(field, "a text") };
        let length = text.chars().count();
        if text.trim().is_empty() || length > most {
            return self.fault(field, "bad_length", format!("the text has 1 to {most} characters"));
        }
        if !characters::are_plain(text) {
            return self.fault(field, "bad_characters", characters::REFUSED);
        }
        if !characters::shows(text) {
            return self.fault(field, "bad_characters", "the text shows nothing");
        }
        Some(text.clone())
    }

    fn id(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.text(field, 128)?;
        if !is_request_id(&text) {
            return self.fault(
                field,
                "bad_characters",
                "an id has printable ASCII characters without spaces",
            );
        }
        Some(text)
    }

    fn region(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.text(field, 64)?;
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return self.fault(field, "bad_characters", "a region is written like westeurope");
        }
        Some(text)
    }

    fn guid(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.text(field, 36)?;
        match uuid::Uuid::try_parse(&text) {
            Ok(id) if text.len() == 36 && !id.is_nil() && !id.is_max() => Some(id.to_string()),
            Ok(_) | Err(_) => {
                self.fault(field, "bad_id", "a GUID is written like 6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11")
            }
        }
    }

    fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        match field.value.as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong_type(field, "true or false"),
        }
    }

    /// Reads a whole number that JavaScript can represent.
    fn count(&mut self, field: &Field<'_>) -> Option<u64> {
        const SAFE: u64 = (1 << 53) - 1;
        match field.value.as_u64() {
            Some(count) if count <= SAFE => Some(count),
            Some(_) | None => self.wrong_type(field, "a whole number from 0 to 2^53 - 1"),
        }
    }

    fn instant(&mut self, field: &Field<'_>) -> Option<Timestamp> {
        let text = self.text(field, 64)?;
        match text.parse() {
            Ok(instant) => Some(instant),
            Err(_) => self.fault(field, "bad_time", "a time is written like 2026-11-22T17:20:00Z"),
        }
    }

    fn duration(&mut self, field: &Field<'_>) -> Option<SignedDuration> {
        let text = self.text(field, 64)?;
        let parsed = text.parse::<jiff::Span>().ok();
        let days = |span: jiff::Span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok();
        match parsed.and_then(days).filter(|duration| !duration.is_negative()) {
            Some(duration) => Some(duration),
            None => self.fault(field, "bad_duration", "a duration is written like P7D or PT0S"),
        }
    }

    fn parameters(&mut self, field: &Field<'_>) -> Option<Map<String, Value>> {
        let Some(parameters) = field.value.as_object() else { return self.wrong_type(field, "an object") };
        characters::inspect(field.value, &field.at, &mut self.faults);
        Some(parameters.clone())
    }

    /// Checks the requester, which only the sender uses.
    fn requester(&mut self, field: &Field<'_>) -> Option<()> {
        if !field.value.is_object() {
            return self.wrong_type(field, "an object with type and id");
        }
        for name in ["type", "id"] {
            self.required(field, name, |read, field| read.text(field, MAX_TEXT));
        }
        Some(())
    }

    fn tags(&mut self, field: &Field<'_>) -> Option<BTreeMap<String, String>> {
        let Value::Object(tags) = field.value else { return self.wrong_type(field, "an object of texts") };
        if tags.len() > MAX_TAGS {
            return self.fault(field, "too_many", format!("at most {MAX_TAGS} tags"));
        }
        let mut read = BTreeMap::new();
        for name in tags.keys() {
            let tag = field.object(name);
            if name.is_empty() || name.len() > 128 || name.contains(['<', '>', '%', '&', '\\', '?', '/']) {
                let _: Option<()> =
                    self.fault(&tag, "bad_characters", "Azure does not take a tag of this name");
            } else if !characters::are_plain(name) || !characters::shows(name) {
                let _: Option<()> = self.fault(&tag, "bad_characters", characters::REFUSED);
            } else if name.to_ascii_lowercase().starts_with("tenantry") {
                let _: Option<()> =
                    self.fault(&tag, "reserved", "tags that begin with tenantry are tenantry's own");
            } else if let Some(value) = self.required(field, name, |read, field| read.text(field, 256)) {
                read.insert(name.clone(), value);
            }
        }
        Some(read)
    }

    /// Reads `external`, the ids of another system. `system` and `operationId` together are also an idempotency key.
    fn external(&mut self, field: &Field<'_>) -> Option<External> {
        if !field.value.is_object() {
            return self.wrong_type(field, "an object");
        }
        let mut text = |name| self.optional(field, name, |read, field| read.text(field, MAX_TEXT));
        let (system, subscription_id) = (text("system"), text("subscriptionId"));
        let (operation_id, offer_id, plan_id) = (text("operationId"), text("offerId"), text("planId"));
        let purchaser = self.optional(field, "purchaser", Self::party);
        let beneficiary = self.optional(field, "beneficiary", Self::party);
        Some(External {
            system,
            subscription_id,
            operation_id,
            offer_id,
            plan_id,
            quantity: self.optional(field, "quantity", Self::count),
            purchaser,
            beneficiary,
        })
    }

    /// Reads a person or organisation as another system describes it; events repeat the value.
    fn party(&mut self, field: &Field<'_>) -> Option<Value> {
        characters::inspect(field.value, &field.at, &mut self.faults);
        Some(field.value.clone())
    }
}

/// The pointer of `action`, derived from the pointer of `spec`.
fn action_pointer(spec: &Field<'_>) -> String {
    spec.at.replace("/spec", "/action")
}
