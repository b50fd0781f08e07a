//! What a tenant consists of: a YAML file becomes a checked graph, the graph becomes one tenant's [`Plan`].
//!
//! Pure: no I/O, no clock. The way of a blueprint is `tree` (YAML with places), `file` (shapes), `check` and `rules`
//! (all findings at once), then for each tenant `planner`: `identity` (names and ids fixed), `body` (what can be known
//! substituted; `expression` and `scope` evaluate what stands in `{{ }}`), and at last a [`Plan`] that leaves no choice
//! to whoever carries it out. What a step of a plan is to bring about has a type for each kind (`desired`); what of it
//! is known late stands there as `expr` and becomes known in `render`. `fields` reads and writes it as documents have it.

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

/// The type of what a step of kind `role-assignment` makes.
const ROLE_ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

/// Why a generic step makes no resource of a type, or `None` if it may.
pub fn forbidden_type(of: &str) -> Option<&'static str> {
    forbidden::objection(of)
}

/// The blueprint that is used when none is given.
pub const DEFAULT: &str = include_str!("../../../../blueprints/secure-ai-service.yaml");

/// A checked blueprint.
#[derive(Debug, Clone)]
pub struct Blueprint {
    file: Arc<file::File>,
    /// What each step needs, whatever the tenant.
    needs: graph::Needs<String>,
    digest: String,
    /// The text that it was read from.
    source: Arc<str>,
}

/// A blueprint without errors, and what may still not be meant so.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The blueprint.
    pub blueprint: Blueprint,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Whom a plan is for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanContext {
    /// The deployment of tenantry, part of every name and mark.
    pub deployment: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Which life of the tenant, counted from 1.
    pub incarnation: u32,
    /// The tier that it has signed up for.
    pub tier: String,
    /// What `tenant.` means: `displayName`, `region`, `homeTenantId`, `adminContact`, `tags`; `id` and `tier` are set
    /// from the members above, and what is absent is null.
    pub tenant: Value,
    /// The parameters that the request gives.
    pub parameters: Map<String, Value>,
    /// Where it is placed: subscription, region, network, shared resources.
    pub stamp: Value,
}

/// Why a tenant can't be planned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// JSON pointer into the request, e.g. `/spec/parameters/instanceType`.
    pub pointer: String,
    /// What kind of fault it is, in kebab case; stable.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Blueprint {
    /// Reads and checks a file: everything that can be known to be wrong before any tenant is planned.
    ///
    /// # Guarantees
    /// - All findings are told at once, each with its line and column, a stable code and, where one is known, advice.
    /// - A blueprint without errors plans every tenant whose parameters its own rules take, but for values that only an
    ///   expression of the request yields; those are findings of the plan, told before anything is made.
    /// - Equal texts have equal digests; a tenant is pinned to the digest.
    ///
    /// # Errors
    /// Every finding there is, warnings too, in the order of the file; at least one is an error.
    ///
    /// # Caveats
    /// A text that an earlier version of the program took may fail here, for rules are added. Tenants that are pinned to such
    /// a text are read without these rules, so that they can still be suspended and removed.
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

    /// Reads a text that was checked before, perhaps by an earlier version of this program: what tenants are made of is not
    /// held against rules that came later, so that a tenant of it can still be suspended. Each of its requests is judged by
    /// today's rules all the same, when it is planned.
    ///
    /// Errors: every finding without which it can't be understood.
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
    /// Guarantees: every name, id and scope is fixed; each Azure object carries the marks of its owner where it can;
    /// role assignments reach no further than the tenant's own resources.
    ///
    /// Errors: every fault in the request's tier and parameters, or, if those are right, everything that the blueprint
    /// can't work out for this tenant.
    pub fn plan(&self, subject: &PlanContext) -> Result<Plan, Vec<Fault>> {
        planner::plan(self, subject)
    }

    /// What its steps do in Azure for tenants of these tiers, in the order of the file; of all tiers if none is named.
    /// Conditions and values that only a request decides count as met.
    ///
    /// Errors: a tier that it does not serve, and every role or resource that can't be known before there is a tenant.
    pub fn uses(&self, stamp: &Value, tiers: &[String]) -> Result<Vec<Use>, Vec<Fault>> {
        uses::uses(&self.file, stamp, tiers)
    }

    /// Whether a tenant of it is another while it is suspended: whether a step depends on `tenant.suspended` or
    /// `tenant.stopped`.
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

    /// The same as numbers, so that 1.10.0 comes after 1.9.0.
    pub fn version_numbers(&self) -> Option<[u32; 3]> {
        version_numbers(&self.file.version)
    }

    /// The text that it was read from; its digest is over that.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What a plan of it says that it was made from.
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

    /// What it says of itself.
    pub fn description(&self) -> &str {
        &self.file.description
    }

    /// The tiers that it serves.
    pub fn tiers(&self) -> &[String] {
        &self.file.tiers
    }

    /// The names of its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.file.parameters.keys().map(String::as_str)
    }

    /// Its steps in the order of the file, those of all tiers.
    pub fn steps(&self) -> impl Iterator<Item = (&StepName, Kind)> {
        self.file.steps.iter().map(|step| (&step.name, step.kind))
    }

    /// The names of what it exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.file.exports.keys().map(String::as_str)
    }
}

/// A version's three numbers, if it has three.
pub fn version_numbers(version: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}
