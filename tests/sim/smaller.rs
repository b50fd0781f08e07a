//! Leaves out faults of a failing run, to find those that cause the failure.

use super::{exec::Millis, profile::Plan, setup::Setup};

impl Plan {
    /// The number of kinds of faults that [`Self::cut`] can leave out.
    pub(crate) const KINDS: usize = 27;

    /// Leaves out kinds of faults by number, and ends all faults at `until`.
    pub(crate) fn cut(&mut self, without: &[usize], until: Option<Millis>) {
        for kind in without {
            match kind {
                0 => self.azure.throttled = 0,
                1 => self.azure.errors = 0,
                2 => self.azure.denied = 0,
                3 => self.azure.op_failed = 0,
                4 => self.azure.strangers = 0,
                5 => (self.azure.graph_lag, self.azure.role_lag) = (0, 0),
                6 => self.not_sent = 0,
                7 => (self.lost, self.answer_lost) = (0, 0),
                8 => self.late = 0,
                9 => (self.conflicts, self.ambiguous) = (0, 0),
                10 => self.unavailable = 0,
                11 => self.slow_saves = 0,
                12 => (self.lock_lost, self.duplicates) = (0, 0),
                13 => self.wakes_lost = 0,
                14 => self.publish_fails = 0,
                15 => self.kills_every = 0,
                16 => self.pauses_every = 0,
                17 => (self.skew, self.outages) = (0, false),
                18 => self.intruders = 0,
                19 => self.azure.unknown_codes = 0,
                20 => self.azure.rots = 0,
                21 => {
                    (self.azure.curses, self.azure.halves, self.azure.odd) = (0, 0, 0);
                    (self.azure.stubborn, self.robbers) = (0, false);
                }
                22 => self.azure.wall = None,
                23 => {
                    (self.azure.pages, self.azure.short_roles) = (false, false);
                    (self.azure.other_case, self.azure.reordered) = (0, 0);
                }
                24 => (self.azure.gated, self.azure.fancy_waits, self.azure.wordy) = (0, 0, 0),
                25 => (self.azure.protected, self.mixed, self.unreadable) = (0, false, false),
                _ => self.setup = Setup::usual(),
            }
        }
        if let Some(until) = until {
            self.faults_until = self.faults_until.min(until);
        }
    }
}
