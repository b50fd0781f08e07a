//! What holds in every game, whatever is drawn.

use super::*;

/// Every event in every state, whatever lies behind the step: what the table says, or a typed error and no change.
#[test]
fn every_event_in_every_state_is_in_the_table() {
    let (mut taken, mut refused) = (0, 0);
    for (state, doomed) in reference::states().iter().flat_map(|state| [(state, false), (state, true)]) {
        for tenant in reference::tenants(state, doomed) {
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

    /// No order of events breaks the rules, and once everything works again there is an outcome.
    #[test]
    fn nothing_that_happens_breaks_the_rules(plan in plan(), moves in moves()) {
        let mut game = Game::new(&plan);
        for one in &moves {
            game.play(one);
        }
        wish::retry(&mut game.tenant, game.now);
        let outcome = game.heal();
        let expected = if game.tenant.goal == Goal::Present { Outcome::Ready } else { Outcome::Removed };
        prop_assert_eq!(outcome, expected);
    }

    /// Any sequence of events, asked for or not, goes by the table.
    #[test]
    fn any_sequence_goes_by_the_table(
        doomed in any::<bool>(),
        events in prop::collection::vec((0..reference::events().len(), 0..20_000_u32), 1..60),
    ) {
        let mut tenant = reference::tenants(&reference::states()[0], doomed).remove(0);
        let (mut now, all) = (Timestamp::UNIX_EPOCH, reference::events());
        for (which, seconds) in events {
            now = now.checked_add(Duration::from_secs(seconds.into())).unwrap();
            tenant = reference::holds(&tenant, &all[which], now);
        }
    }

    /// Asking for the same again has everything looked at, and changes nothing of what is there.
    #[test]
    fn planning_again_changes_nothing(first in plan(), second in plan()) {
        let mut game = Game::new(&first);
        prop_assert_eq!(game.heal(), Outcome::Ready);
        for text in [&second, &second] {
            plans::update(&mut game.tenant, text, game.now);
            game.wished(Action::Update);
            let outcome = game.heal();
            prop_assert_eq!(&outcome, &Outcome::Ready);
            engine::conclude(&mut game.tenant, &outcome, BTreeMap::new(), game.now);
        }
        let lasting = |tenant: &Tenant| -> Vec<_> {
            let steps = tenant.steps().iter().map(|(name, record)| {
                (name.clone(), record.target.clone(), record.outputs.clone(), record.digest.clone(), record.is_doomed())
            });
            steps.collect()
        };
        let before = lasting(&game.tenant);
        plans::update(&mut game.tenant, &second, game.now);
        prop_assert_eq!(&lasting(&game.tenant), &before);
        prop_assert_eq!(game.heal(), Outcome::Ready);
        prop_assert_eq!(&lasting(&game.tenant), &before);
    }

    /// Each failing step is tried a bounded number of times, however its failures are mixed.
    #[test]
    fn no_step_is_tried_for_ever(class in 0..11_usize, taken_on in any::<bool>(), seen in any::<bool>()) {
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
            let turn = game.tenant.steps()[name].turn;
            let event = match act {
                Act::Look if seen && round % 3 == 1 => answer(Act::Look, false, 2),
                Act::Look => answer(Act::Look, false, 0),
                Act::Write if taken_on => answer(Act::Write, false, 0),
                Act::Write | Act::Erase | Act::Poll => {
                    let all = (0..=u8::MAX).filter(|what| what % 8 == 7);
                    answer(Act::Poll, false, all.clone().find(|what| usize::from(*what) % 11 == class).unwrap())
                }
            };
            game.start(&name.clone(), *act);
            game.busy.clear();
            game.apply(&only, turn, event);
        }
        prop_assert!(false, "it goes on after {}: {:?}", game.now, game.tenant.steps()[&only]);
    }
}
