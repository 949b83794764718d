//! When the virtual users of one process start their iterations.
//!
//! Users are dealt over the processes like cards, and so are the iterations of the open model; each process calculates
//! its own share from the same plan and the same beginning, so that pacing needs no communication. All times are seconds
//! since that beginning.
//!
//! The hazard it handles: coordinated omission. An iteration has an intended start, which does not move when the process
//! is late; the difference is measured.

use super::plan::{Iterations, Model, Plan};
pub use super::user::Ended;
use super::user::User;
use std::collections::BTreeMap;

/// What a user does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// It starts an iteration at this time.
    At(f64),
    /// It has none left.
    Over,
}

/// Paces the users of one process.
#[derive(Debug)]
pub struct Pacer {
    plan: Plan,
    /// Processes that have users, and the place of this one among them.
    generators: u64,
    rank: u64,
    users: BTreeMap<u32, User>,
    /// The next iteration of the open model, counted within this process.
    ticket: u64,
    dropped: u64,
    started: u64,
    active: usize,
    running: usize,
    stopped: bool,
}

impl Pacer {
    /// Paces the share of process number `rank` of `generators`.
    #[must_use]
    pub fn new(plan: Plan, rank: usize, generators: usize) -> Self {
        let numbers = plan.users_of(rank, generators);
        let users = numbers.iter().map(|number| (*number, User::new(&plan, *number)));
        Self {
            generators: u64::from(plan.users).min(generators as u64).max(1),
            rank: rank as u64,
            users: users.collect(),
            ticket: 0,
            dropped: 0,
            started: 0,
            active: 0,
            running: 0,
            stopped: false,
            plan,
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The numbers of its users.
    #[must_use]
    pub fn users(&self) -> Vec<u32> {
        self.users.keys().copied().collect()
    }

    /// Lets no further iteration start.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether no further iteration starts.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// The time of a user's next iteration; `claim` takes one of the iterations that all users share, and returns its
    /// number from 0.
    pub fn next(&mut self, user: u32, now: f64, claim: impl FnOnce() -> u64) -> Next {
        let stopped = self.stopped;
        let next = match self.plan.model {
            _ if stopped => Next::Over,
            Model::Closed => {
                let user = self.users.get(&user);
                let next = user.and_then(|user| user.next(&self.plan, now, claim));
                next.map_or(Next::Over, Next::At)
            }
            Model::Open => self.next_due(now),
        };
        if let Some(user) = self.users.get_mut(&user) {
            let is_active = match next {
                Next::At(at) => {
                    user.intended = at;
                    self.plan.model == Model::Closed && user.is_active && at <= now.max(user.rested)
                }
                Next::Over => false,
            };
            if user.is_active && !is_active {
                self.active -= 1;
                user.is_active = false;
            }
        }
        next
    }

    /// The next iteration of the open model that is not overdue. One that is was due when no user was free.
    fn next_due(&mut self, now: f64) -> Next {
        loop {
            let Some(due) = self.due(self.ticket) else {
                return Next::Over;
            };
            self.ticket += 1;
            if due >= now {
                return Next::At(due);
            }
            self.dropped += 1;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of iterations are below 2^53")]
    fn due(&self, ticket: u64) -> Option<f64> {
        let number = self.rank + ticket * self.generators;
        if self.rank >= self.generators {
            return None;
        }
        if matches!(self.plan.iterations, Some(Iterations::Shared(limit)) if number >= limit) {
            return None;
        }
        self.plan.curve.reaches(number as f64)
    }

    /// Starts an iteration of a user; returns its task.
    pub fn begin(&mut self, user: u32, now: f64) -> usize {
        let Some(user) = self.users.get_mut(&user) else {
            return 0;
        };
        if !user.is_active {
            user.is_active = true;
            self.active += 1;
        }
        self.running += 1;
        self.started += 1;
        user.begin(&self.plan, now)
    }

    /// Ends the iteration of a user, or with `cancelled` forgets it.
    pub fn end(&mut self, user: u32, now: f64, cancelled: bool) -> Option<Ended> {
        let user = self.users.get_mut(&user).filter(|user| user.is_running)?;
        self.running -= 1;
        user.end(&self.plan, now, cancelled)
    }

    /// The number of the iteration that a user is running, from 0.
    #[must_use]
    pub fn iteration(&self, user: u32) -> u64 {
        self.users.get(&user).map_or(0, |user| user.iterations)
    }

    /// Whether a user is running an iteration.
    #[must_use]
    pub fn is_running(&self, user: u32) -> bool {
        self.users.get(&user).is_some_and(|user| user.is_running)
    }

    /// How late the iteration of a user has started, in seconds.
    #[must_use]
    pub fn lag(&self, user: u32) -> f64 {
        self.users.get(&user).map_or(0.0, User::lag)
    }

    /// How many users take part at this moment; of the open model, how many are running an iteration.
    #[must_use]
    pub fn active(&self) -> usize {
        match self.plan.model {
            Model::Closed => self.active,
            Model::Open => self.running,
        }
    }

    /// How many iterations have started.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.started
    }

    /// How many iterations were due when no user was free.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts the iterations that are due before `now` and that no user has asked for.
    pub fn finish(&mut self, now: f64) {
        if self.plan.model == Model::Open {
            while self.due(self.ticket).is_some_and(|due| due < now) {
                self.ticket += 1;
                self.dropped += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mark::Mark;
    use super::*;
    use proptest::prelude::*;

    fn mark(text: Mark) -> Plan {
        text.plan().expect("a plan")
    }

    fn closed(users: f64, seconds: f64) -> Mark {
        Mark {
            users: Some(users),
            duration: Some(seconds),
            ..Mark::default()
        }
    }

    fn open(rate: f64, users: f64) -> Mark {
        Mark {
            users: Some(users),
            rate: Some(rate),
            duration: Some(10.0),
            ..Mark::default()
        }
    }

    /// Runs the users of all processes, whose iterations take `took` seconds; returns the starts of each process.
    fn drive(plan: &Plan, generators: usize, took: f64) -> (Vec<Vec<f64>>, u64) {
        let (mut starts, mut dropped, mut claimed) = (Vec::new(), 0, 0);
        for rank in 0..generators {
            let mut pacer = Pacer::new(plan.clone(), rank, generators);
            let mut own = Vec::new();
            // The times at which users ask, the earliest first.
            let mut asking: Vec<(f64, u32)> = pacer.users().iter().map(|user| (0.0, *user)).collect();
            while !asking.is_empty() {
                asking.sort_by(|one, other| other.0.total_cmp(&one.0));
                let (now, user) = asking.pop().expect("a user");
                let next = pacer.next(user, now, || {
                    claimed += 1;
                    claimed - 1
                });
                if let Next::At(at) = next {
                    assert!(at >= now, "{at} {now}");
                    pacer.begin(user, at);
                    own.push(at);
                    let ended = pacer.end(user, at + took, false).expect("it has begun");
                    assert!(ended.lag.abs() < 1e-9 && (ended.took - took).abs() < 1e-9);
                    asking.push((at + took, user));
                }
            }
            pacer.finish(1e9);
            assert_eq!(pacer.active(), 0);
            dropped += pacer.dropped();
            starts.push(own);
        }
        (starts, dropped)
    }

    #[test]
    fn closed_users_start_again_when_they_have_ended() {
        let (starts, dropped) = drive(&mark(closed(3.0, 0.95)), 2, 0.1);
        assert_eq!(starts.iter().map(Vec::len).collect::<Vec<_>>(), [20, 10]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn users_pause_within_the_bounds_and_the_same_with_the_same_seed() {
        let plan = mark(Mark {
            think: Some((1.0, 3.0)),
            ..closed(1.0, 100.0)
        });
        let (starts, _) = drive(&plan, 1, 0.0);
        let gaps: Vec<f64> = starts[0].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (1.0..=3.0).contains(gap)), "{gaps:?}");
        assert!((40..65).contains(&gaps.len()), "{}", gaps.len());
        assert_eq!(drive(&plan, 1, 0.0).0, starts);
        let other = Plan { seed: 1, ..plan };
        assert_ne!(drive(&other, 1, 0.0).0, starts);
    }

    #[test]
    fn iterations_that_no_user_is_free_for_are_dropped() {
        // Two users that take 100 ms do 20 iterations per second of the 40 that are due.
        let (starts, dropped) = drive(&mark(open(40.0, 2.0)), 1, 0.1);
        let done = starts[0].len() as u64;
        assert_eq!(done + dropped, 400);
        assert!((130..=200).contains(&done), "{done}");
    }

    #[test]
    fn tasks_are_chosen_by_weight_or_in_sequence() {
        let plan = mark(Mark {
            weights: vec![3, 1],
            ..closed(1.0, 10.0)
        });
        let mut pacer = Pacer::new(plan.clone(), 0, 1);
        let mut counts = [0; 2];
        for _ in 0..4000 {
            counts[pacer.begin(0, 0.0)] += 1;
            pacer.end(0, 0.0, false);
        }
        assert!((2850..3150).contains(&counts[0]), "{counts:?}");
        let mut pacer = Pacer::new(
            Plan {
                sequence: true,
                ..plan
            },
            0,
            1,
        );
        let tasks: Vec<usize> = (0..4)
            .map(|_| {
                let task = pacer.begin(0, 0.0);
                pacer.end(0, 0.0, false);
                task
            })
            .collect();
        assert_eq!(tasks, [0, 1, 0, 1]);
    }

    #[test]
    fn a_stopped_pacer_starts_nothing() {
        let mut pacer = Pacer::new(mark(closed(1.0, 10.0)), 0, 1);
        pacer.stop();
        assert_eq!(pacer.next(0, 0.0, || 0), Next::Over);
    }

    proptest! {
        #[test]
        fn every_due_iteration_starts_once_whatever_the_number_of_processes(
            rate in 1.0..300.0f64, generators in 1usize..6, users in 1.0..40.0f64,
        ) {
            let plan = mark(open(rate, users.round()));
            let (starts, dropped) = drive(&plan, generators, 0.01);
            let mut all: Vec<f64> = starts.concat();
            all.sort_by(f64::total_cmp);
            let due: Vec<f64> = (0..4000).map_while(|number| plan.curve.reaches(f64::from(number))).collect();
            prop_assert_eq!(all.len() as u64 + dropped, due.len() as u64);
            prop_assert!(all.iter().all(|at| due.iter().any(|due| (due - at).abs() < 1e-9)));
        }

        #[test]
        fn shared_iterations_are_run_by_all_users_together(
            limit in 1u64..200, generators in 1usize..5, users in 1.0..20.0f64,
        ) {
            let plan = mark(Mark { duration: None, iterations: Some(limit), ..closed(users.round(), 0.0) });
            let (starts, _) = drive(&plan, generators, 0.01);
            prop_assert_eq!(starts.concat().len() as u64, limit);
            let plan = mark(Mark { duration: None, iterations_per_user: Some(limit), ..closed(users.round(), 0.0) });
            let (starts, _) = drive(&plan, generators, 0.01);
            prop_assert_eq!(starts.concat().len() as u64, limit * u64::from(plan.users));
        }
    }
}
