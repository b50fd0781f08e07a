//! Converts the schemas of a description, Swagger 2.0 or OpenAPI 3.0, into plain JSON Schema.
//!
//! Every object is flattened over its `allOf`, so that an undeclared member is detected. The types of a `discriminator`
//! become a choice. Open enums (`modelAsString`) accept any text.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::description::Description;

/// What a schema is used for. Read-only members may occur in answers, but must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Answer,
    /// A resource in a Bicep template. Unlike in a request, a value outside an open enum counts as a typing error.
    Template,
}

struct Translation<'a> {
    of: &'a Description,
    way: Way,
    /// Links to definitions that are referenced and not converted yet.
    open: Vec<String>,
}

/// The members of an object, including those of its `allOf`.
#[derive(Default)]
struct Object {
    members: Map<String, Value>,
    required: BTreeSet<String>,
    others: Option<Value>,
}

/// Converts a schema of a description into a self-contained JSON Schema.
pub(crate) fn plain(of: &Description, schema: &Value, way: Way) -> Value {
    let mut translation = Translation { of, way, open: Vec::new() };
    let root = translation.schema(schema);
    let mut definitions = Map::new();
    while let Some(link) = translation.open.pop() {
        let name = link.rsplit('/').next().unwrap().to_owned();
        if !definitions.contains_key(&name) {
            let node = of.document.pointer(link.trim_start_matches('#')).unwrap();
            let plain = translation.definition(&name, node);
            definitions.insert(name, plain);
        }
    }
    json!({"allOf": [root], "definitions": definitions})
}

fn is_true(node: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| node.get(*name) == Some(&Value::Bool(true)))
}

impl Translation<'_> {
    fn schema(&mut self, node: &Value) -> Value {
        let plain = match node.get("$ref").and_then(Value::as_str) {
            Some(link) => {
                self.open.push(link.to_owned());
                json!({"$ref": format!("#/definitions/{}", link.rsplit('/').next().unwrap())})
            }
            None => self.inline(node),
        };
        // Microsoft's answers may have `null` for an absent value; our requests may have it only where that is
        // declared.
        if is_true(node, &["x-nullable", "nullable"]) {
            json!({"anyOf": [plain, {"type": "null"}]})
        } else {
            plain
        }
    }

    fn inline(&mut self, node: &Value) -> Value {
        // Some enums of texts have an `additionalProperties` without effect.
        let object = node.get("type").is_none_or(|kind| kind == "object");
        if object
            && ["properties", "allOf", "additionalProperties"].iter().any(|name| node.get(*name).is_some())
        {
            let object = self.object(node);
            return self.closed(object);
        }
        let mut plain = Map::new();
        for name in [
            "type",
            "pattern",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "minItems",
            "maxItems",
            "uniqueItems",
        ] {
            if let Some(value) = node.get(name) {
                plain.insert(name.to_owned(), value.clone());
            }
        }
        let open =
            node.pointer("/x-ms-enum/modelAsString") == Some(&Value::Bool(true)) && self.way != Way::Template;
        if let Some(values) = node.get("enum").filter(|_| !open) {
            plain.insert("enum".to_owned(), values.clone());
        }
        if let Some(items) = node.get("items") {
            plain.insert("items".to_owned(), self.schema(items));
        }
        for name in ["anyOf", "oneOf"] {
            if let Some(choices) = node.get(name).and_then(Value::as_array) {
                plain.insert("anyOf".to_owned(), choices.iter().map(|choice| self.schema(choice)).collect());
            }
        }
        Value::Object(plain)
    }

    /// Converts a named definition. If it has a `discriminator`, the result is a choice among its subtypes.
    fn definition(&mut self, name: &str, node: &Value) -> Value {
        let Some(chosen_by) = node.get("discriminator").and_then(Value::as_str) else {
            return self.schema(node);
        };
        let definitions = self.of.document["definitions"].as_object().unwrap();
        let kinds: Vec<(&String, &Value)> =
            definitions.iter().filter(|(_, kind)| self.descends(kind, name)).collect();
        let choices = kinds.into_iter().map(|(kind_name, kind)| {
            let value = kind.get("x-ms-discriminator-value").and_then(Value::as_str).unwrap_or(kind_name);
            let mut object = self.object(kind);
            object.members.insert(chosen_by.to_owned(), json!({"enum": [value]}));
            object.required.insert(chosen_by.to_owned());
            self.closed(object)
        });
        let choices: Vec<Value> = choices.collect();
        json!({"anyOf": choices})
    }

    fn descends(&self, node: &Value, ancestor: &str) -> bool {
        node.get("allOf").and_then(Value::as_array).into_iter().flatten().any(|parent| {
            let link = parent.get("$ref").and_then(Value::as_str);
            link.is_some_and(|link| link.rsplit('/').next() == Some(ancestor))
                || self.descends(self.of.resolved(parent), ancestor)
        })
    }

    fn object(&mut self, node: &Value) -> Object {
        let node = self.of.resolved(node);
        let mut object = Object::default();
        for parent in node.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let parent = self.object(parent);
            object.members.extend(parent.members);
            object.required.extend(parent.required);
            object.others = object.others.or(parent.others);
        }
        for (name, member) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let read_only =
                is_true(member, &["readOnly"]) || is_true(self.of.resolved(member), &["readOnly"]);
            let plain = match self.way {
                Way::Request | Way::Template if read_only => json!({"not": {}}),
                Way::Request | Way::Answer | Way::Template => self.schema(member),
            };
            object.members.insert(name.clone(), plain);
        }
        let required = node.get("required").and_then(Value::as_array).into_iter().flatten();
        object.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
        if self.way != Way::Answer {
            object.required.retain(|name| object.members.get(name) != Some(&json!({"not": {}})));
        }
        match node.get("additionalProperties") {
            // Graph's description has this at every object, without a meaning.
            Some(others) if others != &json!({"type": "object"}) => object.others = Some(self.others(others)),
            Some(_) | None => {}
        }
        object
    }

    fn others(&mut self, node: &Value) -> Value {
        if node.is_object() { self.schema(node) } else { node.clone() }
    }

    /// The schema of an object: one with declared members accepts no others, except for OData's annotations; one
    /// without declared members accepts any.
    fn closed(&self, mut object: Object) -> Value {
        // ARM shows the `type` of everything that has an id and a name; some descriptions leave it out.
        if self.way == Way::Answer && ["id", "name"].iter().all(|name| object.members.contains_key(*name)) {
            object.members.entry("type").or_insert(json!({"type": "string"}));
        }
        let others = object.others.unwrap_or(Value::Bool(object.members.is_empty()));
        let mut plain = json!({
            "type": "object", "properties": object.members, "additionalProperties": others,
            "patternProperties": {"^@odata\\.": {}},
        });
        if !object.required.is_empty() {
            plain["required"] = object.required.into_iter().collect();
        }
        plain
    }
}
