//! The blueprints that a deployment offers or uses, with their texts: the required permissions are derived from them.

use serde_json::{Value, json};

use super::Response;
use crate::{
    intake::{InUse, Intake},
    ports::Ports,
};

/// All blueprints that are offered or in use.
pub async fn blueprints(ports: &Ports, intake: &Intake) -> Response {
    let configured: Vec<Value> = intake.stamps().iter().map(|stamp| stamp.value.clone()).collect();
    match intake.catalogue().in_use(ports.store.as_ref(), &configured).await {
        Ok(all) => Response::json(200, json!({"blueprints": all.iter().map(view).collect::<Vec<_>>()})),
        Err(error) => Response::unavailable(&error),
    }
}

fn view(one: &InUse) -> Value {
    let mut view = json!({
        "name": one.reference.name, "version": one.reference.version, "digest": one.reference.digest,
        "offered": one.offered, "tenants": one.tenants, "stamps": one.stamps,
    });
    match &one.blueprint {
        Ok(blueprint) => view["source"] = json!(blueprint.source()),
        Err(why) => view["unreadable"] = json!(why),
    }
    view
}
