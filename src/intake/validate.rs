//! From JSON to a [`Request`], or everything that is wrong with it.

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
    ExternalKey, Fault, Request, Wish, characters,
    envelope::{Opened, is_request_id, kind_of},
    external, members, own_hash,
    refuse::SECRET,
};

const SCHEMA: &str = "tenantry.request/1";
const MAX_TEXT: usize = 512;
const MAX_NAME: usize = 120;
/// Azure takes fifty tags per resource; three are ours.
const MAX_TAGS: usize = 40;

/// Checks a request.
///
/// # Errors
/// All faults at once, each with a JSON pointer into the message.
pub(super) fn request(opened: &Opened, deployment: &str, channel: &Channel) -> Result<Request, Vec<Fault>> {
    let mut read = Reader { faults: Vec::new() };
    let top = Place { value: &opened.body, at: opened.at.to_owned() };
    read.no_secret(&top);
    read.schema(&top);
    let request_id = read.required(&top, "requestId", Reader::id);
    let action = read.action(&top, opened.action.as_deref());
    let spec = top.object("spec");
    let wish = action.as_deref().and_then(|action| read.wish(action, &spec));
    let external = read.optional(&top, "external", Reader::external);
    let operation = external.as_ref().and_then(|external| external::key(external, deployment, channel));
    let request_key = request_id
        .as_ref()
        .map(|id| own_hash(channel, &["tenant", deployment, operation.as_deref().unwrap_or(id)]));
    let tenant_id = read.tenant_id(&top, wish.as_ref(), request_key);
    let deadline = read.optional(&top, "deadline", Reader::instant);
    let _ = read.optional(&top, "requestedAt", Reader::instant);
    let _ = read.optional(&top, "requestedBy", Reader::requester);
    let expected_version = read.optional(&top, "expectedVersion", Reader::count);
    let dry_run = read.optional(&top, "dryRun", Reader::flag).unwrap_or_default();
    let blueprint_version = read.blueprint_version(&spec);
    read.faults.extend(members::unknown(&opened.body, opened.at, action.as_deref()));
    match (request_id, tenant_id, wish) {
        (Some(request_id), Some(tenant_id), Some(wish)) if read.faults.is_empty() => Ok(Request {
            at: opened.at,
            channel: channel.clone(),
            operation_id: own_hash(channel, &["operation", deployment, &request_id]),
            external_key: operation
                .map(|key| ExternalKey { key, content: external::content(&wish, &tenant_id, spec.value) }),
            request_id,
            tenant_id,
            deadline,
            expected_version,
            dry_run,
            external,
            blueprint_version,
            wish,
        }),
        _ => Err(read.faults),
    }
}

/// A value with its JSON pointer.
struct Place<'a> {
    value: &'a Value,
    at: String,
}

impl<'a> Place<'a> {
    fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Place { value, at: format!("{}/{}", self.at, pointer::segment(name)) })
    }

    /// A member that counts as an empty object when it is absent.
    fn object(&self, name: &str) -> Self {
        self.member(name).unwrap_or_else(|| Place {
            value: &Value::Null,
            at: format!("{}/{}", self.at, pointer::segment(name)),
        })
    }
}

struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault<T>(&mut self, place: &Place<'_>, code: &str, message: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(place.at.clone(), code, message));
        None
    }

    fn wrong_type<T>(&mut self, place: &Place<'_>, wanted: &str) -> Option<T> {
        let message = format!("{} stands where {wanted} is wanted", kind_of(place.value));
        self.fault(place, "wrong_type", message)
    }

    fn optional<T>(
        &mut self,
        of: &Place<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Place<'_>) -> Option<T>,
    ) -> Option<T> {
        let place = of.member(name)?;
        read(self, &place)
    }

    fn required<T>(
        &mut self,
        of: &Place<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Place<'_>) -> Option<T>,
    ) -> Option<T> {
        match of.member(name) {
            Some(place) => read(self, &place),
            None => self.fault(&of.object(name), "missing", format!("{name} is required")),
        }
    }

    /// Finds a secret, wherever it stands: requests are stored, and parts of them are announced. Nothing of it is told.
    fn no_secret(&mut self, top: &Place<'_>) {
        if let Some((inside, what)) = carried_within(top.value) {
            let message = format!(
                "this is {what}; requests are stored, and no field is meant for a secret: name an identity or a \
                 reference to a key vault instead, and replace the secret, for it has been sent"
            );
            self.faults.push(Fault::new(format!("{}{inside}", top.at), SECRET, message));
        }
    }

    fn schema(&mut self, top: &Place<'_>) {
        let schema = self.required(top, "schema", |read, place| read.text(place, MAX_TEXT));
        if schema.is_some_and(|schema| schema != SCHEMA) {
            self.faults.push(Fault::new(
                format!("{}/schema", top.at),
                "unsupported",
                format!("this version reads {SCHEMA}"),
            ));
        }
    }

    /// The body's action, or the event type's; they must not contradict each other.
    fn action(&mut self, top: &Place<'_>, of_event: Option<&str>) -> Option<String> {
        let of_body = self.optional(top, "action", |read, place| read.text(place, MAX_TEXT));
        match (of_body, of_event) {
            (Some(body), Some(event)) if body != event => {
                let place = top.object("action");
                self.fault(&place, "contradiction", format!("the event's type says {event}"))
            }
            (Some(action), _) => Some(action),
            (None, Some(action)) => Some(action.to_owned()),
            (None, None) => self.fault(&top.object("action"), "missing", "action is required"),
        }
    }

    /// A word of a closed list.
    fn one_of<T: DeserializeOwned>(&mut self, place: &Place<'_>, words: &str) -> Option<T> {
        match place.value {
            Value::String(_) => match T::deserialize(place.value) {
                Ok(word) => Some(word),
                Err(_) => self.fault(place, "unknown_value", words),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong_type(place, "a text")
            }
        }
    }

    fn blueprint_version(&mut self, spec: &Place<'_>) -> Option<String> {
        let chosen = spec.member("blueprint")?;
        self.optional(&chosen, "version", |read, place| read.text(place, MAX_NAME))
    }

    /// A blueprint's name; whether there is one of that name and version is known where blueprints are.
    fn blueprint(&mut self, spec: &Place<'_>) -> Option<String> {
        let place = spec.member("blueprint")?;
        if !place.value.is_object() {
            return self.wrong_type(&place, "an object with a name");
        }
        self.required(&place, "name", |read, place| read.text(place, MAX_NAME))
    }

    /// The tenant's id; a sign-up without one gets an id derived from the other system's operation, else from the
    /// request's, so that a repeated click makes no second tenant.
    fn tenant_id(
        &mut self,
        top: &Place<'_>,
        wish: Option<&Wish>,
        derived: Option<String>,
    ) -> Option<TenantId> {
        let Some(place) = top.member("tenantId") else {
            let (Some(Wish::Signup(_)), Some(derived)) = (wish, derived) else {
                // A sign-up's own id is wrong then, and that is told.
                if wish.is_some_and(|wish| !matches!(wish, Wish::Signup(_))) {
                    let _: Option<()> =
                        self.fault(&top.object("tenantId"), "missing", "tenantId is required");
                }
                return None;
            };
            return format!("t-{derived}").parse().ok();
        };
        let Value::String(text) = place.value else { return self.wrong_type(&place, "a text") };
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => self.fault(&place, "bad_id", error.to_string()),
        }
    }

    fn text(&mut self, place: &Place<'_>, most: usize) -> Option<String> {
        let Value::String(text) = place.value else { return self.wrong_type(place, "a text") };
        let length = text.chars().count();
        if text.trim().is_empty() || length > most {
            return self.fault(place, "bad_length", format!("the text has 1 to {most} characters"));
        }
        if !characters::are_plain(text) {
            return self.fault(place, "bad_characters", characters::REFUSED);
        }
        if !characters::shows(text) {
            return self.fault(place, "bad_characters", "the text shows nothing");
        }
        Some(text.clone())
    }

    fn id(&mut self, place: &Place<'_>) -> Option<String> {
        let text = self.text(place, 128)?;
        if !is_request_id(&text) {
            return self.fault(
                place,
                "bad_characters",
                "an id has printable ASCII characters without spaces",
            );
        }
        Some(text)
    }

    fn region(&mut self, place: &Place<'_>) -> Option<String> {
        let text = self.text(place, 64)?;
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return self.fault(place, "bad_characters", "a region is written like westeurope");
        }
        Some(text)
    }

    fn guid(&mut self, place: &Place<'_>) -> Option<String> {
        let text = self.text(place, 36)?;
        match uuid::Uuid::try_parse(&text) {
            Ok(id) if text.len() == 36 && !id.is_nil() && !id.is_max() => Some(id.to_string()),
            Ok(_) | Err(_) => {
                self.fault(place, "bad_id", "a GUID is written like 6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11")
            }
        }
    }

    fn flag(&mut self, place: &Place<'_>) -> Option<bool> {
        match place.value.as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong_type(place, "true or false"),
        }
    }

    /// A count that JavaScript can hold too.
    fn count(&mut self, place: &Place<'_>) -> Option<u64> {
        const SAFE: u64 = (1 << 53) - 1;
        match place.value.as_u64() {
            Some(count) if count <= SAFE => Some(count),
            Some(_) | None => self.wrong_type(place, "a whole number from 0 to 2^53 - 1"),
        }
    }

    fn instant(&mut self, place: &Place<'_>) -> Option<Timestamp> {
        let text = self.text(place, 64)?;
        match text.parse() {
            Ok(instant) => Some(instant),
            Err(_) => self.fault(place, "bad_time", "a time is written like 2026-11-22T17:20:00Z"),
        }
    }

    fn duration(&mut self, place: &Place<'_>) -> Option<SignedDuration> {
        let text = self.text(place, 64)?;
        let parsed = text.parse::<jiff::Span>().ok();
        let days = |span: jiff::Span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok();
        match parsed.and_then(days).filter(|duration| !duration.is_negative()) {
            Some(duration) => Some(duration),
            None => self.fault(place, "bad_duration", "a duration is written like P7D or PT0S"),
        }
    }

    fn parameters(&mut self, place: &Place<'_>) -> Option<Map<String, Value>> {
        let Some(parameters) = place.value.as_object() else { return self.wrong_type(place, "an object") };
        characters::inspect(place.value, &place.at, &mut self.faults);
        Some(parameters.clone())
    }

    /// Who asks; for the sender's own use, but not to be anything.
    fn requester(&mut self, place: &Place<'_>) -> Option<()> {
        if !place.value.is_object() {
            return self.wrong_type(place, "an object with type and id");
        }
        for name in ["type", "id"] {
            self.required(place, name, |read, place| read.text(place, MAX_TEXT));
        }
        Some(())
    }

    fn tags(&mut self, place: &Place<'_>) -> Option<BTreeMap<String, String>> {
        let Value::Object(tags) = place.value else { return self.wrong_type(place, "an object of texts") };
        if tags.len() > MAX_TAGS {
            return self.fault(place, "too_many", format!("at most {MAX_TAGS} tags"));
        }
        let mut read = BTreeMap::new();
        for name in tags.keys() {
            let tag = place.object(name);
            if name.is_empty() || name.len() > 128 || name.contains(['<', '>', '%', '&', '\\', '?', '/']) {
                let _: Option<()> =
                    self.fault(&tag, "bad_characters", "Azure does not take a tag of this name");
            } else if !characters::are_plain(name) || !characters::shows(name) {
                let _: Option<()> = self.fault(&tag, "bad_characters", characters::REFUSED);
            } else if name.to_ascii_lowercase().starts_with("tenantry") {
                let _: Option<()> =
                    self.fault(&tag, "reserved", "tags that begin with tenantry are tenantry's own");
            } else if let Some(value) = self.required(place, name, |read, place| read.text(place, 256)) {
                read.insert(name.clone(), value);
            }
        }
        Some(read)
    }

    /// Another system's view; its texts are keys there, and two of them are a key here.
    fn external(&mut self, place: &Place<'_>) -> Option<External> {
        if !place.value.is_object() {
            return self.wrong_type(place, "an object");
        }
        let mut text = |name| self.optional(place, name, |read, place| read.text(place, MAX_TEXT));
        let (system, subscription_id) = (text("system"), text("subscriptionId"));
        let (operation_id, offer_id, plan_id) = (text("operationId"), text("offerId"), text("planId"));
        let purchaser = self.optional(place, "purchaser", Self::party);
        let beneficiary = self.optional(place, "beneficiary", Self::party);
        Some(External {
            system,
            subscription_id,
            operation_id,
            offer_id,
            plan_id,
            quantity: self.optional(place, "quantity", Self::count),
            purchaser,
            beneficiary,
        })
    }

    /// Somebody as another system describes them: whatever it is, events repeat it.
    fn party(&mut self, place: &Place<'_>) -> Option<Value> {
        characters::inspect(place.value, &place.at, &mut self.faults);
        Some(place.value.clone())
    }
}

/// `/action` beside the spec's place.
fn action_pointer(spec: &Place<'_>) -> String {
    spec.at.replace("/spec", "/action")
}
