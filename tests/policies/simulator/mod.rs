//! Simulation of a run without processes: workers claim, run and crash at random, and the engine lags behind.
//!
//! It is as adverse as reality can be. Workers claim tests between polls of the engine, one of them ahead of time;
//! reports stay unread for a while; workers start late and one by one; a worker that has just claimed its last test may
//! still look idle. Every call is checked against the contract in `rustpar::schedule`, and after every poll the
//! policy's number of unfinished tests is checked.

mod dice;
mod worker;

use dice::Dice;
use std::collections::BTreeMap;
use worker::{Report, SimulatedWorker};

use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};

/// Parameters of a run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) tests: usize,
    pub(crate) workers: usize,
    /// Capacity of a worker's queue.
    pub(crate) capacity: usize,
    /// Maximum number of lost workers.
    pub(crate) crashes: usize,
    /// Maximum number of tests that are run again.
    pub(crate) reruns: usize,
    /// Maximum number of failed tests that are tried again.
    pub(crate) retries: usize,
    /// Whether tests that have crashed are tried again, too.
    pub(crate) retries_crashes: bool,
    /// Whether every lost worker is replaced, and tests that have crashed are tried again by its replacement.
    pub(crate) replaces: bool,
    /// Number of results that every test must get, not counting repeated runs.
    pub(crate) runs: usize,
    pub(crate) seed: u64,
}

/// The events of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) assigned: Vec<(Worker, Vec<Test>)>,
    pub(crate) started: Vec<(Worker, Test)>,
    /// Results of each test, by the first of the workers that replaced one another.
    pub(crate) results_of: BTreeMap<(Worker, Test), usize>,
    /// Retries after crashes, in the same way.
    pub(crate) retries_of: BTreeMap<(Worker, Test), usize>,
    pub(crate) crashes: usize,
    pub(crate) reruns: usize,
    pub(crate) retries: usize,
    pub(crate) longest_queue: usize,
}

/// Runs `policy` to its end and checks that every test has got the required number of results; returns the violated
/// property as an error.
pub(crate) fn simulate(policy: &mut dyn Policy, setup: &Setup) -> Result<Outcome, String> {
    simulate_with(policy, setup, &|_, _| true)
}

/// The same; `may_run_together` says whether a test may start while those of other workers are running.
pub(crate) fn simulate_with(
    policy: &mut dyn Policy,
    setup: &Setup,
    may_run_together: &dyn Fn(Test, &[Test]) -> bool,
) -> Result<Outcome, String> {
    let mut run = Run {
        policy,
        setup,
        may_run_together,
        dice: Dice(setup.seed),
        stations: BTreeMap::new(),
        next: 0,
        not_started: setup.workers,
        lost: Vec::new(),
        crashes: setup.crashes,
        reruns: setup.reruns,
        retries: setup.retries,
        announced: Vec::new(),
        wanted: vec![setup.runs; setup.tests],
        results: vec![0; setup.tests],
        outcome: Outcome::default(),
    };
    let total = setup.tests * setup.runs + setup.crashes + setup.reruns + setup.retries;
    for _ in 0..1000 + 100 * total {
        run.start_worker();
        run.work()?;
        run.crash()?;
        if run.dice.one_in(2) {
            run.poll()?;
        }
        if run.policy.unfinished() == 0 && run.stations.is_empty() {
            return if run.results == run.wanted {
                Ok(run.outcome)
            } else {
                Err(format!("results {:?}, wanted {:?}", run.results, run.wanted))
            };
        }
    }
    Err(format!(
        "the run does not end: {} tests unfinished, workers: {:?}",
        run.policy.unfinished(),
        run.stations
    ))
}

struct Run<'a> {
    policy: &'a mut dyn Policy,
    setup: &'a Setup,
    may_run_together: &'a dyn Fn(Test, &[Test]) -> bool,
    dice: Dice,
    stations: BTreeMap<Worker, SimulatedWorker>,
    next: Worker,
    /// Number of workers that have not started yet.
    not_started: usize,
    /// The first workers of those that are to be replaced.
    lost: Vec<Worker>,
    crashes: usize,
    reruns: usize,
    retries: usize,
    /// Failed tests that are to be tried again when they have finished.
    announced: Vec<(Worker, Test)>,
    wanted: Vec<usize>,
    results: Vec<usize>,
    outcome: Outcome,
}

impl Run<'_> {
    fn start_worker(&mut self) {
        if !self.lost.is_empty() && self.dice.one_in(3) {
            let first = self.lost.swap_remove(self.dice.below(self.lost.len()));
            self.stations.insert(self.next, SimulatedWorker::replacing(first));
            self.policy.add_replacement(self.next, first);
            self.next += 1;
        }
        let unfinished = self.policy.unfinished() > 0;
        let open = self.stations.values().any(|station| !station.closed);
        // Where every lost worker is replaced, one that is closed in its last test is, too, if it crashes there.
        if unfinished && self.not_started == 0 && !open && !self.setup.replaces {
            self.not_started = 1;
        }
        let first = self.next == 0;
        // The only worker of a run is replaced after it is lost: it runs tests with constraints without checking them.
        let is_alone = self.setup.workers == 1 && !self.stations.is_empty();
        if self.not_started > 0 && (unfinished || first) && !is_alone && self.dice.one_in(3) {
            self.not_started -= 1;
            self.stations.insert(self.next, SimulatedWorker::default());
            self.policy.add_worker(self.next);
            self.next += 1;
        }
    }

    fn work(&mut self) -> Result<(), String> {
        let workers: Vec<Worker> = self.stations.keys().copied().collect();
        for worker in workers {
            let others: Vec<Test> = self
                .stations
                .iter()
                .filter(|(other, _)| **other != worker)
                .filter_map(|(_, station)| station.test())
                .collect();
            let Some(station) = self.stations.get_mut(&worker) else {
                continue;
            };
            // Skip some turns, so that the workers do not run in step.
            if self.dice.one_in(4) {
                continue;
            }
            if let Some((test, turns)) = station.running {
                station.running = (turns > 0).then(|| (test, turns - 1));
                if station.running.is_none() {
                    station.ending = Some(test);
                    if self.retries > 0 && !self.setup.replaces && self.dice.one_in(4) {
                        self.retries -= 1;
                        station.reports.push_back(Report::Retry(test));
                    }
                }
                if station.claimed.is_none() && self.dice.one_in(4) {
                    station.claimed = station.queue.pop_front();
                }
            } else if let Some(test) = station.ending {
                station.claimed = station.claimed.or_else(|| station.queue.pop_front());
                if station.claimed.is_some() || station.closed || station.resting {
                    station.reports.push_back(Report::Finished(test));
                    station.ending = None;
                }
                station.resting &= station.claimed.is_some();
            } else if let Some(test) = station.claimed.take() {
                let turns = if self.dice.one_in(8) {
                    20
                } else {
                    self.dice.below(3)
                };
                station.running = Some((test, turns));
                if !(self.may_run_together)(test, &others) {
                    return Err(format!("test {test} begins beside {others:?}"));
                }
                self.outcome.started.push((worker, test));
            } else {
                station.claimed = station.queue.pop_front();
                station.left = station.closed && station.claimed.is_none();
            }
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<(), String> {
        if self.crashes == 0 || self.stations.is_empty() || !self.dice.one_in(10) {
            return Ok(());
        }
        self.crashes -= 1;
        self.outcome.crashes += 1;
        let nth = self.dice.below(self.stations.len());
        let Some(worker) = self.stations.keys().nth(nth).copied() else {
            return Ok(());
        };
        self.read_reports(worker, usize::MAX);
        let Some(station) = self.stations.remove(&worker) else {
            return Ok(());
        };
        let running = station.test();
        let first = station.first.unwrap_or(worker);
        self.want_announced(worker, running);
        self.policy.lost(worker, running);
        if let Some(test) = running {
            self.result(first, test);
            self.settle(worker, first, test);
        }
        if self.dice.one_in(2) {
            // No worker holds these any more; such an answer must not add them again.
            self.policy.returned(worker, &Vec::from(station.queue));
        }
        if self.setup.replaces {
            self.lost.push(first);
        } else {
            self.not_started += usize::from(self.dice.one_in(2));
        }
        self.check_count()
    }

    /// Decides whether a test in which a worker has crashed is tried again.
    fn settle(&mut self, worker: Worker, first: Worker, test: Test) {
        if self.retries > 0 && self.setup.retries_crashes && self.dice.one_in(2) {
            self.retries -= 1;
            self.outcome.retries += 1;
            let before = self.policy.unfinished();
            if self.setup.replaces {
                *self.outcome.retries_of.entry((first, test)).or_default() += 1;
                self.policy.retry_in_replacement(first, test);
            } else {
                self.policy.retry(worker, test, 0.0);
            }
            // Nothing happens if the attempt has been announced to be tried again, or if a rerun was requested.
            self.wanted[test as usize] += self.policy.unfinished() - before;
        } else {
            self.policy.settle(test);
        }
    }

    /// One poll of the engine.
    fn poll(&mut self) -> Result<(), String> {
        let workers: Vec<Worker> = self.stations.keys().copied().collect();
        for &worker in &workers {
            let at_most = if self.dice.one_in(2) {
                usize::MAX
            } else {
                self.dice.below(3)
            };
            self.read_reports(worker, at_most);
            let station = &self.stations[&worker];
            if station.left && station.reports.is_empty() {
                self.stations.remove(&worker);
                self.policy.lost(worker, None);
            }
        }
        self.check_count()?;
        // Nothing is claimed meanwhile, so the policy must reach a stable state.
        for _ in 0..1000 + self.setup.tests {
            let mut changed = false;
            for &worker in &workers {
                changed |= self.ask(worker)?;
            }
            if !changed {
                return self.check_count();
            }
        }
        Err("the policy does not reach a stable state".to_owned())
    }

    fn read_reports(&mut self, worker: Worker, at_most: usize) {
        for _ in 0..at_most {
            let report = self
                .stations
                .get_mut(&worker)
                .and_then(|station| station.reports.pop_front());
            match report {
                None => return,
                Some(Report::Retry(test)) => {
                    self.outcome.retries += 1;
                    self.announced.push((worker, test));
                    self.policy.retry(worker, test, 0.0);
                }
                Some(Report::Finished(test)) => {
                    self.want_announced(worker, Some(test));
                    self.policy.finished(worker, test, 0.001);
                    let first = self.stations.get(&worker).and_then(|station| station.first);
                    self.result(first.unwrap_or(worker), test);
                }
            }
        }
    }

    /// A retry counts from the end of the attempt that has failed; it does not happen if the worker ends in between.
    fn want_announced(&mut self, worker: Worker, finished: Option<Test>) {
        let announced = self.announced.extract_if(.., |(on, _)| *on == worker);
        for (_, test) in announced.collect::<Vec<_>>() {
            self.wanted[test as usize] += usize::from(Some(test) == finished);
        }
    }

    fn result(&mut self, first: Worker, test: Test) {
        *self.outcome.results_of.entry((first, test)).or_default() += 1;
        self.results[test as usize] += 1;
        if self.reruns > 0 && self.dice.one_in(8) {
            self.reruns -= 1;
            self.outcome.reruns += 1;
            self.wanted[test as usize] += 1;
            self.policy.run_again(test);
        }
    }

    fn check_count(&self) -> Result<(), String> {
        let wanted: usize = self.wanted.iter().sum();
        let results: usize = self.results.iter().sum();
        let unfinished = self.policy.unfinished();
        if wanted - results == unfinished {
            Ok(())
        } else {
            Err(format!(
                "{unfinished} unfinished, but {results} of {wanted} results"
            ))
        }
    }

    /// Sends a demand for a worker and executes the answer; returns whether there was one.
    fn ask(&mut self, worker: Worker) -> Result<bool, String> {
        let Some(station) = self.stations.get(&worker) else {
            return Ok(false);
        };
        if station.closed {
            return Ok(false);
        }
        let queued = station.queue.len();
        let stands = station.claimed.is_none() || self.dice.one_in(8);
        let demand = Demand {
            worker,
            queued,
            room: self.setup.capacity - queued,
            idle: queued == 0 && station.running.is_none() && stands,
            waited: if self.dice.one_in(3) { 1.0 } else { 0.0 },
            now: 0.0,
        };
        let mut actions = Vec::new();
        self.policy.demand(demand, &mut actions);
        let answered = !actions.is_empty();
        for action in actions {
            self.act(demand, action)
                .map_err(|broken| format!("{broken}, after {demand:?}"))?;
        }
        Ok(answered)
    }

    fn act(&mut self, demand: Demand, action: Action) -> Result<(), String> {
        let worker = match &action {
            Action::Assign { worker, .. }
            | Action::TakeBack { worker, .. }
            | Action::Rest { worker }
            | Action::Close { worker } => *worker,
        };
        let Some(station) = self.stations.get_mut(&worker) else {
            return Err(format!("{action:?}, but the worker is gone"));
        };
        let asked = worker == demand.worker;
        match action {
            Action::Assign { tests, .. } if asked && !station.closed && !tests.is_empty() => {
                station.queue.extend(&tests);
                self.outcome.longest_queue = self.outcome.longest_queue.max(station.queue.len());
                if station.queue.len() > self.setup.capacity {
                    return Err(format!("no room for {tests:?}"));
                }
                self.outcome.assigned.push((worker, tests));
            }
            Action::TakeBack { count, whole, .. } if !asked && demand.idle && count > 0 => {
                let left = station.queue.len();
                let taken = if whole && count > left { 0 } else { count.min(left) };
                let tests = Vec::from(station.queue.split_off(left - taken));
                self.policy.returned(worker, &tests);
            }
            Action::Rest { .. } if asked && demand.idle => station.resting = true,
            Action::Close { .. } if asked && demand.idle => station.closed = true,
            wrong => return Err(format!("{wrong:?} violates the contract")),
        }
        Ok(())
    }
}
