//! Sends a request to the Service Bus queue.
//!
//! It uses Service Bus' REST interface, because no Service Bus crate of Microsoft is maintained at present.

use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};

use super::{Problem, setting, text};

const QUEUE: &str = "tenant-requests";

/// Sends with the identity of this app, which has the role Azure Service Bus Data Sender on the queue.
pub(super) async fn send(client: &Client, namespace: &str, request: &Value) -> Result<(), Problem> {
    // The session keeps a tenant's requests in order; the message id lets the broker drop repeats.
    let properties = json!({"SessionId": request["tenantId"], "MessageId": request["requestId"]});
    // A value with a scheme is the address of a compatible service, such as the one in `tenantry local`.
    let base = if namespace.contains("://") { namespace.to_owned() } else { format!("https://{namespace}") };
    let token = token(client).await?;
    let answer = client
        .post(format!("{base}/{QUEUE}/messages"))
        .bearer_auth(token)
        .header("BrokerProperties", properties.to_string())
        .json(request)
        .send()
        .await;
    match answer {
        Ok(answer) if answer.status() == StatusCode::CREATED => Ok(()),
        Ok(answer) => Err(not_taken(&format!("HTTP {}", answer.status().as_u16()))),
        Err(error) => Err(not_taken(&error)),
    }
}

/// Gets a token of the managed identity from the endpoint that App Service, Functions and Container Apps provide. For
/// an app that sends often, use the crate `azure_identity` (`ManagedIdentityCredential`), which caches tokens.
async fn token(client: &Client) -> Result<String, Problem> {
    let (Some(endpoint), Some(secret)) = (setting("IDENTITY_ENDPOINT"), setting("IDENTITY_HEADER")) else {
        return Err(Problem::Unusable(
            "SERVICEBUS_NAMESPACE is set, but there is no managed identity here: IDENTITY_ENDPOINT and \
             IDENTITY_HEADER come from App Service, Functions or Container Apps"
                .to_owned(),
        ));
    };
    let mut query = vec![("api-version", "2019-08-01"), ("resource", "https://servicebus.azure.net")];
    let client_id = setting("AZURE_CLIENT_ID");
    query.extend(client_id.as_deref().map(|id| ("client_id", id)));
    let url = Url::parse_with_params(&endpoint, &query)
        .map_err(|error| Problem::Unusable(format!("IDENTITY_ENDPOINT is no URL: {error}")))?;
    let asked = client.get(url).header("X-IDENTITY-HEADER", secret);
    let lost = |error: reqwest::Error| not_taken(&error);
    let answer: Value = asked.send().await.map_err(lost)?.json().await.map_err(lost)?;
    match text(&answer, "/access_token") {
        "" => Err(not_taken(&"the managed identity has got no token")),
        token => Ok(token.to_owned()),
    }
}

fn not_taken(why: &impl ToString) -> Problem {
    Problem::NotTaken(format!("the queue has not taken it: {}", why.to_string()))
}
