//! Rules about who can act as the tenant: secrets, federated credentials, owners.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::{
        case::Case,
        evidence::{Application, Reading},
        judged_tenant::{Declared, OwnApplication},
        powers::IDENTITY,
        report::Given,
    },
    Found,
};

fn applications<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (&'a OwnApplication, &'a Application)> {
    let seen =
        |own: &'a OwnApplication| Some((own, case.context.evidence.applications.get(&own.unique_name)?));
    case.judged.applications.iter().filter_map(seen)
}

/// Rule `application-secret`: passwords and certificates of the tenant's applications and their service principals.
pub(super) fn secrets(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (own, seen) in applications(case) {
        for (object, holder) in
            [(&seen.object, "the application"), (&seen.principal, "its service principal")]
        {
            let Some(object) = object.shown() else { continue };
            for (list, what) in [("passwordCredentials", "password"), ("keyCredentials", "certificate")] {
                let secrets = object.get(list).and_then(Value::as_array).into_iter().flatten();
                found.extend(secrets.map(|secret| {
                    let id = secret.get("keyId").and_then(Value::as_str).unwrap_or("without an id");
                    Found::new(&own.unique_name, format!("{holder} has a {what}: {id}"))
                }));
            }
        }
    }
    found
}

fn text<'a>(credential: &'a Value, name: &str) -> &'a str {
    credential.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The issuer, subject and audiences that a federated credential trusts.
fn trusts(credential: &Value) -> Declared {
    let audiences = credential.get("audiences").and_then(Value::as_array).into_iter().flatten();
    Declared {
        issuer: text(credential, "issuer").to_owned(),
        subject: text(credential, "subject").to_owned(),
        audiences: audiences.filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
    }
}

fn credentials<'a>(
    case: &'a Case<'_>,
) -> impl Iterator<Item = (&'a OwnApplication, &'a Value, &'a BTreeMap<String, Declared>)> {
    applications(case).flat_map(|(own, seen)| {
        let shown = seen.credentials.shown().into_iter().flatten();
        shown.map(move |credential| (own, credential, &own.credentials))
    })
}

/// Rule `credential-undeclared`: federated credentials whose name the blueprint does not declare.
pub(super) fn undeclared(case: &Case<'_>) -> Vec<Found> {
    let unknown =
        credentials(case).filter(|(_, credential, known)| !known.contains_key(text(credential, "name")));
    let found = unknown.map(|(own, credential, _)| Found {
        given: given(own, credential),
        ..Found::new(&own.unique_name, describe(credential))
    });
    found.collect()
}

fn given(own: &OwnApplication, credential: &Value) -> Option<Given> {
    let (name, subject) = (text(credential, "name").to_owned(), text(credential, "subject").to_owned());
    let application_id = own.object_id.clone();
    let known = !application_id.is_empty() && !name.is_empty();
    known.then_some(Given::FederatedCredential { application_id, name, subject })
}

/// Rule `credential-changed`: federated credentials that trust another identity than declared. A credential with a
/// `claimsMatchingExpression` counts as one, because it may match any subject.
pub(super) fn changed(case: &Case<'_>) -> Vec<Found> {
    let differs = |(_, credential, known): &(&OwnApplication, &Value, &BTreeMap<String, Declared>)| {
        let matching = credential.get("claimsMatchingExpression").is_some_and(|one| !one.is_null());
        known
            .get(text(credential, "name"))
            .is_some_and(|known| matching || !known.is_same(&trusts(credential)))
    };
    let found = credentials(case).filter(differs);
    found.map(|(own, credential, _)| Found::new(&own.unique_name, describe(credential))).collect()
}

fn describe(credential: &Value) -> String {
    let (name, issuer, subject) =
        (text(credential, "name"), text(credential, "issuer"), text(credential, "subject"));
    format!("the credential {name} trusts {subject} of {issuer}")
}

/// Rule `identity-credential`: federated credentials of the tenant's managed identities. No blueprint creates any.
pub(super) fn identity_credentials(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for own in case.judged.of_type(IDENTITY) {
        let seen = case.context.evidence.identity_credentials.get(&own.id.to_ascii_lowercase());
        for credential in seen.and_then(Reading::shown).into_iter().flatten() {
            let inner = credential.get("properties").unwrap_or(credential);
            let (name, issuer, subject) =
                (text(credential, "name"), text(inner, "issuer"), text(inner, "subject"));
            found.push(Found::new(&own.id, format!("its credential {name} trusts {subject} of {issuer}")));
        }
    }
    found
}

/// Rule `application-owner`: owners of the tenant's applications that are neither the tenant's own nor allowed.
pub(super) fn owners(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (own, seen) in applications(case) {
        let owners = seen.owners.shown().into_iter().flatten();
        let others = owners.filter(|id| !case.is_own(id) && case.context.allow.principal(id).is_none());
        found.extend(others.map(|id| Found::new(&own.unique_name, format!("{id} owns it"))));
    }
    found
}

/// Rule `principal-enabled`: service principals that should be disabled and are not. If Graph does not show whether one
/// is enabled, it counts as enabled.
pub(super) fn enabled(case: &Case<'_>) -> Vec<Found> {
    let disabled = |principal: &Value| principal.get("accountEnabled") == Some(&Value::Bool(false));
    let open = applications(case).filter(|(own, seen)| {
        own.disabled && seen.principal.shown().is_some_and(|principal| !disabled(principal))
    });
    open.map(|(own, _)| Found::new(&own.unique_name, "its service principal is enabled")).collect()
}
