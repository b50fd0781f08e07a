//! Matches the actions of role definitions, which may contain wildcards, with required actions. This is independent of
//! the product's own code, which also derives roles, so that one error is not in both.
//!
//! Source: Microsoft, "Understand Azure role definitions": `*` stands for any run of characters, including slashes;
//! case is ignored; a role allows its actions except its not-actions, and each role is evaluated separately.

/// Whether a pattern in a role definition matches an action.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    if !pattern.contains('*') {
        return pattern.eq_ignore_ascii_case(action);
    }
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    // `reached[n]` says whether the part of the pattern that is read so far matches the first `n` bytes of the action.
    let mut reached: Vec<bool> = (0..=action.len()).map(|length| length == 0).collect();
    for letter in pattern {
        if *letter == b'*' {
            let mut open = false;
            for here in &mut reached {
                open |= *here;
                *here = open;
            }
            continue;
        }
        for at in (0..action.len()).rev() {
            reached[at + 1] = reached[at] && letter.eq_ignore_ascii_case(&action[at]);
        }
        reached[0] = false;
    }
    reached[action.len()]
}

/// Whether a role with these actions and not-actions allows an action.
pub(crate) fn allows<T: AsRef<str>>(actions: &[T], not_actions: &[T], action: &str) -> bool {
    let among = |patterns: &[T]| patterns.iter().any(|pattern| matches(pattern.as_ref(), action));
    among(actions) && !among(not_actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.Storage/storageAccounts/read", true),
            ("*/read", "Microsoft.Storage/storageAccounts/blobServices/read", true),
            ("*/read", "Microsoft.Storage/storageAccounts/write", false),
            ("Microsoft.Storage/*/read", "Microsoft.Storage/read", false),
            ("microsoft.storage/storageaccounts/*", "Microsoft.Storage/storageAccounts/write", true),
            ("Microsoft.Storage/*a*/write", "Microsoft.Storage/tables/x/write", true),
            ("Microsoft.Storage/storageAccounts/write", "Microsoft.Storage/storageAccounts/writer", false),
            ("**", "a", true),
            ("", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} and {action}");
        }
    }

    #[test]
    fn what_is_taken_out_is_not_allowed() {
        let (actions, not_actions) = (["*"], ["Microsoft.Authorization/*/write"]);
        assert!(allows(&actions, &not_actions, "Microsoft.Authorization/roleAssignments/read"));
        assert!(!allows(&actions, &not_actions, "Microsoft.Authorization/roleAssignments/write"));
    }
}
