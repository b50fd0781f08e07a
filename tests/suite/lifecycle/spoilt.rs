//! A state store in which the text of a blueprint is lost or damaged.

use std::sync::Arc;

use tenantry::ports::{StateStore, StoreError};

use crate::testkit::over::{Asked, Over};

/// A store that returns `text` for every blueprint: a damaged text, no text, or an error as if it did not answer.
pub(crate) struct Spoilt {
    pub(crate) inner: Arc<dyn StateStore>,
    pub(crate) text: Result<Option<String>, StoreError>,
}

impl Over for Spoilt {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn blueprint<'a>(&'a self, _: &'a str) -> Asked<'a, Option<String>> {
        Box::pin(async { self.text.clone() })
    }
}
