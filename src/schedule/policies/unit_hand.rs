//! What one worker holds under the policy that keeps units together.
//!
//! The hazard it handles: how far a worker has come is known only from what it has reported and from the
//! length of its queue. Both are used to conclude which of its units have been started; a unit once taken for
//! started stays that.

use std::collections::VecDeque;
use std::mem;

use crate::schedule::policy::{Action, Demand, Test};

/// The tests of a unit that are not finished, in collection order. Never empty while it is pending.
pub(super) type Unit = VecDeque<Test>;

/// One worker's units.
#[derive(Debug, Default)]
pub(super) struct UnitHand {
    /// Assigned and not finished, in queue order.
    pub(super) units: VecDeque<Unit>,
    /// The end of the last unit, as far as the queue had no room for it. That unit counts as started.
    pub(super) rest: Unit,
    /// So many units, from the front, have been started or are about to be.
    pub(super) started: usize,
    /// So many units, from the end, were asked for with the last take-back.
    pub(super) asked: usize,
    /// Number of tests in `units`.
    pub(super) held: usize,
    pub(super) closed: bool,
}

impl UnitHand {
    /// Concludes from the length of the queue which units have been started.
    pub(super) fn listen(&mut self, queued: usize) {
        let mut claimed = self.held.saturating_sub(queued);
        for (place, unit) in self.units.iter().enumerate() {
            if claimed == 0 {
                break;
            }
            claimed = claimed.saturating_sub(unit.len());
            self.started = self.started.max(place + 1);
        }
    }

    /// How many units, from the end, may be taken back. The first unit never: the worker runs it, or is
    /// about to.
    pub(super) fn loose(&self) -> usize {
        self.units.len().saturating_sub(self.started.max(1))
    }

    /// Takes as much of `rest` as there is room, and makes it part of the last unit.
    pub(super) fn continue_last(&mut self, room: usize) -> Vec<Test> {
        let piece: Vec<Test> = self.rest.drain(..room.min(self.rest.len())).collect();
        if let Some(last) = self.units.back_mut() {
            last.extend(&piece);
        }
        self.held += piece.len();
        piece
    }

    /// Appends a unit, as much of it as there is room for; returns what there was room for.
    fn begin(&mut self, mut unit: Unit, room: usize) -> Vec<Test> {
        self.rest = unit.split_off(room.min(unit.len()));
        let piece = unit.iter().copied().collect();
        self.held += unit.len();
        self.units.push_back(unit);
        if !self.rest.is_empty() {
            self.started = self.units.len();
        }
        piece
    }

    /// Begins the first of `units`, and further ones until the assignment would exceed `limit` tests.
    pub(super) fn begin_some(
        &mut self,
        units: &mut VecDeque<Unit>,
        limit: usize,
        demand: Demand,
        actions: &mut Vec<Action>,
    ) {
        let limit = limit.min(demand.room);
        let mut tests = Vec::new();
        while let Some(unit) =
            units.pop_front_if(|unit| tests.is_empty() || tests.len() + unit.len() <= limit)
        {
            // An idle worker claims the first one at once: that one is not to be taken back.
            let claims = demand.idle && tests.is_empty();
            tests.extend(self.begin(unit, demand.room - tests.len()));
            if claims {
                self.started = self.units.len();
            }
        }
        actions.push(Action::Assign {
            worker: demand.worker,
            tests,
        });
    }

    /// Removes a test that has its result. Workers finish in queue order, so it is found near the front.
    pub(super) fn finished(&mut self, test: Test) -> bool {
        let mut units = self.units.iter().enumerate();
        let found =
            units.find_map(|(place, unit)| Some((place, unit.iter().position(|held| *held == test)?)));
        let Some((place, within)) = found else {
            return false;
        };
        self.started = self.started.max(place + 1);
        self.held -= 1;
        let unit = &mut self.units[place];
        unit.remove(within);
        // A unit of which the rest is still to come lives on.
        if unit.is_empty() && (place + 1 < self.units.len() || self.rest.is_empty()) {
            self.units.remove(place);
            self.started -= 1;
        }
        true
    }

    /// Removes what was taken back from the end, and returns it as units, the last one first.
    pub(super) fn returned(&mut self, tests: &[Test]) -> Vec<Unit> {
        if tests.is_empty() {
            // The first of the units asked for has been started, if not more of them.
            let first = self.units.len().saturating_sub(self.asked);
            self.started = self.started.max(first + 1);
        }
        let mut units = Vec::new();
        let mut unit = Unit::new();
        for test in tests.iter().rev() {
            let Some(last) = self.units.back_mut() else {
                break;
            };
            if last.pop_back_if(|held| held == test).is_none() {
                break;
            }
            unit.push_front(*test);
            self.held -= 1;
            if last.is_empty() {
                self.units.pop_back();
                units.push(mem::take(&mut unit));
            }
        }
        if !unit.is_empty() {
            units.push(unit);
        }
        self.started = self.started.min(self.units.len());
        units
    }

    /// What is left when the worker is gone: whole units and the rest of the one it was in.
    pub(super) fn leave(mut self) -> impl DoubleEndedIterator<Item = Unit> {
        if let Some(last) = self.units.back_mut() {
            last.append(&mut self.rest);
        }
        self.units.into_iter().filter(|unit| !unit.is_empty())
    }
}
