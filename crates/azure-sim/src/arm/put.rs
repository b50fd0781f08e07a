//! PUT of a resource: what is the same for all resource types.
//!
//! Everything is checked before anything is written, because the writes of a request that is refused afterwards would
//! be committed.

use serde_json::{Map, Value, json};

use crate::{
    api_version,
    arm::{
        busy::busy,
        checks::{check_location, check_name},
        draft::draft,
    },
    call::Call,
    operations::{
        polls::{with_poll_url, with_timeout},
        run::start,
    },
    path::{ResourcePath, last},
    reply::{Outcome, Reply, refuse},
    resources::{
        body::set_state,
        draft::Draft,
        identity_member,
        names::region,
        profile::{Follow, WriteForm},
        registry,
        resource_type::ResourceType,
    },
    stamp::DIRECTORY_ID,
    store::{Change, Object, Work},
};

/// Answers a PUT of a resource or resource group: creates or updates it.
pub(super) fn put(
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
    let draft = draft(change, call, profile, path)?;
    check_location(&draft)?;
    if let Some(before) = draft.before.as_ref().filter(|before| before.busy.is_some()) {
        return Err(busy(change, kind, before)?.into());
    }
    check_name(change, kind, &draft)?;
    if profile.identity.is_some() {
        identity_member::check(change, &draft)?;
    }
    kind.check(change, &draft, registry::find)?;
    let object = compose(change, kind, &draft)?;
    apply(change, kind, &draft, object)
}

fn compose(change: &mut Change<'_>, kind: &dyn ResourceType, draft: &Draft<'_>) -> Outcome<Object> {
    let (profile, mut body) = (draft.profile, draft.body.clone());
    if !body.get("properties").is_some_and(Value::is_object) {
        body["properties"] = json!({});
    }
    if let Some(members) = body.as_object_mut() {
        complete(change, draft, members);
    }
    if profile.identity.is_some() {
        identity_member::complete(change, draft, &mut body)?;
    }
    kind.complete(change, draft, &mut body)?;
    if let Some(states) = profile.states {
        let done = matches!(profile.write, WriteForm::Done(_))
            || (draft.before.is_some() && profile.write == WriteForm::Location { updates: false });
        let state = if draft.before.is_some() { states.updating } else { states.creating };
        set_state(&mut body, if done { "Succeeded" } else { state });
    }
    Ok(Object {
        tenant: draft.tenant.clone(),
        seeded: draft.before.as_ref().is_some_and(|before| before.seeded),
        ..Object::new(draft.id.clone(), profile.name, body, change.now)
    })
}

fn complete(change: &Change<'_>, draft: &Draft<'_>, members: &mut Map<String, Value>) {
    members.insert("id".to_owned(), json!(draft.id));
    members.insert("name".to_owned(), json!(last(&draft.id)));
    members.insert("type".to_owned(), json!(draft.profile.name));
    members.remove("systemData");
    members.remove("etag");
    if draft.profile.located {
        members.insert("location".to_owned(), json!(region(draft.text("/location"))));
    }
    if draft.profile.system_data {
        let now = change.now.to_string();
        let created = draft.text_before("/systemData/createdAt").filter(|at| !at.is_empty());
        members.insert(
            "systemData".to_owned(),
            json!({
                "createdBy": DIRECTORY_ID, "createdByType": "Application",
                "createdAt": created.unwrap_or(&now),
                "lastModifiedBy": DIRECTORY_ID, "lastModifiedByType": "Application", "lastModifiedAt": now,
            }),
        );
    }
}

fn apply(change: &mut Change<'_>, kind: &dyn ResourceType, draft: &Draft<'_>, mut object: Object) -> Outcome {
    let (profile, new) = (draft.profile, draft.before.is_none());
    if let Some(key) = profile.name_key(draft.path.name(), object.text("/location")) {
        change.take_name(&key, &object.id)?;
    }
    let tenant = object.tenant.clone();
    let at_once = match profile.write {
        WriteForm::Done(_) => true,
        WriteForm::Location { updates } => !(new || updates),
        WriteForm::Status | WriteForm::Resource(_) | WriteForm::Refused => false,
    };
    // A request that is done at once has no operation that could fail. An injected failure is set on the resource
    // instead.
    if at_once && profile.states.is_some() && change.failure.take().is_some() {
        set_state(&mut object.body, "Failed");
    }
    let shown = object.body.clone();
    let seconds = if new { profile.seconds.create } else { profile.seconds.update };
    let (reply, follow) = match profile.write {
        WriteForm::Done(status) => (Reply::json(if new { status } else { 200 }, shown), None),
        WriteForm::Location { updates } if new || updates => (Reply::empty(202), Some(Follow::Location)),
        WriteForm::Location { .. } | WriteForm::Refused => (Reply::json(200, shown), None),
        WriteForm::Status => (Reply::json(if new { 201 } else { 200 }, shown), Some(Follow::Status)),
        WriteForm::Resource(status) => {
            (Reply::json(if new { status } else { 200 }, shown), Some(Follow::Resource))
        }
    };
    let Some(follow) = follow else {
        kind.written(change, &mut object, registry::find)?;
        change.put(&object)?;
        return Ok(reply.of(tenant));
    };
    kind.starting(change, &object)?;
    let operation = start(change, &mut object, Work::Write, seconds)?;
    let reply = with_poll_url(reply, draft.call, &operation, follow, change.now);
    Ok(with_timeout(reply, profile).of(tenant))
}
