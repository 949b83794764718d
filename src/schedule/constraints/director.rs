//! Constraints that apply to every policy: order classes, and tests that must not run at the same time.
//!
//! A director has one policy per class, and withholds the tests with constraints from it. It assigns those as jobs,
//! each to a worker with an empty queue, as soon as all resources of the job are free. They are released when the last
//! test of the job has finished, teardown included. A class starts on a worker when the classes before have nothing
//! left to assign; jobs that wait for a resource do not delay the next class, serial ones do.
//!
//! The hazard it handles: a policy assumes that it knows the end of every queue. So a worker changes from one
//! class to the next, or from a class to a job, only when its queue is empty, and the tests in a queue always belong to
//! one policy or to one job. If a policy takes back tests from a queue with other tests, the director returns none.

mod classes;
mod each;
mod jobs;
mod members;
mod policies;
mod remaining;

pub use self::classes::{Class, Job};
use self::classes::{ClassState, For, Place};
use self::members::{Member, Queue};
pub use self::remaining::Remaining;
use crate::schedule::constraints::needs::{Needs, Resources};
use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker};
use std::collections::{BTreeMap, VecDeque};

/// The policy described above.
pub struct Director {
    classes: Vec<ClassState>,
    places: Vec<Place>,
    resources: Resources,
    members: BTreeMap<Worker, Member>,
    /// The first of the workers that replaced one another, for each replacement.
    firsts: BTreeMap<Worker, Worker>,
    /// For `--dist each`: the jobs of each class, which every worker runs, and the number of workers that have not
    /// started.
    each: Option<(Vec<Vec<Job>>, usize)>,
    /// The remaining work, if the collection order is kept.
    remaining: Option<Remaining>,
    unfinished: usize,
}

impl Director {
    /// Creates a director for these classes, which run one after the other; `places` is the number of places of each
    /// resource.
    #[must_use]
    pub fn new(classes: Vec<Class>, places: Vec<u32>) -> Self {
        Self::with(classes, places, None)
    }

    /// The same, but jobs keep their position in the collection as far as their constraints allow. `remaining` contains
    /// all tests.
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
        let mut class_states = Vec::new();
        for (index, class) in classes.into_iter().enumerate() {
            for (test, number) in class.tests.iter().zip(0..) {
                set_place(&mut places, *test, Place::Policy(index, number));
            }
            let mut this = ClassState {
                policy: class.policy,
                tests: class.tests,
                pools: Vec::new(),
            };
            unfinished += this.policy.unfinished();
            for job in &class.jobs {
                let pool = this.pool_with(&job.needs);
                if runs.is_none() {
                    this.pools[pool].add(job, For::All);
                }
                job.tests
                    .iter()
                    .for_each(|test| set_place(&mut places, *test, Place::Pool(index, pool)));
                unfinished += job.tests.len() * runs.unwrap_or(1);
            }
            each.push(class.jobs);
            class_states.push(this);
        }
        Self {
            classes: class_states,
            places,
            resources: Resources::new(resources),
            members: BTreeMap::new(),
            firsts: BTreeMap::new(),
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
            (member.resting, member.is_idle) = (false, false);
            actions.push(Action::Assign {
                worker: demand.worker,
                tests,
            });
        }
    }

    /// Makes an idle worker that waits in its last test finish it, once.
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

    fn is_serial_job_running(&self) -> bool {
        let mut running = self.members.values().filter_map(|member| member.running.as_ref());
        running.any(|running| running.needs.serial)
    }

    /// Whether no job is left that this worker may have to run.
    fn are_all_jobs_assigned(&self, worker: Worker) -> bool {
        let mut pools = self.classes.iter().flat_map(|class| &class.pools);
        pools.all(|pool| !pool.concerns(worker))
    }

    /// Lets a worker that has nothing else to do try the tests again that have failed on it, if all others are busy.
    /// Returns whether there are any.
    fn allow_retries(&mut self, worker: Worker) -> bool {
        let mut others = self.members.iter();
        if others.any(|(other, member)| *other != worker && member.is_idle) {
            return false;
        }
        let pools = self.classes.iter_mut().flat_map(|class| &mut class.pools);
        pools.filter_map(|pool| pool.allow(worker).then_some(())).count() > 0
    }

    /// Gives a worker what it may run next, or closes it.
    fn hand_out(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if !self.rejoin(demand, actions) || self.continue_job(demand, actions) {
            return;
        }
        if self.is_serial_job_running() {
            // No other test may start during it, nor before its teardown has finished.
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
                // Otherwise the job starts when the queue is empty; no other tests may be assigned before it.
                return;
            }
            if self.ask_policy(class, demand, actions) {
                if actions.is_empty() && is_in_job {
                    self.rest(demand, actions);
                }
                return;
            }
            if self.classes[class].has_serial(demand.worker) {
                // Serial jobs wait until all workers are idle, and the next class waits for them.
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
        } else if demand.idle && self.are_all_jobs_assigned(demand.worker) {
            if let Some(member) = self.members.get_mut(&demand.worker) {
                member.closed = true;
            }
            actions.push(Action::Close {
                worker: demand.worker,
            });
        }
    }

    fn count_again(&mut self, test: Test) {
        self.unfinished += 1;
        if let Some(remaining) = &mut self.remaining {
            remaining.count(test, 1.0);
        }
    }

    /// Adds a job that runs a test again.
    fn add_job(&mut self, test: Test, class: usize, pool: usize, workers: For) {
        self.count_again(test);
        let pool = &mut self.classes[class].pools[pool];
        if let Some(remaining) = &mut self.remaining {
            remaining.hold(&pool.needs, [&test], 1.0);
        }
        pool.put_back(workers, VecDeque::from([test]));
    }

    fn place(&self, test: Test) -> Option<Place> {
        self.places.get(test as usize).copied()
    }
}

impl Policy for Director {
    fn add_worker(&mut self, worker: Worker) {
        self.members.insert(worker, Member::default());
        if !self.start(worker) {
            self.reassign(worker, |this, only| !this.members.contains_key(&only));
        }
    }

    fn add_replacement(&mut self, worker: Worker, first: Worker) {
        self.members.insert(worker, Member::replacing(first));
        self.firsts.insert(worker, first);
        self.reassign(worker, |this, only| {
            this.firsts.get(&only).unwrap_or(&only) == &first
        });
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return;
        };
        member.is_idle = demand.idle;
        if member.closed || demand.room == 0 {
            return;
        }
        self.hand_out(demand, actions);
        if actions.is_empty() && demand.idle && self.allow_retries(demand.worker) {
            self.hand_out(demand, actions);
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

    /// Only the policy that schedules the test is told: others would subtract the time from one of their own tests.
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
                self.classes[job.class].pools[job.pool].put_back(job.workers, job.tests);
            }
        }
    }

    fn run_again(&mut self, test: Test) {
        let Some(place) = self.place(test) else {
            return;
        };
        match place {
            Place::Policy(class, number) => {
                self.count_again(test);
                self.classes[class].policy.run_again(number);
                self.reopen(class);
            }
            Place::Pool(class, pool) => self.add_job(test, class, pool, For::All),
        }
    }

    fn retry_in_replacement(&mut self, first: Worker, test: Test) {
        match self.place(test) {
            Some(Place::Policy(class, number)) => {
                self.count_again(test);
                self.classes[class].policy.retry_in_replacement(first, number);
            }
            Some(Place::Pool(class, pool)) => self.add_job(test, class, pool, For::Only(first)),
            None => {}
        }
    }

    fn run_elsewhere(&mut self, test: Test, worker: Worker) {
        let Some(place) = self.place(test) else {
            return;
        };
        let (class, pool) = match place {
            // The policy of its class may give it to any worker, so from now on it is a job without constraints.
            Place::Policy(class, _) => (class, self.classes[class].pool_with(&Needs::default())),
            Place::Pool(class, pool) => (class, pool),
        };
        self.places[test as usize] = Place::Pool(class, pool);
        self.add_job(test, class, pool, For::Others(worker));
    }

    fn unfinished(&self) -> usize {
        self.unfinished
    }
}

/// Sets what schedules a test.
fn set_place(places: &mut Vec<Place>, test: Test, place: Place) {
    let at = test as usize;
    if places.len() <= at {
        places.resize(at + 1, place);
    }
    places[at] = place;
}
