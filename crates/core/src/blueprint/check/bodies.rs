//! Compares the bodies of Azure resources with the table of resource types, as Bicep does. What differs is a warning:
//! the table is Microsoft's description of its services, and a service may know more than its description.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    blueprint::{
        Kind, ResourceType, expression,
        file::{File, Step},
        findings::{Findings, Position},
        tree::{Node, Shape},
    },
    pointer,
    types::{BodyCode, BodyFinding, NoShape, ResourceShape, ResourceTypes},
};

/// Adds a warning for each difference between a step's bodies and the type of its resource.
pub(super) fn check(file: &File, step: &Step, findings: &mut Findings) {
    let Some((resource, bodies)) = resource(file, step) else { return };
    let (Some(written), Some(node)) = (resource.text("type"), resource.keys.get("type")) else { return };
    let row = ResourceType::find(written);
    let (version, at) = match (resource.keys.get("apiVersion"), row) {
        (Some(node), _) => (node.text().filter(|text| !expression::is_dynamic(text)), node.position),
        (None, row) => (row.map(|row| row.api_version), node.position),
    };
    let Some(version) = version else { return };
    match ResourceTypes::known().shape(written, version) {
        Ok(shape) => {
            let frame = Frame {
                shape,
                has_location: resource.keys.contains_key("location") || row.is_some_and(|row| row.location),
            };
            bodies.iter().for_each(|body| frame.body(body, findings));
        }
        // The step of the resource has the same finding.
        Err(_) if step.kind == Kind::ArmUpdate => {}
        Err(why @ NoShape::UnknownType { .. }) => {
            unknown(node.position, "unknown-type", written, &why, findings);
        }
        Err(why @ NoShape::UnknownVersion { .. }) => {
            unknown(at, "unknown-api-version", &format!("{written}@{version}"), &why, findings);
        }
        Err(NoShape::NotDescribed { .. }) => {}
    }
}

fn unknown(at: Position, code: &'static str, what: &str, why: &NoShape<'_>, findings: &mut Findings) {
    let hint = "Azure may have it although Microsoft's published types do not; nothing is checked then";
    findings.warning(at, code, format!("`{what}`: {why}"), hint);
}

/// The step that creates the resource, and the bodies that the step writes.
fn resource<'a>(file: &'a File, step: &'a Step) -> Option<(&'a Step, Vec<Cow<'a, Node>>)> {
    let body = step.keys.get("body");
    match step.kind {
        Kind::Arm => Some((step, body.map(Cow::Borrowed).into_iter().collect())),
        Kind::ArmUpdate => {
            let target = file.step(step.target("of")?).filter(|target| target.kind == Kind::Arm)?;
            let base = target.keys.get("body");
            let over = [body, step.keys.get("undo")].into_iter().flatten();
            let whole = |over: &Node| base.map_or_else(|| over.clone(), |base| base.overlaid(over));
            Some((target, over.map(|over| Cow::Owned(whole(over))).collect()))
        }
        Kind::RoleAssignment
        | Kind::EntraApplication
        | Kind::ServicePrincipal
        | Kind::FederatedCredential
        | Kind::Check
        | Kind::Isolation => None,
    }
}

/// What the bodies of one resource are compared with.
struct Frame<'a> {
    shape: ResourceShape<'a>,
    /// Whether a location is added to the body.
    has_location: bool,
}

impl Frame<'_> {
    fn body(&self, node: &Node, findings: &mut Findings) {
        let late = |at: &str| match find(node, at) {
            Some(Found { node, .. }) => node.text().is_some_and(expression::is_dynamic),
            None => at == "/location" && self.has_location,
        };
        for finding in self.shape.check(&known(node), &late) {
            let BodyFinding { pointer, code, message, hint, .. } = finding;
            findings.warning(
                position(node, &pointer, code),
                code.as_str(),
                message,
                hint.unwrap_or_default(),
            );
        }
    }
}

/// The body as JSON. Members whose names are expressions are left out: nobody knows which members they are.
fn known(node: &Node) -> Value {
    match &node.shape {
        Shape::Plain(_) | Shape::Text(..) => node.to_json(),
        Shape::List(items) => items.iter().map(known).collect(),
        Shape::Map(entries) => {
            let known = entries.iter().filter(|(key, _)| !expression::is_dynamic(&key.text));
            Value::Object(known.map(|(key, node)| (key.text.clone(), self::known(node))).collect())
        }
    }
}

/// A node within a body, and the position of its key if it is a member.
struct Found<'a> {
    node: &'a Node,
    key: Option<Position>,
}

/// The node at a JSON pointer; `None` if there is none.
fn find<'a>(body: &'a Node, at: &str) -> Option<Found<'a>> {
    let mut found = Found { node: body, key: None };
    for segment in at.split('/').skip(1) {
        let name = pointer::name(segment);
        found = match &found.node.shape {
            Shape::Map(entries) => {
                let (key, node) = entries.iter().find(|(key, _)| key.text == *name)?;
                Found { node, key: Some(key.position) }
            }
            Shape::List(items) => Found { node: items.get(name.parse::<usize>().ok()?)?, key: None },
            Shape::Plain(_) | Shape::Text(..) => return None,
        };
    }
    Some(found)
}

/// Where a finding is shown: at the member's name if the member should not be there, at the object if a member is
/// missing, otherwise at the value.
fn position(body: &Node, at: &str, code: BodyCode) -> Position {
    let mut at = at;
    loop {
        if let Some(Found { node, key }) = find(body, at) {
            let is_about_name = matches!(code, BodyCode::UnknownMember | BodyCode::ReadOnlyMember);
            return key.filter(|_| is_about_name).unwrap_or(node.position);
        }
        match at.rsplit_once('/') {
            Some((parent, _)) => at = parent,
            None => return body.position,
        }
    }
}
