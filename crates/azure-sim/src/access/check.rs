//! Decides whether a caller may send a request to Resource Manager, with Azure's messages of refusals.

use crate::{
    access::{
        condition::Attributes,
        needs::{self, Need},
        rights::{Access, Holder},
        used::Used,
    },
    call::Call,
    path::last,
    reply::{Outcome, Refusal, refuse},
    store::StoreQuery,
};

/// Refuses a request to Resource Manager if the caller (`holder`) has no permission for it or for the resources that
/// its body names. Counts each required action in `used`.
pub(crate) fn check(
    access: &Access,
    used: &Used,
    holder: &Holder,
    view: &impl StoreQuery,
    call: &Call,
) -> Outcome<()> {
    let Some(need) = needs::main(call) else { return Ok(()) };
    let attributes = Attributes::of(view, call)?;
    if need.asks {
        let asked = view.operation(&last(&need.scope).to_lowercase())?;
        let other =
            asked.and_then(|asked| asked.caller).filter(|id| !id.eq_ignore_ascii_case(&holder.object_id));
        if other.is_some() {
            // The behaviour and the message are reported by users (MicrosoftDocs/azure-docs#119301).
            let message =
                "Only the original caller of an asynchronous operation is allowed to retrieve the results.";
            return refuse(403, "Forbidden", message);
        }
    }
    let links = needs::links(call);
    for (number, one) in std::iter::once(&need).chain(&links).enumerate() {
        let allowed = access.may(holder, one, &attributes);
        used.note(holder, &one.action, allowed);
        if !allowed {
            let refusal = if number == 0 { refused(holder, one) } else { refused_link(holder, &need, one) };
            return Err(refusal.into());
        }
    }
    Ok(())
}

fn refused(holder: &Holder, need: &Need) -> Refusal {
    let Holder { client_id, object_id, .. } = holder;
    let Need { action, scope, .. } = need;
    let message = format!(
        "The client '{client_id}' with object id '{object_id}' does not have authorization to perform action '{action}' \
         over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    );
    Refusal::new(403, "AuthorizationFailed", message)
}

fn refused_link(holder: &Holder, main: &Need, need: &Need) -> Refusal {
    let Holder { client_id, object_id, .. } = holder;
    let message = format!(
        "The client '{client_id}' with object id '{object_id}' has permission to perform action '{}' on scope '{}'; \
         however, it does not have permission to perform action '{}' on the linked scope(s) '{}' or the linked scope(s) \
         are invalid.",
        main.action, main.scope, need.action, need.scope
    );
    Refusal::new(403, "LinkedAuthorizationFailed", message)
}
