//! Who asks for what, and when; drawn from the seed before a run, so that it can be made shorter.

use serde_json::{Value, json};

use super::{
    broker::Letter,
    exec::Millis,
    profile::{HOUR, Plan, Profile},
    rng::Rng,
};

/// Where a tenant's vault can be; to change that takes another vault.
const PLACES: [&str; 2] = ["westeurope", "northeurope"];

/// What somebody wants of a tenant.
#[derive(Debug, Clone, Copy)]
struct Wish {
    action: &'static str,
    level: u64,
    /// Where its vault is to be from now on, and whether the sender takes it that the one that is there goes.
    place: Option<(&'static str, bool)>,
    full: bool,
}

fn spec(wish: &Wish) -> Value {
    let level = wish.level;
    match wish.action {
        "signup" => {
            let tier = if wish.full { "full" } else { "lean" };
            json!({"displayName": "Northwind", "tier": tier, "parameters": {"level": level}})
        }
        "update" => match wish.place {
            Some((place, consent)) => {
                json!({"parameters": {"level": level, "place": place}, "allowReplace": consent})
            }
            None => json!({"parameters": {"level": level}}),
        },
        "retry" if wish.place.is_some_and(|(_, consent)| consent) => json!({"allowReplace": true}),
        "deprovision" => json!({"reason": "simulated"}),
        "suspend" => {
            json!({"reason": "billing", "mode": if level.is_multiple_of(2) { "access" } else { "compute" }})
        }
        _ => Value::Null,
    }
}

fn written(at: Millis, tenant: usize, name: &str, id: &str, wish: &Wish) -> Letter {
    let mut body =
        json!({"schema": "tenantry.request/1", "requestId": id, "action": wish.action, "tenantId": name});
    let spec = spec(wish);
    if !spec.is_null() {
        body["spec"] = spec;
    }
    Letter { at, tenant, id: id.to_owned(), body, by_http: false, poison: false, again: None }
}

/// A request about a tenant that a person makes when all trouble is over; with consent, what can't be mended is made anew.
pub(crate) fn letter(
    at: Millis,
    (tenant, name): (usize, &str),
    action: &'static str,
    id: &str,
    consent: bool,
) -> Letter {
    let wish = Wish { action, level: 1, place: Some((PLACES[0], consent)), full: tenant.is_multiple_of(2) };
    Letter { by_http: consent, ..written(at, tenant, name, id, &wish) }
}

/// Makes a request one that may not be taken in: a tenant's name in other letters, an action or a schema that nobody knows, no JSON
/// object at all.
fn spoil(letter: &mut Letter, rng: &mut Rng) {
    letter.poison = true;
    letter.id = format!("poison-{}", letter.id);
    letter.body["requestId"] = json!(letter.id);
    match rng.below(4) {
        0 => letter.body["tenantId"] = json!("northwind-traders-Europe-0x"),
        1 => letter.body["action"] = json!("erase"),
        2 => letter.body["schema"] = json!("tenantry.request/9"),
        _ => letter.body = json!([letter.id, "\u{0}{{7*7}}"]),
    }
}

/// One tenant's part of a script.
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
        let place = moves.then(|| (rng.pick(&PLACES), rng.permille(600)));
        let http = rng.permille(if self.plan.profile == Profile::Impatient { 700 } else { 200 });
        let wish = Wish { action, level: rng.within(2, 9).unsigned_abs(), place, full };
        let mut letter = Letter { by_http: http, ..written(at, self.tenant, self.name, &id, &wish) };
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
            let wish = Wish { action: opposite, place: None, ..wish };
            let twin = written(at + rng.within(0, 400), self.tenant, self.name, &id, &wish);
            self.letters.push(Letter { by_http: true, ..twin });
        }
        if rng.permille(self.plan.looks) {
            let at = at + rng.within(0, 20_000);
            let id = format!("look-{}-{}", self.tenant, self.letters.len());
            let look = Wish { action: "look", ..wish };
            self.letters.push(Letter { by_http: true, ..written(at, self.tenant, self.name, &id, &look) });
        }
    }

    /// One thing after the other, each at its own time.
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

/// What somebody else asks for at the same moment.
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

/// Everything that is asked for while there are faults, in order.
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
