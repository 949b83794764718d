//! Retries of failed tests, around any policy: on another worker if there is one, after a delay, at once or last.
//!
//! The hazard it handles: a policy closes a worker when nothing is left to assign, and a closed worker ends its session.
//! But the test that it is running, or that another worker is running, may fail and have to be tried again. So a close
//! is withheld until nothing can come any more, and a worker that waits in the teardown of its last test, because that
//! depends on the next one, is told to finish it without knowing.
//!
//! If tests have constraints, the policy itself runs a test again. Otherwise the retry is appended to the
//! queue of a worker of which the policy does not know it: until that test is claimed, the policy is not asked for more
//! tests for that worker, so the retry is always the last one in the queue.

use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker};
use std::collections::{BTreeMap, BTreeSet};

/// When and where tests are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRules {
    /// Whether a retry starts only when all other tests have finished.
    pub last: bool,
    /// Which workers try a failed test again.
    pub by: RetryBy,
}

/// Which workers try a failed test again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryBy {
    /// Another one if there is one: no test has constraints.
    Another,
    /// The same, but the policy assigns it, because tests have constraints.
    Policy,
    /// The same, on its own; the policy only runs tests again that have crashed.
    Same,
}

/// A test that is to be tried again.
#[derive(Debug)]
struct Waiting {
    test: Test,
    /// The worker on which it has failed.
    tried_on: Worker,
    delay: f64,
    /// When the delay is over; known from the first demand on.
    due: Option<f64>,
}

/// A worker.
#[derive(Debug, Default)]
struct Member {
    /// Its tests without a result, in queue order.
    held: Vec<Test>,
    /// The retry among them that the policy does not know, and whether it may still be in the queue.
    retry: Option<(Test, bool)>,
    /// Whether it was told to finish its last test.
    resting: bool,
    /// Whether it had nothing to do when it was last asked for.
    is_idle: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The policy assigns tests to it.
    #[default]
    Open,
    /// The policy has closed it.
    ClosedByPolicy,
    /// The same, and tests have become pending since: the policy has to be told of it anew.
    Rejoining,
    /// It finishes its session.
    Closed,
}

/// A policy with retries.
pub struct Retries {
    policy: Box<dyn Policy>,
    rules: RetryRules,
    members: BTreeMap<Worker, Member>,
    /// Running tests that are to be tried again when they have finished, with their delays.
    announced: BTreeMap<Test, (Worker, f64)>,
    /// Tests that have crashed, as long as it is not decided whether they are tried again.
    undecided: BTreeSet<Test>,
    waiting: Vec<Waiting>,
    now: f64,
}

impl Retries {
    /// Adds retries to a policy.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>, rules: RetryRules) -> Self {
        Self {
            policy,
            rules,
            members: BTreeMap::new(),
            announced: BTreeMap::new(),
            undecided: BTreeSet::new(),
            waiting: Vec::new(),
            now: 0.0,
        }
    }

    fn wait(&mut self, test: Test, tried_on: Worker, delay: f64) {
        self.waiting.push(Waiting {
            test,
            tried_on,
            delay,
            due: None,
        });
    }

    /// Has the policy run the tests that are due, if it has to.
    fn release(&mut self) {
        let now = self.now;
        for waiting in &mut self.waiting {
            waiting.due.get_or_insert(now + waiting.delay);
        }
        if self.rules.by == RetryBy::Another || (self.rules.last && self.policy.unfinished() > 0) {
            return;
        }
        let due = |waiting: &mut Waiting| waiting.due.is_some_and(|due| due <= now);
        let released: Vec<Waiting> = self.waiting.extract_if(.., due).collect();
        for waiting in &released {
            self.policy.run_elsewhere(waiting.test, waiting.tried_on);
        }
        if !released.is_empty() {
            self.reopen();
        }
    }

    /// Called when tests have become pending: workers that the policy has closed may be needed.
    fn reopen(&mut self) {
        let members = self.members.values_mut();
        for member in members.filter(|member| member.state == State::ClosedByPolicy) {
            member.state = State::Rejoining;
        }
    }

    /// Appends a retry that is due to the worker's queue. A worker on which the test has failed gets it only if there is
    /// no other, or if it has nothing else to do and all others are busy.
    fn assign_retry(&mut self, demand: Demand, has_nothing_else: bool, actions: &mut Vec<Action>) -> bool {
        let worker = demand.worker;
        let is_early = self.rules.last && self.policy.unfinished() > 0;
        if self.rules.by != RetryBy::Another || demand.room == 0 || is_early {
            return false;
        }
        let mut others = self.members.iter();
        let is_needed = !others.any(|(other, member)| {
            *other != worker && member.state != State::Closed && (member.is_idle || !has_nothing_else)
        });
        let found = self.waiting.iter().position(|waiting| {
            waiting.due.is_some_and(|due| due <= self.now) && (waiting.tried_on != worker || is_needed)
        });
        let (Some(place), Some(member)) = (found, self.members.get_mut(&worker)) else {
            return false;
        };
        if member.retry.is_some() {
            return false;
        }
        let test = self.waiting.remove(place).test;
        member.retry = Some((test, true));
        member.held.push(test);
        (member.resting, member.is_idle) = (false, false);
        actions.push(Action::Assign {
            worker,
            tests: vec![test],
        });
        true
    }

    /// Passes a demand to the policy, and its answer on, except a close.
    fn ask_policy(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let mut answer = Vec::new();
        self.policy.demand(demand, &mut answer);
        for action in answer {
            match action {
                Action::Close { worker } => {
                    if let Some(member) = self.members.get_mut(&worker) {
                        member.state = State::ClosedByPolicy;
                    }
                }
                Action::Assign { worker, tests } => {
                    if let Some(member) = self.members.get_mut(&worker) {
                        member.held.extend(&tests);
                        (member.resting, member.is_idle) = (false, false);
                    }
                    actions.push(Action::Assign { worker, tests });
                }
                Action::TakeBack { worker, count, whole } => {
                    let retry = self.members.get(&worker).and_then(|member| member.retry);
                    // The retry is behind the tests that the policy takes back, and is taken back with them.
                    let more = usize::from(retry.is_some_and(|(_, is_queued)| is_queued));
                    let count = count + more;
                    actions.push(Action::TakeBack { worker, count, whole });
                }
                Action::Rest { worker } => {
                    if let Some(member) = self.members.get_mut(&worker) {
                        member.resting = true;
                    }
                    actions.push(Action::Rest { worker });
                }
            }
        }
    }

    /// Makes an idle worker that waits in its last test finish it, once. Returns whether it has such a test.
    fn rest(&mut self, worker: Worker, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&worker) else {
            return false;
        };
        if member.held.is_empty() {
            return false;
        }
        if !member.resting {
            member.resting = true;
            actions.push(Action::Rest { worker });
        }
        true
    }

    /// Whether no test can become pending any more.
    fn is_over(&self) -> bool {
        self.unfinished() == 0 && self.announced.is_empty() && self.undecided.is_empty()
    }

    /// What an idle worker does that has got no test.
    fn settle_idle(&mut self, worker: Worker, actions: &mut Vec<Action>) {
        let Some(member) = self.members.get(&worker) else {
            return;
        };
        let is_announced = member.held.iter().any(|test| self.announced.contains_key(test));
        if !is_announced && member.state == State::Open {
            return;
        }
        if !self.rest(worker, actions) && self.is_over() {
            if let Some(member) = self.members.get_mut(&worker) {
                member.state = State::Closed;
            }
            actions.push(Action::Close { worker });
        }
    }

    /// Tells the policy of a worker anew that it has closed. Returns false if the worker has to finish its last test
    /// first, which the policy would count as lost.
    fn rejoin(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return false;
        };
        if member.state != State::Rejoining {
            return true;
        }
        if !member.held.is_empty() {
            if demand.idle {
                self.rest(demand.worker, actions);
            }
            return false;
        }
        member.state = State::Open;
        self.policy.lost(demand.worker, None);
        self.policy.add_worker(demand.worker);
        true
    }
}

impl Policy for Retries {
    fn add_worker(&mut self, worker: Worker) {
        self.members.insert(worker, Member::default());
        self.policy.add_worker(worker);
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        self.now = demand.now;
        self.release();
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return;
        };
        if member.state == State::Closed {
            return;
        }
        member.is_idle = demand.idle;
        if let Some((_, is_queued)) = &mut member.retry
            && *is_queued
        {
            if demand.queued > 0 {
                return;
            }
            *is_queued = false;
        }
        if !self.rules.last && self.assign_retry(demand, false, actions) {
            return;
        }
        if !self.rejoin(demand, actions) {
            return;
        }
        let is_closed = |this: &Self| {
            let member = this.members.get(&demand.worker);
            member.is_none_or(|member| member.state == State::ClosedByPolicy)
        };
        if !is_closed(self) {
            self.ask_policy(demand, actions);
        }
        if !actions.is_empty() || !demand.idle {
            return;
        }
        let has_nothing_else = is_closed(self);
        if !has_nothing_else || !self.assign_retry(demand, true, actions) {
            self.settle_idle(demand.worker, actions);
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, seconds: f64) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Some(place) = member.held.iter().position(|held| *held == test) else {
            return;
        };
        member.held.remove(place);
        if member.retry.take_if(|(retry, _)| *retry == test).is_none() {
            self.policy.finished(worker, test, seconds);
        }
        if let Some((worker, delay)) = self.announced.remove(&test) {
            self.wait(test, worker, delay);
        }
    }

    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64) {
        let member = self.members.get(&worker);
        let running = member.and_then(|member| Some((member.held.first()?, member.retry)));
        if running.is_none_or(|(test, retry)| retry.is_none_or(|(retry, _)| retry != *test)) {
            self.policy.set_up(worker, definition, seconds);
        }
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let mut tests = tests;
        if let Some((retry, _)) = member.retry
            && let [others @ .., last] = tests
            && *last == retry
        {
            tests = others;
            member.retry = None;
            member.held.retain(|held| *held != retry);
            // It goes to any worker that asks next.
            self.waiting.push(Waiting {
                test: retry,
                tried_on: Worker::MAX,
                delay: 0.0,
                due: Some(self.now),
            });
        }
        member.held.retain(|held| !tests.contains(held));
        self.policy.returned(worker, tests);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let Some(member) = self.members.remove(&worker) else {
            return;
        };
        let running = running.filter(|test| member.held.contains(test));
        let retry = member.retry.map(|(retry, _)| retry);
        self.policy
            .lost(worker, running.filter(|test| Some(*test) != retry));
        if let Some(test) = retry.filter(|retry| Some(*retry) != running) {
            self.wait(test, worker, 0.0);
        }
        for test in member.held {
            let announced = self.announced.remove(&test);
            if Some(test) != running {
                continue;
            }
            if let Some((_, delay)) = announced {
                self.wait(test, worker, delay);
            } else {
                self.undecided.insert(test);
            }
        }
        if self.policy.unfinished() > 0 {
            self.reopen();
        }
    }

    fn run_again(&mut self, test: Test) {
        self.undecided.remove(&test);
        self.policy.run_again(test);
        self.reopen();
    }

    fn retry(&mut self, worker: Worker, test: Test, delay: f64) {
        let is_running = self
            .members
            .get(&worker)
            .is_some_and(|member| member.held.contains(&test));
        if is_running {
            self.announced.insert(test, (worker, delay));
        } else if self.undecided.remove(&test) {
            self.wait(test, worker, delay);
        }
    }

    fn takes_retries(&self) -> bool {
        self.rules.by != RetryBy::Same
    }

    fn settle(&mut self, test: Test) {
        self.undecided.remove(&test);
    }

    fn unfinished(&self) -> usize {
        let retries = self.members.values().filter(|member| member.retry.is_some());
        self.policy.unfinished() + self.waiting.len() + retries.count()
    }

    fn next(&self, worker: Worker) -> Option<Test> {
        self.policy.next(worker)
    }
}
