//! Starts long-running operations, and ends them when they are due.

use crate::{
    error::CloudError,
    graph::{deleted, kinds::PREFIX},
    operations::lifecycle::{delete, expiry, finish},
    resources::body::set_state,
    store::{Change, Due, Object, Operation, StoreQuery as _, Work},
};

/// Starts an operation on an object that takes `seconds` in Azure, and marks the object as busy. If the operation takes
/// no time in the simulated Azure, it also ends.
pub(crate) fn start(
    change: &mut Change<'_>,
    object: &mut Object,
    work: Work,
    seconds: u32,
) -> Result<Operation, CloudError> {
    let id = change.identity(&object.id)?;
    let ends = change.now.checked_add(change.speed.scale(seconds)).unwrap_or(change.now);
    let operation = Operation {
        id: id.clone(),
        target: object.id.clone(),
        work,
        started: change.now,
        ends,
        failure: change.failure.take(),
        done: false,
        tenant: object.tenant.clone(),
        caller: change.caller.clone(),
    };
    object.busy = Some(id.clone());
    change.put(object)?;
    change.put_operation(&operation)?;
    if ends <= change.now {
        return end(change, operation);
    }
    change.schedule(ends, &Due::Operation(id))?;
    Ok(operation)
}

/// Carries out all scheduled items that are due, ordered by time. Each sees the time at which it was due as the current
/// time, however late this is called.
pub(crate) fn settle(change: &mut Change<'_>) -> Result<(), CloudError> {
    let now = change.now;
    while let Some((at, what)) = change.next_due(now)? {
        change.now = at;
        match what {
            Some(Due::Operation(id)) => {
                if let Some(operation) = change.operation(&id)?.filter(|operation| !operation.done) {
                    end(change, operation)?;
                }
            }
            Some(Due::Expiry(id)) => expire(change, &id)?,
            None => {}
        }
    }
    change.now = now;
    Ok(())
}

fn expire(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    let Some(object) = change.object(id)? else { return Ok(()) };
    let is_graph = object.kind.starts_with(PREFIX);
    let at = if is_graph { deleted::expiry(&object) } else { expiry(&object) };
    match at {
        Some(at) if at <= change.now && is_graph => deleted::delete(change, &object),
        Some(at) if at <= change.now => delete(change, &object),
        Some(_) | None => Ok(()),
    }
}

fn end(change: &mut Change<'_>, mut operation: Operation) -> Result<Operation, CloudError> {
    operation.done = true;
    change.end_operation(&operation)?;
    let ours = |object: &Object| object.busy.as_deref() == Some(operation.id.as_str());
    let Some(mut object) = change.object(&operation.target)?.filter(ours) else {
        return Ok(operation);
    };
    object.busy = None;
    match &operation.failure {
        None => finish(change, object, operation.work)?,
        Some(failure) => {
            set_state(&mut object.body, &failure.state);
            change.put(&object)?;
        }
    }
    Ok(operation)
}
