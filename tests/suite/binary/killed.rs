//! The same command is run again after `kill -9` at random moments: every tenant becomes ready, nothing is created
//! twice, nothing is left over.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::program::{local, pass, run, samples, tenantry};
use crate::testkit::{
    SAMPLES, folder,
    judge::{check_event_sequence, kinds, list, nothing_was_made_twice, text},
    rng::Rng,
};

#[tokio::test]
async fn after_twelve_kills_every_tenant_becomes_ready_and_nothing_is_created_twice() {
    let (folder, files) = (folder(), samples());
    let arguments = ["local", "--data", "data", "--port", "0", "--speed", "400", "--json"];
    let command = || {
        let mut command = tenantry(folder.path(), &arguments);
        command.args(&files);
        command
    };
    let mut rng = Rng::new(20_261_122, 0);
    let mut survived = 0;
    for _ in 0..12 {
        let mut child = command().spawn().unwrap();
        pass(Duration::from_millis(50 + rng.below(1450))).await;
        survived += u32::from(child.try_wait().unwrap().is_some());
        child.kill().await.unwrap();
    }
    let last = run(command()).await;
    assert_eq!(last.code, Some(0), "{last:#?}");
    assert!(survived < 12, "it was never killed during its work");

    let running = local(folder.path()).await;
    let get = async |path: &str| -> Value {
        crate::testkit::get(format!("{}{path}", running.base)).await.unwrap().json().await.unwrap()
    };
    nothing_was_made_twice(&get("/_sim/journal").await, 1);
    let undisturbed = undisturbed_kinds().await;
    for sample in SAMPLES {
        let tenant = get(&format!("/api/tenants/{sample}")).await;
        assert_eq!(
            (text(&tenant, "/status"), tenant["incarnation"].as_u64()),
            ("active", Some(1)),
            "{tenant:#}"
        );
        // Every object belongs to a step, or Azure creates it together with a step's object. A duplicate or a leftover
        // object raises the count of its kind.
        let objects = get(&format!("/_sim/objects?tenant={sample}")).await;
        let held: BTreeMap<String, usize> =
            kinds(&objects).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        assert_eq!(held, undisturbed[sample], "{sample}");
        check_event_sequence(sample, list(&get(&format!("/_sim/events?tenant={sample}")).await));
    }
    let all = get("/_sim/objects").await;
    let strays: Vec<&Value> =
        list(&all).iter().filter(|object| !SAMPLES.contains(&text(object, "/tenant"))).collect();
    assert_eq!(strays, [] as [&Value; 0], "objects without a tenant");
}

/// For each sample tenant, the number of its objects by kind if the program is never killed.
async fn undisturbed_kinds() -> BTreeMap<String, BTreeMap<String, usize>> {
    let harness = crate::testkit::harness::Harness::new().await;
    let mut all = BTreeMap::new();
    for sample in SAMPLES {
        harness.accept(&crate::testkit::signup(sample)).await;
        harness.until_is(sample, "active").await;
        let objects = harness.objects(sample).await;
        let held = kinds(&objects).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        all.insert(sample.to_owned(), held);
    }
    all
}
