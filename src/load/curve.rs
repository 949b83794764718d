//! A quantity over time: the number of users, or the iterations that start per second; piecewise linear.

use serde::{Deserialize, Serialize};

/// A part of a curve: from one value to another in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// How long it is, in seconds; more than 0.
    pub seconds: f64,
    /// The value at its beginning.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
}

/// A quantity over time, in seconds from the beginning of a load test. It may jump between two segments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its segments, one after the other.
    pub segments: Vec<Segment>,
}

impl Curve {
    /// The same value all the time.
    #[must_use]
    pub fn constant(value: f64, seconds: f64) -> Self {
        Self {
            segments: vec![Segment {
                seconds,
                from: value,
                to: value,
            }],
        }
    }

    /// Ramps from 0 to the first target, and from each target to the next; pairs of seconds and target. A stage of 0
    /// seconds is a jump.
    #[must_use]
    pub fn ramps(stages: &[(f64, f64)]) -> Self {
        let mut segments = Vec::new();
        let mut from = 0.0;
        for &(seconds, to) in stages {
            if seconds > 0.0 {
                segments.push(Segment { seconds, from, to });
            }
            from = to;
        }
        Self { segments }
    }

    /// How long it is, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// Its highest value.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let values = self.segments.iter().flat_map(|one| [one.from, one.to]);
        values.fold(0.0, f64::max)
    }

    /// The value at a time; after the end, that at the end.
    #[must_use]
    pub fn value(&self, at: f64) -> f64 {
        let mut begin = 0.0;
        for segment in &self.segments {
            if at < begin + segment.seconds {
                let part = ((at - begin) / segment.seconds).max(0.0);
                return segment.from + (segment.to - segment.from) * part;
            }
            begin += segment.seconds;
        }
        self.segments.last().map_or(0.0, |last| last.to)
    }

    /// The integral from the beginning to a time: the iterations that are due if the curve is a rate.
    #[must_use]
    pub fn area(&self, at: f64) -> f64 {
        let mut begin = 0.0;
        let mut area = 0.0;
        for segment in &self.segments {
            let part = (at - begin).clamp(0.0, segment.seconds);
            let end = segment.from + (segment.to - segment.from) * part / segment.seconds;
            area += f64::midpoint(segment.from, end) * part;
            begin += segment.seconds;
        }
        area
    }

    /// The number of the segment at a time, from 0; that of the last one after the end.
    #[must_use]
    pub fn segment(&self, at: f64) -> usize {
        let mut end = 0.0;
        let over = self.segments.iter().take_while(|segment| {
            end += segment.seconds;
            at >= end
        });
        over.count().min(self.segments.len().saturating_sub(1))
    }

    /// When the integral of the curve reaches `area`: the start of iteration number `area` if the curve is a rate.
    /// `None` if it never does before the end.
    #[must_use]
    pub fn reaches(&self, area: f64) -> Option<f64> {
        let (mut begin, mut before) = (0.0, 0.0);
        for segment in &self.segments {
            let own = f64::midpoint(segment.from, segment.to) * segment.seconds;
            let missing = area - before;
            if missing < own {
                let slope = (segment.to - segment.from) / segment.seconds;
                // The root of from * x + slope / 2 * x² = missing, in the form that is exact for small slopes.
                let root = (segment.from * segment.from + 2.0 * slope * missing)
                    .max(0.0)
                    .sqrt();
                let below = segment.from + root;
                return Some(begin + if below > 0.0 { 2.0 * missing / below } else { 0.0 });
            }
            before += own;
            begin += segment.seconds;
        }
        None
    }

    /// The times during which the value, rounded, is more than `level`: while a user of this number, from 0, runs.
    /// Pairs of beginning and end in ascending order.
    #[must_use]
    pub fn above(&self, level: f64) -> Vec<(f64, f64)> {
        let bar = level + 0.5;
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let mut begin = 0.0;
        for segment in &self.segments {
            let end = begin + segment.seconds;
            let crossing = || begin + (bar - segment.from) / (segment.to - segment.from) * segment.seconds;
            let span = match (segment.from >= bar, segment.to >= bar) {
                (true, true) => Some((begin, end)),
                (true, false) => Some((begin, crossing())),
                (false, true) => Some((crossing(), end)),
                (false, false) => None,
            };
            if let Some((from, to)) = span.filter(|(from, to)| to > from) {
                match spans.last_mut() {
                    Some(last) if last.1 >= from => last.1 = to,
                    _ => spans.push((from, to)),
                }
            }
            begin = end;
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stages() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0.0..20.0f64, 0.0..200.0f64), 1..6)
    }

    #[test]
    fn a_constant_rate_starts_iterations_at_equal_distances() {
        let curve = Curve::constant(200.0, 10.0);
        assert_eq!(curve.reaches(0.0), Some(0.0));
        assert_eq!(curve.reaches(1.0), Some(0.005));
        assert_eq!(curve.reaches(1999.0), Some(9.995));
        assert_eq!(curve.reaches(2000.0), None);
    }

    #[test]
    fn users_come_and_go_at_the_middle_of_a_step() {
        let curve = Curve::ramps(&[(10.0, 10.0), (5.0, 10.0), (10.0, 0.0)]);
        assert_eq!(curve.above(0.0), [(0.5, 24.5)]);
        assert_eq!(curve.above(9.0), [(9.5, 15.5)]);
        assert_eq!(curve.above(10.0), []);
    }

    #[test]
    fn a_stage_without_a_duration_is_a_jump() {
        let curve = Curve::ramps(&[(0.0, 10.0), (5.0, 10.0), (0.0, 2.0), (5.0, 2.0)]);
        assert_eq!(curve.above(5.0), [(0.0, 5.0)]);
        assert_eq!(curve.above(1.0), [(0.0, 10.0)]);
        assert_eq!((curve.value(4.9), curve.value(5.1)), (10.0, 2.0));
        assert_eq!(
            (curve.segment(4.9), curve.segment(5.1), curve.segment(99.0)),
            (0, 1, 1)
        );
    }

    proptest! {
        #[test]
        fn as_many_users_run_as_the_curve_says(stages in stages(), part in 0.0..1.0f64) {
            let curve = Curve::ramps(&stages);
            let at = curve.seconds() * part;
            let running = (0..201).filter(|user| {
                curve.above(f64::from(*user)).iter().any(|(from, to)| *from <= at && at < *to)
            });
            let (running, value) = (u32::try_from(running.count()).unwrap_or(0), curve.value(at));
            // At a crossing itself both numbers are right.
            prop_assert!((f64::from(running) - value).abs() <= 0.5 + 1e-6, "{running} {value}");
        }

        #[test]
        fn iterations_start_in_order_and_as_many_as_the_area(stages in stages()) {
            let curve = Curve::ramps(&stages);
            let area = curve.area(f64::MAX);
            let half = curve.seconds() / 2.0;
            prop_assert!(curve.reaches(curve.area(half)).is_none_or(|at| (curve.area(at) - curve.area(half)).abs() < 1e-6));
            let mut last = 0.0;
            let mut count = 0;
            while let Some(at) = curve.reaches(f64::from(count)) {
                prop_assert!(at >= last - 1e-9);
                last = at;
                count += 1;
            }
            prop_assert!((f64::from(count) - area).abs() <= 1.0 + 1e-6);
        }
    }
}
