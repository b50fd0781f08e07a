//! Settings: the only reader of the environment.
//!
//! All faults are found at once, each with the setting's name, what is wrong and an example of what is right.

use std::path::PathBuf;

/// One setting: its name, what it is, what it is when absent, an example.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// A right value.
    pub example: &'static str,
}

/// Every setting of the program.
pub const SETTINGS: [Setting; 6] = [
    Setting {
        name: "FUNCTIONS_CUSTOMHANDLER_PORT",
        meaning: "the port that the Functions host calls its handler on; the host sets it",
        default: "7072 (for trying `serve` by hand)",
        example: "7072",
    },
    Setting {
        name: "TENANTRY_DEPLOYMENT",
        meaning: "the deployment's name: part of every derived name, mark and event source",
        default: "local",
        example: "prod",
    },
    Setting {
        name: "TENANTRY_DATA",
        meaning: "the folder of the local world's state",
        default: ".tenantry",
        example: "/tmp/tenantry",
    },
    Setting {
        name: "TENANTRY_SPEED",
        meaning: "the simulated Azure's speed: `max`, or how many times faster than Azure",
        default: "200",
        example: "max",
    },
    Setting {
        name: "TENANTRY_BLUEPRINTS",
        meaning: "a folder of blueprints besides the built-in one",
        default: "none",
        example: "blueprints",
    },
    Setting {
        name: "TENANTRY_LOG",
        meaning: "what is logged, in tracing's filter form",
        default: "info for `serve`, warn for the other commands",
        example: "tenantry=debug",
    },
];

/// Variables that only the Functions platform in Azure sets (Microsoft, "Environment variables and app settings").
const PLATFORM: [&str; 2] = ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"];

/// The settings, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The port of the handler.
    pub handler_port: u16,
    /// The deployment's name.
    pub deployment: String,
    /// The local world's folder.
    pub data: PathBuf,
    /// The simulated Azure's speed, as text.
    pub speed: String,
    /// A folder of more blueprints.
    pub blueprints: Option<PathBuf>,
    /// The log filter.
    pub log: Option<String>,
    /// Whether this process runs in the Functions platform.
    pub in_azure: bool,
}

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}; for example {name}={example}")]
pub struct BadSetting {
    /// The setting.
    pub name: &'static str,
    /// What is wrong.
    pub why: String,
    /// What would be right.
    pub example: &'static str,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Every setting that can't be used.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn from_env() -> Result<Self, Vec<BadSetting>> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings from anywhere.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<BadSetting>> {
        let mut bad = Vec::new();
        let text =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let handler_port = match text("FUNCTIONS_CUSTOMHANDLER_PORT").map(|port| port.parse::<u16>()) {
            None => 7072,
            Some(Ok(port)) if port > 0 => port,
            Some(Ok(_) | Err(_)) => {
                bad.push(fault("FUNCTIONS_CUSTOMHANDLER_PORT", "it is not a port from 1 to 65535"));
                0
            }
        };
        let deployment = text("TENANTRY_DEPLOYMENT").unwrap_or_else(|| "local".to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if deployment.len() > 20 || !deployment.chars().all(plain) {
            bad.push(fault(
                "TENANTRY_DEPLOYMENT",
                "it has 1 to 20 characters out of a-z, 0-9 and the hyphen",
            ));
        }
        let config = Self {
            handler_port,
            deployment,
            data: text("TENANTRY_DATA").unwrap_or_else(|| ".tenantry".to_owned()).into(),
            speed: text("TENANTRY_SPEED").unwrap_or_else(|| "200".to_owned()),
            blueprints: text("TENANTRY_BLUEPRINTS").map(PathBuf::from),
            log: text("TENANTRY_LOG"),
            in_azure: PLATFORM.iter().any(|name| text(name).is_some()),
        };
        if bad.is_empty() { Ok(config) } else { Err(bad) }
    }
}

fn fault(name: &'static str, why: &str) -> BadSetting {
    let example = SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.example);
    BadSetting { name, why: why.to_owned(), example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_the_local_world() {
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
