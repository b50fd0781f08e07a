//! The comparison of observed with desired values, from a table: what is a difference, and what is only another form of
//! the same value.

use serde_json::{Value, json};
use tenantry_core::compare::{at, differences, same_at, same_id, same_role};

const ROWS: &str = include_str!("rows.txt");

#[test]
fn each_row_of_the_table_has_the_listed_differences() {
    let rows: Vec<&str> = ROWS.lines().filter(|row| !row.is_empty() && !row.starts_with('#')).collect();
    assert!(rows.len() >= 45, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [kind, desired, observed, expected] = cells[..] else { panic!("{row}") };
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let found = differences(kind, &read(desired), &read(observed)).join(" ");
        if found != expected {
            wrong.push(format!("{row}\n    is `{found}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_member_is_compared_even_where_a_body_can_not_set_it() {
    let same = |pointer: &str, desired: Value, observed: Value| {
        same_at("Microsoft.KeyVault/vaults", pointer, &desired, &observed)
    };
    assert!(same("/properties/provisioningState", json!("succeeded"), json!("Succeeded")));
    assert!(!same("/properties/provisioningState", json!("Succeeded"), json!("Failed")));
    let uri = json!("https://a.vault.azure.net");
    assert!(same("/properties/vaultUri", uri.clone(), json!("https://a.vault.azure.net/")));
    assert!(!same("/properties/vaultUri", uri, Value::Null));
}

#[test]
fn members_are_found_whatever_their_case() {
    let body = json!({"Properties": {"List": [{"Name": "x"}], "a/b": 1}});
    assert_eq!(at(&body, "/properties/list/0/name"), Some(&json!("x")));
    assert_eq!(at(&body, "/properties/a~1b").unwrap(), &json!(1));
    assert_eq!(at(&body, "/properties/list/1"), None);
}

#[test]
fn ids_and_roles_are_compared_by_their_meaning() {
    assert!(same_id("/subscriptions/A/", "/Subscriptions/a") && !same_id("/a", "/a/b"));
    assert!(same_role("/providers/x/roleDefinitions/AB", "/subscriptions/s/providers/x/roleDefinitions/ab"));
    assert!(!same_role("", "") && !same_role("/a/b", "/a/c"));
}
