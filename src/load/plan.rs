//! One load test, as its mark and the profile of the run ask for it.

use super::curve::Curve;
use super::threshold::{Abort, Thresholds};
use crate::text::duration::{micros, spoken};
use serde::{Deserialize, Serialize};

/// Seconds after which a load test ends that is limited by its iterations only, as in k6.
pub const LONGEST_BY_ITERATIONS: f64 = 600.0;

/// Seconds for which running iterations may go on at the end, as in k6.
pub const GRACEFUL_STOP: f64 = 30.0;

/// What decides when an iteration starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// A user starts its next iteration when its last one has ended: the curve is the number of users.
    Closed,
    /// Iterations start when they are due, whether earlier ones have ended or not: the curve is a rate.
    Open,
}

/// A limit on the number of iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Iterations {
    /// Of all users together.
    Shared(u64),
    /// Of each user.
    PerUser(u64),
}

/// A load test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What decides when an iteration starts.
    pub model: Model,
    /// Users, or iterations per second, over time.
    pub curve: Curve,
    /// The highest number of users.
    pub users: u32,
    /// A limit on the number of iterations.
    pub iterations: Option<Iterations>,
    /// Least and most seconds of a pause after each iteration of a user.
    pub think: Option<(f64, f64)>,
    /// For how many seconds running iterations may go on at the end.
    pub graceful_stop: f64,
    /// The seed of pauses and choices.
    pub seed: u64,
    /// The limits that it has to meet.
    #[serde(with = "super::threshold::as_text")]
    pub thresholds: Thresholds,
    /// When it is aborted.
    #[serde(with = "super::threshold::as_optional_text")]
    pub abort: Option<Abort>,
    /// How often each task is chosen, relative to the others; one if it is not a class.
    pub weights: Vec<u32>,
    /// Whether tasks run one after the other instead of being chosen.
    pub sequence: bool,
}

impl Plan {
    /// How long it takes, in seconds, without the graceful stop.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.curve.seconds()
    }

    /// What is asked for, in words: `50 users for 1:00 min`.
    #[must_use]
    pub fn words(&self) -> String {
        let time = spoken(micros(self.seconds()));
        let peak = self.curve.peak();
        let unit = match self.model {
            Model::Closed if self.users == 1 => " user",
            Model::Closed => " users",
            Model::Open => " iterations/s",
        };
        let stages = self.curve.segments.len();
        let load = match self.curve.segments.as_slice() {
            [one] if same(one.from, one.to) => format!("{peak}{unit}"),
            _ => format!(
                "up to {peak}{unit} in {stages} stage{}",
                if stages == 1 { "" } else { "s" }
            ),
        };
        match self.iterations {
            Some(Iterations::Shared(count)) => format!("{load}, {count} iterations in at most {time}"),
            Some(Iterations::PerUser(count)) => {
                format!("{load}, {count} iterations each in at most {time}")
            }
            None => format!("{load} for {time}"),
        }
    }

    /// The users of one of several processes: their numbers, ascending.
    #[must_use]
    pub fn users_of(&self, rank: usize, generators: usize) -> Vec<u32> {
        (0..self.users).skip(rank).step_by(generators.max(1)).collect()
    }
}

#[expect(clippy::float_cmp, reason = "whether a value was given twice")]
fn same(one: f64, other: f64) -> bool {
    one == other
}
