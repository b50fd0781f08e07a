//! The services of the simulated Azure: the audiences of their tokens, and the formats of their errors.

use jiff::Timestamp;

use crate::{
    identity::Flaw,
    reply::{Refusal, Reply},
};

/// A service of the simulated Azure. `Simulator` stands for the test endpoints below `/_sim/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Arm,
    Graph,
    EventGrid,
    /// A Service Bus namespace.
    Bus,
    /// The managed identity endpoint of App Service.
    Identity,
    /// Entra's token endpoint.
    Login,
    /// A tenant's service: an online endpoint of Machine Learning, or a model of Cognitive Services.
    Inference,
    Simulator,
}

impl Service {
    /// The audience that a token for the service must have. `None` if the service needs no token, or checks it itself.
    pub(crate) const fn audience(self) -> Option<&'static str> {
        match self {
            Self::Arm => Some("https://management.azure.com"),
            Self::Graph => Some("https://graph.microsoft.com"),
            Self::EventGrid => Some("https://eventgrid.azure.net"),
            Self::Bus => Some("https://servicebus.azure.net"),
            Self::Identity | Self::Login | Self::Inference | Self::Simulator => None,
        }
    }

    /// The refusal of a request with an invalid token, with the service's own error code.
    pub(crate) fn unauthorized(self, flaw: &Flaw) -> Refusal {
        let code = match self {
            Self::Graph => "InvalidAuthenticationToken",
            Self::EventGrid => "Unauthorized",
            Self::Bus => match flaw {
                Flaw::Missing => "MissingToken",
                Flaw::MadeUp => "InvalidSignature",
                Flaw::Expired => "ExpiredToken",
                Flaw::Foreign(_) => "InvalidAudience",
            },
            Self::Arm | Self::Identity | Self::Login | Self::Inference | Self::Simulator => match flaw {
                Flaw::Missing => "AuthenticationFailed",
                Flaw::MadeUp => "InvalidAuthenticationToken",
                Flaw::Expired => "ExpiredAuthenticationToken",
                Flaw::Foreign(_) => "InvalidAuthenticationTokenAudience",
            },
        };
        Refusal::new(401, code, flaw.to_string()).with("WWW-Authenticate", "Bearer")
    }

    /// A refusal in the service's own error format.
    pub(crate) fn refusal(self, refusal: Refusal, request_id: &str, now: Timestamp) -> Reply {
        match self {
            Self::Graph => refusal.graph(request_id, now),
            Self::Bus => refusal.service_bus(request_id, now),
            Self::Identity => refusal.app_service(request_id),
            Self::Login => refusal.entra(request_id, now),
            Self::Arm | Self::EventGrid | Self::Inference | Self::Simulator => refusal.arm(),
        }
    }
}
