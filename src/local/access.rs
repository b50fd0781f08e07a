//! The permissions of a local environment's identities in the simulated Azure: the least that its blueprints need.

use std::collections::BTreeSet;

use azure_sim::access::{Access, HOST, Holder, PROVISIONER, REMOVER};
use serde_json::Value;
use tenantry_core::{
    blueprint::{Blueprint, Fault},
    permissions::{
        Permissions,
        data_plane::{GRAPH, GRAPH_OPTIONAL},
        derive, derive_placed,
        document::{Principals, document},
    },
};

fn joined(faults: Vec<Fault>) -> String {
    faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")
}

/// The identities of a deployment, with the least permissions that these blueprints need, as `tenantry permissions`
/// prints them. With `remover`, a client id, a separate identity deletes; otherwise the provisioner does.
///
/// # Errors
/// A message about what can't be derived.
pub fn least(blueprints: &[Blueprint], stamps: &[Value], remover: Option<&str>) -> Result<Access, String> {
    let permissions = derive(blueprints, stamps, &[]).map_err(joined)?;
    granted(&permissions, stamps, remover)
}

/// Like [`least`] without a separate remover, but with stamps for each blueprint: for the blueprints that a deployment
/// offers together with those that its tenants use.
///
/// # Errors
/// A message about what can't be derived.
pub fn least_placed(placed: &[(Blueprint, Vec<Value>)], stamps: &[Value]) -> Result<Access, String> {
    granted(&derive_placed(placed, &[]).map_err(joined)?, stamps, None)
}

/// Like [`least`], from permissions that are already derived.
///
/// # Errors
/// A message about what can't be parsed.
pub fn granted(permissions: &Permissions, stamps: &[Value], remover: Option<&str>) -> Result<Access, String> {
    let principals = Principals {
        host: HOST.to_owned(),
        provisioner: PROVISIONER.to_owned(),
        remover: if remover.is_some() { REMOVER } else { PROVISIONER }.to_owned(),
    };
    let graph = [GRAPH, GRAPH_OPTIONAL].map(str::to_owned).into();
    let mut holders = vec![Holder { client_id: String::new(), object_id: PROVISIONER.to_owned(), graph }];
    holders.extend(remover.map(|client_id| Holder {
        client_id: client_id.to_owned(),
        object_id: REMOVER.to_owned(),
        graph: BTreeSet::new(),
    }));
    Access::read(&document(permissions, stamps, &principals), holders)
}
