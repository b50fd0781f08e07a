//! Blueprint texts in a state store, each stored under its digest.

use tenantry_core::{blueprint::DEFAULT, ids::sha256_hex};

use super::contract::Store;

fn digest(text: &str) -> String {
    format!("sha256:{}", sha256_hex(text.as_bytes()))
}

pub(crate) async fn kept_once(store: Store) {
    // A text about as long as the longest allowed blueprint, with multi-byte characters and line ends.
    let longest = "# straße 🚀 'quoted' \r\n".repeat(12_000);
    assert!(longest.len() > 256 * 1024);
    let texts = [DEFAULT, "", "# another", longest.as_str()];
    assert_eq!(store.blueprint(&digest(DEFAULT)).await.unwrap(), None);
    for text in texts {
        store.keep_blueprint(&digest(text), text).await.unwrap();
        assert_eq!(store.blueprint(&digest(text)).await.unwrap().as_deref(), Some(text));
    }
    // Storing another text under an existing digest changes nothing: the digest identifies the text.
    store.keep_blueprint(&digest(DEFAULT), DEFAULT).await.unwrap();
    store.keep_blueprint(&digest(DEFAULT), "# something else").await.unwrap();
    for text in texts {
        assert_eq!(store.blueprint(&digest(text)).await.unwrap().as_deref(), Some(text));
    }
    assert_eq!(store.blueprint(&digest("absent")).await.unwrap(), None);
    assert!(store.list(None, 10).await.unwrap().is_empty(), "a blueprint is not listed as a tenant");
}
