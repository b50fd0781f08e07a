//! What the two do and suffer: everything that may happen to a tenant, at fixed seconds for the compared one, at drawn
//! ones for its neighbours.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::testkit::{removal, request, rng::Rng};

/// The compared tenant.
pub(crate) const TENANT: &str = "northwind";

/// Those beside it: the same with something more, with something less, and alike to the eye.
pub(crate) const NEIGHBOURS: [&str; 3] = ["northwind-2", "northwin", "northw1nd"];

/// Something that somebody does, or that happens to him.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// A message into the queue.
    Send(Value),
    /// A call over HTTP.
    Ask {
        function: &'static str,
        method: &'static str,
        id: Option<&'static str>,
        query: Value,
        body: Option<Value>,
    },
    /// Azure refuses changes to paths with this part from now on.
    Refuse(&'static str),
    /// Azure refuses nothing any more.
    Relent,
}

/// Deeds with their seconds from the beginning, in order.
pub(crate) type Script = VecDeque<(i64, Deed)>;

fn get(id: Option<&'static str>, view: Option<&str>) -> Deed {
    let query = view.map_or_else(|| json!({}), |view| json!({"view": view}));
    Deed::Ask { function: "tenants", method: "GET", id, query, body: None }
}

fn post(function: &'static str, id: Option<&'static str>, body: Value) -> Deed {
    Deed::Ask { function, method: "POST", id, query: json!({}), body: Some(body) }
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

/// The compared life. An hour is enough for all that a deed sets off.
pub(crate) fn tenant(tier: &str) -> Vec<(i64, Deed)> {
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
    let hours: Vec<Vec<Deed>> = vec![
        vec![Deed::Refuse("/onlineEndpoints/"), Deed::Send(first.clone())],
        own().to_vec(),
        // Nobody of these names exists for anybody, nor may what is asked depend on who does.
        ["northwin-d", "NORTHWIND", "northwind-", "Northw1nd", "northwind-3", "../northwind"]
            .map(|id| get(Some(id), None))
            .to_vec(),
        vec![
            post("retry", Some(TENANT), again("foreign", "northwin")),
            post("retry", Some("northwind-3"), json!({"requestId": "unknown"})),
            post("tenants", None, update("nobody", "northwind-3")),
        ],
        vec![Deed::Relent, post("retry", Some(TENANT), again("northwind-retry", TENANT))],
        own().to_vec(),
        vec![get(Some(TENANT), Some("isolation"))],
        vec![Deed::Send(first.clone()), post("tenants", None, first.clone()), Deed::Send(conflict)],
        vec![Deed::Send(update("northwind-update", TENANT)), get(Some(TENANT), None)],
        own().to_vec(),
        vec![
            Deed::Send(request("northwind-bad", "update", TENANT, json!({"tier": "golden"}))),
            Deed::Send(json!({"schema": "tenantry.request/1", "tenantId": TENANT})),
            post("tenants", None, stale),
            post("tenants", None, dry),
            post("retry", Some(TENANT), again("nothing-to-retry", TENANT)),
        ],
        vec![Deed::Send(request(
            "northwind-out",
            "suspend",
            TENANT,
            json!({"reason": "billing", "mode": "compute"}),
        ))],
        own().to_vec(),
        vec![Deed::Send(request("northwind-in", "resume", TENANT, json!({})))],
        vec![Deed::Send(removal("northwind-end", TENANT))],
        own().to_vec(),
        vec![Deed::Send(first)],
        vec![Deed::Send(signup("northwind-again", TENANT, tier))],
        own().to_vec(),
        vec![Deed::Send(removal("northwind-very-end", TENANT))],
        own().to_vec(),
    ];
    let at = |(hour, deeds): (usize, Vec<Deed>)| {
        let hour = i64::try_from(hour).unwrap() * HOUR;
        deeds.into_iter().map(move |deed| (hour, deed))
    };
    hours.into_iter().enumerate().flat_map(at).collect()
}

/// The same things to the neighbours, at other times and sometimes at the same.
pub(crate) fn neighbours(tier: &str, rng: &mut Rng) -> Vec<(i64, Deed)> {
    let mut all = Vec::new();
    for (number, id) in NEIGHBOURS.into_iter().enumerate() {
        // One of them at least is in the shared workspace.
        let tier = [tier, "pooled", "dedicated"][number];
        let first = signup(&format!("Northwind-{number}-1"), id, tier);
        let part =
            rng.pick(&["/onlineEndpoints/", "/userAssignedIdentities/", "/applications", "/deployments/"]);
        let deeds = vec![
            vec![Deed::Refuse(part), Deed::Send(first.clone())],
            vec![Deed::Send(first.clone()), Deed::Send(signup("northwind-upper", "Northwind", tier))],
            vec![Deed::Relent, post("retry", Some(id), json!({"requestId": format!("{id}-retry")}))],
            vec![Deed::Relent, get(Some(id), None), get(Some(id), Some("isolation")), get(None, None)],
            vec![Deed::Send(update(&format!("{id}-2"), id))],
            vec![Deed::Send(request(&format!("{id}-out"), "suspend", id, json!({"reason": "abuse"})))],
            vec![Deed::Send(request(&format!("{id}-bad"), "update", id, json!({"tier": "golden"})))],
            vec![Deed::Send(removal(&format!("{id}-3"), id)), get(Some(id), Some("history"))],
            vec![Deed::Send(signup(&format!("{id}-4"), id, tier))],
            vec![Deed::Send(removal(&format!("{id}-5"), id))],
        ];
        // Sometimes at the very instant of the other's deeds, sometimes in the middle of what they have set off.
        let mut at = rng.within(0, 2) * 3600;
        for deeds in deeds {
            all.extend(deeds.into_iter().map(|deed| (at, deed)));
            at += 3600 + if rng.permille(500) { 0 } else { rng.within(1, 900) };
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}
