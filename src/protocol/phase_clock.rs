//! Checking whether the times that pytest reports for a phase are plausible.
//!
//! The hazard it handles: a test may replace Python's clocks (freezegun does so in every loaded module,
//! `_pytest.timing` included) and never restore them. Reports then contain phases that took no time or started years
//! ago. pytest's times are used if they are plausible; otherwise those measured here.

use crate::platform::clock::{monotonic, since_epoch};
use crate::protocol::report::Phase;

/// Tolerance in seconds: the system clock is adjusted now and then, the monotonic one is not.
const TOLERANCE: f64 = 1.0;

/// Seconds. Python's clock has a resolution of nanoseconds, so a phase longer than this cannot have a duration of zero.
const NOTICEABLE: f64 = 0.001;

/// When a phase began, in seconds since the epoch, and how many seconds it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// When it began.
    pub start: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Measures the phases of tests independently of pytest.
#[derive(Debug, Clone, Copy)]
pub struct PhaseClock {
    /// The time of construction, on both clocks.
    origin: f64,
    origin_since_epoch: f64,
    /// When the current phase started.
    began: f64,
    /// Time and phase of the last report.
    last: f64,
    phase: Option<Phase>,
}

impl PhaseClock {
    /// Starts measuring.
    #[must_use]
    pub fn new() -> Self {
        Self::at(monotonic(), since_epoch())
    }

    fn at(now: f64, since_epoch: f64) -> Self {
        Self {
            origin: now,
            origin_since_epoch: since_epoch,
            began: now,
            last: now,
            phase: None,
        }
    }

    /// Marks the start of a test.
    pub fn test_begins(&mut self) {
        self.begins(monotonic());
    }

    fn begins(&mut self, now: f64) {
        (self.began, self.last, self.phase) = (now, now, None);
    }

    /// Handles the report of a phase: returns the measured times if the reported ones are implausible.
    pub fn reported(&mut self, phase: Option<Phase>, claimed: Span) -> Option<Span> {
        self.reported_at(phase, claimed, monotonic(), since_epoch())
    }

    fn reported_at(
        &mut self,
        phase: Option<Phase>,
        claimed: Span,
        now: f64,
        since_epoch: f64,
    ) -> Option<Span> {
        if phase != self.phase || phase.is_none() {
            // Subtests are reported with the phase in progress, before its own report.
            (self.began, self.phase) = (self.last, phase);
        }
        self.last = now;
        let seconds = now - self.began;
        let is_possible = (0.0..=now - self.origin + TOLERANCE).contains(&claimed.seconds)
            && (self.origin_since_epoch - TOLERANCE..=since_epoch + TOLERANCE).contains(&claimed.start)
            && !(claimed.seconds == 0.0 && seconds > NOTICEABLE);
        (!is_possible).then_some(Span {
            start: since_epoch - seconds,
            seconds,
        })
    }
}

impl Default for PhaseClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: f64 = 1.0e9;

    fn claimed(start: f64, seconds: f64) -> Span {
        Span { start, seconds }
    }

    /// A clock on which a test started after 10 s.
    fn clock() -> PhaseClock {
        let mut clock = PhaseClock::at(5.0, EPOCH);
        clock.begins(15.0);
        clock
    }

    fn reported(clock: &mut PhaseClock, phase: Phase, claimed: Span, now: f64) -> Option<Span> {
        clock.reported_at(Some(phase), claimed, now, EPOCH + now - 5.0)
    }

    #[test]
    fn plausible_times_are_used() {
        for possible in [
            claimed(EPOCH + 10.0, 2.0),
            claimed(EPOCH + 10.0, 0.5),
            claimed(EPOCH + 1.0, 11.0),
            claimed(EPOCH - 0.5, 2.0),
            claimed(EPOCH + 12.5, 1e-9),
        ] {
            assert_eq!(reported(&mut clock(), Phase::Setup, possible, 17.0), None);
        }
    }

    #[test]
    fn implausible_times_are_replaced() {
        for impossible in [
            claimed(EPOCH + 10.0, 0.0),
            claimed(EPOCH + 10.0, -1.0),
            claimed(EPOCH + 10.0, f64::NAN),
            claimed(EPOCH + 10.0, f64::INFINITY),
            claimed(EPOCH + 10.0, 1e6),
            claimed(0.0, 2.0),
            claimed(f64::NAN, 2.0),
            claimed(EPOCH * 2.0, 2.0),
        ] {
            let found = reported(&mut clock(), Phase::Setup, impossible, 17.0);
            assert_eq!(found, Some(claimed(EPOCH + 10.0, 2.0)), "{impossible:?}");
        }
    }

    #[test]
    fn each_phase_begins_when_the_one_before_was_reported() {
        let (mut clock, frozen) = (clock(), claimed(0.0, 0.0));
        let mut seconds = |phase, now| reported(&mut clock, phase, frozen, now).map(|found| found.seconds);
        assert_eq!(seconds(Phase::Setup, 16.0), Some(1.0));
        assert_eq!(seconds(Phase::Call, 18.0), Some(2.0));
        // A subtest, and then the call phase itself.
        assert_eq!(seconds(Phase::Call, 21.0), Some(5.0));
        assert_eq!(seconds(Phase::Teardown, 21.5), Some(0.5));
    }

    #[test]
    fn a_very_short_phase_may_have_zero_duration() {
        let frozen = claimed(EPOCH + 10.0, 0.0);
        assert_eq!(reported(&mut clock(), Phase::Setup, frozen, 15.0005), None);
    }
}
