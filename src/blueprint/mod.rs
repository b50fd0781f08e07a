//! What a tenant consists of: a YAML file becomes a checked graph, the graph becomes one tenant's [`Plan`].
//!
//! Pure: no I/O, no clock. The way of a blueprint is `tree` (YAML with places), `file` (shapes), `check` (all findings
//! at once), `expression` (what stands in `{{ }}`), `plan` (names and ids fixed, what can be known substituted).

mod plan;
mod resource_types;

pub use plan::{BlueprintRef, Kind, Outputs, Plan, PlannedStep, RenderError};
pub use resource_types::{Marker, NameRule, ResourceType};
