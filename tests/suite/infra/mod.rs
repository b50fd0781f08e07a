//! The templates in infra/ compared with the program: both use the same names. The files are parsed, not compiled,
//! because the tests have no Bicep compiler (docs/deploy.md). tests/azure_specs checks bodies against Azure's API
//! descriptions.

mod alerts;
mod bicep;
mod delivery;
mod grants;
mod graph;
mod logged;
mod queues;
mod settings;
mod spoilt;
mod symbols;
mod templates;

use templates::Infra;

/// A comparison of the files in infra/ with the program; returns one message for each difference.
type Comparison = fn(&Infra) -> Vec<String>;

#[track_caller]
fn holds(comparison: Comparison) {
    let wrong = comparison(&Infra::read());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_name_in_the_templates_is_declared_and_used() {
    holds(symbols::names);
}

#[test]
fn modules_get_the_parameters_they_declare_and_have_the_outputs_that_are_read() {
    holds(symbols::modules);
}

#[test]
fn queues_and_topic_are_those_of_the_program_and_of_its_triggers() {
    holds(queues::entities);
}

#[test]
fn each_setting_is_read_by_the_program_or_the_platform() {
    holds(settings::known);
}

#[test]
fn the_program_starts_with_the_settings_that_the_template_sets() {
    holds(settings::taken);
}

#[test]
fn a_stamp_has_the_members_that_blueprints_use() {
    holds(settings::stamp);
}

#[test]
fn each_identity_has_the_roles_of_the_programs_table_and_no_more() {
    holds(grants::roles);
}

#[test]
fn each_identity_is_used_for_its_purpose() {
    holds(grants::identities);
}

#[test]
fn the_permissions_are_what_the_command_prints() {
    holds(grants::permissions);
}

#[test]
fn no_service_accepts_keys_or_passwords() {
    holds(grants::no_keys);
}

#[test]
fn alerts_query_lines_that_the_program_logs() {
    holds(alerts::queries);
}

#[test]
fn each_alert_links_to_its_heading_in_the_runbooks() {
    holds(alerts::runbooks);
}

#[test]
fn azd_finds_the_package_the_hooks_and_the_function_app() {
    holds(delivery::azd);
}
