//! The trace of a lifecycle, in order, and the difference of two traces.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::Ipv4Addr,
};

use serde_json::Value;
use tenantry_core::{
    blueprint::Kind as Step,
    steps::{Reply, Request},
    tenant::Tenant,
};
use uuid::Uuid;

/// The kind of an entry of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request to Azure.
    Request,
    /// A saved document or request record.
    Row,
    /// A row of history.
    History,
    /// A published event.
    Event,
    /// An answer to a caller or the host.
    Answer,
}

/// Everything that was visible of the compared tenant, or of its neighbours, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    seen: Vec<(Kind, String)>,
    /// The values that Azure generated and showed in replies to this trace's requests.
    drawn: BTreeSet<String>,
}

impl Trace {
    pub(crate) fn see(&mut self, kind: Kind, what: String) {
        self.seen.push((kind, what));
    }

    /// Records the generated values in a reply. Azure generates ids, addresses, and the names of its operations and
    /// answers from sequences that all tenants share, so a neighbour changes the next value. Only replies to this
    /// trace's own requests are recorded, so a neighbour's value in this trace would still be found.
    pub(crate) fn learn(&mut self, request: &Request, reply: &Reply) {
        let principal =
            request.body.as_ref().and_then(|body| body.pointer("/properties/principalId")?.as_str());
        // The name of a role assignment is derived from the id of its principal, which is generated.
        if principal.is_some_and(|principal| self.drawn.contains(principal)) {
            let path = request.path.split('?').next().unwrap_or_default();
            self.draw(path.rsplit('/').next().unwrap_or_default());
        }
        for (name, value) in &reply.headers {
            let path = value.split('?').next().unwrap_or_default();
            let drawn = path.rsplit('/').next().unwrap_or_default();
            if name.ends_with("request-id") || value.starts_with("http") && Uuid::try_parse(drawn).is_ok() {
                self.draw(drawn);
            }
        }
        self.learn_body(&reply.body);
    }

    fn learn_body(&mut self, body: &Value) {
        match body {
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(text) = value.as_str().filter(|text| is_drawn(name, text)) {
                        self.draw(text);
                    }
                    self.learn_body(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_body(item)),
            Value::String(text) if text.parse::<Ipv4Addr>().is_ok() => self.draw(text),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Records the digests of isolation proofs as generated values, because the evidence contains ids that Azure
    /// generated.
    pub(crate) fn learn_proofs(&mut self, tenant: &Tenant) {
        let proven = tenant.steps().values().filter(|record| record.kind == Step::Isolation);
        let text = proven.filter_map(|record| record.outputs.get("digest")?.as_str());
        let last = tenant.proof.iter().map(|proof| proof.digest.as_str());
        let digests: Vec<String> = text.chain(last).map(|digest| digest.replace("sha256:", "")).collect();
        digests.iter().for_each(|digest| self.draw(digest));
    }

    fn draw(&mut self, drawn: &str) {
        self.drawn.insert(drawn.to_owned());
    }

    /// Returns the trace with each value that Azure generated replaced by a number, and without the port of this
    /// simulated Azure.
    pub(crate) fn settled(mut self, azure: &str) -> Self {
        // The values are numbered in the order in which they appear in this trace, because Azure also shows values that
        // do not appear in it.
        let mut numbers = BTreeMap::new();
        let apart = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.');
        for (_, what) in &mut self.seen {
            let mut plain = String::with_capacity(what.len());
            for part in what.split_inclusive(apart) {
                let token = part.trim_end_matches(apart);
                if self.drawn.contains(token) {
                    let next = numbers.len();
                    let number = numbers.entry(token.to_owned()).or_insert(next);
                    write!(plain, "<drawn {number}>{}", &part[token.len()..]).unwrap();
                } else {
                    plain.push_str(part);
                }
            }
            *what = plain.replace(azure, "<azure>");
        }
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.seen.iter().filter(|(of, _)| *of == kind).count()
    }

    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.seen.iter().any(|(_, what)| what.contains(text))
    }
}

/// Whether a text is a GUID that Azure generated, judged by the name of its member.
fn is_drawn(name: &str, text: &str) -> bool {
    ["appId", "id", "principalId", "clientId", "request-id"].contains(&name) && Uuid::try_parse(text).is_ok()
}

/// The first entry in which two traces differ, with the text around the difference.
pub(crate) fn difference(one: &Trace, other: &Trace) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.seen.get(*at) != other.seen.get(*at))?;
    let show = |trace: &Trace| {
        trace
            .seen
            .get(at)
            .map_or_else(|| "nothing more".to_owned(), |(kind, what)| format!("{kind:?} {what}"))
    };
    let kinds: BTreeSet<String> =
        [one, other].iter().filter_map(|trace| Some(format!("{:?}", trace.seen.get(at)?.0))).collect();
    let mut text = kinds.into_iter().collect::<Vec<_>>().join(" or ");
    let (one, other) = (show(one), show(other));
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from = (0..=same.saturating_sub(200)).rev().find(|from| one.is_char_boundary(*from)).unwrap_or(0);
    let part = |text: &str| text.chars().skip(one[..from].chars().count()).take(600).collect::<String>();
    write!(text, " {at} differs at byte {same}:\n  {}\nbut\n  {}", part(&one), part(&other)).unwrap();
    Some(text)
}
