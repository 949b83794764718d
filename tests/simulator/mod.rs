//! Simulates a run without processes: workers that claim, run and die at random, and an engine with delays.
//!
//! It includes the worst cases of a real run. Workers claim tests while the engine is busy with others, one
//! of them ahead of time; reports stay unread for a while; workers start late and one by one; a worker
//! that has just claimed its last test may still look idle. Every call is checked against the contract in
//! `rustpar::schedule`, and after every tick the policy's count of unfinished tests against the real one.

use std::collections::{BTreeMap, VecDeque};

use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};

/// Parameters of a run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) tests: usize,
    pub(crate) workers: usize,
    /// Length of a worker's queue.
    pub(crate) capacity: usize,
    /// Largest number of workers that are lost.
    pub(crate) crashes: usize,
    /// Largest number of tests that are repeated.
    pub(crate) agains: usize,
    /// Number of results that every test must get, not counting `agains`.
    pub(crate) runs: usize,
    pub(crate) seed: u64,
}

/// Events of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) assigned: Vec<(Worker, Vec<Test>)>,
    pub(crate) started: Vec<(Worker, Test)>,
    pub(crate) crashes: usize,
    pub(crate) agains: usize,
    pub(crate) longest_queue: usize,
}

/// Runs `policy` to its end. On success every test has got its expected number of results; the error says which
/// guarantee was broken.
pub(crate) fn simulate(policy: &mut dyn Policy, setup: &Setup) -> Result<Outcome, String> {
    simulate_with(policy, setup, &|_, _| true)
}

/// Like `simulate`; `may_meet` says whether a test may start while the others run in other workers.
pub(crate) fn simulate_with(
    policy: &mut dyn Policy,
    setup: &Setup,
    may_meet: &dyn Fn(Test, &[Test]) -> bool,
) -> Result<Outcome, String> {
    let mut run = Run {
        policy,
        setup,
        may_meet,
        dice: Dice(setup.seed),
        stations: BTreeMap::new(),
        next: 0,
        to_come: setup.workers,
        crashes: setup.crashes,
        agains: setup.agains,
        wanted: vec![setup.runs; setup.tests],
        results: vec![0; setup.tests],
        outcome: Outcome::default(),
    };
    let total = setup.tests * setup.runs + setup.crashes + setup.agains;
    for _ in 0..1000 + 100 * total {
        run.start_worker();
        run.work()?;
        run.crash()?;
        if run.dice.one_in(2) {
            run.tick()?;
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

/// A worker, with the views of the engine and of the worker itself.
#[derive(Debug, Default)]
struct Station {
    queue: VecDeque<Test>,
    claimed: Option<Test>,
    /// The running test, and the number of turns that it still takes.
    running: Option<(Test, usize)>,
    /// The test that it has run, and will finish when it knows the next one.
    ending: Option<Test>,
    /// Whether it is to finish that test without knowing the next one.
    resting: bool,
    /// Finished tests whose reports the engine has not read.
    reports: VecDeque<Test>,
    closed: bool,
    left: bool,
}

impl Station {
    /// The current test.
    fn test(&self) -> Option<Test> {
        self.running.map(|(test, _)| test).or(self.ending)
    }
}

struct Run<'a> {
    policy: &'a mut dyn Policy,
    setup: &'a Setup,
    may_meet: &'a dyn Fn(Test, &[Test]) -> bool,
    dice: Dice,
    stations: BTreeMap<Worker, Station>,
    next: Worker,
    /// Workers that have not started yet.
    to_come: usize,
    crashes: usize,
    agains: usize,
    wanted: Vec<usize>,
    results: Vec<usize>,
    outcome: Outcome,
}

impl Run<'_> {
    fn start_worker(&mut self) {
        let unfinished = self.policy.unfinished() > 0;
        let open = self.stations.values().any(|station| !station.closed);
        if unfinished && self.to_come == 0 && !open {
            self.to_come = 1;
        }
        let first = self.next == 0;
        // The only worker of a run is replaced when it exits: it runs tests that need a resource without asking for it.
        let is_alone = self.setup.workers == 1 && !self.stations.is_empty();
        if self.to_come > 0 && (unfinished || first) && !is_alone && self.dice.one_in(3) {
            self.to_come -= 1;
            self.stations.insert(self.next, Station::default());
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
            // Some turns are skipped, so that the workers are not synchronized.
            if self.dice.one_in(4) {
                continue;
            }
            if let Some((test, turns)) = station.running {
                station.running = (turns > 0).then(|| (test, turns - 1));
                if station.running.is_none() {
                    station.ending = Some(test);
                }
                if station.claimed.is_none() && self.dice.one_in(4) {
                    station.claimed = station.queue.pop_front();
                }
            } else if let Some(test) = station.ending {
                station.claimed = station.claimed.or_else(|| station.queue.pop_front());
                if station.claimed.is_some() || station.closed || station.resting {
                    station.reports.push_back(test);
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
                if !(self.may_meet)(test, &others) {
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
        self.policy.lost(worker, running);
        if let Some(test) = running {
            self.result(test);
        }
        if self.dice.one_in(2) {
            // These tests have already been returned; such an answer must not return them a second time.
            self.policy.returned(worker, &Vec::from(station.queue));
        }
        self.to_come += usize::from(self.dice.one_in(2));
        self.check_count()
    }

    /// One poll of the engine.
    fn tick(&mut self) -> Result<(), String> {
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
        // Nothing is claimed in this loop, so the policy must reach a stable state.
        for _ in 0..1000 + self.setup.tests {
            let mut changed = false;
            for &worker in &workers {
                changed |= self.ask(worker)?;
            }
            if !changed {
                return self.check_count();
            }
        }
        Err("the policy does not come to rest".to_owned())
    }

    fn read_reports(&mut self, worker: Worker, at_most: usize) {
        for _ in 0..at_most {
            let report = self
                .stations
                .get_mut(&worker)
                .and_then(|station| station.reports.pop_front());
            let Some(test) = report else {
                return;
            };
            self.policy.finished(worker, test, 0.001);
            self.result(test);
        }
    }

    fn result(&mut self, test: Test) {
        self.results[test as usize] += 1;
        if self.agains > 0 && self.dice.one_in(8) {
            self.agains -= 1;
            self.outcome.agains += 1;
            self.wanted[test as usize] += 1;
            self.policy.again(test);
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

    /// Asks the policy for a worker and executes the actions; returns whether there were any.
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
            wrong => return Err(format!("{wrong:?} is against the rules")),
        }
        Ok(())
    }
}

/// Random numbers (splitmix64), so that a run only depends on its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % bound as u64).unwrap_or(0)
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}
