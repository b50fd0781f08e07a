//! What happens at an instant: an operation ends, or a soft-deleted object expires.

/// An item that becomes due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// The operation with this id ends.
    Operation(String),
    /// The retention of the soft-deleted object with this id is over.
    Expiry(String),
}

impl Due {
    /// The key under which it is stored.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Operation(id) => format!("operation:{id}"),
            Self::Expiry(id) => format!("expire:{}", id.to_lowercase()),
        }
    }

    /// Parses a key; none if this version does not know its kind.
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
