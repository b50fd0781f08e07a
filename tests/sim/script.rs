//! The requests of a run with their times. They are drawn from the seed before the run, so that a run can be reduced.

use serde_json::{Value, json};

use super::{
    broker::Letter,
    exec::Millis,
    profile::{HOUR, Plan, Profile},
    rng::Rng,
};

/// The regions of a tenant's vault. A vault can't change its region, so another region needs a new vault.
const REGIONS: [&str; 2] = ["westeurope", "northeurope"];

/// What a client requests for a tenant.
#[derive(Debug, Clone, Copy)]
struct Requested {
    action: &'static str,
    level: u64,
    /// The new region of the tenant's vault, and whether the client consents to recreating the vault; `None` to keep
    /// it.
    region: Option<(&'static str, bool)>,
    full: bool,
}

fn spec(requested: &Requested) -> Value {
    let level = requested.level;
    match requested.action {
        "signup" => {
            let tier = if requested.full { "full" } else { "lean" };
            json!({"displayName": "Northwind", "tier": tier, "parameters": {"level": level}})
        }
        "update" => match requested.region {
            Some((region, consent)) => {
                json!({"parameters": {"level": level, "region": region}, "allowReplace": consent})
            }
            None => json!({"parameters": {"level": level}}),
        },
        "retry" if requested.region.is_some_and(|(_, consent)| consent) => json!({"allowReplace": true}),
        "deprovision" => json!({"reason": "simulated"}),
        "suspend" => {
            json!({"reason": "billing", "mode": if level.is_multiple_of(2) { "access" } else { "compute" }})
        }
        _ => Value::Null,
    }
}

fn written(at: Millis, tenant: usize, name: &str, id: &str, requested: &Requested) -> Letter {
    let mut body = json!({"schema": "tenantry.request/1", "requestId": id, "action": requested.action, "tenantId": name});
    let spec = spec(requested);
    if !spec.is_null() {
        body["spec"] = spec;
    }
    Letter { at, tenant, id: id.to_owned(), body, by_http: false, poison: false, again: None }
}

/// A request that a person sends after the faults. With `consent`, it allows the recreation of objects that can't be
/// repaired.
pub(crate) fn letter(
    at: Millis,
    (tenant, name): (usize, &str),
    action: &'static str,
    id: &str,
    consent: bool,
) -> Letter {
    let requested =
        Requested { action, level: 1, region: Some((REGIONS[0], consent)), full: tenant.is_multiple_of(2) };
    Letter { by_http: consent, ..written(at, tenant, name, id, &requested) }
}

/// Makes a request invalid: a tenant id with a capital letter, an unknown action or schema, or not a JSON object.
fn spoil(letter: &mut Letter, rng: &mut Rng) {
    letter.poison = true;
    letter.id = format!("poison-{}", letter.id);
    letter.body["requestId"] = json!(letter.id);
    match rng.below(4) {
        0 => letter.body["tenantId"] = json!("northwind-traders-Europe-0x"),
        1 => letter.body["action"] = json!("delete"),
        2 => letter.body["schema"] = json!("tenantry.request/9"),
        _ => letter.body = json!([letter.id, "\u{0}{{7*7}}"]),
    }
}

/// The requests for one tenant; `letters` also has those for the tenants before it.
struct Part<'a> {
    plan: &'a Plan,
    tenant: usize,
    name: &'a str,
    letters: Vec<Letter>,
}

impl Part<'_> {
    fn push(&mut self, rng: &mut Rng, at: Millis, action: &'static str) {
        let id = format!("{action}-{}-{}", self.tenant, self.letters.len());
        let full = self.tenant.is_multiple_of(2) || self.plan.profile == Profile::Crowd;
        let moves = action == "retry" || action == "update" && rng.permille(self.plan.moves);
        let region = moves.then(|| (rng.pick(&REGIONS), rng.permille(600)));
        let http = rng.permille(if self.plan.profile == Profile::Impatient { 700 } else { 200 });
        let requested = Requested { action, level: rng.within(2, 9).unsigned_abs(), region, full };
        let mut letter = Letter { by_http: http, ..written(at, self.tenant, self.name, &id, &requested) };
        if rng.permille(self.plan.poison) {
            let mut other = letter.clone();
            spoil(&mut other, rng);
            self.letters.push(other);
        }
        letter.again = rng.permille(self.plan.duplicates).then(|| rng.within(0, 900_000));
        self.letters.push(letter);
        if rng.permille(self.plan.twins)
            && let Some(opposite) = opposite(action)
        {
            let id = format!("{opposite}-{}-{}", self.tenant, self.letters.len());
            let requested = Requested { action: opposite, region: None, ..requested };
            let twin = written(at + rng.within(0, 400), self.tenant, self.name, &id, &requested);
            self.letters.push(Letter { by_http: true, ..twin });
        }
        if rng.permille(self.plan.reads) {
            let at = at + rng.within(0, 20_000);
            let id = format!("read-{}-{}", self.tenant, self.letters.len());
            let read = Requested { action: "read", ..requested };
            self.letters.push(Letter { by_http: true, ..written(at, self.tenant, self.name, &id, &read) });
        }
    }

    /// Adds requests for the tenant until faults end, at random intervals.
    fn write(&mut self, rng: &mut Rng, mut at: Millis, slower: Millis) {
        let plan = self.plan;
        let noisy = plan.profile == Profile::Noisy && self.tenant == 0;
        while at < plan.faults_until {
            at += slower * if noisy { rng.within(1_000, 30_000) } else { rng.within(20_000, 400_000) };
            if rng.permille(plan.updates) {
                self.push(rng, at, "update");
            } else if rng.permille(plan.removals / 2) {
                self.push(rng, at, "deprovision");
                let again = at + slower * rng.within(100, 200_000);
                if rng.permille(700) {
                    self.push(rng, again, "signup");
                }
            } else if rng.permille(plan.suspensions) {
                self.push(rng, at, "suspend");
                let again = at + slower * rng.within(100, 300_000);
                if rng.permille(700) {
                    self.push(rng, again, "resume");
                }
            } else if rng.permille(200) {
                self.push(rng, at, "retry");
            }
        }
    }
}

/// The request that another client sends at the same moment; `None` if there is none.
fn opposite(action: &str) -> Option<&'static str> {
    match action {
        "signup" => Some("signup"),
        "update" => Some("update"),
        "suspend" => Some("resume"),
        "resume" => Some("suspend"),
        "deprovision" => Some("update"),
        _ => None,
    }
}

/// All requests that clients send during the faults, in the order of their times.
pub(crate) fn draw(seed: u64, plan: &Plan, names: &[String]) -> Vec<Letter> {
    let mut rng = Rng::new(seed, 6);
    let mut letters: Vec<Letter> = Vec::new();
    let slower = if plan.profile == Profile::Days { plan.faults_until / (HOUR / 3) } else { 1 };
    for (tenant, name) in names.iter().enumerate() {
        let at = rng.within(0, 180_000);
        let mut part = Part { plan, tenant, name, letters: std::mem::take(&mut letters) };
        part.push(&mut rng, at, "signup");
        if plan.profile != Profile::Crowd {
            part.write(&mut rng, at, slower);
        }
        letters = part.letters;
    }
    letters.retain(|letter| letter.at < plan.faults_until);
    letters.sort_by_key(|letter| letter.at);
    letters
}
