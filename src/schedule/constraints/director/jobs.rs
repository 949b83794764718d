//! The choice of the next job.
//!
//! A job starts on a worker whose queue is empty, when all its constraints are satisfied. If the collection order is
//! kept, the job has a position in it: it waits for the tests before it, and workers move forward. It starts out of
//! order only when nothing else is left for the worker, or when the jobs that wait for its resource would prolong the
//! run. Otherwise the most urgent jobs start first.

use super::classes::For;
use super::members::{Queue, Running};
use super::{Action, Demand, Director};
use crate::schedule::policy::{Test, Worker};

impl Director {
    /// Assigns more tests of the worker's current job. Returns whether the worker got tests or needs none.
    pub(super) fn continue_job(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(running) = self
            .members
            .get(&demand.worker)
            .and_then(|member| member.running.as_ref())
        else {
            return false;
        };
        let (class, number, is_at_its_end) = (running.class, running.pool, running.rest.is_empty());
        let more = if !is_at_its_end {
            if !demand.is_half_free() {
                return true;
            }
            None
        } else if demand.queued > 0 {
            return true;
        } else if !self.is_next_job(class, number, demand.worker) {
            return false;
        } else {
            // Another job with the same constraints: the resources are kept in between.
            let pool = &mut self.classes[class].pools[number];
            let Some(tests) = pool.next(demand.worker) else {
                return !demand.idle;
            };
            if let Some(remaining) = &mut self.remaining {
                remaining.hold(&pool.needs, &tests, -1.0);
            }
            Some(tests)
        };
        let member = self.members.get_mut(&demand.worker);
        let Some(running) = member.and_then(|member| member.running.as_mut()) else {
            return false;
        };
        if let Some(tests) = more {
            running.tests.extend(&tests);
            running.rest = tests;
        }
        let tests = running
            .rest
            .drain(..demand.room.min(running.rest.len()))
            .collect();
        self.assign(demand, tests, Queue::Jobs, actions);
        true
    }

    /// The pool of the non-serial job that a worker should start before other tests of this class.
    pub(super) fn next_job(&self, class: usize, worker: Worker) -> Option<usize> {
        let pools = self.classes[class].pools.iter().enumerate();
        let mut free = pools.filter(|(_, pool)| {
            !pool.needs.serial && pool.has_any(worker) && self.resources.are_free(&pool.needs)
        });
        let Some(remaining) = &self.remaining else {
            return free.next().map(|(number, _)| number);
        };
        let last = self.members.get(&worker)?.furthest;
        let upcoming = self.upcoming(class, worker);
        let jobs = free.filter_map(|(number, pool)| {
            let first = pool.first(worker)?;
            // A job before the worker's position waits for another worker, or for the end.
            let is_in_place = upcoming.is_none_or(|next| first < next && Some(first) > last);
            let is_urgent = remaining.is_urgent(&pool.needs, []);
            (is_in_place || is_urgent).then_some((!is_urgent, Some(first) <= last, first, number))
        });
        jobs.min().map(|(.., number)| number)
    }

    /// The pool of the next serial job of this class.
    pub(super) fn next_serial_job(&self, class: usize, worker: Worker) -> Option<usize> {
        let pools = self.classes[class].pools.iter().enumerate();
        let serial = pools.filter(|(_, pool)| {
            pool.needs.serial && pool.has_any(worker) && self.resources.are_free(&pool.needs)
        });
        if self.remaining.is_none() {
            return serial.map(|(number, _)| number).next();
        }
        let first = serial.min_by_key(|(_, pool)| pool.first(worker));
        first.map(|(number, _)| number)
    }

    /// Whether a worker may continue with the next job of a pool: no other tests of the class come before it.
    fn is_next_job(&self, class: usize, pool: usize, worker: Worker) -> bool {
        let (upcoming, first) = (
            self.upcoming(class, worker),
            self.classes[class].pools[pool].first(worker),
        );
        let member = self.members.get(&worker);
        let running = || member.and_then(|member| member.running.as_ref()).into_iter();
        let is_urgent = |remaining: &super::Remaining| {
            let needs = &self.classes[class].pools[pool].needs;
            remaining.is_urgent(needs, running().flat_map(|running| &running.tests))
        };
        match (&self.remaining, upcoming, first) {
            (Some(remaining), Some(upcoming), Some(first)) => first < upcoming || is_urgent(remaining),
            _ => true,
        }
    }

    /// The test that the class's policy would assign to a worker next.
    fn upcoming(&self, class: usize, worker: Worker) -> Option<Test> {
        let class = &self.classes[class];
        let number = class.policy.next(worker)?;
        class.tests.get(number as usize).copied()
    }

    /// Starts the next job of a pool on a worker whose queue is empty.
    pub(super) fn start_job(&mut self, class: usize, pool: usize, demand: Demand, actions: &mut Vec<Action>) {
        let number = pool;
        let pool = &mut self.classes[class].pools[pool];
        if !self.resources.take(&pool.needs) {
            return;
        }
        let Some(mut rest) = pool.next(demand.worker) else {
            self.resources.give_back(&pool.needs);
            return;
        };
        let needs = pool.needs.clone();
        let tests = rest.clone();
        if let Some(remaining) = &mut self.remaining {
            remaining.hold(&needs, &tests, -1.0);
        }
        let first = rest.drain(..demand.room.min(rest.len())).collect();
        if let Some(member) = self.members.get_mut(&demand.worker) {
            let workers = self.each.as_ref().map_or(For::All, |_| For::Only(demand.worker));
            member.running = Some(Running {
                class,
                pool: number,
                needs,
                workers,
                tests,
                rest,
            });
        }
        self.assign(demand, first, Queue::Jobs, actions);
    }
}
