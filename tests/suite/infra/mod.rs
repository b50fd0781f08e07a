//! What infra/ makes, held against the program: one name, one place. The files are read, not compiled: no compiler of
//! Bicep is at hand (docs/deploy.md). That bodies are ones that Azure describes is held by tests/azure_specs.

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

/// A comparison says what is wrong.
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
fn modules_are_given_what_they_ask_for_and_asked_for_what_they_give() {
    holds(symbols::modules);
}

#[test]
fn queues_and_topic_are_those_of_the_program_and_of_its_triggers() {
    holds(queues::entities);
}

#[test]
fn settings_are_ones_that_the_program_or_the_platform_reads() {
    holds(settings::known);
}

#[test]
fn the_program_starts_with_the_settings_that_the_template_sets() {
    holds(settings::taken);
}

#[test]
fn a_stamp_has_what_blueprints_ask_of_it() {
    holds(settings::stamp);
}

#[test]
fn each_identity_holds_what_the_program_says_and_no_more() {
    holds(grants::roles);
}

#[test]
fn identities_do_what_they_are_made_for() {
    holds(grants::identities);
}

#[test]
fn the_permissions_are_what_the_command_prints() {
    holds(grants::permissions);
}

#[test]
fn nothing_takes_keys_or_passwords() {
    holds(grants::no_keys);
}

#[test]
fn alerts_ask_for_lines_that_the_program_logs() {
    holds(alerts::queries);
}

#[test]
fn each_alert_leads_to_its_place_in_the_runbooks() {
    holds(alerts::runbooks);
}

#[test]
fn azd_finds_package_hooks_and_function_app() {
    holds(delivery::azd);
}
