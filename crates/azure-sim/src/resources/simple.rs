//! Storage accounts and Application Insights components.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    reply::{Outcome, refuse},
    resources::Draft,
    stamp::DIRECTORY_ID,
    store::Change,
};

/// Sets a member of `properties` if the body is silent about it.
pub(crate) fn default(body: &mut Value, name: &str, value: Value) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry(name).or_insert(value);
    }
}

/// Sets a member of `properties`, to what it was before if the resource is there already.
pub(crate) fn keep(draft: &Draft<'_>, body: &mut Value, name: &str, value: Value) {
    let before =
        draft.before.as_ref().and_then(|before| before.body.get("properties")).and_then(|all| all.get(name));
    body["properties"][name] = before.cloned().unwrap_or(value);
}

/// Refuses a storage account without sku or kind, or a change of its kind.
pub(crate) fn check_storage(_: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    const KINDS: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];
    let kind = draft.text("/kind");
    if !KINDS.contains(&kind) {
        return refuse(
            400,
            "InvalidValuesForRequestParameters",
            format!("The value '{kind}' for 'kind' is not valid."),
        );
    }
    let sku = draft.text("/sku/name");
    if !sku.starts_with("Standard_") && !sku.starts_with("Premium_") {
        return refuse(
            400,
            "InvalidValuesForRequestParameters",
            format!("The value '{sku}' for 'sku.name' is not valid."),
        );
    }
    if draft.text_before("/kind").is_some_and(|before| before != kind) {
        return refuse(
            409,
            "AccountPropertyCannotBeUpdated",
            "The property 'kind' was specified in the input, but it cannot be updated.",
        );
    }
    Ok(())
}

/// What a storage account shows besides what was asked for.
pub(crate) fn fill_storage(
    change: &mut Change<'_>,
    draft: &Draft<'_>,
    body: &mut Value,
) -> Result<(), CloudError> {
    let name = draft.place.name();
    let tier = draft.text("/sku/name").split('_').next().unwrap_or("Standard").to_owned();
    body["sku"]["tier"] = json!(tier);
    let now = change.now.to_string();
    let endpoints: serde_json::Map<String, Value> = ["blob", "queue", "table", "file", "dfs", "web"]
        .iter()
        .map(|kind| ((*kind).to_owned(), json!(format!("https://{name}.{kind}.core.windows.net/"))))
        .collect();
    keep(draft, body, "creationTime", json!(now));
    keep(draft, body, "keyCreationTime", json!({ "key1": now, "key2": now }));
    keep(draft, body, "privateEndpointConnections", json!([]));
    body["properties"]["primaryEndpoints"] = Value::Object(endpoints);
    body["properties"]["primaryLocation"] = body["location"].clone();
    body["properties"]["statusOfPrimary"] = json!("available");
    default(body, "supportsHttpsTrafficOnly", json!(true));
    default(body, "allowBlobPublicAccess", json!(false));
    default(body, "minimumTlsVersion", json!("TLS1_2"));
    default(body, "accessTier", json!("Hot"));
    Ok(())
}

/// Refuses a component without its kind or application type.
pub(crate) fn check_insights(_: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    if draft.text("/kind").is_empty() {
        return refuse(400, "InvalidRequestContent", "The property 'kind' is required.");
    }
    if !["web", "other"].contains(&draft.text("/properties/Application_Type")) {
        return refuse(
            400,
            "InvalidRequestContent",
            "The property 'Application_Type' must be 'web' or 'other'.",
        );
    }
    Ok(())
}

/// What a component shows besides what was asked for.
pub(crate) fn fill_insights(
    change: &mut Change<'_>,
    draft: &Draft<'_>,
    body: &mut Value,
) -> Result<(), CloudError> {
    let (app, key) = (change.identity(&draft.id)?, change.identity(&draft.id)?);
    let name = draft.place.name();
    keep(draft, body, "AppId", json!(app));
    keep(draft, body, "InstrumentationKey", json!(key));
    keep(draft, body, "CreationDate", json!(change.now.to_string()));
    let key = body["properties"]["InstrumentationKey"].as_str().unwrap_or_default().to_owned();
    body["properties"]["ApplicationId"] = json!(name);
    body["properties"]["Name"] = json!(name);
    body["properties"]["TenantId"] = json!(DIRECTORY_ID);
    body["properties"]["ConnectionString"] = json!(format!("InstrumentationKey={key}"));
    default(body, "Flow_Type", json!("Bluefield"));
    default(body, "Request_Source", json!("rest"));
    default(body, "RetentionInDays", json!(90));
    default(body, "IngestionMode", json!("LogAnalytics"));
    default(body, "publicNetworkAccessForIngestion", json!("Enabled"));
    default(body, "publicNetworkAccessForQuery", json!("Enabled"));
    Ok(())
}
