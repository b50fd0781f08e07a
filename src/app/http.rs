//! Routes HTTP calls by method, path and `view`.

use tenantry_core::tenant::Action;

use super::{
    App, Call, Response, act, blueprints, deliver, drift, drift_of_all, handshake, history, isolation,
    isolation_of_all, list, one, reject_delivery, submit,
};
use crate::{host::HttpCall, intake::DeliveryRejection};

impl App {
    pub(super) async fn tenants(&self, call: &HttpCall) -> Response {
        let query = |name: &str| call.query.get(name).map(String::as_str);
        match (call.method.as_str(), call.params.get("tenantId")) {
            ("GET", None) if query("view") == Some("isolation") => {
                isolation_of_all(
                    &self.ports,
                    self.reconciler.isolation_scanner(),
                    query("after"),
                    query("limit"),
                )
                .await
            }
            ("GET", Some(id)) if query("view") == Some("isolation") => {
                isolation(&self.ports, self.reconciler.isolation_scanner(), id).await
            }
            ("GET", None) if query("view") == Some("drift") => {
                drift_of_all(&self.ports, &self.drift_scanner, query("after"), query("limit")).await
            }
            ("GET", Some(id)) if query("view") == Some("drift") => {
                drift(&self.ports, &self.drift_scanner, id).await
            }
            ("GET", None) if query("view") == Some("blueprints") => {
                blueprints(&self.ports, &self.intake).await
            }
            ("GET", None) => list(&self.ports, query("after"), query("limit")).await,
            ("GET", Some(id)) if query("view") == Some("history") => {
                history(&self.ports, id, query("limit")).await
            }
            ("GET", Some(id)) => one(&self.ports, id).await,
            ("POST", None) => {
                let body = call.body.as_deref().unwrap_or_default();
                submit(&self.ports, &self.intake, &self.reconciler, body).await
            }
            _ => Response::problem(
                405,
                "method not allowed",
                "GET a tenant or the list; POST a request to the list",
            ),
        }
    }

    pub(super) async fn events(&self, call: &HttpCall) -> Response {
        let values = |name: &str| call.headers.get(name).map(Vec::as_slice).unwrap_or_default();
        match call.method.as_str() {
            "OPTIONS" => handshake(
                &self.event_topics,
                values("webhook-request-origin"),
                call.header("webhook-request-rate"),
            ),
            "POST" => {
                let (kinds, body) = (values("aeg-event-type"), call.body.as_deref().unwrap_or_default());
                deliver(self, kinds, body).await
            }
            _ => reject_delivery(DeliveryRejection::WrongMethod),
        }
    }

    pub(super) async fn act(&self, action: Action, call: &HttpCall, fallback_id: &str) -> Response {
        let tenant_id = call.params.get("tenantId").map(String::as_str).unwrap_or_default();
        let call = Call { action, tenant_id, body: call.body.as_deref(), fallback_id };
        act(&self.ports, &self.intake, &self.reconciler, call).await
    }
}
