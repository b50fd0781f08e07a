//! Blueprints: a YAML file becomes a checked graph, the graph becomes one tenant's [`Plan`].
//!
//! Pure: no I/O, no clock. A file passes `tree` (YAML with positions), `file` (structure), `check` and `rules` (all
//! findings at once). For each tenant `planner` makes a [`Plan`]: `identity` fixes names and ids, `body` substitutes
//! known values, `expression` and `scope` evaluate `{{ }}`. `desired` has the desired state of a step, as one type for
//! each kind of step. Parts of it that only Azure knows (`expr`) are evaluated when the step is rendered (`render`).
//! `fields` is the JSON form of steps in documents.

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
pub use findings::{Diagnostic, Severity};
pub use hand::AtHand;
pub use judge::Guard;
pub use names::{Owner, derive as derive_name, role_assignment_name};
pub use plan::{BlueprintRef, Kind, Outputs, Plan, PlannedStep, RenderError};
pub use resource_types::{Link, Marker, NameRule, Purge, ResourceType, SoftDeletion};
pub use rules::Objection;
pub use uses::{Touch, Use};

use crate::ids::{StepName, TenantId, sha256_hex};

/// The resource type of role assignments.
const ROLE_ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

/// Why a step of kind `arm` or `arm-update` may not write a resource of the type `of`, or `None` if it may.
pub fn forbidden_type(of: &str) -> Option<&'static str> {
    forbidden::objection(of)
}

/// The text of `blueprints/secure-ai-service.yaml`, the blueprint that is used if none is given.
pub const DEFAULT: &str = include_str!("../../../../blueprints/secure-ai-service.yaml");

/// A checked blueprint.
#[derive(Debug, Clone)]
pub struct Blueprint {
    file: Arc<file::File>,
    /// The steps that each step needs, before `when` leaves any step out.
    needs: graph::Needs<String>,
    digest: String,
    /// The YAML text that the blueprint was read from.
    source: Arc<str>,
}

/// A blueprint without errors, and its warnings.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The blueprint, which has no errors.
    pub blueprint: Blueprint,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// What a plan is made from besides the blueprint: the tenant, its parameters and its stamp.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanContext {
    /// The name of the tenantry deployment; part of every derived name and ownership mark.
    pub deployment: String,
    /// The id of the tenant that the plan is for.
    pub tenant_id: TenantId,
    /// The tenant's incarnation, counted from 1.
    pub incarnation: u32,
    /// The tier that the tenant has bought; the blueprint has to serve it.
    pub tier: String,
    /// The members of `tenant` in expressions: `displayName`, `region`, `homeTenantId`, `adminContact`, `tags`,
    /// `suspended`, `stopped`. Absent members are null, the last two false. `id` and `tier` are set from the fields
    /// above.
    pub tenant: Value,
    /// The parameters as the request gives them, without defaults.
    pub parameters: Map<String, Value>,
    /// The stamp in which the tenant is placed: subscription, region, network, shared resources.
    pub stamp: Value,
}

/// One reason why a plan can't be made, or why the uses of a blueprint can't be derived.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// JSON pointer into the request, e.g. `/spec/parameters/instanceType`. A fault of [`Blueprint::uses`] points into
    /// the blueprint (`/steps/grant/role`) or is `/tiers`.
    pub pointer: String,
    /// The code of the fault, in kebab case; stable.
    pub code: &'static str,
    /// What is wrong, as a sentence for people.
    pub message: String,
}

impl Blueprint {
    /// Reads and checks the text of a blueprint, and reports everything that is wrong for any tenant.
    ///
    /// # Guarantees
    /// - All findings are reported together, each with its line and column, a stable code and, if known, a hint.
    /// - A blueprint without errors can be planned for every tenant with valid parameters. The exception is an
    ///   expression whose value depends on the request and violates a rule: [`Self::plan`] reports it, before anything
    ///   is created.
    /// - Equal texts have equal digests; a tenant is pinned to the digest.
    ///
    /// # Errors
    /// All findings, warnings included, in the order of the file; at least one is an error.
    ///
    /// # Caveats
    /// A text that an earlier version of this program accepted may fail here, because versions add rules. The
    /// blueprints of existing tenants are read with [`Self::read_again`], which skips these rules, so that the tenants
    /// can still be suspended and deleted.
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
        Self::checked(text, |_, _| {})
    }

    /// Like [`Self::check`], with warnings about bodies of Azure resources that do not fit the published types: unknown
    /// members and values, wrong types, missing or read-only members, unknown resource types and API versions.
    ///
    /// This reads the table of types, which takes some milliseconds, so it is for a person who writes a blueprint, not
    /// for the start of a process.
    ///
    /// # Errors
    /// All errors and warnings, if there is an error.
    pub fn lint(text: &str) -> Result<Checked, Vec<Diagnostic>> {
        Self::checked(text, check::bodies)
    }

    fn checked(
        text: &str,
        further: impl FnOnce(&file::File, &mut findings::Findings),
    ) -> Result<Checked, Vec<Diagnostic>> {
        let mut findings = findings::Findings::default();
        let file = tree::read(text, &mut findings).map(|root| {
            let file = file::read(&root, &mut findings);
            check::check(&file, &mut findings);
            rules::inspect(&file, &mut findings);
            rules::no_secret_values(&root, &mut findings);
            further(&file, &mut findings);
            file
        });
        Self::made(text, file, findings)
    }

    /// Reads a blueprint's text that was checked before, perhaps by an earlier version of this program. The security
    /// rules (`rules`) are skipped, so that a tenant whose blueprint violates a newer rule can still be suspended.
    /// Plans that are made from the blueprint are judged by the current rules.
    ///
    /// Errors: all findings, if at least one of them is an error.
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

    /// Makes the plan of one tenant. Equal arguments give equal plans.
    ///
    /// Guarantees: every name, id and scope is fixed; each Azure object has ownership marks if its type allows; role
    /// assignments reach no further than the tenant's own resources.
    ///
    /// Errors: every fault in the request's tier and parameters, or, if those are valid, everything in the blueprint
    /// that can't be evaluated for this tenant.
    pub fn plan(&self, context: &PlanContext) -> Result<Plan, Vec<Fault>> {
        planner::plan(self, context)
    }

    /// Lists what the blueprint's steps do in Azure for tenants of `tiers` (of all tiers if it is empty), in the order
    /// of the file. A `when` condition that depends on the request counts as met.
    ///
    /// Errors: a tier that the blueprint does not have, and every role or resource id that depends on the request.
    pub fn uses(&self, stamp: &Value, tiers: &[String]) -> Result<Vec<Use>, Vec<Fault>> {
        uses::uses(&self.file, stamp, tiers)
    }

    /// Whether suspending a tenant changes any of its steps: whether a step depends on `tenant.suspended` or
    /// `tenant.stopped`.
    pub fn is_suspendable(&self) -> bool {
        check::SUSPENSION.iter().any(|name| !self.steps_that_speak_of(name).is_empty())
    }

    /// The steps that cut the access of a suspended tenant: those that depend on `tenant.suspended`.
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

    /// The blueprint's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The blueprint's version as written, e.g. `1.10.0`.
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// The version as three numbers, so that 1.10.0 is greater than 1.9.0; `None` if it does not have three.
    pub fn version_numbers(&self) -> Option<[u32; 3]> {
        version_numbers(&self.file.version)
    }

    /// The YAML text that the blueprint was read from; [`Self::digest`] is over this text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The name, version and digest, which each plan made from this blueprint records.
    pub fn reference(&self) -> BlueprintRef {
        BlueprintRef {
            name: self.file.name.clone(),
            version: self.file.version.clone(),
            digest: self.digest.clone(),
        }
    }

    /// SHA-256 of the blueprint's text, as `sha256:<hex>`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The blueprint's description; empty if it has none.
    pub fn description(&self) -> &str {
        &self.file.description
    }

    /// The tiers that the blueprint serves.
    pub fn tiers(&self) -> &[String] {
        &self.file.tiers
    }

    /// The names of the blueprint's parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.file.parameters.keys().map(String::as_str)
    }

    /// The names and kinds of all steps, in the order of the file, also of steps that only some tiers have.
    pub fn steps(&self) -> impl Iterator<Item = (&StepName, Kind)> {
        self.file.steps.iter().map(|step| (&step.name, step.kind))
    }

    /// The names of the blueprint's exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.file.exports.keys().map(String::as_str)
    }
}

/// The three numbers of a version such as `1.10.0`; `None` if it does not have three.
pub fn version_numbers(version: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}
