//! Paged lists. Reading a list ends with the whole list or with an error, never with a part of the list.
//!
//! Sources: Microsoft's REST guidelines (a page may be empty and still have a successor; the last page has no link);
//! public issues of Microsoft's own clients: an empty first page with a link (Azure/azure-sdk-for-java#999), a last
//! page whose link is an empty text (Azure/azure-powershell#19166).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Failure, Reply, Request, failure};

/// The most pages of one list; a longer one is an error.
pub const MAX_PAGES: usize = 500;

/// Members with the link to the next page: of Resource Manager, of Graph, and of older OData.
const LINKS: [&str; 3] = ["nextLink", "@odata.nextLink", "odata.nextLink"];

/// A list that is being read.
#[derive(Debug)]
pub struct Pages {
    first: Request,
    read: usize,
    items: Vec<Value>,
    /// The links that were followed.
    links: BTreeSet<String>,
}

/// What to do after a page.
#[derive(Debug)]
pub enum Page {
    /// The next page has to be requested.
    Next(Request),
    /// There is no further page: the whole list as one answer, or the service's refusal of the first page, unchanged.
    Complete(Reply),
}

impl Pages {
    /// A list of which no page was read yet; `first` requests the first page.
    pub fn of(first: &Request) -> Self {
        Self { first: first.clone(), read: 0, items: Vec::new(), links: BTreeSet::new() }
    }

    /// Adds the answer with the next page.
    ///
    /// # Errors
    /// A [`Failure`] if the list is incomplete: a page other than the first is refused, an answer is not a page, a link
    /// is not a text or leads to a page that was read already, or there are more than [`MAX_PAGES`] pages.
    pub fn take(&mut self, mut reply: Reply) -> Result<Page, Failure> {
        self.read += 1;
        let is_continuation = self.read > 1;
        if !reply.is_success() {
            return if is_continuation { Err(failure::classify(&reply)) } else { Ok(Page::Complete(reply)) };
        }
        let link = link(&reply.body)?;
        let Some(Value::Array(more)) = reply.body.get_mut("value").map(Value::take) else {
            return Err(Failure::nonsense(format!("page {} of the list has no items", self.read)));
        };
        self.items.extend(more);
        let Some(link) = link else {
            reply.body = json!({ "value": std::mem::take(&mut self.items) });
            return Ok(Page::Complete(reply));
        };
        if !self.links.insert(link.clone()) {
            return Err(Failure::nonsense("the list leads back to a page that was read already"));
        }
        if self.read >= MAX_PAGES {
            return Err(Failure::nonsense(format!("the list has more than {MAX_PAGES} pages")));
        }
        Ok(Page::Next(Request { path: link, ..self.first.clone() }))
    }
}

/// The link to the next page; an empty link is the end.
fn link(body: &Value) -> Result<Option<String>, Failure> {
    let members = body.as_object().into_iter().flatten();
    let links = members.filter(|(name, _)| LINKS.iter().any(|link| link.eq_ignore_ascii_case(name)));
    let mut found = None;
    for (_, link) in links.filter(|(_, link)| !link.is_null()) {
        match link.as_str().map(str::trim) {
            Some("") => {}
            Some(link) => found = Some(link.to_owned()),
            None => return Err(Failure::nonsense("the link to the list's next page is no text")),
        }
    }
    Ok(found)
}

/// The items of a whole list.
///
/// # Errors
/// A [`Failure`] if the answer is not a list, or is one page of several: a defect of the caller.
pub fn items(reply: &Reply) -> Result<&[Value], Failure> {
    if !reply.is_success() {
        return Err(failure::classify(reply));
    }
    if link(&reply.body)?.is_some() {
        return Err(Failure::nonsense("the list was not read to its end"));
    }
    let items = reply.body.get("value").and_then(Value::as_array);
    items.map(Vec::as_slice).ok_or_else(|| Failure::nonsense("the answer shows no list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Api;

    fn page(body: Value) -> Reply {
        Reply { status: 200, body, ..Reply::default() }
    }

    /// Reads the pages as one list: the list or the failure, and the paths that were requested.
    fn read(pages: impl IntoIterator<Item = Reply>) -> (Result<Reply, Failure>, Vec<String>) {
        let first =
            Request::given(Api::Graph, "/first").every_page().with_header("consistencylevel", "eventual");
        let (mut list, mut asked) = (Pages::of(&first), vec![first.path.clone()]);
        for reply in pages {
            match list.take(reply) {
                Ok(Page::Next(next)) => {
                    assert_eq!((next.headers.len(), next.list), (1, true), "as the first was asked");
                    asked.push(next.path);
                }
                Ok(Page::Complete(reply)) => return (Ok(reply), asked),
                Err(failure) => return (Err(failure), asked),
            }
        }
        panic!("{asked:?} goes on");
    }

    #[test]
    fn a_list_is_complete_whatever_the_form_of_its_pages() {
        let (whole, asked) = read([
            page(json!({"value": [], "nextLink": "/b"})),
            page(json!({"value": [1], "@odata.nextLink": "/c"})),
            page(json!({"value": [], "NextLink": " /d ", "nextlink": null})),
            page(json!({"value": [2, 3], "nextLink": ""})),
        ]);
        assert_eq!(items(&whole.unwrap()).unwrap(), [1, 2, 3].map(Value::from));
        assert_eq!(asked, ["/first", "/b", "/c", "/d"]);
        assert!(items(&read([page(json!({"value": []}))]).0.unwrap()).unwrap().is_empty());
    }

    #[test]
    fn a_list_that_breaks_off_is_none() {
        let refused = |status| Reply { status, ..Reply::default() };
        let onward = || page(json!({"value": [1], "nextLink": "/b"}));
        let invalid = [
            vec![onward(), refused(404)],
            vec![onward(), refused(500)],
            vec![onward(), page(json!({}))],
            vec![onward(), onward()],
            vec![page(json!({"value": [], "nextLink": 7}))],
            vec![page(json!({"value": null}))],
        ];
        for pages in invalid {
            let content = format!("{pages:?}");
            read(pages).0.expect_err(&content);
        }
        let endless = (0..=MAX_PAGES).map(|at| page(json!({"value": [], "nextLink": format!("/{at}")})));
        let (whole, asked) = read(endless);
        assert!(whole.is_err() && asked.len() == MAX_PAGES, "{}", asked.len());
        // The caller decides what a refused first page means.
        assert_eq!(read([refused(404)]).0.unwrap().status, 404);
    }

    #[test]
    fn one_page_of_several_is_not_taken_for_the_list() {
        items(&page(json!({"value": [], "nextLink": "/b"}))).unwrap_err();
        items(&page(json!({"id": "x"}))).unwrap_err();
        items(&Reply { status: 404, ..Reply::default() }).unwrap_err();
    }
}
