//! The clock, and how long operations take in the simulated Azure.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::error::CloudError;

/// How long replicas of the directory usually take in Azure to show a new object, in seconds.
const REPLICATION_SECONDS: u32 = 20;

/// A function that returns the current time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How fast long-running operations and replication are, compared with Azure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Operations and replication take no time.
    Max,
    /// Operations and replication take Azure's usual durations, divided by this positive number.
    Factor(f64),
}

impl Speed {
    /// How long a new object of the directory can be missing: reads of Graph do not show it, and role assignments do
    /// not accept it unless they name the type of the principal.
    pub fn replication_lag(self) -> Duration {
        Duration::try_from(self.replication()).unwrap_or_default()
    }

    /// [`Self::replication_lag`] as a signed duration, to be added to a timestamp.
    pub(crate) fn replication(self) -> SignedDuration {
        self.scale(REPLICATION_SECONDS)
    }

    /// How long an operation takes in the simulated Azure that takes this many seconds in Azure.
    pub(crate) fn scale(self, seconds: u32) -> SignedDuration {
        match self {
            Self::Max => SignedDuration::ZERO,
            Self::Factor(factor) => {
                SignedDuration::try_from_secs_f64(f64::from(seconds) / factor).unwrap_or(SignedDuration::ZERO)
            }
        }
    }
}

impl FromStr for Speed {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Factor(factor)),
            Ok(_) | Err(_) => Err(CloudError::Speed(text.to_owned())),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Factor(factor) => write!(f, "{factor}"),
        }
    }
}
