//! Runs a tenant and its neighbours on the same ports: scripted actions at their times and wake-ups when they are due,
//! interleaved as a seed determines.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use azure_sim::{Speed, local_stamp};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenantry::{
    app::App,
    host::{Answer, Functions as _, Invocation, Trigger, functions::Function},
    ports::Clock as _,
    reconciler::Settings,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
};

use super::{
    ports::{Leak, Who, Witness},
    script::{Action, Script, TENANT, neighbours, tenant},
    trace::{Kind, Trace},
};
use crate::testkit::{fixture::Fixture, rng::Rng};

/// The traces of the tenant and of its neighbours, and how often the run switched between the two.
pub(crate) struct Lived {
    pub(crate) tenant: Trace,
    pub(crate) neighbours: Trace,
    pub(crate) switches: u64,
}

/// Runs a tenant's lifecycle: alone if there is no seed, otherwise beside neighbours in the order that the seed
/// determines.
pub(crate) async fn live(tier: &str, seed: Option<u64>, leak: Leak) -> Lived {
    let fixture = Fixture::new(Speed::Factor(30.0)).await;
    let witness = Witness::new(fixture.base(), leak);
    // A pass that would have to wait is requeued.
    let settings = Settings { budget: Duration::ZERO, ..Settings::local("local") };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let app = App::new(witness.watch(&fixture), settings, vec![blueprint], vec![local_stamp()], "worker");
    let mut rng = Rng::new(seed.unwrap_or_default(), 1);
    let begin = fixture.clock.now();
    let beside = seed.map_or_else(Vec::new, |_| neighbours(tier, &mut rng));
    let mut one = Actor { who: Who::Tenant, script: tenant(tier).into(), begin };
    let mut other = Actor { who: Who::Neighbours, script: beside.into(), begin };
    // In how many of a thousand choices the tenant continues, and not its neighbours; it depends on the seed.
    let share =
        [500, 50, 950, 300, 700, 10, 990, 600][usize::try_from(seed.unwrap_or_default() % 8).unwrap()];
    while let Some(at) = [one.next(&witness), other.next(&witness)].into_iter().flatten().min() {
        fixture.clock.jump_to(at);
        witness.is_quiet(one.next(&witness).is_none_or(|next| next > at + SignedDuration::from_mins(1)));
        let mut tenant = pin!(one.work(&app, &witness, at));
        let mut neighbours = pin!(other.work(&app, &witness, at));
        let (mut done, mut others_done) = (false, false);
        poll_fn(|context| {
            let tenant_continues = !done && (others_done || rng.permille(share));
            if tenant_continues {
                witness.activate(Who::Tenant);
                done = tenant.as_mut().poll(context).is_ready();
            } else if !others_done {
                witness.activate(Who::Neighbours);
                others_done = neighbours.as_mut().poll(context).is_ready();
            }
            if done && others_done {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    Lived {
        tenant: witness.trace(Who::Tenant),
        neighbours: witness.trace(Who::Neighbours),
        switches: u64::try_from(witness.switches()).unwrap(),
    }
}

/// The tenant, or all of its neighbours, with the script of their actions.
struct Actor {
    who: Who,
    script: Script,
    begin: Timestamp,
}

impl Actor {
    /// The time of the next scripted action or wake-up; `None` if there is none.
    fn next(&self, witness: &Witness) -> Option<Timestamp> {
        let action = self.script.front().map(|(after, _)| self.at(*after));
        action.into_iter().chain(witness.next_wake(self.who)).min()
    }

    fn at(&self, after: i64) -> Timestamp {
        self.begin + SignedDuration::from_secs(after)
    }

    /// Does everything that is due at an instant.
    async fn work(&mut self, app: &App, witness: &Arc<Witness>, now: Timestamp) {
        loop {
            if self.script.front().is_some_and(|(after, _)| self.at(*after) <= now) {
                let Some((_, action)) = self.script.pop_front() else { return };
                self.act(action, app, witness).await;
            } else if let Some(id) = witness.woken(self.who, now) {
                self.wake(&id, app, witness).await;
            } else {
                return;
            }
        }
    }

    async fn wake(&self, id: &TenantId, app: &App, witness: &Witness) {
        let answer = call(app, "wakeup", &json!({"wakeupMsg": json!({"tenantId": id}).to_string()})).await;
        witness.see(self.who, Kind::Answer, format!("{answer:?}"));
    }

    async fn act(&self, action: Action, app: &App, witness: &Witness) {
        let answer = match action {
            Action::Refuse(part) => return witness.refuse(self.who, part),
            Action::Relent => return witness.relent(self.who),
            Action::Send(message) => call(app, "requests", &json!({"requestMsg": message.to_string()})).await,
            Action::Ask { function, method, id, query, body } => {
                let mut request = json!({
                    "Url": "http://localhost/api/tenants", "Method": method, "Query": query, "Params": {},
                    "Headers": {"Content-Type": ["application/json"]},
                });
                if let Some(id) = id {
                    request["Params"] = json!({"tenantId": id});
                }
                if let Some(body) = body {
                    request["Body"] = json!(body.to_string());
                }
                concerning(self.who, call(app, function, &json!({"req": request})).await)
            }
        };
        witness.see(self.who, Kind::Answer, format!("{answer:?}"));
    }
}

/// Calls a function with an envelope, as the host does.
async fn call(app: &App, function: &str, data: &Value) -> Answer {
    let function = Function::named(function).unwrap();
    let envelope = json!({"Data": data, "Metadata": {}}).to_string();
    let trigger = Trigger::parse(function, envelope.as_bytes()).unwrap();
    app.call(Invocation { function, id: None, traceparent: None, trigger }).await
}

/// Removes from an answer what differs between runs although the tenant is the same:
/// - from a list of tenants, all but the compared one;
/// - from an isolation report, the digest of the evidence, because the evidence contains randomly generated ids, and
///   the call with another tenant's token, because it names that tenant. Only operators see these reports.
fn concerning(who: Who, answer: Answer) -> Answer {
    let Answer::Http { status, headers, body, logs } = answer else { return answer };
    let mut whole: Value = serde_json::from_str(&body).unwrap();
    if let Some(list) = whole.get_mut("tenants").and_then(Value::as_array_mut)
        && who == Who::Tenant
    {
        list.retain(|tenant| tenant["tenantId"] == TENANT);
    }
    if let Some(digest) = whole.get_mut("digest") {
        *digest = json!("of the evidence");
    }
    if let Some(probes) = whole.get_mut("probes").and_then(Value::as_array_mut) {
        probes.retain(|probe| probe["kind"] != "other-tenant");
    }
    Answer::Http { status, headers, body: whole.to_string(), logs }
}
