//! Faults of Azure itself: load, undocumented refusals, exhausted quotas, objects that show as failed without a
//! change, and purges that are not allowed.
//!
//! Sources: public reports of operators (a storage account that shows `Failed` for a while, undocumented codes,
//! `MethodNotAllowed` on the purge of a protected vault, Graph's 403 instead of a 404 while it is not up to date);
//! RFC 9110, 10.2.3, for the forms of `Retry-After`.

use serde_json::{Value, json};
use tenantry_core::steps::{Method, Reply, Request};

use super::{Azure, Meaning, Object, SECRET, mark, refuse, text};
use crate::{exec::Millis, ledger::stamp_of, rng::Rng};

/// Undocumented codes, with statuses that are usually not retried. Each refusal passes within minutes.
pub(crate) const UNKNOWN_CODES: [(u16, &str); 6] = [
    (400, "RegionIsWarmingUp"),
    (421, "RepresentationNotSettled"),
    (422, "DependencyGraphPending"),
    (424, "UpstreamNotConverged"),
    (428, "PartitionMoving"),
    (400, "BackendRebalancing"),
];
/// The longest time for which a request is refused with an unknown code.
const UNKNOWN_CODE_LASTS: Millis = 240_000;
/// The codes with which an operation reports a failure that does not prevent another attempt.
pub(crate) const FAILED_ONCE: [&str; 3] = ["ProvisioningFailed", "InternalServerError", "ConflictError"];
/// Provisioning states that end an operation, beside the three documented ones.
pub(super) const ODD_ENDS: [&str; 4] = ["Degraded", "PartiallySucceeded", "Aborted", "TimedOut"];

impl Azure {
    /// A refusal because of load or another passing fault, before anything is done; `None` if the request is carried
    /// out.
    pub(super) fn fault(&mut self, request: &Request) -> Option<Reply> {
        if self.rng.permille(self.manners.throttled) {
            self.hit("429");
            let mut refusal = refuse(429, "TooManyRequests", "slow down");
            if self.rng.permille(700) {
                let seconds = self.rng.within(1, 40);
                self.ask_to_wait(&mut refusal, seconds);
            }
            return Some(refusal);
        }
        if self.rng.permille(self.manners.errors) {
            self.hit("5xx");
            let status = self.rng.pick(&[500, 502, 503, 504]);
            let message = format!("something broke at AccountKey={SECRET};");
            return Some(refuse(status, "InternalServerError", &message));
        }
        let is_write = matches!(request.method, Method::Put | Method::Patch);
        if is_write && self.rng.permille(self.manners.denied) {
            self.hit("denied");
            let (status, code) = self.rng.pick(&[
                (403, "AuthorizationFailed"),
                (409, "QuotaExceeded"),
                (403, "RequestDisallowedByPolicy"),
            ]);
            return Some(refuse(status, code, "not allowed, or no room"));
        }
        self.unknown_code(request)
    }

    /// Refuses a request with an unknown code, and repeats of the request for up to some minutes.
    fn unknown_code(&mut self, request: &Request) -> Option<Reply> {
        if self.manners.unknown_codes == 0 || request.path.contains("/operations/") {
            return None;
        }
        let address = format!("{} {}", request.method, request.path);
        let now = self.now;
        let asked = self.unknown_codes.get(&address).copied().filter(|(until, _)| *until > now);
        let (until, number) = match asked {
            Some(asked) => asked,
            None if self.rng.permille(self.manners.unknown_codes) => {
                let until = now + self.rng.within(1_000, UNKNOWN_CODE_LASTS);
                let number = usize::try_from(self.rng.below(UNKNOWN_CODES.len() as u64)).unwrap_or(0);
                self.unknown_codes.insert(address, (until, number));
                (until, number)
            }
            None => return None,
        };
        self.hit("unknown code");
        let (status, code) = UNKNOWN_CODES[number];
        let refusal = refuse(status, code, "this can't be done at the moment");
        Some(self.passing(refusal, until))
    }

    /// Sets `Retry-After`: in seconds, in seconds with a fraction, or as a date.
    pub(super) fn ask_to_wait(&mut self, answer: &mut Reply, seconds: i64) {
        let form = if self.rng.permille(self.manners.fancy_waits) { self.rng.below(2) } else { 2 };
        let value = match form {
            0 => {
                self.hit("Retry-After as a date");
                // Relative to the answer's own `Date` header, because the clocks of two machines differ.
                let date = |at: Millis| stamp_of(at).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                answer.headers.insert("date".to_owned(), date(self.now));
                date(self.now + seconds * 1000)
            }
            1 => {
                self.hit("Retry-After with a fraction");
                format!("{seconds}.5")
            }
            _ => seconds.to_string(),
        };
        answer.headers.insert("retry-after".to_owned(), value);
    }

    /// Refuses to create objects of one kind from some instant on, because the region's quota is used up.
    pub(super) fn wall(&mut self, id: &str) -> Option<Reply> {
        let kind = self.manners.wall.filter(|(from, _)| *from <= self.now)?.1;
        if id.rsplit('/').nth(1) != Some(kind) {
            return None;
        }
        self.hit("quota wall");
        Some(refuse(409, "OutOfQuota", "the quota of this region is used up"))
    }

    /// Permanently refuses, for some objects, to set `lit` back to false. Such an object can only be deleted with its
    /// parent.
    pub(super) fn refuses_to_change_back(
        &mut self,
        id: &str,
        past: &Object,
        requested: &Value,
    ) -> Option<Reply> {
        let lit = |body: &Value| body.pointer("/properties/lit") == Some(&json!(true));
        if !lit(&past.body) || lit(requested) || requested.pointer("/properties/lit").is_none() {
            return None;
        }
        let drawn = self.rng.permille(self.manners.stubborn);
        if !*self.stubborn.entry(id.to_owned()).or_insert(drawn) {
            return None;
        }
        self.hit("undo refused");
        let (status, code) =
            self.rng.pick(&[(409, "ResourceNotReady"), (400, "BadArgument"), (403, "ScopeLocked")]);
        Some(self.means(refuse(status, code, "it can't be put out"), Meaning::DeletedWithParent))
    }

    /// Acts as a person who deletes a tenant's vault with all its role assignments and may recreate it in another
    /// region, as in a manual move.
    pub(crate) fn rob(&mut self, rng: &mut Rng) {
        let idle = |(id, vault): &(&String, &Object)| {
            id.contains("/microsoft.keyvault/vaults/") && vault.busy.is_none() && !vault.stranger
        };
        let vaults: Vec<&String> = self.objects.iter().filter(idle).map(|(id, _)| id).collect();
        if vaults.is_empty() {
            return;
        }
        let id = &rng.pick(&vaults).clone();
        self.hit("a vault deleted by hand");
        let Some(mut vault) = self.objects.get(id).cloned() else { return };
        self.robbed.extend(mark(&vault.body));
        self.remove(id);
        self.deleted_vaults.remove(id);
        if rng.permille(500) {
            self.hit("a vault moved by hand");
            vault.body["location"] = json!("southcentralus");
            vault.made = self.now;
            self.objects.insert(id.clone(), vault);
        }
    }

    /// Sometimes makes a ready object show as failed although nobody changed it.
    pub(super) fn rot(&mut self, id: &str) {
        if !self.rng.permille(self.manners.rots) {
            return;
        }
        let ready = |object: &&mut Object| {
            let state = text(&object.body, "/properties/provisioningState");
            object.busy.is_none() && !object.stranger && mark(&object.body).is_some() && state == "Succeeded"
        };
        if let Some(object) = self.objects.get_mut(id).filter(ready) {
            object.body["properties"]["provisioningState"] = json!("Failed");
            object.rotten = true;
            self.hit("ready became failed");
        }
    }

    /// Whether every update of an object fails. Decides at random whether it starts to.
    pub(super) fn is_cursed(&mut self, id: &str) -> bool {
        if self.rng.permille(self.manners.curses) {
            self.cursed.insert(id.to_owned());
        }
        let cursed = self.cursed.contains(id);
        if cursed {
            self.hit("update always fails");
        }
        cursed
    }

    /// Sometimes shows ids in upper or lower case, as services do.
    pub(super) fn in_another_case(&mut self, mut shown: Value, members: &[&str]) -> Value {
        if !self.rng.permille(self.manners.other_case) {
            return shown;
        }
        self.hit("ids in another case");
        let upper = self.rng.permille(500);
        for member in members {
            if let Some(Value::String(id)) = shown.pointer_mut(member) {
                *id = if upper { id.to_ascii_uppercase() } else { id.to_ascii_lowercase() };
            }
        }
        shown
    }

    /// Ends the faults of all objects.
    pub(super) fn heal_objects(&mut self) {
        self.cursed.clear();
        self.unknown_codes.clear();
        self.stubborn.clear();
        for object in self.objects.values_mut().filter(|object| object.rotten) {
            object.rotten = false;
            object.body["properties"]["provisioningState"] = json!("Succeeded");
        }
    }
}
