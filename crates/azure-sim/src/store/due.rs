//! Scheduled items: the end of an operation, or the purge of a soft-deleted object.

/// An item that is scheduled for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// The end of the operation with this id.
    Operation(String),
    /// The purge of the soft-deleted object with this id, at the end of its retention.
    Expiry(String),
}

impl Due {
    /// The text under which the item is stored.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Operation(id) => format!("operation:{id}"),
            Self::Expiry(id) => format!("expire:{}", id.to_lowercase()),
        }
    }

    /// Parses a stored text; `None` if this version does not know the kind of item.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (what, id) = text.split_once(':')?;
        match what {
            "operation" => Some(Self::Operation(id.to_owned())),
            "expire" => Some(Self::Expiry(id.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_read_as_it_was_stored() {
        for due in [Due::Operation("a:b".to_owned()), Due::Expiry("/subscriptions/x".to_owned())] {
            assert_eq!(Due::read(&due.text()), Some(due));
        }
        assert_eq!(Due::read("vanish:x"), None);
    }
}
