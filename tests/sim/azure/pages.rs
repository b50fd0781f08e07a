//! Lists as services return them: in any order and in pages, some of which are empty; the last page may have a link
//! with an empty text.
//!
//! Sources: Microsoft, "REST API guidelines: collections" (`nextLink`); OData 4 (`@odata.nextLink`); public reports of
//! an empty first page with a link, and of an empty text as the last link.

use serde_json::{Value, json};
use tenantry_core::steps::{Api, Reply, Request};

use super::{Azure, refuse, reply};
use crate::exec::Millis;

/// What is proved once a caller has read a list to its end.
#[derive(Debug, Clone, Default)]
pub(super) enum Seen {
    #[default]
    Nothing,
    /// No intruder has a role at the objects of these tenants.
    Roles(Vec<String>),
    /// No intruder has a credential of this tenant's application.
    Credentials(String),
}

/// The pages of a list that have not been read yet.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pages: Vec<Vec<Value>>,
    seen: Seen,
    /// The instant at which the content of all pages was taken.
    at: Millis,
}

const TOKEN: &str = "$skiptoken=";

impl Azure {
    /// Answers a request for a list with its first page, which may be the only one.
    pub(super) fn list(&mut self, request: &Request, mut all: Vec<Value>, seen: Seen) -> Reply {
        let at = self.now;
        if !self.manners.pages {
            return self.shown_page(request, &all, Rest { pages: Vec::new(), seen, at });
        }
        for end in (1..all.len()).rev() {
            let other = usize::try_from(self.rng.below(end as u64 + 1)).unwrap_or(0);
            all.swap(end, other);
        }
        let mut pages = Vec::new();
        while !all.is_empty() {
            if self.rng.permille(300) {
                pages.push(Vec::new());
            }
            let most = usize::try_from(self.rng.within(1, 3)).unwrap_or(1).min(all.len());
            pages.push(all.split_off(all.len() - most));
        }
        if self.rng.permille(150) {
            pages.push(Vec::new());
        }
        // Reversed, because pages are taken from the end.
        pages.reverse();
        let first = pages.pop().unwrap_or_default();
        self.shown_page(request, &first, Rest { pages, seen, at })
    }

    /// A further page of a list; `None` if the request has no page token.
    pub(super) fn next_page(&mut self, request: &Request) -> Option<Reply> {
        let token = request.path.split(TOKEN).nth(1)?;
        let rest = token.split('&').next().and_then(|token| token.parse().ok());
        let Some(mut rest) = rest.and_then(|token: u64| self.rests.get(&token).cloned()) else {
            return Some(refuse(400, "BadRequest", "there is no such page"));
        };
        let page = rest.pages.pop().unwrap_or_default();
        Some(self.shown_page(request, &page, rest))
    }

    fn shown_page(&mut self, request: &Request, page: &[Value], rest: Rest) -> Reply {
        let link = if request.api == Api::Graph { "@odata.nextLink" } else { "nextLink" };
        let mut body = json!({ "value": page });
        if rest.pages.is_empty() {
            if self.manners.pages && self.rng.permille(300) {
                self.hit("empty link");
                body[link] = json!("");
            }
            self.read_to_its_end(rest);
            return reply(200, body);
        }
        self.hit("several pages");
        if body["value"].as_array().is_some_and(Vec::is_empty) {
            self.hit("empty page");
        }
        self.drawn += 1;
        let token = self.drawn;
        self.rests.insert(token, rest);
        let host = if request.api == Api::Graph { super::GRAPH } else { super::arm::HOST };
        let asked = request.path.split(TOKEN).next().unwrap_or_default().trim_end_matches(['&', '?']);
        let asked = asked.strip_prefix(host).unwrap_or(asked);
        let join = if asked.contains('?') { '&' } else { '?' };
        body[link] = json!(format!("{host}{asked}{join}{TOKEN}{token}"));
        reply(200, body)
    }

    fn read_to_its_end(&mut self, rest: Rest) {
        match rest.seen {
            Seen::Nothing => {}
            Seen::Roles(tenants) => tenants.iter().for_each(|tenant| self.saw_roles(tenant, rest.at)),
            Seen::Credentials(tenant) => self.saw_credentials(&tenant, rest.at),
        }
    }
}
