//! Thresholds that a run must meet, modelled on load-testing tools
//! (<https://grafana.com/docs/k6/latest/using-k6/thresholds/>).
//!
//! ```text
//! thresholds = [ threshold ] { ( "," | newline ) [ threshold ] }
//! threshold  = [ marker ":" ] figure comparison limit
//! figure     = "p(" number ")" | "avg" | "med" | "min" | "max"
//!            | "count" | "slow_count" | "failed_count" | "slow_rate" | "failed_rate"
//! comparison = "<" | "<=" | ">" | ">=" | "=="
//! limit      = number unit | number "%" | number
//! unit       = "us" | "ms" | "s" | "m" | "h"
//! ```
//!
//! Durations have a unit, rates have a `%`, and counts are whole numbers. Printing and parsing are inverse.
//!
//! The hazard it handles: a limit read in a different unit than intended might never be exceeded, unnoticed. So there
//! is no default unit.

use crate::text::duration::{Micros, UNITS};
use std::fmt;

/// A statistic over tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The duration not exceeded by this percentage of the tests.
    Percentile(f64),
    /// The mean duration.
    Average,
    /// The median of the durations.
    Median,
    /// The shortest duration.
    Least,
    /// The longest duration.
    Most,
    /// Number of tests.
    Count,
    /// Number of slow tests.
    SlowCount,
    /// Number of failed tests.
    FailedCount,
    /// Percentage of slow tests.
    SlowRate,
    /// Percentage of failed tests.
    FailedRate,
}

/// The kind of a figure's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A duration.
    Time,
    /// A number of tests.
    Count,
    /// A percentage of tests.
    Rate,
}

impl Figure {
    /// The figures with a fixed name.
    pub const NAMED: [(&'static str, Self); 9] = [
        ("avg", Self::Average),
        ("med", Self::Median),
        ("min", Self::Least),
        ("max", Self::Most),
        ("count", Self::Count),
        ("slow_count", Self::SlowCount),
        ("failed_count", Self::FailedCount),
        ("slow_rate", Self::SlowRate),
        ("failed_rate", Self::FailedRate),
    ];

    /// The kind of its limit.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Count | Self::SlowCount | Self::FailedCount => Kind::Count,
            Self::SlowRate | Self::FailedRate => Kind::Rate,
            _ => Kind::Time,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Percentile(percent) = self {
            return write!(f, "p({percent})");
        }
        let name = Self::NAMED.iter().find(|(_, figure)| figure == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// How a figure is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

impl Comparison {
    /// All comparisons in order of matching: an operator comes before its prefixes.
    pub const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Less),
        (">", Self::More),
    ];

    /// Whether a figure satisfies its limit.
    #[must_use]
    pub fn holds<T: PartialOrd + Copy>(self, figure: T, limit: T) -> bool {
        match self {
            Self::Less => figure < limit,
            Self::AtMost => figure <= limit,
            Self::More => figure > limit,
            Self::AtLeast => figure >= limit,
            Self::Equal => figure == limit,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = Self::ALL.iter().find(|(_, comparison)| comparison == self);
        f.write_str(written.map_or("", |(text, _)| text))
    }
}

/// The limit of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A duration.
    Time(Micros),
    /// A number of tests.
    Count(u64),
    /// A percentage of tests.
    Rate(f64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Rate(percent) => write!(f, "{percent}%"),
            Self::Time(0) => f.write_str("0s"),
            Self::Time(time) => {
                // The largest unit that divides the duration; the last unit always does.
                let unit = UNITS
                    .iter()
                    .rev()
                    .find(|(_, micros)| time.is_multiple_of(*micros));
                let (unit, micros) = unit.unwrap_or(&UNITS[0]);
                write!(f, "{}{unit}", time / micros)
            }
        }
    }
}

/// One threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The marker of the tests to which it applies; `None` for all tests.
    pub marker: Option<String>,
    /// What is compared.
    pub figure: Figure,
    /// The comparison.
    pub comparison: Comparison,
    /// The limit, of the same kind as the figure.
    pub limit: Limit,
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(marker) = &self.marker {
            write!(f, "{marker}: ")?;
        }
        write!(f, "{}{}{}", self.figure, self.comparison, self.limit)
    }
}

/// The thresholds of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds(pub Vec<Threshold>);

impl Thresholds {
    /// The markers that the thresholds name, without duplicates.
    #[must_use]
    pub fn markers(&self) -> Vec<&str> {
        let mut markers: Vec<&str> = Vec::new();
        for marker in self.0.iter().filter_map(|one| one.marker.as_deref()) {
            if !markers.contains(&marker) {
                markers.push(marker);
            }
        }
        markers
    }

    /// For each marker, the tests that carry it in ascending order; `marked` are the names of the tests' marks.
    #[must_use]
    pub fn tests_by_marker(&self, marked: &[(u32, Vec<String>)]) -> Vec<(&str, Vec<u32>)> {
        let tests_by_marker = |marker: &str| {
            let carries = |(_, marks): &&(u32, Vec<String>)| marks.iter().any(|mark| mark == marker);
            marked.iter().filter(carries).map(|(test, _)| *test).collect()
        };
        let markers = self.markers().into_iter();
        markers.map(|marker| (marker, tests_by_marker(marker))).collect()
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, threshold) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{threshold}")?;
        }
        Ok(())
    }
}
