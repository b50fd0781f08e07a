//! Reads role definitions: those of the local stamp, and Azure's built-in ones.

use serde_json::{Value, json};

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    path::last,
    reply::{Outcome, Reply, refuse},
    roles::{
        built_in,
        ids::{DEFINITION, VERSION},
    },
    stamp::role_id,
    store::{Snapshot, StoreQuery},
};

/// The role definition whose GUID is at the end of `id`; a stored one takes precedence over a built-in one.
pub(super) fn definition(view: &impl StoreQuery, id: &str) -> Result<Option<Value>, CloudError> {
    let own = role_id(last(id));
    let custom = view.object(&own)?.filter(|object| object.kind == DEFINITION);
    Ok(custom.map(|object| object.body).or_else(|| built_in::find(last(id))))
}

/// Answers a GET of the role definition with this name (a GUID), or of all role definitions if `name` is `None`.
pub(crate) fn read_definition(view: &Snapshot, call: &Call, name: Option<&str>) -> Outcome {
    api_version::check(call, DEFINITION, VERSION)?;
    let Some(name) = name else {
        let all = view.under(&role_id("").to_lowercase())?;
        let mut value: Vec<Value> = all.into_iter().map(|object| object.body).collect();
        let known = |role: &Value| value.iter().any(|other| other["name"] == role["name"]);
        let built_in: Vec<Value> = built_in::all().filter(|role| !known(role)).collect();
        value.extend(built_in);
        return Ok(Reply::json(200, json!({ "value": value })));
    };
    match definition(view, name)? {
        Some(body) => Ok(Reply::json(200, body)),
        None => {
            let message = format!("The specified role definition with ID '{name}' does not exist.");
            refuse(404, "RoleDefinitionDoesNotExist", message)
        }
    }
}
