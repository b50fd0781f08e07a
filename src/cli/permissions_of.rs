//! The blueprints of a running instance, from which the required permissions are derived.

use serde_json::Value;
use tenantry_core::blueprint::Blueprint;

use super::{call::Instance, output};

/// A blueprint, and the stamps that its tenants are in.
pub(super) type Placed = (Blueprint, Vec<Value>);

/// The blueprints that an instance offers or that its tenants use.
pub(super) struct OfInstance {
    pub(super) blueprints: Vec<Placed>,
    /// The stamps of all these blueprints, each once.
    pub(super) stamps: Vec<Value>,
    /// Whether a blueprint can't be read, so that its permissions are missing from the result.
    pub(super) incomplete: bool,
}

impl OfInstance {
    /// Reads the blueprints from the instance at `url`.
    ///
    /// # Errors
    /// The exit code; the reason has been printed.
    pub(super) async fn ask(url: &str) -> Result<Self, std::process::ExitCode> {
        let answer = Instance::at(url).get("/api/tenants?view=blueprints").await?;
        let Some(listed) = answer.get("blueprints").and_then(Value::as_array) else {
            output::problem(&format!(
                "{url} does not report its blueprints: is it tenantry, and as new as this one?"
            ));
            return Err(std::process::ExitCode::from(2));
        };
        let mut of = Self { blueprints: Vec::new(), stamps: Vec::new(), incomplete: false };
        for one in listed {
            of.take(one);
        }
        Ok(of)
    }

    fn take(&mut self, one: &Value) {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let stamps: Vec<Value> = one.get("stamps").and_then(Value::as_array).cloned().unwrap_or_default();
        for stamp in &stamps {
            if !self.stamps.contains(stamp) {
                self.stamps.push(stamp.clone());
            }
        }
        let read = match one.get("unreadable").and_then(Value::as_str) {
            Some(why) => Err(why.to_owned()),
            None => Blueprint::read_again(text("source"))
                .map_err(|_| "this version of tenantry does not read it".to_owned()),
        };
        match read.map(|blueprint| (blueprint.digest() == text("digest"), blueprint)) {
            Ok((true, blueprint)) => self.blueprints.push((blueprint, stamps)),
            other => {
                let why = other.err().unwrap_or_else(|| "its text has another digest".to_owned());
                self.incomplete = true;
                output::problem(&format!(
                    "{} {} ({}), used by {} tenants, is left out: {why}. Name its file as well",
                    text("name"),
                    text("version"),
                    text("digest"),
                    one.get("tenants").and_then(Value::as_u64).unwrap_or_default()
                ));
            }
        }
    }
}
