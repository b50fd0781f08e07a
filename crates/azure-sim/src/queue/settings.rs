//! Settings of the broker's queues.

use std::{collections::BTreeMap, time::Duration};

/// The name of a dead-letter queue is the name of its queue with this suffix.
pub const DEAD_LETTER_SUFFIX: &str = "/$deadletterqueue";

/// The settings of one queue; the defaults are those of Service Bus, Standard tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Whether every message must have a session id. Then only one message of a session is in flight at a time.
    pub sessions: bool,
    /// How long a lock lasts from the delivery or its last renewal.
    pub lock: Duration,
    /// After how many failed deliveries a message is dead-lettered.
    pub max_delivery_count: u32,
    /// How long a message id is remembered to detect duplicates. If `None`, duplicates are not detected.
    pub duplicate_window: Option<Duration>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            sessions: false,
            lock: Duration::from_secs(60),
            max_delivery_count: 10,
            duplicate_window: Some(Duration::from_secs(600)),
            max_body_bytes: 256 << 10,
        }
    }
}

/// The queues of a broker. Each queue has a dead-letter queue, which is not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerSettings {
    /// The settings of each queue, by its name.
    pub queues: BTreeMap<String, QueueSettings>,
}

impl Default for BrokerSettings {
    /// The two queues of tenantry: requests with sessions, wake-ups without.
    fn default() -> Self {
        let requests = QueueSettings { sessions: true, ..QueueSettings::default() };
        Self {
            queues: BTreeMap::from([
                ("tenant-requests".to_owned(), requests),
                ("tenant-wakeups".to_owned(), QueueSettings::default()),
            ]),
        }
    }
}
