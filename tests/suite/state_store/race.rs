//! Of several saves that are based on the same version, one succeeds.

use futures_util::future::join_all;
use tenantry::ports::{ETag, StoreError};

use crate::testkit::edited;

use super::{
    contract::{Store, id, tenant},
    due::{at, due},
};

const SAVERS: u64 = 200;
const ROUNDS: u64 = 4;

pub(crate) async fn one_winner(store: Store) {
    let mut seen: Option<ETag> = None;
    for round in 0..ROUNDS {
        let savers = (0..SAVERS).map(|saver| {
            let (store, seen) = (Store::clone(&store), seen.clone());
            tokio::spawn(async move {
                let mut tenant = tenant("contoso");
                tenant = edited(&tenant, |document| document["version"] = round.into());
                tenant.generation = saver;
                // Every second save changes the due instant, too.
                tenant.due_at = (saver % 2 == 0).then(|| at(1000 * (ROUNDS - round) + saver));
                (saver, tenant.due_at, store.save(&tenant, seen.as_ref()).await)
            })
        });
        let mut winners = Vec::new();
        for saved in join_all(savers).await {
            match saved.unwrap() {
                (saver, due_at, Ok(etag)) => winners.push((saver, due_at, etag)),
                (_, _, Err(StoreError::Overtaken)) => {}
                (saver, _, Err(error)) => panic!("round {round}, saver {saver}: {error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        let (saver, due_at, etag) = winners.pop().unwrap();
        let stored = store.load(&id("contoso")).await.unwrap().unwrap();
        assert_eq!((stored.value.version(), stored.value.generation), (round, saver));
        assert_eq!((stored.value.due_at, &stored.etag), (due_at, &etag));
        let is_due = due(&store, at(10_000), 10).await;
        assert_eq!(is_due.len(), usize::from(due_at.is_some()), "round {round}");
        seen = Some(etag);
    }
}
