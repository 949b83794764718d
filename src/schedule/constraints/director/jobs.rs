//! Which job begins next.
//!
//! A job begins on a worker whose queue is empty, when all that it needs is free. Where the order of the collection is
//! kept, it has its place there: it waits for what comes before it, and the worker goes forward. It begins out of its
//! place only when nothing else is left for the worker, or when what waits for its resource would prolong the run.
//! Otherwise the most urgent jobs begin first.

use super::members::{Queue, Running};
use super::{Action, Demand, Director};
use crate::schedule::policy::{Test, Worker};

impl Director {
    /// Gives a worker more of the job that it is in. Whether it got something, or has enough.
    pub(super) fn go_on(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
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
        } else if !self.is_next(class, number, demand.worker) {
            return false;
        } else {
            // Another job with the same needs: they need not be given back in between.
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

    /// The pool of the job of this class that a worker begins before it gets anything else of it; none that is serial.
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
            // Behind what the worker has run, a job waits for another worker, or for the end.
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

    /// Whether a worker may go on with the next job of a pool: nothing else of the class comes before it.
    fn is_next(&self, class: usize, pool: usize, worker: Worker) -> bool {
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

    /// The test that the class's policy would give a worker next.
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
            let only = self.each.as_ref().map(|_| demand.worker);
            member.running = Some(Running {
                class,
                pool: number,
                needs,
                only,
                tests,
                rest,
            });
        }
        self.assign(demand, first, Queue::Jobs, actions);
    }
}
