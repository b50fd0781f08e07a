//! Each of the bad inputs 1 to 132 has a test, or a reason why it has none.

use std::collections::{BTreeMap, BTreeSet};

use super::{messages, names, pairs};

/// Bad inputs with a test of their own: their numbers, the file of the test, and its name.
const TESTS: [(&[u32], &str, &str); 20] = [
    (&[38, 39, 40], "tests/suite/bad_inputs/pairs.rs", "the_brokers_message_id_does_not_identify_a_request"),
    (&[63, 64], "tests/suite/bad_inputs/pairs.rs", "tenants_with_similar_ids_get_objects_of_their_own"),
    (&[85, 105, 107], "tests/suite/bad_inputs/blueprints.rs", "each_number_has_its_finding"),
    (&[109, 117], "tests/suite/bad_inputs/calls.rs", "unsupported_methods_are_refused"),
    (&[111, 112, 116], "tests/suite/bad_inputs/calls.rs", "identities_that_a_caller_claims_change_nothing"),
    (
        &[113, 114],
        "tests/suite/bad_inputs/calls.rs",
        "a_request_with_an_ambiguous_or_too_long_head_is_refused",
    ),
    (&[118], "tests/suite/bad_inputs/calls.rs", "a_request_sets_nothing_but_the_desired_state"),
    (&[119], "tests/suite/bad_inputs/calls.rs", "many_copies_of_a_retry_at_once_start_one_operation"),
    (&[120], "tests/suite/bad_inputs/calls.rs", "a_retry_of_a_tenant_without_blocked_steps_changes_nothing"),
    (&[120], "tests/suite/bad_inputs/calls.rs", "a_retry_in_the_middle_of_a_removal_changes_nothing"),
    (
        &[121, 122, 123, 124, 125, 126],
        "tests/suite/bad_inputs/events.rs",
        "every_bad_delivery_is_rejected_for_its_reason",
    ),
    (
        &[127],
        "tests/suite/bad_inputs/events.rs",
        "a_repeated_event_with_other_data_is_a_conflict_and_not_a_change",
    ),
    (&[128, 129, 130], "tests/suite/bad_inputs/settings.rs", "every_bad_setting_is_refused_by_its_name"),
    (&[130], "tests/suite/bad_inputs/settings.rs", "no_setting_makes_a_lease_too_short"),
    (&[131], "tests/suite/adapters/answers.rs", "a_success_without_valid_json_is_an_unexpected_answer"),
    (&[131], "tests/suite/adapters/answers.rs", "a_body_of_ten_megabytes_is_not_read"),
    (&[131], "tests/suite/adapters/answers.rs", "urls_on_other_hosts_get_neither_a_request_nor_a_token"),
    (
        &[131],
        "tests/suite/lies.rs",
        "a_dedicated_tenant_survives_wrong_answers_to_requests_that_are_not_carried_out",
    ),
    (&[131, 132], "tests/suite/bad_inputs/replies.rs", "every_bad_answer_has_its_comparison"),
    (&[132], "tests/suite/bad_inputs/replies.rs", "a_foreign_deleted_application_is_not_restored"),
];

/// Bad inputs that no test covers, because they can't reach the handler; with the reason.
const NOT_YET: [(&[u32], &str); 2] = [
    (&[110], "no token reaches the handler: App Service and the function's key decide who calls"),
    (&[115], "the handler listens to its own host alone, which has the whole body before it calls"),
];

fn read(file: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn every_bad_input_has_a_test_or_a_reason_why_not() {
    let mut tests: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut tried = |number: u32, test: String| _ = tests.entry(number).or_default().insert(test);
    for case in messages::table().into_iter().chain(names::table()) {
        tried(case.number, "a table of messages".to_owned());
    }
    pairs::NUMBERS.iter().for_each(|number| tried(*number, "pairs of messages".to_owned()));
    for entry in
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/blueprint_findings")).unwrap()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let number = name.split('-').next().and_then(|number| number.parse().ok());
        number.into_iter().for_each(|number| tried(number, name.clone()));
    }
    for (numbers, file, test) in TESTS {
        assert!(read(file).contains(&format!("fn {test}(")), "{file} has no {test}");
        numbers.iter().for_each(|number| tried(*number, format!("{file}: {test}")));
    }
    let without: BTreeSet<u32> = (1..=132).filter(|number| !tests.contains_key(number)).collect();
    let excused: BTreeSet<u32> = NOT_YET.iter().flat_map(|(numbers, _)| numbers.iter().copied()).collect();
    assert_eq!(without, excused, "left: without a test; right: without a test for a reason");
    assert_eq!(tests.len() + excused.len(), 132, "a number beyond the list: {:?}", tests.keys().last());
}
