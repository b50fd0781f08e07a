//! DELETE of a resource: what is the same for all resource types.

use crate::{
    api_version,
    arm::{
        busy::{busy, is_being_deleted},
        missing::no_group,
    },
    call::Call,
    operations::{
        lifecycle::remove,
        polls::{with_poll_url, with_timeout},
        run::start,
    },
    path::ResourcePath,
    reply::{Outcome, Reply, refuse},
    resources::{
        body::set_state,
        profile::{Follow, WriteForm},
        resource_type::ResourceType,
    },
    store::{Change, StoreQuery as _, Work},
};

/// Answers a DELETE of a resource, or of a resource group.
pub(super) fn delete(
    change: &mut Change<'_>,
    call: &Call,
    kind: &dyn ResourceType,
    path: &ResourcePath,
) -> Outcome {
    let profile = kind.profile();
    api_version::check(call, profile.name, profile.version)?;
    if profile.write == WriteForm::Refused {
        return refuse(405, "MethodNotAllowed", format!("'{}' can only be read here.", profile.name));
    }
    let id = path.id(profile.name);
    let group = change.alive(&path.group_id().unwrap_or_default())?;
    if group.is_none() {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    let purge = call.query.get("forcetopurge").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let found = change.object(&id)?.filter(|object| object.deleted.is_none() || purge);
    let Some(mut object) = found else { return Ok(Reply::empty(204).of(change.tenant_at(&id)?)) };
    let tenant = change.tenant_at(&id)?;
    if object.busy.is_some() {
        if !is_being_deleted(change, &object)? {
            return Err(busy(change, kind, &object)?.into());
        }
        // A repeated DELETE gets the poll URL of the running operation.
        if let Some(operation) = change.running(&object)? {
            let reply = with_poll_url(Reply::empty(202), call, &operation, Follow::Location, change.now);
            return Ok(reply.of(tenant));
        }
    }
    kind.check_delete(change, &object)?;
    if !profile.slow_delete {
        remove(change, object, purge)?;
        return Ok(Reply::empty(200).of(tenant));
    }
    if let Some(states) = profile.states {
        set_state(&mut object.body, states.deleting);
    }
    kind.starting(change, &object)?;
    let work = if purge { Work::Purge } else { Work::Delete };
    let operation = start(change, &mut object, work, profile.seconds.delete)?;
    let reply = with_poll_url(Reply::empty(202), call, &operation, Follow::Location, change.now);
    Ok(with_timeout(reply, profile).of(tenant))
}
