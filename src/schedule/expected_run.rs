//! The expected run: a simulation of the policy in virtual time, and the lower bounds of any schedule.

use crate::schedule::forecast::Forecast;
use crate::schedule::lower_bound::Bounds;
use crate::schedule::mode::{Mode, Rules, policy};
use crate::schedule::simulation::{SimulationError, Step, simulate_run};

/// The plan of a run. If no test's duration is known, a test takes a second and a shared fixture no time.
#[derive(Debug, Clone, Default)]
pub struct ExpectedRun {
    /// The steps of each worker, in order.
    pub workers: Vec<Vec<Step>>,
    /// Lower bounds of any schedule of these tests.
    pub bounds: Bounds,
}

impl ExpectedRun {
    /// Simulates a run on `workers` workers.
    ///
    /// # Errors
    /// If the policy does not terminate.
    pub fn new(
        mode: &Mode,
        forecast: &Forecast,
        rules: &Rules,
        workers: usize,
    ) -> Result<Self, SimulationError> {
        let mut policy = policy(mode, forecast.clone(), rules, workers);
        Ok(Self {
            workers: simulate_run(policy.as_mut(), forecast.clone(), workers)?,
            bounds: Bounds::new(mode, forecast.clone(), rules, workers),
        })
    }

    /// When each worker ends, in seconds.
    #[must_use]
    pub fn ends(&self) -> Vec<f64> {
        let ends = self.workers.iter().map(|steps| steps.last());
        ends.map(|step| step.map_or(0.0, |step| step.end.as_secs_f64()))
            .collect()
    }

    /// When the last worker ends, in seconds.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.ends().into_iter().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_when_its_last_worker_does_and_not_before_its_lower_bound() {
        let forecast = Forecast {
            seconds: vec![Some(1.0), Some(1.0), Some(4.0)],
            ..Forecast::unknown(3)
        };
        let run = ExpectedRun::new(&Mode::load(), &forecast, &Rules::default(), 2).expect("a plan");
        let mut ends = run.ends();
        ends.sort_by(f64::total_cmp);
        assert_eq!(ends.last().copied(), Some(run.end()));
        assert!((4.0..6.0).contains(&run.end()));
        assert!((run.bounds.least() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_without_tests_takes_no_time() {
        let run =
            ExpectedRun::new(&Mode::load(), &Forecast::unknown(0), &Rules::default(), 2).expect("a plan");
        assert!(run.end() == 0.0);
    }
}
