//! An example of each kind of step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{BlueprintRef, Desired, Kind, Outputs, Plan, PlannedStep},
    ids::StepName,
    steps::{self, Failure, Step},
};

/// A planned step with what Azure shows of its object.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) planned: PlannedStep,
    /// The object as Azure shows it, with members that Azure adds.
    pub(crate) seen: Value,
    /// The outputs that the step has when it is ready.
    pub(crate) outputs: Outputs,
}

const GROUP: &str = "/subscriptions/sub-1/resourceGroups/rg-contoso";
const ML: &str = "Microsoft.MachineLearningServices/workspaces";

impl Example {
    /// The fields of the planned step, as JSON.
    #[allow(dead_code, reason = "each test uses a part")]
    pub(crate) fn fields(&self) -> Value {
        self.planned.desired.to_json()
    }

    /// The step that is made from the planned step.
    pub(crate) fn step(&self) -> Result<Box<dyn Step>, Failure> {
        let name: StepName = "it".parse().unwrap();
        let plan = Plan {
            blueprint: BlueprintRef { name: "x".into(), version: "1.0.0".into(), digest: String::new() },
            context: json!({}),
            values: BTreeMap::new(),
            known: BTreeMap::new(),
            steps: BTreeMap::from([(name.clone(), self.planned.clone())]),
            exports: BTreeMap::new(),
        };
        let rendered = plan.render(&name, &BTreeMap::new()).unwrap();
        steps::step(&rendered, &self.planned.outputs, &self.outputs)
    }

    fn with_output(mut self, name: &str, value: &str) -> Self {
        self.outputs.insert(name.to_owned(), json!(value));
        self
    }
}

fn example(name: &'static str, kind: Kind, fields: &Value, seen: Value) -> Example {
    let planned = PlannedStep {
        desired: Desired::read(kind, fields, &BTreeMap::new()).unwrap(),
        needs: BTreeSet::new(),
        outputs: BTreeMap::from([("url".to_owned(), "/properties/url".to_owned())]),
        digest: String::new(),
    };
    let outputs = Outputs::from([("id".to_owned(), json!("object-1")), ("appId".to_owned(), json!("app-1"))]);
    Example { name, planned, seen, outputs }
}

fn tags() -> Value {
    json!({"tenantry-deployment": "prod", "tenantry-tenant": "contoso", "tenantry-incarnation": "1", "cost": "42"})
}

pub(crate) fn examples() -> Vec<Example> {
    resources().into_iter().chain(identities()).collect()
}

/// The fields of an `arm` step of the type `of`.
fn arm(of: &str, id: &str, properties: &Value) -> Value {
    let body = json!({"location": "westeurope", "tags": tags(), "properties": properties});
    json!({"id": id, "type": of, "apiVersion": "2024-10-01", "body": body})
}

/// The body that Azure shows for a resource with these fields and additional properties.
fn shown(fields: &Value, more: &Value) -> Value {
    let mut seen = fields["body"].clone();
    seen["id"] = fields["id"].clone();
    for (name, value) in more.as_object().unwrap() {
        seen["properties"][name] = value.clone();
    }
    seen
}

fn resources() -> Vec<Example> {
    let done = json!({"provisioningState": "Succeeded", "url": "https://shown"});
    let simple = [
        (
            "arm: a storage account",
            "Microsoft.Storage/storageAccounts",
            "st1",
            json!({"allowSharedKeyAccess": false}),
        ),
        (
            "arm: a workspace, purged as it is deleted",
            ML,
            "mlw-1",
            json!({"publicNetworkAccess": "Disabled"}),
        ),
        (
            "arm: a key vault, kept by Azure after deletion",
            "Microsoft.KeyVault/vaults",
            "kv1",
            json!({"enableRbacAuthorization": true}),
        ),
        (
            "arm: an account of an AI service, kept by Azure after deletion under its group",
            "Microsoft.CognitiveServices/accounts",
            "ai1",
            json!({"disableLocalAuth": true}),
        ),
        (
            "arm: a private endpoint, whose network is changed one at a time",
            "Microsoft.Network/privateEndpoints",
            "pe1",
            json!({"subnet": {"id": "/subscriptions/Sub-1/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/Hub/subnets/Private"}}),
        ),
    ];
    let simple = simple.into_iter().map(|(name, of, last, properties)| {
        let fields = arm(of, &format!("{GROUP}/providers/{of}/{last}"), &properties);
        example(name, Kind::Arm, &fields, shown(&fields, &done))
    });
    simple.chain(endpoints(&done)).collect()
}

/// An endpoint and its traffic, which a separate step sets.
fn endpoints(done: &Value) -> [Example; 2] {
    let (of, id) =
        (format!("{ML}/onlineEndpoints"), format!("{GROUP}/providers/{ML}/mlw-1/onlineEndpoints/ep-1"));
    let online = arm(&of, &id, &json!({"authMode": "AADToken"}));
    let mut traffic = arm(&of, &id, &json!({"authMode": "AADToken", "traffic": {"blue": 100}}));
    traffic["undo"] = json!({"location": "westeurope", "tags": tags(), "properties": {"authMode": "AADToken", "traffic": {}}});
    [
        example(
            "arm: an endpoint, whose traffic is another step's",
            Kind::Arm,
            &online,
            shown(&online, &json!({"traffic": {"blue": 100}, "url": "https://shown"})),
        ),
        example("arm-update: the endpoint's traffic", Kind::ArmUpdate, &traffic, shown(&traffic, done)),
    ]
}

fn identities() -> Vec<Example> {
    let endpoint = format!("{GROUP}/providers/{ML}/mlw-1/onlineEndpoints/ep-1");
    let mark = json!(["tenantry-deployment:prod", "tenantry-tenant:contoso"]);
    let application = json!({"uniqueName": "tenantry-prod-contoso-1", "body": {"displayName": "Contoso", "signInAudience": "AzureADMultipleOrgs", "tags": mark}});
    let principal = json!({"appId": "app-1", "body": {"tags": mark}});
    let grant = json!({"scope": endpoint, "roleDefinitionId": "/subscriptions/sub-1/providers/Microsoft.Authorization/roleDefinitions/scorer", "principalId": "principal-1"});
    let assignment = format!("{endpoint}/providers/Microsoft.Authorization/roleAssignments/7f0c");
    let federated = json!({"application": "object-1", "name": "customer", "body": {"issuer": "https://issuer", "subject": "s", "audiences": ["api://x"]}});
    let check = json!({"id": endpoint, "apiVersion": "2024-10-01", "expect": {"/properties/publicNetworkAccess": "Disabled"}});
    let of_graph = |body: &Value| {
        let mut seen = body.clone();
        seen["id"] = json!("object-1");
        seen["appId"] = json!("app-1");
        seen
    };
    vec![
        example(
            "role-assignment",
            Kind::RoleAssignment,
            &grant,
            json!({"value": [{"id": assignment, "properties": grant}]}),
        )
        .with_output("id", &assignment),
        example("entra-application", Kind::EntraApplication, &application, of_graph(&application["body"])),
        example("service-principal", Kind::ServicePrincipal, &principal, of_graph(&principal["body"])),
        example("federated-credential", Kind::FederatedCredential, &federated, of_graph(&federated["body"])),
        example(
            "check",
            Kind::Check,
            &check,
            json!({"id": endpoint, "properties": {"publicNetworkAccess": "disabled", "url": "https://shown"}}),
        ),
    ]
}
