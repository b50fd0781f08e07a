//! The counts of events and calls in docs/costs.md are those of the program, as far as they do not depend on time.

use super::pages::read;
use crate::testkit::{harness::Harness, judge::list, removal, signup};

/// The number in a column of the row of docs/costs.md that begins with this text.
fn cell(begins: &str, column: usize) -> usize {
    let page = read("docs/costs.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {begins} |"))).unwrap().to_owned();
    let cell = row.split('|').nth(column).unwrap().trim().trim_start_matches("about ").to_owned();
    cell.parse().unwrap_or_else(|_| panic!("{row}: `{cell}` is no number"))
}

#[tokio::test]
async fn a_signup_and_a_removal_publish_as_many_events_as_the_page_says() {
    let harness = Harness::new().await;
    for (sample, row) in [("contoso", "a sign-up, dedicated"), ("tailspin", "a sign-up, pooled")] {
        let before = list(&harness.journal().await).len();
        harness.accept(&signup(sample)).await;
        harness.until_is(sample, "active").await;
        let events = harness.until_published(sample, "tenant.provision.succeeded", 1).await;
        assert_eq!(events.len(), cell(row, 3), "{row}: {events:#?}");
        // "About": polls depend on time, which does not pass here, and concurrent calls come in any order.
        let calls = list(&harness.journal().await).len() - before;
        let most = cell(row, 2);
        assert!(calls * 4 <= most * 5 && calls * 3 >= most, "{row}: {calls} calls, and the page says {most}");
    }
    harness.accept(&removal("remove-contoso", "contoso")).await;
    harness.until_is("contoso", "deleted").await;
    let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    assert_eq!(events.len(), cell("a sign-up, dedicated", 3) + cell("a removal", 3), "{events:#?}");
}
