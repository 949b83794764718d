//! Repetitions of a whole collection, around any policy: rounds, of which each has a policy of its own.
//!
//! A worker that gets nothing more in its round goes on in the next one, so nobody waits for the slowest test of a round.
//! Only tests with constraints make rounds follow one another: a policy knows nothing of the tests of another round.
//!
//! The hazard it handles: a worker may change rounds while the teardown of its last test is still awaited. So the end of
//! a test is told to the round in which it was assigned, and the loss of a worker to all of its rounds.

use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Creates the policy of a round.
pub type Make = Box<dyn FnMut() -> Box<dyn Policy> + Send>;

/// A worker.
#[derive(Debug, Default)]
struct Member {
    /// The round in which it gets tests.
    round: usize,
    /// The rounds that it has joined.
    joined: BTreeSet<usize>,
    /// Its tests without a result, in queue order, with their rounds.
    held: VecDeque<(usize, Test)>,
    is_closed: bool,
    /// Whether its round has nothing more for it.
    is_done: bool,
    /// Whether it was told to finish its last test.
    is_resting: bool,
}

/// A policy that runs every test several times.
pub struct Repeats {
    make: Make,
    /// The number of rounds; `None` if the run is stopped from outside.
    limit: Option<usize>,
    /// Whether a round starts only when the one before has finished.
    in_turns: bool,
    rounds: Vec<Box<dyn Policy>>,
    members: BTreeMap<Worker, Member>,
    /// Rounds in which tests have become pending again because a worker was lost.
    reopened: BTreeSet<usize>,
}

impl Repeats {
    /// Runs rounds of the policy that `make` creates: so many, or until the run is stopped. `in_turns` says whether a
    /// round starts only when the one before has finished.
    #[must_use]
    pub fn new(make: Make, limit: Option<usize>, in_turns: bool) -> Self {
        let mut this = Self {
            make,
            limit,
            in_turns,
            rounds: Vec::new(),
            members: BTreeMap::new(),
            reopened: BTreeSet::new(),
        };
        this.rounds.push((this.make)());
        this
    }

    /// The round in which a worker without tests goes on; `None` if there is none, now or at all.
    fn next_round(&mut self, round: usize) -> Option<usize> {
        let rounds = &self.rounds;
        self.reopened.retain(|round| rounds[*round].unfinished() > 0);
        if let Some(reopened) = self.reopened.iter().find(|reopened| **reopened != round) {
            return Some(*reopened);
        }
        let next = round + 1;
        if next < self.rounds.len() {
            return Some(next);
        }
        if self.is_last(round) || (self.in_turns && self.rounds[round].unfinished() > 0) {
            return None;
        }
        let policy = (self.make)();
        self.rounds.push(policy);
        Some(next)
    }

    fn is_last(&self, round: usize) -> bool {
        self.limit.is_some_and(|limit| round + 1 >= limit)
    }

    /// Adds a worker to a round; anew if it was there before.
    fn join(&mut self, worker: Worker, round: usize) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        (member.round, member.is_done) = (round, false);
        if !member.joined.insert(round) {
            self.rounds[round].lost(worker, None);
        }
        self.rounds[round].add_worker(worker);
    }

    /// The round in which the worker's first unfinished `test` was assigned.
    fn take(&mut self, worker: Worker, test: Test) -> Option<usize> {
        let held = &mut self.members.get_mut(&worker)?.held;
        let place = held.iter().position(|(_, one)| *one == test)?;
        held.remove(place).map(|(round, _)| round)
    }
}

impl Policy for Repeats {
    fn add_worker(&mut self, worker: Worker) {
        self.members.insert(worker, Member::default());
        let unfinished = self.rounds.iter().position(|round| round.unfinished() > 0);
        self.join(worker, unfinished.unwrap_or(self.rounds.len() - 1));
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        // Each pass moves the worker to another round, and there is work in that.
        loop {
            let Some(member) = self.members.get_mut(&demand.worker) else {
                return;
            };
            if member.is_closed {
                return;
            }
            let round = member.round;
            let mut answer = Vec::new();
            if !member.is_done {
                self.rounds[round].demand(demand, &mut answer);
            }
            let is_done =
                member.is_done || answer.iter().any(|action| matches!(action, Action::Close { .. }));
            if !is_done {
                for action in &answer {
                    if let Action::Assign { worker, tests } = action
                        && let Some(member) = self.members.get_mut(worker)
                    {
                        member.held.extend(tests.iter().map(|test| (round, *test)));
                        member.is_resting = false;
                    }
                }
                actions.append(&mut answer);
                return;
            }
            if let Some(member) = self.members.get_mut(&demand.worker) {
                member.is_done = true;
            }
            match self.next_round(round) {
                Some(next) => self.join(demand.worker, next),
                None if self.is_last(round) || !self.in_turns => {
                    if let Some(member) = self.members.get_mut(&demand.worker) {
                        member.is_closed = true;
                    }
                    let worker = demand.worker;
                    actions.push(Action::Close { worker });
                    return;
                }
                None => {
                    // The round has tests that others run; this worker's own last one must not be among them.
                    if let Some(member) = self.members.get_mut(&demand.worker)
                        && !member.held.is_empty()
                        && !member.is_resting
                    {
                        member.is_resting = true;
                        actions.push(Action::Rest {
                            worker: demand.worker,
                        });
                    }
                    return;
                }
            }
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, seconds: f64) {
        if let Some(round) = self.take(worker, test) {
            self.rounds[round].finished(worker, test, seconds);
        }
    }

    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64) {
        let member = self.members.get(&worker);
        if let Some(&(round, _)) = member.and_then(|member| member.held.front()) {
            self.rounds[round].set_up(worker, definition, seconds);
        }
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let round = member.held.back().map_or(member.round, |(round, _)| *round);
        for test in tests.iter().rev() {
            if let Some(place) = member.held.iter().rposition(|held| *held == (round, *test)) {
                member.held.remove(place);
            }
        }
        self.rounds[round].returned(worker, tests);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let Some(member) = self.members.remove(&worker) else {
            return;
        };
        let place = running.and_then(|running| member.held.iter().find(|(_, test)| *test == running));
        let of_running = place.map(|(round, _)| *round);
        for round in member.joined {
            let before = self.rounds[round].unfinished();
            self.rounds[round].lost(worker, running.filter(|_| of_running == Some(round)));
            if before > 0 && member.held.iter().any(|(of, _)| *of == round) {
                self.reopened.insert(round);
            }
        }
    }

    fn run_again(&mut self, test: Test) {
        let round = self.rounds.len() - 1;
        self.rounds[round].run_again(test);
        self.reopened.insert(round);
    }

    fn unfinished(&self) -> usize {
        self.rounds.iter().map(|round| round.unfinished()).sum()
    }

    fn next(&self, worker: Worker) -> Option<Test> {
        self.rounds[self.members.get(&worker)?.round].next(worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::forecast::Forecast;
    use crate::schedule::mode::{Mode, Rules, policy};
    use crate::schedule::policies::load::Plan;
    use proptest::prelude::*;

    fn repeats(mode: &Mode, tests: usize, limit: Option<usize>, in_turns: bool) -> Repeats {
        let mode = mode.clone();
        let make = move || policy(&mode, Forecast::unknown(tests), &Rules::default(), 2);
        Repeats::new(Box::new(make), limit, in_turns)
    }

    fn modes() -> impl Strategy<Value = Mode> {
        let plan = Plan::Collection;
        let load = Mode::Load {
            max_chunk: None,
            plan,
        };
        let units = Mode::Units {
            keys: (0..20u32).map(|test| test / 3).collect(),
            reorder: true,
        };
        prop_oneof![Just(load), Just(Mode::WorkSteal), Just(units)]
    }

    /// Runs everything, with workers that finish tests in an arbitrary order; worker 0 may be lost. Returns how often
    /// each test was run or lost while running.
    fn drive(policy: &mut Repeats, workers: u32, tests: usize, choices: &[u8]) -> Vec<usize> {
        let mut counts = vec![0; tests];
        let mut queues: BTreeMap<Worker, VecDeque<Test>> =
            (0..workers).map(|one| (one, VecDeque::new())).collect();
        let mut closed = BTreeSet::new();
        (0..workers).for_each(|worker| policy.add_worker(worker));
        let mut choices = choices.iter().copied().cycle();
        let mut replacement = workers;
        for _ in 0..20_000 {
            if queues.keys().all(|worker| closed.contains(worker)) {
                return counts;
            }
            let choice = choices.next().unwrap_or_default();
            let open: Vec<Worker> = queues
                .keys()
                .copied()
                .filter(|one| !closed.contains(one))
                .collect();
            let worker = open[usize::from(choice / 4) % open.len()];
            if choice == 255 && replacement < workers + 2 && !queues[&worker].is_empty() {
                let queue = queues.remove(&worker).unwrap_or_default();
                counts[queue[0] as usize] += 1;
                policy.lost(worker, Some(queue[0]));
                policy.add_worker(replacement);
                queues.insert(replacement, VecDeque::new());
                replacement += 1;
                continue;
            }
            if choice % 4 != 1
                && let Some(test) = queues.get_mut(&worker).and_then(VecDeque::pop_front)
            {
                counts[test as usize] += 1;
                policy.finished(worker, test, 0.01);
            }
            let waiting = queues[&worker].len();
            let demand = Demand {
                worker,
                queued: waiting,
                room: 100 - waiting,
                idle: waiting == 0,
                waited: 1.0,
                now: 0.0,
            };
            let mut actions = Vec::new();
            policy.demand(demand, &mut actions);
            for action in actions {
                match action {
                    Action::Assign { worker, tests } => {
                        queues.get_mut(&worker).expect("a worker").extend(tests);
                    }
                    Action::TakeBack { worker, count, .. } => {
                        let queue = queues.get_mut(&worker).expect("a worker");
                        let keep = queue.len().saturating_sub(count).max(1).min(queue.len());
                        let back: Vec<Test> = queue.drain(keep..).collect();
                        policy.returned(worker, &back);
                    }
                    Action::Close { worker } => {
                        closed.insert(worker);
                    }
                    Action::Rest { .. } => {}
                }
            }
        }
        panic!("the run does not end")
    }

    proptest! {
        #[test]
        fn each_test_runs_as_often_as_there_are_rounds(
            mode in modes(), workers in 1u32..4, limit in 1usize..5, in_turns: bool,
            choices in prop::collection::vec(any::<u8>(), 1..200),
        ) {
            // Each worker must be able to finish a test.
            let mut choices = choices;
            choices.extend([0, 4, 8]);
            let mut policy = repeats(&mode, 20, Some(limit), in_turns);
            let counts = drive(&mut policy, workers, 20, &choices);
            prop_assert_eq!(counts, vec![limit; 20]);
        }
    }
}
