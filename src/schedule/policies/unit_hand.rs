//! The units held by one worker, for the policy that keeps units together.
//!
//! The hazard it handles: the progress of a worker is known only from its reports and from the length of its queue.
//! Both are used to infer which of its units have been started; a unit considered started never becomes unstarted
//! again.

use std::collections::VecDeque;
use std::mem;

use crate::schedule::policy::{Action, Demand, Test};

/// The unfinished tests of a unit, in collection order. Never empty while it is pending.
pub(super) type Unit = VecDeque<Test>;

/// The units of one worker.
#[derive(Debug, Default)]
pub(super) struct UnitHand {
    /// Assigned and unfinished, in queue order.
    pub(super) units: VecDeque<Unit>,
    /// The rest of the last unit that did not fit into the queue. That unit counts as started.
    pub(super) rest: Unit,
    /// Number of units, from the front, that have been started or are about to be.
    pub(super) started: usize,
    /// Number of units, from the end, requested with the last take-back.
    pub(super) requested: usize,
    /// Number of tests in `units`.
    pub(super) held: usize,
    pub(super) closed: bool,
}

impl UnitHand {
    /// Infers from the length of the queue which units have been started.
    pub(super) fn update_started(&mut self, queued: usize) {
        let mut claimed = self.held.saturating_sub(queued);
        for (place, unit) in self.units.iter().enumerate() {
            if claimed == 0 {
                break;
            }
            claimed = claimed.saturating_sub(unit.len());
            self.started = self.started.max(place + 1);
        }
    }

    /// Number of units, from the end, that may be taken back. The first unit is excluded: the worker runs it, or is
    /// about to.
    pub(super) fn reclaimable(&self) -> usize {
        self.units.len().saturating_sub(self.started.max(1))
    }

    /// Moves as many tests of `rest` as fit to the last unit, and returns them.
    pub(super) fn continue_last(&mut self, room: usize) -> Vec<Test> {
        let piece: Vec<Test> = self.rest.drain(..room.min(self.rest.len())).collect();
        if let Some(last) = self.units.back_mut() {
            last.extend(&piece);
        }
        self.held += piece.len();
        piece
    }

    /// Appends a unit as far as it fits; returns the tests that did.
    fn append_unit(&mut self, mut unit: Unit, room: usize) -> Vec<Test> {
        self.rest = unit.split_off(room.min(unit.len()));
        let piece = unit.iter().copied().collect();
        self.held += unit.len();
        self.units.push_back(unit);
        if !self.rest.is_empty() {
            self.started = self.units.len();
        }
        piece
    }

    /// Assigns the first of `units`, and further ones until the assignment would exceed `limit` tests.
    pub(super) fn append_units(
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
            // An idle worker claims the first unit at once, so that it cannot be taken back.
            let claims = demand.idle && tests.is_empty();
            tests.extend(self.append_unit(unit, demand.room - tests.len()));
            if claims {
                self.started = self.units.len();
            }
        }
        actions.push(Action::Assign {
            worker: demand.worker,
            tests,
        });
    }

    /// Removes a finished test. Workers finish in queue order, so it is near the front.
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
        // A unit is not complete while its rest is pending.
        if unit.is_empty() && (place + 1 < self.units.len() || self.rest.is_empty()) {
            self.units.remove(place);
            self.started -= 1;
        }
        true
    }

    /// Removes tests that were taken back from the end, and returns them as units, the last one first.
    pub(super) fn returned(&mut self, tests: &[Test]) -> Vec<Unit> {
        if tests.is_empty() {
            // At least the first of the requested units has been started.
            let first = self.units.len().saturating_sub(self.requested);
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

    /// The remaining units of a lost worker: whole units and the rest of the current one.
    pub(super) fn into_remaining(mut self) -> impl DoubleEndedIterator<Item = Unit> {
        if let Some(last) = self.units.back_mut() {
            last.append(&mut self.rest);
        }
        self.units.into_iter().filter(|unit| !unit.is_empty())
    }
}
