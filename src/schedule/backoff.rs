//! The delay before a failed test is tried again: constant, or longer each time.

use crate::text::duration::{self, InvalidDuration};

/// The longest delay if none is given, in seconds: services that restart take less.
const MOST: f64 = 60.0;

/// The delays of a test that is tried again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Seconds before the first retry.
    first: f64,
    /// By which each further delay is longer.
    factor: f64,
    /// The longest delay in seconds.
    most: f64,
}

/// The text does not describe delays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBackoff {
    /// A delay is not a duration.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    /// The factor is not a number of at least 1.
    #[error("invalid factor '{0}' of a delay: expected a number from 1, as in 1s*2")]
    Factor(String),
}

impl Backoff {
    /// The same delay in seconds each time.
    #[must_use]
    pub fn constant(seconds: f64) -> Self {
        Self {
            first: seconds,
            factor: 1.0,
            most: f64::INFINITY,
        }
    }

    /// Parses a delay (`500ms`), with a factor by which each further one is longer (`1s*2`), and with the longest
    /// (`1s*2..30s`; by default a minute).
    ///
    /// # Errors
    /// [`InvalidBackoff`].
    pub fn parse(text: &str) -> Result<Self, InvalidBackoff> {
        let Some((first, growth)) = text.split_once('*') else {
            return Ok(Self::constant(duration::parse(text)?));
        };
        let (factor, most) = match growth.split_once("..") {
            Some((factor, most)) => (factor, duration::parse(most)?),
            None => (growth, MOST),
        };
        let number = factor.trim().parse::<f64>().ok();
        let factor = number
            .filter(|factor| factor.is_finite() && *factor >= 1.0)
            .ok_or_else(|| InvalidBackoff::Factor(crate::text::shortened(factor.trim())))?;
        let first = duration::parse(first)?;
        Ok(Self { first, factor, most })
    }

    /// Seconds before the next attempt, after so many.
    #[must_use]
    pub fn after(&self, attempts: u32) -> f64 {
        let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        (self.first * self.factor.powi(exponent)).min(self.most.max(self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(text: &str) -> [f64; 4] {
        let backoff = Backoff::parse(text).expect(text);
        [1, 2, 3, 40].map(|attempts| backoff.after(attempts))
    }

    fn assert_delays(text: &str, expected: [f64; 4]) {
        let found = delays(text);
        let is_near = found
            .iter()
            .zip(expected)
            .all(|(one, other)| (one - other).abs() < 1e-9);
        assert!(is_near, "{text}: {found:?}");
    }

    #[test]
    fn a_delay_is_constant_or_grows_up_to_a_maximum() {
        assert_delays("500ms", [0.5; 4]);
        assert_delays("2m", [120.0; 4]);
        assert_delays("1s*2", [1.0, 2.0, 4.0, 60.0]);
        assert_delays("1s * 3 .. 5s", [1.0, 3.0, 5.0, 5.0]);
        assert_delays("0*2", [0.0; 4]);
        assert_delays("2m*2..1s", [120.0; 4]);
    }

    #[test]
    fn an_invalid_delay_is_explained() {
        for text in ["1s*", "1s*x", "1s*0.5", "1s*-1", "1s*nan", "1s*inf"] {
            let problem = Backoff::parse(text).expect_err(text).to_string();
            assert!(
                problem.contains("expected a number from 1, as in 1s*2"),
                "{problem}"
            );
        }
        for text in ["", "x*2", "1s*2..x", "-1s"] {
            let problem = Backoff::parse(text).expect_err(text).to_string();
            assert!(problem.contains("invalid duration"), "{text}: {problem}");
        }
    }
}
