//! The request journal as one JSON array.

use std::{borrow::Cow, mem, sync::Arc};

use axum::body::Bytes;
use futures_util::{Stream, stream};
use serde::Deserialize;

use crate::{
    error::CloudError,
    inner::Inner,
    store::{Snapshot, decode},
};

/// How many stored lines are read in one transaction.
const PAGE: usize = 1000;

/// The tenant that a stored line belongs to; absent for a request that is about no tenant.
#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow, default)]
    tenant: Option<Cow<'a, str>>,
}

/// Streams the stored lines as one JSON array, in order; with `tenant`, only that tenant's lines. They are read in pages,
/// so the memory does not depend on the length of the journal.
pub(crate) fn lines(
    inner: Arc<Inner>,
    tenant: Option<String>,
) -> impl Stream<Item = Result<Bytes, CloudError>> {
    let reader = Reader { inner, tenant, after: 0, separator: b'[' };
    stream::try_unfold(Some(reader), async |reader| {
        let Some(mut reader) = reader else { return Ok(None) };
        let (text, is_last) = reader.page()?;
        Ok(Some((text, (!is_last).then_some(reader))))
    })
}

/// The position of a stream in the journal.
struct Reader {
    inner: Arc<Inner>,
    tenant: Option<String>,
    /// The number of the last line that was read.
    after: u64,
    /// The byte to write before the next line: `[` before the first one, then `,`.
    separator: u8,
}

impl Reader {
    /// Reads the next page. Returns its part of the array, and whether it is the last one.
    fn page(&mut self) -> Result<(Bytes, bool), CloudError> {
        let view = Snapshot::new(self.inner.db.read()?, (self.inner.now)())?;
        let lines = view.journal_after(self.after, PAGE)?;
        let is_last = lines.len() < PAGE;
        let mut text = Vec::new();
        for (number, line) in lines {
            self.after = number;
            let is_included = match &self.tenant {
                Some(tenant) => decode::<Owner<'_>>(&line)?.tenant.as_deref() == Some(tenant),
                None => true,
            };
            if is_included {
                text.push(mem::replace(&mut self.separator, b','));
                text.extend(line);
            }
        }
        if is_last {
            if self.separator == b'[' {
                text.push(b'[');
            }
            text.push(b']');
        }
        Ok((text.into(), is_last))
    }
}
