//! The desired state of a step: one closed type for each kind of step.
//!
//! Each type has two uses. In a plan ([`Desired`] as it is) a text or a body may have parts that only Azure knows;
//! when the step is rendered all parts are known ([`Rendered`]).

use std::borrow::Cow;

use serde_json::Value;

use super::{Expr, Kind, Template};
use crate::ids::{ApiVersion, ResourceId};

/// The desired state of one step. `T` is a text and `B` a body, each possibly with parts that are not known yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired<T = Expr<String>, B = Template> {
    /// Any Azure Resource Manager resource.
    Arm(ArmResource<B>),
    /// A later change of a resource that another step creates.
    ArmUpdate(ArmUpdate<B>),
    /// A role assignment.
    RoleAssignment(RoleAssignment<T>),
    /// An Entra application.
    EntraApplication(EntraApplication<B>),
    /// The service principal of an application.
    ServicePrincipal(ServicePrincipal<T, B>),
    /// A federated identity credential of an application.
    FederatedCredential(FederatedCredential<T, B>),
    /// A check of a resource's values that changes nothing.
    Check(ResourceCheck<B>),
    /// The isolation check, which proves that only the tenant reaches what the other steps create.
    Isolation(IsolationProof<B>),
}

/// The desired state of one step with all expressions evaluated.
pub type Rendered = Desired<String, Value>;

/// A resource of Azure Resource Manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmResource<B> {
    /// The resource's ARM id.
    pub id: ResourceId,
    /// The resource's type, e.g. `Microsoft.Storage/storageAccounts`.
    pub resource_type: String,
    /// The API version of the requests that read, write and delete the resource.
    pub api_version: ApiVersion,
    /// The body of the request that writes the resource.
    pub body: B,
}

/// A change of a resource that another step creates.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmUpdate<B> {
    /// The resource of the other step, with that step's body and the body of the update merged.
    pub resource: ArmResource<B>,
    /// The merged body that is written when this step is deleted. If `None`, deleting this step changes nothing: the
    /// resource is left to the step that creates it.
    pub undo: Option<B>,
}

/// A role assignment: one principal has one role at one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleAssignment<T> {
    /// The id of the resource at which, and below which, the role applies.
    pub scope: ResourceId,
    /// The ARM id of the role definition.
    pub role_definition_id: T,
    /// The object id of the principal in Entra.
    pub principal_id: T,
}

/// An Entra application.
#[derive(Debug, Clone, PartialEq)]
pub struct EntraApplication<B> {
    /// The application's `uniqueName`, the alternate key by which Microsoft Graph finds it.
    pub unique_name: String,
    /// The body of the request that writes the application.
    pub body: B,
}

/// The service principal of an application.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePrincipal<T, B> {
    /// The client id (`appId`) of the application.
    pub app_id: T,
    /// The body of the request that writes the service principal.
    pub body: B,
}

/// A federated identity credential of an application.
#[derive(Debug, Clone, PartialEq)]
pub struct FederatedCredential<T, B> {
    /// The object id of the application.
    pub application: T,
    /// The credential's name, which is unique within the application.
    pub name: String,
    /// The body of the request that writes the credential.
    pub body: B,
}

/// A check of a resource's values that changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceCheck<B> {
    /// The resource that is read.
    pub id: ResourceId,
    /// The API version of the request that reads the resource.
    pub api_version: ApiVersion,
    /// The expected values: an object whose member names are JSON pointers into the resource.
    pub expect: B,
}

/// The isolation check of a tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IsolationProof<B> {
    /// Whether the step becomes ready although some evidence could not be read (`accept: inconclusive`).
    pub accepts_inconclusive: bool,
    /// The call to the tenant's service; if `None`, isolation is judged by settings alone.
    pub probe: Option<ProbeCall<B>>,
}

/// The call to a tenant's service that tests isolation. `url`, `scope` and `client_id` have to be texts; another value
/// counts as an empty text.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeCall<B> {
    /// The URL of the tenant's service.
    pub url: B,
    /// The OAuth scope that the caller requests a token for.
    pub scope: B,
    /// The client id of the application that calls the service.
    pub client_id: B,
    /// The JSON body of the request; null is sent if it is `None`.
    pub body: Option<B>,
}

/// A text or a body, possibly with parts that are not known yet.
pub trait Part {
    /// The value, with null for what is not known yet.
    fn known(&self) -> Cow<'_, Value>;
}

impl Part for String {
    fn known(&self) -> Cow<'_, Value> {
        Cow::Owned(Value::String(self.clone()))
    }
}

impl Part for Value {
    fn known(&self) -> Cow<'_, Value> {
        Cow::Borrowed(self)
    }
}

/// Converts the parts of a step, each identified by its JSON pointer into the step's fields.
pub(super) trait Fill<T, B> {
    /// What a text is converted to.
    type Text;
    /// What a body is converted to.
    type Body;
    /// Why a part can't be converted.
    type Error;

    /// Converts a text.
    fn text(&mut self, at: &'static str, text: &T) -> Result<Self::Text, Self::Error>;
    /// Converts a body.
    fn body(&mut self, at: &'static str, body: &B) -> Result<Self::Body, Self::Error>;
}

impl<T, B> Desired<T, B> {
    /// The kind of the step that has this desired state.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Arm(_) => Kind::Arm,
            Self::ArmUpdate(_) => Kind::ArmUpdate,
            Self::RoleAssignment(_) => Kind::RoleAssignment,
            Self::EntraApplication(_) => Kind::EntraApplication,
            Self::ServicePrincipal(_) => Kind::ServicePrincipal,
            Self::FederatedCredential(_) => Kind::FederatedCredential,
            Self::Check(_) => Kind::Check,
            Self::Isolation(_) => Kind::Isolation,
        }
    }

    /// The Azure resource that the step reads or writes. `None` for a role assignment, which is identified by what it
    /// grants, for objects in Entra, and for the isolation check.
    pub fn resource_id(&self) -> Option<&ResourceId> {
        match self {
            Self::Arm(resource) => Some(&resource.id),
            Self::ArmUpdate(update) => Some(&update.resource.id),
            Self::Check(check) => Some(&check.id),
            Self::RoleAssignment(_)
            | Self::EntraApplication(_)
            | Self::ServicePrincipal(_)
            | Self::FederatedCredential(_)
            | Self::Isolation(_) => None,
        }
    }

    /// The body that the blueprint gives for the step's object; `None` for kinds without a `body`.
    pub fn body(&self) -> Option<&B> {
        match self {
            Self::Arm(resource) => Some(&resource.body),
            Self::ArmUpdate(update) => Some(&update.resource.body),
            Self::EntraApplication(application) => Some(&application.body),
            Self::ServicePrincipal(principal) => Some(&principal.body),
            Self::FederatedCredential(credential) => Some(&credential.body),
            Self::RoleAssignment(_) | Self::Check(_) | Self::Isolation(_) => None,
        }
    }

    /// Converts each text and body of the step, in the order of their JSON pointers.
    pub(super) fn fill<F: Fill<T, B>>(&self, fill: &mut F) -> Result<Desired<F::Text, F::Body>, F::Error> {
        Ok(match self {
            Self::Arm(resource) => Desired::Arm(resource.fill(fill)?),
            Self::ArmUpdate(update) => Desired::ArmUpdate(ArmUpdate {
                resource: update.resource.fill(fill)?,
                undo: update.undo.as_ref().map(|undo| fill.body("/undo", undo)).transpose()?,
            }),
            Self::RoleAssignment(grant) => Desired::RoleAssignment(RoleAssignment {
                scope: grant.scope.clone(),
                principal_id: fill.text("/principalId", &grant.principal_id)?,
                role_definition_id: fill.text("/roleDefinitionId", &grant.role_definition_id)?,
            }),
            Self::EntraApplication(application) => Desired::EntraApplication(EntraApplication {
                unique_name: application.unique_name.clone(),
                body: fill.body("/body", &application.body)?,
            }),
            Self::ServicePrincipal(principal) => Desired::ServicePrincipal(ServicePrincipal {
                app_id: fill.text("/appId", &principal.app_id)?,
                body: fill.body("/body", &principal.body)?,
            }),
            Self::FederatedCredential(credential) => Desired::FederatedCredential(FederatedCredential {
                application: fill.text("/application", &credential.application)?,
                name: credential.name.clone(),
                body: fill.body("/body", &credential.body)?,
            }),
            Self::Check(check) => Desired::Check(ResourceCheck {
                id: check.id.clone(),
                api_version: check.api_version.clone(),
                expect: fill.body("/expect", &check.expect)?,
            }),
            Self::Isolation(proof) => Desired::Isolation(IsolationProof {
                accepts_inconclusive: proof.accepts_inconclusive,
                probe: proof.probe.as_ref().map(|probe| probe.fill(fill)).transpose()?,
            }),
        })
    }
}

impl<B> ArmResource<B> {
    fn fill<T, F: Fill<T, B>>(&self, fill: &mut F) -> Result<ArmResource<F::Body>, F::Error> {
        Ok(ArmResource {
            id: self.id.clone(),
            resource_type: self.resource_type.clone(),
            api_version: self.api_version.clone(),
            body: fill.body("/body", &self.body)?,
        })
    }
}

impl<B> ProbeCall<B> {
    fn fill<T, F: Fill<T, B>>(&self, fill: &mut F) -> Result<ProbeCall<F::Body>, F::Error> {
        Ok(ProbeCall {
            body: self.body.as_ref().map(|body| fill.body("/probe/body", body)).transpose()?,
            client_id: fill.body("/probe/clientId", &self.client_id)?,
            scope: fill.body("/probe/scope", &self.scope)?,
            url: fill.body("/probe/url", &self.url)?,
        })
    }
}
