//! Answers with the blueprints that a deployment offers or uses, and their texts: `tenantry permissions` derives the
//! required permissions from them.

use serde_json::{Value, json};

use super::Response;
use crate::{
    intake::{InUse, Intake},
    ports::Ports,
};

/// Answers with all blueprints that are offered or in use; one that can't be read has the reason instead of its text.
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
