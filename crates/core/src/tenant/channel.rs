//! The channels on which requests arrive, and which channel may change which tenants.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The channel on which a request arrived. A tenant's document keeps the channel on which the tenant was signed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The HTTP functions, or this program's command line: an operator.
    #[default]
    Operator,
    /// The request queue, to which the deployment's own apps send.
    Queue,
    /// An Event Grid topic, by its resource id in lower case. Event Grid itself writes this id into each event of the
    /// Event Grid schema.
    Topic(String),
    /// The `source` of CloudEvents. The publisher of the events writes it, so it is never equated with a topic of the
    /// same name.
    Source(String),
}

impl Channel {
    /// Whether a request on this channel may change, or learn anything about, a tenant that was signed up on the
    /// channel `owner`.
    ///
    /// Operators may change every tenant. The queue may change the tenants that operators and the queue have signed up.
    /// A publisher of events may change only the tenants that it has signed up itself.
    pub fn may_change(&self, owner: &Self) -> bool {
        match self {
            Self::Operator => true,
            Self::Queue => owner.publisher().is_none(),
            Self::Topic(_) | Self::Source(_) => self == owner,
        }
    }

    /// The publisher in whose scope request ids are unique. `None` means the deployment: the queue and the HTTP
    /// functions share their request ids.
    pub fn publisher(&self) -> Option<String> {
        match self {
            Self::Operator | Self::Queue => None,
            Self::Topic(_) | Self::Source(_) => Some(self.to_string()),
        }
    }

    /// Whether the channel is [`Self::Operator`].
    pub(super) fn is_operator(&self) -> bool {
        *self == Self::Operator
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Queue => f.write_str("queue"),
            Self::Topic(id) => write!(f, "topic {id}"),
            Self::Source(source) => write!(f, "source {source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_change_all_the_queue_its_own_and_publishers_theirs() {
        let all = [
            Channel::Operator,
            Channel::Queue,
            Channel::Topic("/a".into()),
            Channel::Topic("/b".into()),
            Channel::Source("/a".into()),
        ];
        let may = all.clone().map(|channel| all.clone().map(|owner| channel.may_change(&owner)));
        assert_eq!(
            may,
            [
                [true, true, true, true, true],
                [true, true, false, false, false],
                [false, false, true, false, false],
                [false, false, false, true, false],
                [false, false, false, false, true],
            ]
        );
    }
}
