//! What the adapter for Table Storage rejects before it sends a request.

use std::{sync::Arc, time::Duration};

use tenantry::{
    azure::{
        client::client,
        tables::{BadTables, TableState, TablesSettings},
        token::Tokens,
    },
    ports::{StateStore as _, StoreError, SystemClock},
};

use super::records::record;

fn open(endpoint: &str, prefix: &str) -> Result<TableState, BadTables> {
    let settings = TablesSettings { endpoint: endpoint.parse().unwrap(), prefix: prefix.to_owned() };
    let client = client(Duration::from_secs(1)).unwrap();
    TableState::new(&settings, &client, Arc::new(Tokens::fixed("none")), Arc::new(SystemClock))
}

#[test]
fn an_account_is_called_over_https_and_only_azurite_with_its_key() {
    for good in [
        "https://contoso.table.core.windows.net",
        "https://contoso.table.core.windows.net/",
        "https://contoso.table.core.chinacloudapi.cn",
        "http://127.0.0.1:10002",
        "http://127.9.9.9:10002/",
        "http://[::1]:10002",
        "http://localhost:10002",
    ] {
        assert!(open(good, "tenantry").is_ok(), "{good}");
    }
    for bad in [
        "http://contoso.table.core.windows.net",
        "http://10.0.0.4:10002",
        "http://127.0.0.1.example.com:10002",
        "http://localhost.example.com",
        "http://0.0.0.0:10002",
        "ftp://127.0.0.1",
        "https://contoso.table.core.windows.net/table",
        "https://contoso.table.core.windows.net/?sv=2024&sig=abc",
        "https://contoso:key@contoso.table.core.windows.net",
        "http://127.0.0.1:10002/contoso",
        "https://contoso.table.core.windows.net/devstoreaccount1",
        "data:text/plain,x",
    ] {
        assert_eq!(open(bad, "tenantry").err(), Some(BadTables::Endpoint), "{bad}");
    }
}

#[test]
fn tables_have_names_that_table_storage_accepts() {
    for good in ["t", "Tenantry7", &"t".repeat(40)] {
        assert!(open("http://127.0.0.1:10002", good).is_ok(), "{good}");
    }
    for bad in ["", "7t", "a-b", "a_b", "tenantry'", "straße", &"t".repeat(41)] {
        assert_eq!(open("http://127.0.0.1:10002", bad).err(), Some(BadTables::Prefix), "{bad}");
    }
}

/// A quote in a key would get into the URL unescaped: a read would find nothing, and a save would report success and
/// change nothing. The adapter has to reject such a key before it connects; nothing listens on this address.
#[tokio::test]
async fn a_key_that_has_a_meaning_in_a_url_is_refused_before_it_is_sent() {
    let store = open("http://127.0.0.1:9", "tenantry").unwrap();
    let too_long = "k".repeat(257);
    for key in [
        "it's", "a'b", "a''b", "", "a/b", "a\\b", "a#b", "a?b", "a%27b", "a b", "ä", "a\u{7f}b", "a)",
        &too_long,
    ] {
        let (got, put) = (store.request(key).await, store.save_request(&record(key), None).await);
        for error in [got.unwrap_err(), put.unwrap_err()] {
            let StoreError::Refused(why) = error else { panic!("{key:?}: {error}") };
            assert!(why.starts_with("a key of the table of requests has one to 256 characters"), "{why}");
        }
    }
}
