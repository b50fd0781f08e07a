//! Blueprints: a YAML file becomes a checked graph, the graph becomes one tenant's [`Plan`].
//!
//! Pure: no I/O, no clock. A file passes `tree` (YAML with positions), `file` (structure), `check` and `rules` (all
//! findings at once). For each tenant `planner` makes a [`Plan`]: `identity` fixes names and ids, `body` substitutes
//! what is known, `expression` and `scope` evaluate `{{ }}`. A plan leaves no decisions open. The desired state of a
//! step has a type for each kind (`desired`); its parts that are known late are in `expr` and are evaluated in
//! `render`. `fields` is the JSON form of steps in documents.

mod address;
mod body;
mod check;
mod desired;
mod expr;
mod expression;
mod fields;
mod file;
mod file_parameter;
mod findings;
mod forbidden;
mod graph;
mod hand;
mod identity;
mod immutable;
mod judge;
mod names;
mod parameter;
mod path;
mod plan;
mod planner;
pub mod preview;
mod proof;
mod references;
mod render;
mod resource_types;
mod rules;
mod scope;
mod tree;
mod uses;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value};

pub use desired::{
    ArmResource, ArmUpdate, Desired, EntraApplication, FederatedCredential, IsolationProof, Part, ProbeCall,
    Rendered, ResourceCheck, RoleAssignment, ServicePrincipal,
};
pub use expr::{Expr, Template};
pub use fields::BadField;
pub(crate) use fields::{parsed, text};
pub use findings::{Diagnostic, Severity, did_you_mean};
pub use judge::Guard;
pub use names::{Owner, derive as derive_name, role_assignment_name};
pub use plan::{BlueprintRef, Kind, Outputs, Plan, PlannedStep, RenderError};
pub use resource_types::{Link, Marker, NameRule, Purge, ResourceType, SoftDeletion};
pub use rules::Objection;
pub use uses::{Touch, Use};

use crate::ids::{StepName, TenantId, sha256_hex};

/// The resource type of role assignments.
const ROLE_ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

/// Why a generic step does not create a resource of this type, or `None` if it does.
pub fn forbidden_type(of: &str) -> Option<&'static str> {
    forbidden::objection(of)
}

/// The blueprint that is used when none is given.
pub const DEFAULT: &str = include_str!("../../../../blueprints/secure-ai-service.yaml");

/// A checked blueprint.
#[derive(Debug, Clone)]
pub struct Blueprint {
    file: Arc<file::File>,
    /// What each step needs, for any tenant.
    needs: graph::Needs<String>,
    digest: String,
    /// The text that it was read from.
    source: Arc<str>,
}

/// A blueprint without errors, and its warnings.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The blueprint.
    pub blueprint: Blueprint,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// The tenant that a plan is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanContext {
    /// The deployment of tenantry, part of every name and mark.
    pub deployment: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The tenant's incarnation, counted from 1.
    pub incarnation: u32,
    /// The tier.
    pub tier: String,
    /// The members of `tenant.`: `displayName`, `region`, `homeTenantId`, `adminContact`, `tags`; `id` and `tier` are
    /// set from the members above, and absent ones are null.
    pub tenant: Value,
    /// The parameters of the request.
    pub parameters: Map<String, Value>,
    /// The stamp: subscription, region, network, shared resources.
    pub stamp: Value,
}

/// Why a tenant can't be planned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// JSON pointer into the request, e.g. `/spec/parameters/instanceType`.
    pub pointer: String,
    /// The code of the fault, in kebab case; stable.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Blueprint {
    /// Reads and checks a file: everything that can be known to be wrong without a tenant.
    ///
    /// # Guarantees
    /// - All findings are reported together, each with its line and column, a stable code and, if known, a hint.
    /// - A blueprint without errors can be planned for every tenant whose parameters its rules accept, except for
    ///   values that only an expression of the request yields; those are faults of the plan, reported before anything
    ///   is created.
    /// - Equal texts have equal digests; a tenant is pinned to the digest.
    ///
    /// # Errors
    /// All findings, warnings included, in the order of the file; at least one is an error.
    ///
    /// # Caveats
    /// A text that an earlier version accepted may fail here, because rules are added. Tenants that are pinned to such
    /// a text are read without these rules ([`Self::read_again`]), so that they can still be suspended and deleted.
    ///
    /// # Example
    /// ```
    /// use tenantry_core::blueprint::{Blueprint, DEFAULT};
    ///
    /// let checked = Blueprint::check(DEFAULT).map_err(|findings| format!("{findings:?}"))?;
    /// assert!(checked.warnings.is_empty());
    ///
    /// let findings = Blueprint::check("blueprint: small\nversion: one").unwrap_err();
    /// assert!(findings.iter().all(|finding| finding.line >= 1 && !finding.message.is_empty()));
    /// # Ok::<(), String>(())
    /// ```
    pub fn check(text: &str) -> Result<Checked, Vec<Diagnostic>> {
        let mut findings = findings::Findings::default();
        let file = tree::read(text, &mut findings).map(|root| {
            let file = file::read(&root, &mut findings);
            check::check(&file, &mut findings);
            rules::inspect(&file, &mut findings);
            rules::no_secret_values(&root, &mut findings);
            file
        });
        Self::made(text, file, findings)
    }

    /// Reads a text that was checked before, perhaps by an earlier version of this program. Rules that were added since
    /// are not applied, so that a tenant of it can still be suspended. Its requests are judged by today's rules when
    /// they are planned.
    ///
    /// Errors: every finding that makes the text unusable.
    pub fn read_again(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = findings::Findings::default();
        let file = tree::read(text, &mut findings).map(|root| {
            let file = file::read(&root, &mut findings);
            check::check(&file, &mut findings);
            file
        });
        Self::made(text, file, findings).map(|checked| checked.blueprint)
    }

    fn made(
        text: &str,
        file: Option<file::File>,
        findings: findings::Findings,
    ) -> Result<Checked, Vec<Diagnostic>> {
        let findings = findings.sorted();
        match file {
            Some(file) if findings.iter().all(|finding| finding.severity == Severity::Warning) => {
                let digest = format!("sha256:{}", sha256_hex(text.as_bytes()));
                let needs = references::needs(&file);
                let (file, source) = (Arc::new(file), text.into());
                Ok(Checked { blueprint: Self { file, needs, digest, source }, warnings: findings })
            }
            _ => Err(findings),
        }
    }

    /// Makes the plan of one tenant: same arguments, same plan.
    ///
    /// Guarantees: every name, id and scope is fixed; each Azure object has ownership marks if its type allows; role
    /// assignments reach no further than the tenant's own resources.
    ///
    /// Errors: every fault in the request's tier and parameters, or, if those are valid, everything in the blueprint
    /// that can't be evaluated for this tenant.
    pub fn plan(&self, context: &PlanContext) -> Result<Plan, Vec<Fault>> {
        planner::plan(self, context)
    }

    /// What its steps do in Azure for tenants of these tiers, in the order of the file; of all tiers if none is named.
    /// Conditions and values that only a request decides count as met.
    ///
    /// Errors: a tier that it does not have, and every role or resource that can't be known without a tenant.
    pub fn uses(&self, stamp: &Value, tiers: &[String]) -> Result<Vec<Use>, Vec<Fault>> {
        uses::uses(&self.file, stamp, tiers)
    }

    /// Whether a suspension changes a tenant of it: whether a step depends on `tenant.suspended` or `tenant.stopped`.
    pub fn is_suspendable(&self) -> bool {
        check::SUSPENSION.iter().any(|name| !self.steps_that_speak_of(name).is_empty())
    }

    /// The steps by which a suspension cuts access: those that depend on `tenant.suspended`.
    pub fn cutting_steps(&self) -> BTreeSet<StepName> {
        self.steps_that_speak_of(check::SUSPENSION[0])
    }

    fn steps_that_speak_of(&self, member: &str) -> BTreeSet<StepName> {
        let spoken = |(field, node): (&String, &tree::Node)| {
            references::reach(&self.file, &references::references(field, node))
        };
        let is_meant = |path: String| path.strip_prefix("tenant.") == Some(member);
        let steps = self.file.steps.iter();
        let speaking = steps.filter(|step| step.keys.iter().flat_map(spoken).any(is_meant));
        speaking.map(|step| step.name.clone()).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Its version, three numbers.
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// The version as numbers, so that 1.10.0 comes after 1.9.0.
    pub fn version_numbers(&self) -> Option<[u32; 3]> {
        version_numbers(&self.file.version)
    }

    /// The text that it was read from; the digest is over this text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The reference that its plans hold.
    pub fn reference(&self) -> BlueprintRef {
        BlueprintRef {
            name: self.file.name.clone(),
            version: self.file.version.clone(),
            digest: self.digest.clone(),
        }
    }

    /// SHA-256 of its text, as `sha256:<hex>`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its description.
    pub fn description(&self) -> &str {
        &self.file.description
    }

    /// Its tiers.
    pub fn tiers(&self) -> &[String] {
        &self.file.tiers
    }

    /// The names of its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.file.parameters.keys().map(String::as_str)
    }

    /// Its steps in the order of the file, for all tiers.
    pub fn steps(&self) -> impl Iterator<Item = (&StepName, Kind)> {
        self.file.steps.iter().map(|step| (&step.name, step.kind))
    }

    /// The names of its exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.file.exports.keys().map(String::as_str)
    }
}

/// The three numbers of a version, if it has three.
pub fn version_numbers(version: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}
