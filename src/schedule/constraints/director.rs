//! Constraints that every policy obeys: classes of tests that run one after the other, and tests that must not meet.
//!
//! A director gives each class a policy of its own and keeps from it the tests that need something for themselves. Those
//! it hands out as jobs, each to a worker whose queue is empty, as soon as all that the job needs is free. What a job
//! needs is given back when its last test is finished, tear-down and all. A class begins, for a worker, when those
//! before have nothing left to hand out; tests that wait for a resource hold nobody up, serial ones do.
//!
//! The hazard it handles: a policy believes to know the end of every queue. So a queue never holds tests of two classes,
//! or of a job behind those of a class: a worker changes between them when its queue is empty, and a take-back that would
//! hit the wrong tests is answered here, with nothing.

mod classes;
mod jobs;
mod members;
mod remaining;

pub use self::classes::{Class, Job};
use self::classes::{Open, Place};
use self::members::{Member, Queue};
pub use self::remaining::Remaining;
use crate::schedule::constraints::needs::Resources;
use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker};
use std::collections::{BTreeMap, VecDeque};

/// See the module.
pub struct Director {
    classes: Vec<Open>,
    places: Vec<Place>,
    resources: Resources,
    members: BTreeMap<Worker, Member>,
    /// `--dist each`: the jobs of each class, for every worker that begins, and how many have not begun.
    each: Option<(Vec<Vec<Job>>, usize)>,
    /// Where the order of the collection is kept: what is left.
    remaining: Option<Remaining>,
    unfinished: usize,
}

impl Director {
    /// A run of these classes, one after the other; `places` says how many may hold each resource at a time.
    #[must_use]
    pub fn new(classes: Vec<Class>, places: Vec<u32>) -> Self {
        Self::with(classes, places, None)
    }

    /// The same, in which jobs keep their place in the collection as far as what they need allows. `remaining` knows all
    /// tests.
    #[must_use]
    pub fn in_order(classes: Vec<Class>, places: Vec<u32>, remaining: Remaining) -> Self {
        let mut remaining = remaining.with_places(&places);
        for job in classes.iter().flat_map(|class| &class.jobs) {
            remaining.hold(&job.needs, &job.tests, 1.0);
        }
        Self {
            remaining: Some(remaining),
            ..Self::new(classes, places)
        }
    }

    /// The same for `--dist each`, where each of `workers` workers runs all jobs.
    #[must_use]
    pub fn each(classes: Vec<Class>, places: Vec<u32>, workers: usize) -> Self {
        Self::with(classes, places, Some(workers))
    }

    fn with(classes: Vec<Class>, resources: Vec<u32>, runs: Option<usize>) -> Self {
        let mut places = Vec::new();
        let mut unfinished = 0;
        let mut each = Vec::new();
        let mut open = Vec::new();
        for (index, class) in classes.into_iter().enumerate() {
            for (test, number) in class.tests.iter().zip(0..) {
                put(&mut places, *test, Place::Policy(index, number));
            }
            let mut this = Open {
                policy: class.policy,
                tests: class.tests,
                pools: Vec::new(),
            };
            unfinished += this.policy.unfinished();
            for job in &class.jobs {
                let pool = this.pool_with(&job.needs);
                if runs.is_none() {
                    this.pools[pool].add(job, None);
                }
                job.tests
                    .iter()
                    .for_each(|test| put(&mut places, *test, Place::Pool(index, pool)));
                unfinished += job.tests.len() * runs.unwrap_or(1);
            }
            each.push(class.jobs);
            open.push(this);
        }
        Self {
            classes: open,
            places,
            resources: Resources::new(resources),
            members: BTreeMap::new(),
            each: runs.map(|runs| (each, runs)),
            remaining: None,
            unfinished,
        }
    }

    fn assign(&mut self, demand: Demand, tests: Vec<Test>, queue: Queue, actions: &mut Vec<Action>) {
        if let Some(member) = self.members.get_mut(&demand.worker) {
            member.held.extend(&tests);
            member.furthest = member.furthest.max(tests.iter().max().copied());
            member.queue = queue;
            member.resting = false;
            actions.push(Action::Assign {
                worker: demand.worker,
                tests,
            });
        }
    }

    /// Has an idle worker that holds its last test finish it, once.
    fn rest(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if let Some(member) = self.members.get_mut(&demand.worker)
            && demand.idle
            && !member.held.is_empty()
            && !member.resting
        {
            member.resting = true;
            actions.push(Action::Rest {
                worker: demand.worker,
            });
        }
    }

    /// Asks a class's policy, and carries out what concerns the director. Whether that settles the demand.
    fn ask(&mut self, class: usize, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return true;
        };
        if member.done_with.contains(&class) {
            return false;
        }
        if demand.queued > 0 && member.queue != Queue::Class(class) {
            return true;
        }
        let policy = &mut self.classes[class].policy;
        if member.joined.insert(class) {
            policy.add_worker(demand.worker);
        }
        loop {
            let mut answer = Vec::new();
            policy.demand(demand, &mut answer);
            // A policy answers a demand with one action, if at all.
            match answer.pop() {
                None | Some(Action::Rest { .. }) => return true,
                Some(Action::Assign { tests, .. }) => {
                    let numbers = &self.classes[class].tests;
                    let tests = tests.into_iter().map(|test| numbers[test as usize]).collect();
                    self.assign(demand, tests, Queue::Class(class), actions);
                    return true;
                }
                Some(Action::TakeBack { worker, count, whole }) => {
                    if self
                        .members
                        .get(&worker)
                        .is_some_and(|victim| victim.queue == Queue::Class(class))
                    {
                        actions.push(Action::TakeBack { worker, count, whole });
                        return true;
                    }
                    policy.returned(worker, &[]);
                }
                Some(Action::Close { .. }) => {
                    if let Some(member) = self.members.get_mut(&demand.worker) {
                        member.done_with.insert(class);
                    }
                    return false;
                }
            }
        }
    }

    /// Lets a worker take part again in classes in which something is pending that was not when it left them. Whether it
    /// can go on; not so while it holds a test, which those policies would take for lost.
    fn rejoin(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return false;
        };
        if !member.rejoining.is_empty() && !member.held.is_empty() {
            self.rest(demand, actions);
            return false;
        }
        for class in std::mem::take(&mut member.rejoining) {
            member.done_with.remove(&class);
            let policy = &mut self.classes[class].policy;
            policy.lost(demand.worker, None);
            policy.add_worker(demand.worker);
        }
        true
    }

    /// Something is pending again in this class: whoever has left it may have to come back.
    fn reopen(&mut self, class: usize) {
        if self.each.is_none() {
            for member in self
                .members
                .values_mut()
                .filter(|member| member.done_with.contains(&class))
            {
                member.rejoining.insert(class);
            }
        }
    }

    fn is_serial_job_running(&self) -> bool {
        let mut running = self.members.values().filter_map(|member| member.running.as_ref());
        running.any(|running| running.needs.serial)
    }

    /// Whether there is no job left that this worker may run.
    fn is_all_handed_out(&self, worker: Worker) -> bool {
        let mut pools = self.classes.iter().flat_map(|class| &class.pools);
        pools.all(|pool| !pool.has_any(worker))
    }

    fn place(&self, test: Test) -> Option<Place> {
        self.places.get(test as usize).copied()
    }
}

impl Policy for Director {
    fn add_worker(&mut self, worker: Worker) {
        self.members.insert(worker, Member::default());
        let Some((jobs, fresh)) = &mut self.each else {
            return;
        };
        if *fresh > 0 {
            *fresh -= 1;
            for (class, jobs) in self.classes.iter_mut().zip(jobs) {
                for job in jobs {
                    let pool = class.pool_with(&job.needs);
                    class.pools[pool].add(job, Some(worker));
                }
            }
        } else {
            // It goes on where a lost worker has left off.
            for pool in self.classes.iter_mut().flat_map(|class| &mut class.pools) {
                pool.reassign_to(worker, |only| !self.members.contains_key(&only));
            }
        }
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let Some(member) = self.members.get(&demand.worker) else {
            return;
        };
        if member.closed || demand.room == 0 || !self.rejoin(demand, actions) || self.go_on(demand, actions) {
            return;
        }
        if self.is_serial_job_running() {
            // Nothing begins beside it, and nothing follows it before it is torn down.
            self.rest(demand, actions);
            return;
        }
        let member = self.members.get(&demand.worker);
        let is_in_job = member.is_some_and(|member| member.running.is_some());
        for class in 0..self.classes.len() {
            let job = self.next_job(class, demand.worker).filter(|_| !is_in_job);
            if let Some(pool) = job {
                if demand.queued == 0 {
                    self.start_job(class, pool, demand, actions);
                }
                // Else it begins when the queue is empty; nothing is to be put before it.
                return;
            }
            if self.ask(class, demand, actions) {
                if actions.is_empty() && is_in_job {
                    self.rest(demand, actions);
                }
                return;
            }
            if self.classes[class].has_serial(demand.worker) {
                // They wait until nobody holds a test, and the next class waits for them.
                self.rest(demand, actions);
                if self.members.values().all(Member::is_between_tests)
                    && let Some(pool) = self.next_serial_job(class, demand.worker)
                {
                    self.start_job(class, pool, demand, actions);
                }
                return;
            }
        }
        if is_in_job {
            self.rest(demand, actions);
        } else if demand.idle && self.is_all_handed_out(demand.worker) {
            if let Some(member) = self.members.get_mut(&demand.worker) {
                member.closed = true;
            }
            actions.push(Action::Close {
                worker: demand.worker,
            });
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, seconds: f64) {
        let place = self.place(test);
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        if !member.finish(test) {
            return;
        }
        self.unfinished -= 1;
        if let Some(remaining) = &mut self.remaining {
            remaining.count(test, -1.0);
        }
        if let Some(Place::Policy(class, number)) = place {
            self.classes[class].policy.finished(worker, number, seconds);
        } else if let Some(running) = member.running.take_if(|running| running.finish(test)) {
            self.resources.give_back(&running.needs);
        }
    }

    /// Only the policy whose test it is learns of it: others would take the time off a test of theirs.
    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64) {
        let running = self.members.get(&worker).and_then(|member| member.held.front());
        if let Some(Place::Policy(class, _)) = running.and_then(|test| self.place(*test)) {
            self.classes[class].policy.set_up(worker, definition, seconds);
        }
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Queue::Class(class) = member.queue else {
            return;
        };
        member.give_back(tests);
        let numbers = tests
            .iter()
            .filter_map(|test| self.place(*test)?.number_in(class));
        let numbers: Vec<Test> = numbers.collect();
        self.classes[class].policy.returned(worker, &numbers);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let Some(member) = self.members.remove(&worker) else {
            return;
        };
        let running = running.filter(|test| member.held.contains(test));
        self.unfinished -= usize::from(running.is_some());
        if let (Some(remaining), Some(test)) = (&mut self.remaining, running) {
            remaining.count(test, -1.0);
        }
        let place = running.and_then(|test| self.place(test));
        for class in member.joined {
            let policy = &mut self.classes[class].policy;
            policy.lost(worker, place.and_then(|place| place.number_in(class)));
            if policy.unfinished() > 0 {
                self.reopen(class);
            }
        }
        if let Some(mut job) = member.running {
            self.resources.give_back(&job.needs);
            let is_done = running.is_some_and(|test| job.finish(test));
            if !is_done {
                if let Some(remaining) = &mut self.remaining {
                    remaining.hold(&job.needs, &job.tests, 1.0);
                }
                self.classes[job.class].pools[job.pool].put_back(job.only, job.tests);
            }
        }
    }

    fn again(&mut self, test: Test) {
        let Some(place) = self.place(test) else {
            return;
        };
        self.unfinished += 1;
        if let Some(remaining) = &mut self.remaining {
            remaining.count(test, 1.0);
        }
        match place {
            Place::Policy(class, number) => {
                self.classes[class].policy.again(number);
                self.reopen(class);
            }
            Place::Pool(class, pool) => {
                let pool = &mut self.classes[class].pools[pool];
                if let Some(remaining) = &mut self.remaining {
                    remaining.hold(&pool.needs, [&test], 1.0);
                }
                pool.put_back(None, VecDeque::from([test]));
            }
        }
    }

    fn unfinished(&self) -> usize {
        self.unfinished
    }
}

/// Notes where a test is scheduled.
fn put(places: &mut Vec<Place>, test: Test, place: Place) {
    let at = test as usize;
    if places.len() <= at {
        places.resize(at + 1, place);
    }
    places[at] = place;
}
