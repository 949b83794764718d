//! A virtual user: when it takes part in the closed model, which task it runs, and how long it pauses.
//!
//! The hazard it handles: a seed must mean the same load in every run. So each user has random numbers of its own, which
//! depend neither on the other users nor on the processes that they are dealt to.

use super::plan::{Iterations, Model, Plan};

/// An iteration that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// Seconds between its intended and its actual start.
    pub lag: f64,
    /// Seconds that it took.
    pub took: f64,
}

/// A user of a load test. Times are seconds since the beginning.
#[derive(Debug)]
pub(super) struct User {
    /// When it runs, of the closed model: pairs of beginning and end.
    spans: Vec<(f64, f64)>,
    random: fastrand::Rng,
    /// When its pause ends.
    pub(super) rested: f64,
    /// When its next iteration should start, or the running one should have started.
    pub(super) intended: f64,
    started: f64,
    /// How many iterations it has finished.
    pub(super) iterations: u64,
    task: usize,
    /// Whether it takes part: it runs an iteration, or pauses between two.
    pub(super) is_active: bool,
    /// Whether it runs an iteration.
    pub(super) is_running: bool,
}

impl User {
    /// Creates the user with this number.
    pub(super) fn new(plan: &Plan, number: u32) -> Self {
        Self {
            spans: match plan.model {
                Model::Closed => plan.curve.above(f64::from(number)),
                Model::Open => Vec::new(),
            },
            random: fastrand::Rng::with_seed(plan.seed ^ (u64::from(number) << 20)),
            rested: 0.0,
            intended: 0.0,
            started: 0.0,
            iterations: 0,
            task: 0,
            is_active: false,
            is_running: false,
        }
    }

    /// The time of its next iteration in the closed model; `None` if it has none left. `claim` takes one of the
    /// iterations that all users share, and returns its number from 0.
    pub(super) fn next(&self, plan: &Plan, now: f64, claim: impl FnOnce() -> u64) -> Option<f64> {
        if matches!(plan.iterations, Some(Iterations::PerUser(limit)) if self.iterations >= limit) {
            return None;
        }
        let earliest = now.max(self.rested);
        let (begin, _) = self.spans.iter().find(|(_, end)| *end > earliest)?;
        if matches!(plan.iterations, Some(Iterations::Shared(limit)) if claim() >= limit) {
            return None;
        }
        Some(begin.max(earliest))
    }

    /// Starts an iteration; returns its task.
    pub(super) fn begin(&mut self, plan: &Plan, now: f64) -> usize {
        self.is_running = true;
        self.started = now;
        let weights = &plan.weights;
        if plan.sequence {
            let tasks = weights.len().max(1) as u64;
            self.task = usize::try_from(self.iterations % tasks).unwrap_or_default();
        } else if weights.len() > 1 {
            let total: u32 = weights.iter().sum();
            let mut at = self.random.u32(0..total.max(1));
            self.task = weights
                .iter()
                .position(|weight| {
                    let is_this = at < *weight;
                    at = at.saturating_sub(*weight);
                    is_this
                })
                .unwrap_or_default();
        }
        self.task
    }

    /// Ends the running iteration, or with `cancelled` forgets it.
    pub(super) fn end(&mut self, plan: &Plan, now: f64, cancelled: bool) -> Option<Ended> {
        self.is_running = false;
        if cancelled {
            return None;
        }
        self.iterations += 1;
        self.rested = now;
        if let Some((least, most)) = plan.think {
            self.rested += least + (most - least) * self.random.f64();
        }
        Some(Ended {
            lag: self.lag(),
            took: now - self.started,
        })
    }

    /// How late its iteration has started, in seconds.
    pub(super) fn lag(&self) -> f64 {
        (self.started - self.intended).max(0.0)
    }
}
