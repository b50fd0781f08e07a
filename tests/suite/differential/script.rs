//! The scripts of the compared tenant and of its neighbours: everything that may happen to a tenant, at fixed times for
//! the compared tenant, at random times for its neighbours.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::testkit::{removal, request, rng::Rng};

/// The id of the compared tenant.
pub(crate) const TENANT: &str = "northwind";

/// The ids of the neighbours: the compared tenant's id with a suffix, with a letter less, and with a similar letter.
pub(crate) const NEIGHBOURS: [&str; 3] = ["northwind-2", "northwin", "northw1nd"];

/// One action of a script.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Sends a message to the queue.
    Send(Value),
    /// Calls a function over HTTP.
    Ask {
        function: &'static str,
        method: &'static str,
        id: Option<&'static str>,
        query: Value,
        body: Option<Value>,
    },
    /// From now on, Azure refuses changes to paths that contain this text.
    Refuse(&'static str),
    /// From now on, Azure refuses nothing.
    Relent,
}

/// Actions with their seconds from the beginning, in order.
pub(crate) type Script = VecDeque<(i64, Action)>;

fn get(id: Option<&'static str>, view: Option<&str>) -> Action {
    let query = view.map_or_else(|| json!({}), |view| json!({"view": view}));
    Action::Ask { function: "tenants", method: "GET", id, query, body: None }
}

fn post(function: &'static str, id: Option<&'static str>, body: Value) -> Action {
    Action::Ask { function, method: "POST", id, query: json!({}), body: Some(body) }
}

fn signup(request_id: &str, id: &str, tier: &str) -> Value {
    let mut signup = request(
        request_id,
        "signup",
        id,
        json!({"displayName": "Northwind Traders", "tier": tier, "region": "westeurope", "tags": {"costcentre": "4711"},
            "parameters": {"redirectUris": ["https://northwind.example/signed-in"], "federatedIdentity": {
                "issuer": "https://login.microsoftonline.com/6d1d2f4c-8a3b-4f57-9e0a-2b8a3c0f9d11/v2.0",
                "subject": "9b1f0a58-4d0e-4a39-8f0c-5a1e2f8d7c66"}}}),
    );
    signup["external"] = json!({"system": "shop", "operationId": request_id, "subscriptionId": "s-1"});
    signup
}

fn update(request_id: &str, id: &str) -> Value {
    let spec = json!({"displayName": "Northwind Group", "tags": {"costcentre": "4712"}, "parameters": {"instances": 2}});
    request(request_id, "update", id, spec)
}

/// The actions of the compared tenant. They are an hour apart, which is enough for everything that an action starts.
pub(crate) fn tenant(tier: &str) -> Vec<(i64, Action)> {
    const HOUR: i64 = 3600;
    let first = signup("northwind-signup", TENANT, tier);
    let mut conflict = first.clone();
    conflict["spec"]["displayName"] = json!("Somebody else");
    let mut stale = update("northwind-stale", TENANT);
    stale["expectedVersion"] = json!(4711);
    let mut dry = update("northwind-dry", TENANT);
    dry["dryRun"] = json!(true);
    let again = |id: &str, tenant: &str| json!({"requestId": id, "tenantId": tenant});
    let own = || [get(Some(TENANT), None), get(Some(TENANT), Some("history")), get(None, None)];
    let hours: Vec<Vec<Action>> = vec![
        vec![Action::Refuse("/onlineEndpoints/"), Action::Send(first.clone())],
        own().to_vec(),
        // No tenant has one of these ids, and the answers must not depend on tenants with similar ids.
        ["northwin-d", "NORTHWIND", "northwind-", "Northw1nd", "northwind-3", "../northwind"]
            .map(|id| get(Some(id), None))
            .to_vec(),
        vec![
            post("retry", Some(TENANT), again("foreign", "northwin")),
            post("retry", Some("northwind-3"), json!({"requestId": "unknown"})),
            post("tenants", None, update("nobody", "northwind-3")),
        ],
        vec![Action::Relent, post("retry", Some(TENANT), again("northwind-retry", TENANT))],
        own().to_vec(),
        vec![get(Some(TENANT), Some("isolation"))],
        vec![Action::Send(first.clone()), post("tenants", None, first.clone()), Action::Send(conflict)],
        vec![Action::Send(update("northwind-update", TENANT)), get(Some(TENANT), None)],
        own().to_vec(),
        vec![
            Action::Send(request("northwind-bad", "update", TENANT, json!({"tier": "golden"}))),
            Action::Send(json!({"schema": "tenantry.request/1", "tenantId": TENANT})),
            post("tenants", None, stale),
            post("tenants", None, dry),
            post("retry", Some(TENANT), again("nothing-to-retry", TENANT)),
        ],
        vec![Action::Send(request(
            "northwind-out",
            "suspend",
            TENANT,
            json!({"reason": "billing", "mode": "compute"}),
        ))],
        own().to_vec(),
        vec![Action::Send(request("northwind-in", "resume", TENANT, json!({})))],
        vec![Action::Send(removal("northwind-end", TENANT))],
        own().to_vec(),
        vec![Action::Send(first)],
        vec![Action::Send(signup("northwind-again", TENANT, tier))],
        own().to_vec(),
        vec![Action::Send(removal("northwind-very-end", TENANT))],
        own().to_vec(),
    ];
    let at = |(hour, actions): (usize, Vec<Action>)| {
        let hour = i64::try_from(hour).unwrap() * HOUR;
        actions.into_iter().map(move |action| (hour, action))
    };
    hours.into_iter().enumerate().flat_map(at).collect()
}

/// The actions of the neighbours, which are similar to those of the compared tenant, mostly at other times.
pub(crate) fn neighbours(tier: &str, rng: &mut Rng) -> Vec<(i64, Action)> {
    let mut all = Vec::new();
    for (number, id) in NEIGHBOURS.into_iter().enumerate() {
        // At least one neighbour is in the shared workspace.
        let tier = [tier, "pooled", "dedicated"][number];
        let first = signup(&format!("Northwind-{number}-1"), id, tier);
        let part =
            rng.pick(&["/onlineEndpoints/", "/userAssignedIdentities/", "/applications", "/deployments/"]);
        let actions = vec![
            vec![Action::Refuse(part), Action::Send(first.clone())],
            vec![Action::Send(first.clone()), Action::Send(signup("northwind-upper", "Northwind", tier))],
            vec![Action::Relent, post("retry", Some(id), json!({"requestId": format!("{id}-retry")}))],
            vec![Action::Relent, get(Some(id), None), get(Some(id), Some("isolation")), get(None, None)],
            vec![Action::Send(update(&format!("{id}-2"), id))],
            vec![Action::Send(request(&format!("{id}-out"), "suspend", id, json!({"reason": "abuse"})))],
            vec![Action::Send(request(&format!("{id}-bad"), "update", id, json!({"tier": "golden"})))],
            vec![Action::Send(removal(&format!("{id}-3"), id)), get(Some(id), Some("history"))],
            vec![Action::Send(signup(&format!("{id}-4"), id, tier))],
            vec![Action::Send(removal(&format!("{id}-5"), id))],
        ];
        // Sometimes at the same instant as the tenant's actions, sometimes while their work is under way.
        let mut at = rng.within(0, 2) * 3600;
        for actions in actions {
            all.extend(actions.into_iter().map(|action| (at, action)));
            at += 3600 + if rng.permille(500) { 0 } else { rng.within(1, 900) };
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}
