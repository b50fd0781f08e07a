//! Wildcards in actions, compared with a reference implementation that tries everything.

use proptest::prelude::{Strategy as _, any, proptest};
use tenantry_core::permissions::{
    Held, RoleComparison,
    actions::{allows, matches, objection},
    compare,
};

/// Whether a pattern matches a text, by trying every length for each `*`.
fn reference(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|taken| reference(rest, &text[taken..])),
        (Some((one, rest)), Some((other, behind))) => {
            one.eq_ignore_ascii_case(other) && reference(rest, behind)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_the_reference_says(pattern in "[aAbB/*]{0,9}", text in "[aAbB/]{0,9}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        proptest::prop_assert_eq!(matches(&pattern, &text), reference(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn a_pattern_made_from_an_action_matches_it(
        action in "[a-zA-Z./]{1,30}",
        cuts in proptest::collection::vec((0_usize..30, 0_usize..30), 0..4),
    ) {
        // Replaces any part of the action by a `*`, one or several times.
        let pattern = cuts.into_iter().fold(action.clone(), |text, (from, length)| {
            let from = from.min(text.len());
            let to = (from + length).min(text.len());
            format!("{}*{}", &text[..from], &text[to..])
        });
        proptest::prop_assert!(matches(&pattern, &action), "{pattern}");
        proptest::prop_assert!(matches(&pattern.to_uppercase(), &action.to_lowercase()));
    }

    #[test]
    fn an_excluded_action_is_not_allowed(action in "[a-z/]{1,20}", others in proptest::collection::vec("[a-z/*]{1,9}", 0..4)) {
        let everything = vec!["*".to_owned()];
        let mut out = others;
        proptest::prop_assert_eq!(allows(&everything, &out, &action), !out.iter().any(|o| matches(o, &action)));
        out.push(action.clone());
        proptest::prop_assert!(!allows(&everything, &out, &action));
    }

    #[test]
    fn a_role_with_the_needed_actions_lacks_nothing(
        needed in proptest::collection::btree_set("[a-z]{1,5}/(read|write)", 0..6),
        more in any::<bool>().prop_map(|more| more.then(|| "z/extra/read".to_owned())),
    ) {
        let actions = needed.iter().cloned().chain(more.clone()).collect();
        let held = [Held { actions, not_actions: Vec::new() }];
        let found = compare(&needed, &held);
        proptest::prop_assert_eq!(found, RoleComparison { missing: Vec::new(), excess: more.into_iter().collect() });
    }
}

#[test]
fn a_star_matches_slashes_and_case_does_not_matter() {
    for (pattern, action, fits) in [
        ("*", "Microsoft.Storage/storageAccounts/read", true),
        ("*/read", "Microsoft.Storage/storageAccounts/blobServices/read", true),
        ("*/read", "Microsoft.Storage/storageAccounts/write", false),
        ("Microsoft.Storage/*", "microsoft.storage/storageaccounts/listKeys/action", true),
        ("Microsoft.Storage/*/read", "Microsoft.Storage/storageAccounts/read", true),
        ("Microsoft.Storage/*/read", "Microsoft.Storage/read", false),
        ("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/read/more", false),
        ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true),
        ("a*a", "a", false),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(matches(pattern, action), fits, "{pattern} {action}");
    }
}

#[test]
fn each_roles_not_actions_apply_to_its_own_actions_only() {
    let role = |actions: &[&str], not: &[&str]| Held {
        actions: actions.iter().map(|a| (*a).to_owned()).collect(),
        not_actions: not.iter().map(|a| (*a).to_owned()).collect(),
    };
    // The role Contributor excludes the creation of role assignments; a second role of the same identity allows it.
    let contributor = role(&["*"], &["Microsoft.Authorization/*/Write"]);
    let grant = "Microsoft.Authorization/roleAssignments/write";
    let needed = [grant, "Microsoft.Storage/storageAccounts/write"].map(str::to_owned).into();
    let alone = compare(&needed, std::slice::from_ref(&contributor));
    assert_eq!(alone.missing, [grant]);
    assert_eq!(alone.excess, ["* is a wildcard"]);
    let both = compare(&needed, &[contributor, role(&[grant], &[])]);
    assert_eq!(both.missing, [""; 0]);
}

#[test]
fn actions_that_are_never_granted_are_named_with_the_reason() {
    for action in [
        "*",
        "Microsoft.Storage/*",
        "Microsoft.Storage/storageAccounts/listKeys/action",
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/regenerateKeys/action",
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/token/action",
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action",
        "Microsoft.Resources/deployments/write",
        "Microsoft.Authorization/roleDefinitions/write",
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/policyAssignments/write",
    ] {
        assert!(objection(action).is_some_and(|why| why.starts_with(action)), "{action}");
    }
    assert_eq!(objection("Microsoft.Storage/storageAccounts/write"), None);
}
