//! Proves that the comparison is strict: it finds a single error in recorded requests and answers.

use serde_json::{Value, json};
use tenantry_core::steps::{Api, Method, Reply, Request};

use crate::{
    Faults, Recorded,
    description::{Descriptions, Operation},
    record::Exchange,
    validate,
};

type Spoil<T> = fn(&mut T);

/// The first exchange of the operation with this id, with the given status if there is one.
fn first<'a>(
    all: &'a [(Operation<'a>, &'a Exchange)],
    name: &str,
    status: Option<u16>,
) -> &'a (Operation<'a>, &'a Exchange) {
    let fits = |(operation, exchange): &&(Operation<'_>, &Exchange)| {
        operation.id().1 == name && status.is_none_or(|status| exchange.reply.status == status)
    };
    all.iter().find(fits).unwrap()
}

fn body(request: &mut Request) -> &mut Value {
    request.body.as_mut().unwrap()
}

/// The faults of a request, compared with the operation of its path.
fn said(descriptions: &Descriptions, request: &Request) -> Vec<String> {
    let (path, _) = validate::address(request);
    let operation = descriptions.find(request.api, request.method, path).ok().unwrap();
    validate::request(&operation, request)
}

/// The comparison finds an unknown member, a wrong type, a value that only Azure sets, a bad name and similar errors
/// in a request.
pub(crate) fn request(recorded: &Recorded) -> String {
    let descriptions = &recorded.descriptions;
    let (storage, deployment) = ("StorageAccounts_Create", "OnlineDeployments_CreateOrUpdate");
    let spoilt: [(&str, Spoil<Request>, &str); 11] = [
        (storage, |it| body(it)["properties"]["minimumTlsVersoin"] = json!("TLS1_2"), "minimumTlsVersoin"),
        (storage, |it| body(it)["properties"]["allowSharedKeyAccess"] = json!("no"), "boolean"),
        (storage, |it| body(it)["properties"]["provisioningState"] = json!("Succeeded"), "provisioningState"),
        (storage, |it| body(it)["sku"] = json!({}), "\"name\" is a required property"),
        (storage, |it| it.path = it.path.replace("Accounts/st", "Accounts/St-"), "the path's accountName"),
        (storage, |it| it.path = it.path.replace("2023-05-01", "2023-04-01"), "the version is"),
        (storage, |it| it.path.push_str("&force=true"), "the query's force is not declared"),
        (deployment, |it| body(it)["properties"]["endpointComputeType"] = json!("Robot"), "Robot"),
        ("application_UpdateApplicationGraphBPreUniqueName", |it| it.headers.clear(), "create-if-missing"),
        (deployment, |it| it.headers.push(("x-ms-odd", "1".into())), "the header x-ms-odd is not declared"),
        ("RoleAssignments_Create", |it| body(it)["properties"]["principalId"] = json!(7), "7 is not of type"),
    ];
    let all = recorded.operations(&mut Faults::default());
    let count = spoilt.len();
    for (name, spoil, expected) in spoilt {
        let mut request = first(&all, name, None).1.request.clone();
        assert_eq!(said(descriptions, &request), [] as [String; 0], "{name}");
        spoil(&mut request);
        let found = said(descriptions, &request);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:#?}");
    }
    assert!(descriptions.find(Api::Arm, Method::Get, "/subscriptions/s/nothing/such").is_err());
    assert!(descriptions.find(Api::Graph, Method::Put, "/v1.0/applications").is_err());
    format!("{count} requests, and 2 that no description knows")
}

/// The comparison finds an undeclared status, an unknown member, a wrong type, an error without its envelope and
/// similar errors in an answer.
pub(crate) fn answer(recorded: &Recorded) -> String {
    let (storage, endpoint) = ("StorageAccounts_GetProperties", "OnlineEndpoints_Get");
    let spoilt: [(&str, u16, Spoil<Reply>, &str); 8] = [
        (storage, 200, |it| it.status = 226, "the status is not declared"),
        (storage, 200, |it| it.body["owner"] = json!("me"), "'owner' was unexpected"),
        (storage, 404, |it| it.body["error"]["code"] = json!(""), "shorter than 1"),
        (endpoint, 200, |it| it.body["properties"]["authMode"] = json!(true), "true is not of type"),
        ("OnlineEndpoints_Delete", 202, |it| it.headers.clear(), "the header location is not there"),
        (endpoint, 200, |it| it.body = Value::Null, "null is not of type"),
        ("PrivateEndpoints_Get", 404, |it| it.body = it.body["error"].take(), "\"error\" is a required"),
        ("directory_GetDeletedItem", 200, |it| it.body["tags"] = json!("x"), "\"x\" is not of type"),
    ];
    let all = recorded.operations(&mut Faults::default());
    let count = spoilt.len();
    for (name, status, spoil, expected) in spoilt {
        let (operation, exchange) = first(&all, name, Some(status));
        let mut reply = exchange.reply.clone();
        assert_eq!(validate::answer(operation, exchange.request.method, &reply), [] as [String; 0], "{name}");
        spoil(&mut reply);
        let found = validate::answer(operation, exchange.request.method, &reply);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:#?}");
    }
    format!("{count} answers")
}
