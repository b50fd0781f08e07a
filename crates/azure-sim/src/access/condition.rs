//! Conditions of role assignments, version 2.0. Only conditions about the creation and deletion of role assignments are
//! supported.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{call::Call, path::last, reply::Outcome, roles::actions::matches, store::StoreQuery};

/// The attributes that a condition can refer to: those of the requested and of the existing role assignment.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    request: BTreeMap<&'static str, String>,
    resource: BTreeMap<&'static str, String>,
    /// Whether the request deletes a role assignment that does not exist. Then every comparison holds.
    absent: bool,
}

impl Attributes {
    pub(super) fn of(view: &impl StoreQuery, call: &Call) -> Outcome<Self> {
        let mut attributes = Self::default();
        if !call.path.to_lowercase().contains("/providers/microsoft.authorization/roleassignments/") {
            return Ok(attributes);
        }
        match call.method.as_str() {
            "PUT" => {
                // If the body has no principal type, Azure assumes that the principal is a user.
                let body = call.json()?;
                attributes.request = read(&body, "User");
            }
            "DELETE" => match view.object(&call.path)? {
                Some(object) => attributes.resource = read(&object.body, ""),
                None => attributes.absent = true,
            },
            _ => {}
        }
        Ok(attributes)
    }
}

fn read(body: &Value, kind: &str) -> BTreeMap<&'static str, String> {
    let text = |name: &str| body["properties"][name].as_str().unwrap_or_default();
    let kind = Some(text("principalType")).filter(|given| !given.is_empty()).unwrap_or(kind);
    BTreeMap::from([
        ("RoleDefinitionId", last(text("roleDefinitionId")).to_owned()),
        ("PrincipalId", text("principalId").to_owned()),
        ("PrincipalType", kind.to_owned()),
    ])
}

/// A parsed condition of a role assignment.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Action(String),
    Compare { request: bool, attribute: String, operator: String, values: Vec<String> },
}

impl Condition {
    /// Parses the text of a condition.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader(text);
        let condition = reader.any()?;
        match reader.0.trim() {
            "" => Ok(condition),
            rest => Err(format!("a condition goes on with {rest:?}")),
        }
    }

    /// Whether the condition holds for an action on these attributes.
    pub(super) fn holds(&self, action: &str, attributes: &Attributes) -> bool {
        match self {
            Self::Not(inner) => !inner.holds(action, attributes),
            Self::All(parts) => parts.iter().all(|part| part.holds(action, attributes)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(action, attributes)),
            Self::Action(pattern) => matches(pattern, action),
            Self::Compare { request, attribute, operator, values } => {
                if attributes.absent {
                    return true;
                }
                let of = if *request { &attributes.request } else { &attributes.resource };
                let Some(seen) = of.get(attribute.as_str()) else { return false };
                let mut same = values.iter().map(|value| value.eq_ignore_ascii_case(seen));
                match operator.as_str() {
                    "ForAnyOfAnyValues:GuidEquals" | "ForAnyOfAnyValues:StringEqualsIgnoreCase" => {
                        same.any(|same| same)
                    }
                    // `ForAnyOfAllValues:GuidNotEquals`, the only other operator that `Reader` accepts.
                    _ => same.all(|same| !same),
                }
            }
        }
    }
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn must(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) {
            Ok(())
        } else {
            Err(format!("a condition has no {token:?} before {:?}", self.0))
        }
    }

    fn until(&mut self, end: char) -> Result<&'a str, String> {
        let (before, behind) =
            self.0.split_once(end).ok_or_else(|| format!("a condition has no {end:?} after {:?}", self.0))?;
        self.0 = behind;
        Ok(before.trim())
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.takes("OR") {
            parts.push(self.all()?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.takes("AND") {
            parts.push(self.one()?);
        }
        Ok(Condition::All(parts))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.takes("!") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.takes("(") {
            let inner = self.any()?;
            self.must(")")?;
            return Ok(inner);
        }
        if self.takes("ActionMatches{") {
            return Ok(Condition::Action(self.until('}')?.trim_matches('\'').to_owned()));
        }
        let request = self.takes("@Request[");
        if !request {
            self.must("@Resource[")?;
        }
        let named = self.until(']')?;
        let (of, attribute) = named.rsplit_once(':').unwrap_or_default();
        let operator = self.until('{')?.to_owned();
        let values =
            self.until('}')?.split(',').map(|value| value.trim().trim_matches('\'').to_owned()).collect();
        let known = [
            ("RoleDefinitionId", "ForAnyOfAnyValues:GuidEquals"),
            ("PrincipalType", "ForAnyOfAnyValues:StringEqualsIgnoreCase"),
            ("PrincipalId", "ForAnyOfAllValues:GuidNotEquals"),
        ];
        if of != "Microsoft.Authorization/roleAssignments" || !known.contains(&(attribute, operator.as_str()))
        {
            return Err(format!("a condition on {named} with {operator} is not known here"));
        }
        Ok(Condition::Compare { request, attribute: attribute.to_owned(), operator, values })
    }
}
