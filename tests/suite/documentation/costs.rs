//! What the page of costs says was counted comes out again where it does not depend on time.

use super::pages::read;
use crate::testkit::{judge::list, removal, signup, stage::Stage};

/// The number in a column of the row that begins so.
fn cell(begins: &str, column: usize) -> usize {
    let page = read("docs/costs.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {begins} |"))).unwrap().to_owned();
    let cell = row.split('|').nth(column).unwrap().trim().trim_start_matches("about ").to_owned();
    cell.parse().unwrap_or_else(|_| panic!("{row}: `{cell}` is no number"))
}

#[tokio::test]
async fn a_signup_and_a_removal_tell_as_many_events_as_the_page_says() {
    let stage = Stage::new().await;
    for (sample, row) in [("contoso", "a sign-up, dedicated"), ("tailspin", "a sign-up, pooled")] {
        let before = list(&stage.journal().await).len();
        stage.accept(&signup(sample)).await;
        stage.until_is(sample, "active").await;
        let told = stage.until_told(sample, "tenant.provision.succeeded", 1).await;
        assert_eq!(told.len(), cell(row, 3), "{row}: {told:#?}");
        // "About": polls come by time, of which there is none here, and what is done together comes in any order.
        let calls = list(&stage.journal().await).len() - before;
        let most = cell(row, 2);
        assert!(calls * 4 <= most * 5 && calls * 3 >= most, "{row}: {calls} calls, and the page says {most}");
    }
    stage.accept(&removal("remove-contoso", "contoso")).await;
    stage.until_is("contoso", "deleted").await;
    let told = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    assert_eq!(told.len(), cell("a sign-up, dedicated", 3) + cell("a removal", 3), "{told:#?}");
}
