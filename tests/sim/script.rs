//! Who asks for what, and when; drawn from the seed before a run, so that it can be made shorter.

use serde_json::{Value, json};

use super::{broker::Letter, exec::Millis, profile::Plan, profile::Profile, rng::Rng};

fn body(id: &str, action: &str, tenant: &str, spec: &Value) -> Value {
    let mut body =
        json!({"schema": "tenantry.request/1", "requestId": id, "action": action, "tenantId": tenant});
    if !spec.is_null() {
        body["spec"] = spec.clone();
    }
    body
}

fn spec(action: &str, tier: &str, level: u64) -> Value {
    match action {
        "signup" => json!({"displayName": "Northwind", "tier": tier, "parameters": {"level": level}}),
        "update" => json!({"parameters": {"level": level}}),
        "deprovision" => json!({"reason": "simulated"}),
        "suspend" => {
            json!({"reason": "billing", "mode": if level.is_multiple_of(2) { "access" } else { "compute" }})
        }
        _ => Value::Null,
    }
}

/// A request about a tenant.
pub(crate) fn letter(
    at: Millis,
    tenant: usize,
    name: &str,
    action: &str,
    id: &str,
    level: u64,
    http: bool,
) -> Letter {
    let tier = if tenant.is_multiple_of(2) { "full" } else { "lean" };
    let body = body(id, action, name, &spec(action, tier, level));
    Letter { at, tenant, id: id.to_owned(), body, by_http: http, poison: false, again: None }
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

/// Everything that is asked for while there are faults, in order.
pub(crate) fn draw(seed: u64, plan: &Plan, names: &[String]) -> Vec<Letter> {
    let mut rng = Rng::new(seed, 6);
    let mut letters: Vec<Letter> = Vec::new();
    for (tenant, name) in names.iter().enumerate() {
        let mut at = rng.within(0, 180_000);
        let mut push = |rng: &mut Rng, at: Millis, action: &str| {
            let id = format!("{action}-{tenant}-{}", letters.len());
            let http = rng.permille(200);
            let mut letter = letter(at, tenant, name, action, &id, rng.within(2, 9).unsigned_abs(), http);
            if rng.permille(plan.poison) {
                let mut other = letter.clone();
                spoil(&mut other, rng);
                letters.push(other);
            }
            letter.again = rng.permille(plan.duplicates).then(|| rng.within(0, 900_000));
            letters.push(letter);
        };
        push(&mut rng, at, "signup");
        let noisy = plan.profile == Profile::Noisy && tenant == 0;
        while at < plan.faults_until {
            at += if noisy { rng.within(1_000, 30_000) } else { rng.within(20_000, 400_000) };
            if rng.permille(plan.updates) {
                push(&mut rng, at, "update");
            } else if rng.permille(plan.removals / 2) {
                push(&mut rng, at, "deprovision");
                let again = at + rng.within(100, 200_000);
                if rng.permille(700) {
                    push(&mut rng, again, "signup");
                }
            } else if rng.permille(plan.suspensions) {
                push(&mut rng, at, "suspend");
                let again = at + rng.within(100, 300_000);
                if rng.permille(700) {
                    push(&mut rng, again, "resume");
                }
            } else if rng.permille(200) {
                push(&mut rng, at, "retry");
            }
        }
    }
    letters.retain(|letter| letter.at < plan.faults_until);
    letters.sort_by_key(|letter| letter.at);
    letters
}
