use tenantry_core::types::{NoShape, ResourceTypes, TypeVersion};

fn version(text: &str) -> TypeVersion<'_> {
    TypeVersion::parse(text).unwrap()
}

#[test]
fn the_table_has_every_type_and_version_of_its_source() {
    let types = ResourceTypes::known();
    assert_eq!(types.source(), "Azure.Bicep.Types.Az 0.2.972");
    assert_eq!(types.all().count(), 3556);
    assert_eq!(types.all().map(|info| info.versions().count()).sum::<usize>(), 36835);
    for info in types.all() {
        let found = types.find(&info.name().to_uppercase()).unwrap();
        assert_eq!(found.name(), info.name());
        assert!(info.versions().is_sorted_by(|newer, older| newer > older), "{}", info.name());
    }
}

#[test]
fn names_and_versions_are_found_without_case() {
    let types = ResourceTypes::known();
    let vaults = types.find("microsoft.keyvault/VAULTS").unwrap();
    assert_eq!((vaults.name(), vaults.provider()), ("Microsoft.KeyVault/vaults", "Microsoft.KeyVault"));
    assert!(vaults.is_known_version("2023-07-01"));
    assert!(vaults.is_known_version("2026-06-01-PREVIEW"));
    assert!(!vaults.is_known_version("2023-07-02"));
    assert_eq!(vaults.newest(), Some(version("2026-06-01-preview")));
    assert_eq!(vaults.newest_stable(), Some(version("2026-05-15")));
    assert!(types.find("Microsoft.KeyVault/vault").is_none());
}

#[test]
fn versions_are_ordered_by_date_and_stable_ones_come_after_their_previews() {
    let rising = ["2023-12-31", "2024-01-01-preview", "2024-01-01", "2024-01-02-preview"].map(version);
    assert!(rising.is_sorted());
    assert_eq!(rising.map(TypeVersion::is_preview), [false, true, false, true]);
    for text in ["", "latest", "2024-13-01", "2024-01-01preview", "2024-01-01-", "2024-1-1"] {
        assert_eq!(TypeVersion::parse(text), None, "{text}");
    }
}

#[test]
fn a_similar_name_is_suggested() {
    let types = ResourceTypes::known();
    let rows = [
        ("Microsoft.Storage/storageAcounts", Some("Microsoft.Storage/storageAccounts")),
        ("Microsoft.KeyVaults/vaults", Some("Microsoft.KeyVault/vaults")),
        (
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployment",
            Some("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"),
        ),
        ("microsoft.network/privateEndPoint", Some("Microsoft.Network/privateEndpoints")),
        ("Contoso.Widgets/gadgets", None),
        ("", None),
    ];
    for (written, suggestion) in rows {
        assert_eq!(types.suggest(written), suggestion, "{written}");
    }
}

#[test]
fn a_similar_version_is_suggested_or_the_newest_stable_one() {
    let storage = ResourceTypes::known().find("Microsoft.Storage/storageAccounts").unwrap();
    let rows = [
        ("2023-05-1", "2023-05-01"),
        ("2023-05-02", "2023-05-01"),
        ("2018-03-01-priview", "2018-03-01-preview"),
        ("latest", "2026-09-01"),
    ];
    for (written, suggestion) in rows {
        assert_eq!(storage.suggest_version(written), Some(version(suggestion)), "{written}");
    }
}

#[test]
fn without_a_shape_the_reason_says_what_to_do() {
    let types = ResourceTypes::known();
    let reason = |name: &str, version: &str| types.shape(name, version).err().unwrap();

    let storage = "Microsoft.Storage/storageAccounts";
    assert_eq!(
        reason("Microsoft.Storage/storageAcount", "2023-05-01"),
        NoShape::UnknownType { suggestion: Some(storage) }
    );
    assert_eq!(
        reason(storage, "2023-05-02").to_string(),
        "the resource type has no such API version that is known; did you mean `2023-05-01`? \
         The newest stable version is `2026-09-01`."
    );
    // The shapes are of 2023-05-01 and 2026-09-01.
    assert_eq!(reason(storage, "2023-01-01"), NoShape::NotDescribed { nearest: Some(version("2023-05-01")) });
    assert_eq!(reason(storage, "2026-06-01"), NoShape::NotDescribed { nearest: Some(version("2026-09-01")) });
    assert_eq!(
        reason(storage, "2026-06-01").to_string(),
        "this API version is not described; the nearest one that is described is `2026-09-01`"
    );
    let other = types.all().find(|info| info.provider() == "Anyscale.Platform").unwrap();
    let newest = other.newest().unwrap();
    assert_eq!(reason(other.name(), newest.as_str()), NoShape::NotDescribed { nearest: None });
}
