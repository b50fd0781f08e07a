//! The settings of the program. Only this module reads environment variables.
//!
//! All invalid settings are reported together, each with its name, what is wrong, and a valid example.

mod azure;
mod heal;
mod isolation;
mod probe;
mod settings;
mod telemetry;

use std::{collections::BTreeSet, path::PathBuf};

pub use azure::{AzureConfig, Identity, WakeUps};
pub use isolation::{Isolation, Quarantine};
pub use probe::ProbeConfig;
pub use settings::{SETTINGS, Setting};

use tenantry_core::drift::DriftClass;

use crate::telemetry::Export;

/// Variables that only the Functions platform in Azure sets (Microsoft, "Environment variables and app settings").
const PLATFORM: [&str; 2] = ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"];

/// All settings, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The port on which the Functions host calls this program.
    pub handler_port: u16,
    /// Whether a Functions host has started this process. Only a host sets the variable with the handler's port.
    pub under_host: bool,
    /// The deployment's name, which is part of derived names, ownership marks and event sources.
    pub deployment: String,
    /// The folder with the state of the local environment.
    pub data: PathBuf,
    /// The speed of the simulated Azure, as text: `max`, or how many times faster than Azure.
    pub speed: String,
    /// A folder with blueprints in addition to the built-in one.
    pub blueprints: Option<PathBuf>,
    /// The log filter, in the syntax of `tracing`; `None` for the command's default.
    pub log: Option<String>,
    /// Where spans and metrics are exported to; `None` if they are not exported.
    pub export: Option<Export>,
    /// The settings of the isolation check.
    pub isolation: Isolation,
    /// The classes of drift that are repaired automatically.
    pub heal: BTreeSet<DriftClass>,
    /// The Event Grid topics, and sources of CloudEvents, whose events are accepted as requests; empty: the webhook is
    /// off.
    pub event_topics: Vec<String>,
    /// Whether this process runs on the Functions platform.
    pub in_azure: bool,
    /// The settings of the Azure environment; `None` in the local environment.
    pub azure: Option<AzureConfig>,
}

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}; for example {name}={example}")]
pub struct BadSetting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// What is wrong with the value.
    pub why: String,
    /// A valid value for the setting.
    pub example: &'static str,
}

impl Config {
    /// Reads the settings from the process's environment variables.
    ///
    /// # Errors
    /// One [`BadSetting`] for each invalid setting.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    pub fn from_env() -> Result<Self, Vec<BadSetting>> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the settings from a function that returns the value of a variable, or `None`.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<BadSetting>> {
        let mut reader = Reader::new(&get);
        let handler_port = match reader.text("FUNCTIONS_CUSTOMHANDLER_PORT").map(|port| port.parse::<u16>()) {
            None => 7072,
            Some(Ok(port)) if port > 0 => port,
            Some(Ok(_) | Err(_)) => {
                reader.refuse("FUNCTIONS_CUSTOMHANDLER_PORT", "it is not a port from 1 to 65535");
                0
            }
        };
        let under_host = reader.text("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
        let in_azure = PLATFORM.iter().any(|name| reader.text(name).is_some());
        let environment = reader.text("TENANTRY_ENVIRONMENT");
        let is_azure = match environment.as_deref() {
            None | Some("local") => false,
            Some("azure") => true,
            Some(_) => {
                reader.refuse("TENANTRY_ENVIRONMENT", "it is `local` or `azure`");
                false
            }
        };
        let deployment = deployment(&mut reader, is_azure);
        let speed = reader.text("TENANTRY_SPEED").unwrap_or_else(|| "200".to_owned());
        let is_factor = speed.parse().is_ok_and(|factor: f64| factor.is_finite() && factor > 0.0);
        if !speed.eq_ignore_ascii_case("max") && !is_factor {
            reader.refuse("TENANTRY_SPEED", "it is neither `max` nor a positive number");
        }
        let blueprints = reader.text("TENANTRY_BLUEPRINTS").map(PathBuf::from);
        if blueprints.as_ref().is_some_and(|folder| !folder.is_dir()) {
            reader.refuse("TENANTRY_BLUEPRINTS", "there is no such folder");
        }
        let export = telemetry::export(&mut reader, in_azure);
        let isolation = isolation::isolation(&mut reader);
        let heal = heal::heal(&mut reader);
        let event_topics = event_topics(&mut reader);
        let azure = if is_azure { AzureConfig::read(&mut reader, in_azure) } else { None };
        let config = Self {
            handler_port,
            under_host,
            deployment,
            data: reader.text("TENANTRY_DATA").unwrap_or_else(|| ".tenantry".to_owned()).into(),
            speed,
            blueprints,
            log: reader.text("TENANTRY_LOG"),
            export,
            isolation,
            heal,
            event_topics,
            in_azure,
            azure,
        };
        if reader.bad.is_empty() { Ok(config) } else { Err(reader.bad) }
    }
}

/// Reads the topics whose events are accepted. Topics are compared as whole texts, so only texts that no sender would
/// use are rejected.
fn event_topics(reader: &mut Reader<'_>) -> Vec<String> {
    const NAME: &str = "TENANTRY_EVENT_TOPICS";
    let Some(given) = reader.text(NAME) else { return Vec::new() };
    let topics: Vec<String> = given.split(',').map(|topic| topic.trim().to_owned()).collect();
    if topics.iter().any(|topic| topic.is_empty() || topic.len() > 1024) {
        reader.refuse(NAME, "each topic has 1 to 1024 characters");
    }
    if topics.iter().any(|topic| topic.contains(['*', '?']) || !topic.bytes().all(|b| b.is_ascii_graphic())) {
        let why = "a topic is written out in visible ASCII characters: no pattern, and no key in a query";
        reader.refuse(NAME, why);
    }
    topics
}

fn deployment(reader: &mut Reader<'_>, is_azure: bool) -> String {
    const NAME: &str = "TENANTRY_DEPLOYMENT";
    let given = if is_azure { reader.required(NAME) } else { reader.text(NAME) };
    let deployment = given.unwrap_or_else(|| "local".to_owned());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if deployment.len() > 20 || !deployment.chars().all(plain) {
        reader.refuse(NAME, "it has 1 to 20 characters out of a-z, 0-9 and the hyphen");
    }
    deployment
}

/// Reads settings one by one, and collects the errors of all invalid ones.
struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    bad: Vec<BadSetting>,
}

impl<'a> Reader<'a> {
    fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, bad: Vec::new() }
    }

    /// A setting without surrounding spaces; `None` if it is absent or empty.
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn required(&mut self, name: &'static str) -> Option<String> {
        let value = self.text(name);
        if value.is_none() {
            self.refuse(name, "it is missing");
        }
        value
    }

    fn refuse(&mut self, name: &'static str, why: impl Into<String>) {
        let example =
            SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.example);
        self.bad.push(BadSetting { name, why: why.into(), example });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_the_local_environment() {
        let config = Config::read(|_| None).unwrap();
        assert_eq!(
            (config.handler_port, config.deployment.as_str(), config.in_azure),
            (7072, "local", false)
        );
    }

    #[test]
    fn all_faults_are_reported_together_with_an_example() {
        let faults = Config::read(|name| match name {
            "FUNCTIONS_CUSTOMHANDLER_PORT" => Some("70000".to_owned()),
            "TENANTRY_DEPLOYMENT" => Some("My Deployment".to_owned()),
            _ => None,
        })
        .unwrap_err();
        let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        assert_eq!(names, ["FUNCTIONS_CUSTOMHANDLER_PORT", "TENANTRY_DEPLOYMENT"]);
        assert!(faults[0].to_string().ends_with("for example FUNCTIONS_CUSTOMHANDLER_PORT=7072"));
    }
}
