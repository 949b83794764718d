//! The arguments of `@pytest.mark.load`, and whether they go together.

use super::curve::Curve;
use super::plan::{GRACEFUL_STOP, Iterations, LONGEST_BY_ITERATIONS, Model, Plan};
use super::profile::at_least_one;
use super::threshold::{Abort, Thresholds};

/// Users of the open model for each iteration per second, if the mark does not say how many: enough for iterations that
/// take two seconds.
const USERS_PER_RATE: f64 = 2.0;

/// The most and least of these.
const USERS_FOR_RATE: (f64, f64) = (10.0, 1000.0);

/// The arguments of a mark; durations in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// `users`.
    pub users: Option<f64>,
    /// `duration`.
    pub duration: Option<f64>,
    /// `stages`: seconds and users.
    pub stages: Vec<(f64, f64)>,
    /// `rate`, in iterations per second.
    pub rate: Option<f64>,
    /// `rate_stages`: seconds and iterations per second.
    pub rate_stages: Vec<(f64, f64)>,
    /// `iterations`.
    pub iterations: Option<u64>,
    /// `iterations_per_user`.
    pub iterations_per_user: Option<u64>,
    /// `think`: least and most seconds.
    pub think: Option<(f64, f64)>,
    /// `graceful_stop`.
    pub graceful_stop: Option<f64>,
    /// `seed`.
    pub seed: u64,
    /// `thresholds`.
    pub thresholds: String,
    /// `abort`.
    pub abort: Option<String>,
    /// `weight` of each task.
    pub weights: Vec<u32>,
    /// `sequence`.
    pub sequence: bool,
}

/// What is wrong with a mark, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMark(String);

impl Mark {
    /// Whether the arguments go together.
    fn check(&self, is_open: bool) -> Result<(), InvalidMark> {
        let wrong = |text: &str| Err(InvalidMark(text.to_owned()));
        if self.rate.is_some() && !self.rate_stages.is_empty() {
            return wrong("rate and rate_stages contradict each other: write one of them");
        }
        if is_open && !self.stages.is_empty() {
            return wrong(
                "stages are of users, and rate is of iterations: write rate_stages=[(\"30s\", 100), ...] for a rate \
                 that changes",
            );
        }
        if !self.stages.is_empty() && self.users.is_some() {
            return wrong("users and stages contradict each other: the stages say how many users there are");
        }
        if (!self.stages.is_empty() || !self.rate_stages.is_empty()) && self.duration.is_some() {
            return wrong("duration and stages contradict each other: the stages say how long it takes");
        }
        if self.iterations.is_some() && self.iterations_per_user.is_some() {
            return wrong("iterations and iterations_per_user contradict each other: write one of them");
        }
        if is_open && self.iterations_per_user.is_some() {
            return wrong("with a rate, iterations are of nobody in particular: write iterations=...");
        }
        if is_open && self.think.is_some() {
            return wrong("with a rate, iterations start when they are due: think has no effect, omit it");
        }
        let all = [self.users, self.rate, self.duration, self.graceful_stop]
            .into_iter()
            .flatten();
        let pairs = self
            .stages
            .iter()
            .chain(&self.rate_stages)
            .copied()
            .chain(self.think);
        if !all
            .chain(pairs.flat_map(|(one, other)| [one, other]))
            .all(f64::is_finite)
        {
            return wrong("users, rates and durations have to be finite numbers");
        }
        let numbers = [self.users, self.rate].into_iter().flatten();
        let targets = self
            .stages
            .iter()
            .chain(&self.rate_stages)
            .map(|(_, target)| *target);
        if numbers.chain(self.duration).any(|number| number <= 0.0)
            || [self.iterations, self.iterations_per_user].contains(&Some(0))
        {
            return wrong("users, rate, duration and iterations have to be more than 0");
        }
        if !self.stages.is_empty() || !self.rate_stages.is_empty() {
            let total: f64 = self
                .stages
                .iter()
                .chain(&self.rate_stages)
                .map(|(seconds, _)| seconds)
                .sum();
            if total <= 0.0 || targets.fold(0.0, f64::max) <= 0.0 {
                return wrong(
                    "the stages ask for no load: write for example stages=[(\"30s\", 20), (\"1m\", 20)]",
                );
            }
        }
        Ok(())
    }

    /// What the mark asks for.
    ///
    /// # Errors
    /// [`InvalidMark`] if arguments contradict each other, or are missing.
    pub fn plan(self) -> Result<Plan, InvalidMark> {
        let wrong = |text: &str| Err(InvalidMark(text.to_owned()));
        let is_open = self.rate.is_some() || !self.rate_stages.is_empty();
        self.check(is_open)?;
        let iterations = match (self.iterations, self.iterations_per_user) {
            (Some(count), _) => Some(Iterations::Shared(count)),
            (_, Some(count)) => Some(Iterations::PerUser(count)),
            _ => None,
        };
        let has_time = self.duration.is_some() || !self.stages.is_empty() || !self.rate_stages.is_empty();
        if !has_time && iterations.is_none() {
            return wrong(
                "how long it takes is missing: write duration=\"1m\", stages=[...] or iterations=1000",
            );
        }
        let seconds = self.duration.unwrap_or(LONGEST_BY_ITERATIONS);
        let (model, curve) = match (self.rate, is_open) {
            (Some(rate), _) => (Model::Open, Curve::constant(rate, seconds)),
            (None, true) => (Model::Open, Curve::ramps(&self.rate_stages)),
            (None, false) if !self.stages.is_empty() => (Model::Closed, Curve::ramps(&self.stages)),
            (None, false) => match self.users {
                Some(users) => (Model::Closed, Curve::constant(users, seconds)),
                None => return wrong("how much is missing: write users=50, stages=[...] or rate=200"),
            },
        };
        let users = match (model, self.users) {
            (Model::Open, Some(users)) => users,
            (Model::Open, None) => (curve.peak() * USERS_PER_RATE).clamp(USERS_FOR_RATE.0, USERS_FOR_RATE.1),
            (Model::Closed, _) => curve.peak(),
        };
        let invalid = |error: super::threshold::InvalidThreshold| InvalidMark(error.to_string());
        let thresholds: Thresholds = self.thresholds.parse().map_err(invalid)?;
        let abort: Option<Abort> = self.abort.map(|text| text.parse()).transpose().map_err(invalid)?;
        Ok(Plan {
            model,
            curve,
            users: at_least_one(users),
            iterations,
            think: self.think,
            graceful_stop: self.graceful_stop.unwrap_or(GRACEFUL_STOP),
            seed: self.seed,
            thresholds,
            abort,
            weights: if self.weights.is_empty() {
                vec![1]
            } else {
                self.weights
            },
            sequence: self.sequence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(users: f64) -> Mark {
        Mark {
            users: Some(users),
            duration: Some(10.0),
            ..Mark::default()
        }
    }

    fn rate(rate: f64) -> Mark {
        Mark {
            rate: Some(rate),
            duration: Some(10.0),
            ..Mark::default()
        }
    }

    #[test]
    fn users_and_rates_become_curves() {
        let plan = users(50.0).plan().expect("valid");
        assert_eq!(
            (plan.model, plan.users, plan.seconds()),
            (Model::Closed, 50, 10.0)
        );
        let plan = rate(200.0).plan().expect("valid");
        assert_eq!(
            (plan.model, plan.users, plan.curve.peak()),
            (Model::Open, 400, 200.0)
        );
        let plan = Mark {
            users: Some(7.0),
            ..rate(200.0)
        }
        .plan()
        .expect("valid");
        assert_eq!(plan.users, 7);
        let plan = Mark {
            users: Some(5.0),
            iterations: Some(1000),
            ..Mark::default()
        };
        let plan = plan.plan().expect("valid");
        assert_eq!(
            (plan.iterations, plan.seconds()),
            (Some(Iterations::Shared(1000)), 600.0)
        );
    }

    #[test]
    fn contradictory_arguments_are_refused_and_what_to_write_is_said() {
        let stages = vec![(30.0, 20.0)];
        for (mark, expected) in [
            (
                Mark {
                    rate_stages: stages.clone(),
                    ..rate(1.0)
                },
                "rate and rate_stages",
            ),
            (
                Mark {
                    stages: stages.clone(),
                    ..rate(1.0)
                },
                "write rate_stages",
            ),
            (
                Mark {
                    stages: stages.clone(),
                    duration: None,
                    ..users(1.0)
                },
                "users and stages",
            ),
            (
                Mark {
                    stages: stages.clone(),
                    users: None,
                    ..users(1.0)
                },
                "duration and stages",
            ),
            (
                Mark {
                    iterations: Some(1),
                    iterations_per_user: Some(1),
                    ..users(1.0)
                },
                "iterations and",
            ),
            (
                Mark {
                    iterations_per_user: Some(1),
                    ..rate(1.0)
                },
                "write iterations=...",
            ),
            (
                Mark {
                    think: Some((1.0, 2.0)),
                    ..rate(1.0)
                },
                "think has no effect",
            ),
            (users(0.0), "more than 0"),
            (
                Mark {
                    iterations: Some(0),
                    ..users(1.0)
                },
                "more than 0",
            ),
            (
                Mark {
                    stages: vec![(30.0, 0.0)],
                    ..Mark::default()
                },
                "no load",
            ),
            (
                Mark {
                    duration: None,
                    ..users(1.0)
                },
                "how long it takes is missing",
            ),
            (
                Mark {
                    users: None,
                    ..users(1.0)
                },
                "how much is missing",
            ),
            (
                Mark {
                    abort: Some("soon".to_owned()),
                    ..users(1.0)
                },
                "for 10s",
            ),
        ] {
            let said = mark.clone().plan().expect_err("contradictory").to_string();
            assert!(said.contains(expected), "{mark:?}: {said}");
        }
    }

    #[test]
    fn numbers_have_to_be_finite() {
        let endless = Mark {
            think: Some((1.0, f64::INFINITY)),
            ..users(1.0)
        };
        for mark in [users(f64::NAN), rate(f64::INFINITY), endless] {
            let said = mark.plan().expect_err("not finite").to_string();
            assert!(said.contains("finite"), "{said}");
        }
    }
}
