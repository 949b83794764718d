//! Whether what pytest says a phase took can be believed.
//!
//! The hazard it handles: a test may put a clock of its own in the place of Python's (freezegun does, in every module that
//! is loaded, pytest's `_pytest.timing` included) and never take it away. Then a report tells of a phase that took no time,
//! or began years ago. What pytest has measured is believed while it is possible; else what was measured here counts.

use crate::platform::clock::{monotonic, since_epoch};
use crate::protocol::report::Phase;

/// Seconds by which a time may be off: the system's clock is set now and then, the monotonic one is not.
const TOLERANCE: f64 = 1.0;

/// Seconds. Python's clock tells nanoseconds, so what takes longer than this does not take no time at all.
const NOTICEABLE: f64 = 0.001;

/// When a phase began, in seconds since the epoch, and how many seconds it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// When it began.
    pub start: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Measures the phases of tests beside pytest.
#[derive(Debug, Clone, Copy)]
pub struct PhaseClock {
    /// When tests began, on both clocks.
    origin: f64,
    origin_since_epoch: f64,
    /// When the phase that is under way began.
    began: f64,
    /// When the last report came, and of which phase.
    last: f64,
    phase: Option<Phase>,
}

impl PhaseClock {
    /// Measures from now on.
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

    /// A test begins.
    pub fn test_begins(&mut self) {
        self.begins(monotonic());
    }

    fn begins(&mut self, now: f64) {
        (self.began, self.last, self.phase) = (now, now, None);
    }

    /// A phase was reported: what was measured here, where what the report says is not possible.
    pub fn reported(&mut self, phase: Option<Phase>, said: Span) -> Option<Span> {
        self.reported_at(phase, said, monotonic(), since_epoch())
    }

    fn reported_at(&mut self, phase: Option<Phase>, said: Span, now: f64, since_epoch: f64) -> Option<Span> {
        if phase != self.phase || phase.is_none() {
            // Reports of subtests have the phase of the one that is still to come.
            (self.began, self.phase) = (self.last, phase);
        }
        self.last = now;
        let seconds = now - self.began;
        let is_possible = (0.0..=now - self.origin + TOLERANCE).contains(&said.seconds)
            && (self.origin_since_epoch - TOLERANCE..=since_epoch + TOLERANCE).contains(&said.start)
            && !(said.seconds == 0.0 && seconds > NOTICEABLE);
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

    fn said(start: f64, seconds: f64) -> Span {
        Span { start, seconds }
    }

    /// A clock on which a test began 10 s after tests did.
    fn clock() -> PhaseClock {
        let mut clock = PhaseClock::at(5.0, EPOCH);
        clock.begins(15.0);
        clock
    }

    fn reported(clock: &mut PhaseClock, phase: Phase, said: Span, now: f64) -> Option<Span> {
        clock.reported_at(Some(phase), said, now, EPOCH + now - 5.0)
    }

    #[test]
    fn what_is_possible_is_believed() {
        for possible in [
            said(EPOCH + 10.0, 2.0),
            said(EPOCH + 10.0, 0.5),
            said(EPOCH + 1.0, 11.0),
            said(EPOCH - 0.5, 2.0),
            said(EPOCH + 12.5, 1e-9),
        ] {
            assert_eq!(reported(&mut clock(), Phase::Setup, possible, 17.0), None);
        }
    }

    #[test]
    fn what_is_not_possible_is_measured_here() {
        for impossible in [
            said(EPOCH + 10.0, 0.0),
            said(EPOCH + 10.0, -1.0),
            said(EPOCH + 10.0, f64::NAN),
            said(EPOCH + 10.0, f64::INFINITY),
            said(EPOCH + 10.0, 1e6),
            said(0.0, 2.0),
            said(f64::NAN, 2.0),
            said(EPOCH * 2.0, 2.0),
        ] {
            let found = reported(&mut clock(), Phase::Setup, impossible, 17.0);
            assert_eq!(found, Some(said(EPOCH + 10.0, 2.0)), "{impossible:?}");
        }
    }

    #[test]
    fn each_phase_begins_when_the_one_before_was_reported() {
        let (mut clock, frozen) = (clock(), said(0.0, 0.0));
        let mut seconds = |phase, now| reported(&mut clock, phase, frozen, now).map(|found| found.seconds);
        assert_eq!(seconds(Phase::Setup, 16.0), Some(1.0));
        assert_eq!(seconds(Phase::Call, 18.0), Some(2.0));
        // A subtest, and then the call itself.
        assert_eq!(seconds(Phase::Call, 21.0), Some(5.0));
        assert_eq!(seconds(Phase::Teardown, 21.5), Some(0.5));
    }

    #[test]
    fn what_takes_hardly_any_time_may_take_none() {
        let frozen = said(EPOCH + 10.0, 0.0);
        assert_eq!(reported(&mut clock(), Phase::Setup, frozen, 15.0005), None);
    }
}
