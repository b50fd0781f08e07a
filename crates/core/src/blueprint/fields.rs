//! The JSON form of a step's fields, for documents, digests and people: the only code that reads and writes fields by
//! name.
//!
//! Stored plans keep this layout: `kind` determines the members of `fields`, a late member is null, and `late` has its
//! text by JSON pointer into `fields`. Members that a kind does not have are kept with the document
//! (`tenant::UnknownFields`).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    Expr, Kind, PlannedStep, Template,
    desired::{
        ArmResource, ArmUpdate, Desired, EntraApplication, FederatedCredential, Fill, IsolationProof, Part,
        ProbeCall, ResourceCheck, RoleAssignment, ServicePrincipal,
    },
};
use crate::ids::StepName;

/// The only value of the field `accept` of an isolation step.
const INCONCLUSIVE: &str = "inconclusive";

/// A field that does not fit the kind of its step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadField {
    /// The field's name, or the JSON pointer of a late part.
    pub name: String,
    /// What is wrong with the field; `None` if it is missing or not a text.
    pub why: Option<String>,
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why } = self;
        match why {
            None => write!(f, "the step's field {name} is missing or is not a text"),
            Some(why) => write!(f, "the step's field {name}: {why}"),
        }
    }
}

impl BadField {
    /// The error for a text field that is missing, empty or of another type.
    pub(super) fn no_text(name: &str) -> Self {
        Self { name: name.to_owned(), why: None }
    }

    /// The error for a late part whose JSON pointer the fields do not have.
    pub(super) fn no_such_pointer(pointer: &str) -> Self {
        Self::new(pointer, "the fields have no such pointer")
    }

    /// The text that `fields` has in this field; empty if it has none.
    pub(super) fn written<'a>(&self, fields: &'a Value) -> &'a str {
        fields.get(&self.name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The error for a field with an invalid value.
    pub(crate) fn new(name: &str, why: impl fmt::Display) -> Self {
        Self { name: name.to_owned(), why: Some(why.to_string()) }
    }
}

/// The value of a text field of a step.
///
/// # Errors
/// The field is missing, empty or of another type.
pub(crate) fn text<'a>(fields: &'a Value, name: &str) -> Result<&'a str, BadField> {
    let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| BadField::no_text(name))
}

/// The value of a text field with a grammar, such as an id or a version.
///
/// # Errors
/// The field is missing or violates the grammar.
pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(fields: &Value, name: &str) -> Result<T, BadField> {
    text(fields, name)?.parse().map_err(|why| BadField::new(name, why))
}

/// The fields of a step as stored, with the late texts. Reading a body moves it out of `fields`, because it is large.
struct Stored<'a> {
    fields: Value,
    late: &'a BTreeMap<String, String>,
    /// Whether a value that should be a text and is not is kept ([`Expr::Unfit`]) rather than an error.
    lenient: bool,
}

impl Stored<'_> {
    fn text(&self, name: &str) -> Result<String, BadField> {
        text(&self.fields, name).map(str::to_owned)
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, BadField> {
        parsed(&self.fields, name)
    }

    fn expr(&self, name: &str) -> Result<Expr<String>, BadField> {
        match self.late.get(&format!("/{name}")) {
            Some(text) => Ok(Expr::Late(text.clone())),
            None => {
                let written = self.fields.get(name).ok_or_else(|| BadField::no_text(name))?;
                match self.text(name) {
                    Ok(text) => Ok(Expr::Known(text)),
                    Err(_) if self.lenient => Ok(Expr::Unfit(written.clone())),
                    Err(bad) => Err(bad),
                }
            }
        }
    }

    fn template(&mut self, pointer: &str) -> Option<Template> {
        let value = self.fields.pointer_mut(pointer)?.take();
        let within = |(at, text): (&String, &String)| {
            let rest = at.strip_prefix(pointer).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
            Some((rest.to_owned(), text.clone()))
        };
        Some(Template::new(value, self.late.iter().filter_map(within).collect()))
    }

    fn body(&mut self, pointer: &str) -> Result<Template, BadField> {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        self.template(pointer).ok_or_else(|| BadField::new(name, "is missing"))
    }

    fn resource(&mut self) -> Result<ArmResource<Template>, BadField> {
        Ok(ArmResource {
            id: self.parsed("id")?,
            resource_type: self.text("type")?,
            api_version: self.parsed("apiVersion")?,
            body: self.body("/body")?,
        })
    }

    fn proof(&mut self) -> Result<IsolationProof<Template>, BadField> {
        let accepts_inconclusive = match self.fields.get("accept") {
            None => false,
            Some(Value::String(accept)) if accept == INCONCLUSIVE => true,
            Some(_) => return Err(BadField::new("accept", "only `inconclusive` can be accepted")),
        };
        let probe = match self.fields.get("probe") {
            None => None,
            Some(_) => Some(ProbeCall {
                url: self.body("/probe/url")?,
                scope: self.body("/probe/scope")?,
                client_id: self.body("/probe/clientId")?,
                body: self.template("/probe/body"),
            }),
        };
        Ok(IsolationProof { accepts_inconclusive, probe })
    }
}

impl Desired {
    /// The desired state that these fields describe; where a field is null, `late` has its text by JSON pointer.
    ///
    /// # Errors
    /// [`BadField`]: a field that the kind needs is missing or invalid.
    pub fn read(kind: Kind, fields: &Value, late: &BTreeMap<String, String>) -> Result<Self, BadField> {
        Self::of(kind, Stored { fields: fields.clone(), late, lenient: false })
    }

    fn of(kind: Kind, mut stored: Stored<'_>) -> Result<Self, BadField> {
        Ok(match kind {
            Kind::Arm => Self::Arm(stored.resource()?),
            Kind::ArmUpdate => {
                Self::ArmUpdate(ArmUpdate { resource: stored.resource()?, undo: stored.template("/undo") })
            }
            Kind::RoleAssignment => Self::RoleAssignment(RoleAssignment {
                scope: stored.parsed("scope")?,
                principal_id: stored.expr("principalId")?,
                role_definition_id: stored.expr("roleDefinitionId")?,
            }),
            Kind::EntraApplication => Self::EntraApplication(EntraApplication {
                unique_name: stored.text("uniqueName")?,
                body: stored.body("/body")?,
            }),
            Kind::ServicePrincipal => Self::ServicePrincipal(ServicePrincipal {
                app_id: stored.expr("appId")?,
                body: stored.body("/body")?,
            }),
            Kind::FederatedCredential => Self::FederatedCredential(FederatedCredential {
                application: stored.expr("application")?,
                name: stored.text("name")?,
                body: stored.body("/body")?,
            }),
            Kind::Check => Self::Check(ResourceCheck {
                id: stored.parsed("id")?,
                api_version: stored.parsed("apiVersion")?,
                expect: stored.body("/expect")?,
            }),
            Kind::Isolation => Self::Isolation(stored.proof()?),
        })
    }

    /// The texts that are evaluated when the step is rendered, by JSON pointer into [`Self::to_json`].
    pub fn late(&self) -> BTreeMap<String, String> {
        let mut late = Late(BTreeMap::new());
        match self.fill(&mut late) {
            Ok(_) => late.0,
            Err(never) => match never {},
        }
    }

    /// Whether any part is evaluated only when the step is rendered.
    pub fn is_late(&self) -> bool {
        !self.late().is_empty()
    }
}

/// Collects the late texts.
struct Late(BTreeMap<String, String>);

impl Fill<Expr<String>, Template> for Late {
    type Text = ();
    type Body = ();
    type Error = Infallible;

    fn text(&mut self, at: &'static str, text: &Expr<String>) -> Result<(), Infallible> {
        self.0.extend(text.late().map(|text| (at.to_owned(), text.to_owned())));
        Ok(())
    }

    fn body(&mut self, at: &'static str, body: &Template) -> Result<(), Infallible> {
        self.0.extend(body.late().iter().map(|(rest, text)| (format!("{at}{rest}"), text.clone())));
        Ok(())
    }
}

impl<T: Part, B: Part> Desired<T, B> {
    /// The fields as JSON, in the form that documents store; late parts are null.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut set =
            |name: &str, value: Cow<'_, Value>| _ = fields.insert(name.to_owned(), value.into_owned());
        match self {
            Self::Arm(resource) => write_resource(resource, &mut set),
            Self::ArmUpdate(update) => {
                write_resource(&update.resource, &mut set);
                update.undo.iter().for_each(|undo| set("undo", undo.known()));
            }
            Self::RoleAssignment(grant) => {
                set("scope", as_text(grant.scope.as_str()));
                set("roleDefinitionId", grant.role_definition_id.known());
                set("principalId", grant.principal_id.known());
            }
            Self::EntraApplication(application) => {
                set("uniqueName", as_text(&application.unique_name));
                set("body", application.body.known());
            }
            Self::ServicePrincipal(principal) => {
                set("appId", principal.app_id.known());
                set("body", principal.body.known());
            }
            Self::FederatedCredential(credential) => {
                set("application", credential.application.known());
                set("name", as_text(&credential.name));
                set("body", credential.body.known());
            }
            Self::Check(check) => {
                set("id", as_text(check.id.as_str()));
                set("apiVersion", as_text(check.api_version.as_str()));
                set("expect", check.expect.known());
            }
            Self::Isolation(proof) => {
                if proof.accepts_inconclusive {
                    set("accept", as_text(INCONCLUSIVE));
                }
                proof.probe.iter().for_each(|probe| set("probe", Cow::Owned(written_probe(probe))));
            }
        }
        Value::Object(fields)
    }
}

fn write_resource<B: Part>(resource: &ArmResource<B>, set: &mut impl FnMut(&str, Cow<'_, Value>)) {
    set("id", as_text(resource.id.as_str()));
    set("type", as_text(&resource.resource_type));
    set("apiVersion", as_text(resource.api_version.as_str()));
    set("body", resource.body.known());
}

fn written_probe<B: Part>(probe: &ProbeCall<B>) -> Value {
    let body = probe.body.as_ref().map(|body| ("body", body));
    let members = [("url", &probe.url), ("scope", &probe.scope), ("clientId", &probe.client_id)];
    let members = members.into_iter().chain(body);
    members.map(|(name, part)| (name.to_owned(), part.known().into_owned())).collect()
}

fn as_text(text: &str) -> Cow<'static, Value> {
    Cow::Owned(Value::String(text.to_owned()))
}

/// A planned step as documents store it.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredStep {
    kind: Kind,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    needs: BTreeSet<StepName>,
    fields: Value,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<String, String>,
    digest: String,
}

impl From<&PlannedStep> for StoredStep {
    fn from(step: &PlannedStep) -> Self {
        Self {
            kind: step.kind(),
            needs: step.needs.clone(),
            fields: step.desired.to_json(),
            late: step.desired.late(),
            outputs: step.outputs.clone(),
            digest: step.digest.clone(),
        }
    }
}

impl Serialize for PlannedStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredStep::from(self).serialize(serializer)
    }
}

impl TryFrom<StoredStep> for PlannedStep {
    type Error = BadField;

    fn try_from(stored: StoredStep) -> Result<Self, BadField> {
        let StoredStep { kind, needs, fields, late, outputs, digest } = stored;
        // A document of an earlier version may have another type of value where a text is required now.
        let desired = Desired::of(kind, Stored { fields, late: &late, lenient: true })?;
        Ok(Self { desired, needs, outputs, digest })
    }
}
