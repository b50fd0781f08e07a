//! Properties of the engine that every game has to fulfil.

use super::*;

/// Every event in every state of a step, with every history: the next state is in the reference table, or the event
/// is a typed error that changes nothing.
#[test]
fn every_event_in_every_state_is_in_the_table() {
    let (mut taken, mut refused) = (0, 0);
    for (state, deleting) in reference::states().iter().flat_map(|state| [(state, false), (state, true)]) {
        for tenant in reference::tenants(state, deleting) {
            for event in reference::events() {
                for now in [Timestamp::UNIX_EPOCH, Timestamp::MAX] {
                    let after = reference::holds(&tenant, &event, now);
                    if after == tenant { refused += 1 } else { taken += 1 }
                }
            }
        }
    }
    assert!(taken > 5000 && refused > 3000, "{taken} changed something, {refused} did not");
}

proptest! {
    #![proptest_config(same_cases(2000))]

    /// No order of events violates the rules, and there is an outcome once all requests succeed.
    #[test]
    fn no_order_of_events_violates_the_rules(plan in plan(), moves in moves()) {
        let mut game = Game::new(&plan);
        for one in &moves {
            game.play(one);
        }
        desired::retry(&mut game.tenant, game.now);
        let outcome = game.heal();
        let expected = if game.tenant.goal == Goal::Present { Outcome::Ready } else { Outcome::Removed };
        prop_assert_eq!(outcome, expected);
    }

    /// Any sequence of events, expected or not, follows the reference table.
    #[test]
    fn any_sequence_follows_the_table(
        deleting in any::<bool>(),
        events in prop::collection::vec((0..reference::events().len(), 0..20_000_u32), 1..60),
    ) {
        let mut tenant = reference::tenants(&reference::states()[0], deleting).remove(0);
        let (mut now, all) = (Timestamp::UNIX_EPOCH, reference::events());
        for (which, seconds) in events {
            now = now.checked_add(Duration::from_secs(seconds.into())).unwrap();
            tenant = reference::holds(&tenant, &all[which], now);
        }
    }

    /// Repeating an update reads all steps and changes nothing.
    #[test]
    fn repeating_an_update_changes_nothing(first in plan(), second in plan()) {
        let mut game = Game::new(&first);
        prop_assert_eq!(game.heal(), Outcome::Ready);
        for text in [&second, &second] {
            plans::update(&mut game.tenant, text, game.now);
            game.desired(Action::Update);
            let outcome = game.heal();
            prop_assert_eq!(&outcome, &Outcome::Ready);
            engine::conclude(&mut game.tenant, &outcome, BTreeMap::new(), game.now);
        }
        let lasting = |tenant: &Tenant| -> Vec<_> {
            let steps = tenant.steps().iter().map(|(name, record)| {
                (name.clone(), record.target.clone(), record.outputs.clone(), record.digest.clone(), record.is_marked_for_deletion())
            });
            steps.collect()
        };
        let before = lasting(&game.tenant);
        plans::update(&mut game.tenant, &second, game.now);
        prop_assert_eq!(&lasting(&game.tenant), &before);
        prop_assert_eq!(game.heal(), Outcome::Ready);
        prop_assert_eq!(&lasting(&game.tenant), &before);
    }

    /// A step whose requests fail is tried a bounded number of times, whatever the class of the failure.
    #[test]
    fn no_step_is_retried_forever(class in 0..11_usize, taken_on in any::<bool>(), seen in any::<bool>()) {
        let mut game = Game::new("only");
        let only = plans::name("only");
        for round in 0..4_000 {
            let decision = game.decide();
            if decision.outcome.is_some() {
                return Ok(());
            }
            let Some((name, act)) = decision.acts.first_key_value() else {
                game.now = decision.next.unwrap();
                continue;
            };
            let generation = game.tenant.steps()[name].generation;
            let event = match act {
                Act::Read if seen && round % 3 == 1 => answer(Act::Read, false, 2),
                Act::Read => answer(Act::Read, false, 0),
                Act::Write if taken_on => answer(Act::Write, false, 0),
                Act::Write | Act::Delete | Act::Poll => {
                    let all = (0..=u8::MAX).filter(|what| what % 8 == 7);
                    answer(Act::Poll, false, all.clone().find(|what| usize::from(*what) % 11 == class).unwrap())
                }
            };
            game.start(&name.clone(), *act);
            game.busy.clear();
            game.apply(&only, generation, event);
        }
        prop_assert!(false, "it goes on after {}: {:?}", game.now, game.tenant.steps()[&only]);
    }
}
