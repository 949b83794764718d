//! Thresholds: what a run has to keep, in the manner of load-testing tools (<https://grafana.com/docs/k6/latest/using-k6/thresholds/>).
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
//! Durations have a unit, rates have a `%`, and counts are whole numbers. What is printed here is parsed to the same.
//!
//! The hazard it handles: a limit that is read in another unit than it was meant in never breaks, and nobody notices. So
//! there is no unit that goes without saying.

use crate::text::duration::{Micros, UNITS};
use std::fmt;

/// A figure of many tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The duration that so many per cent of the tests do not exceed.
    Percentile(f64),
    /// The mean duration.
    Average,
    /// The median of the durations.
    Median,
    /// The shortest duration.
    Least,
    /// The longest duration.
    Most,
    /// How many tests ran.
    Count,
    /// How many tests were slow.
    SlowCount,
    /// How many tests failed.
    FailedCount,
    /// How many of a hundred tests were slow.
    SlowRate,
    /// How many of a hundred tests failed.
    FailedRate,
}

/// What the limit of a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A duration.
    Time,
    /// A number of tests.
    Count,
    /// A share of tests, in per cent.
    Rate,
}

impl Figure {
    /// The figures that are named by a word.
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

    /// What its limit is.
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

/// How a figure has to compare to its limit.
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
    /// All of them as they are written, those first of which another is the beginning.
    pub const WRITTEN: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Less),
        (">", Self::More),
    ];

    /// Whether a figure keeps its limit.
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
        let written = Self::WRITTEN.iter().find(|(_, comparison)| comparison == self);
        f.write_str(written.map_or("", |(text, _)| text))
    }
}

/// What a figure is compared to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A duration.
    Time(Micros),
    /// A number of tests.
    Count(u64),
    /// A share of tests, in per cent.
    Rate(f64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Rate(percent) => write!(f, "{percent}%"),
            Self::Time(0) => f.write_str("0s"),
            Self::Time(time) => {
                // The largest unit of which it is a whole number: the last one always is.
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
    /// The marker of the tests that it is about; `None` for all tests.
    pub marker: Option<String>,
    /// What is compared.
    pub figure: Figure,
    /// How.
    pub comparison: Comparison,
    /// To what; of the kind that the figure has.
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
    /// The markers that they name, each once.
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

    /// The tests that carry each marker which they name, in ascending order; `marked` are the names of tests' marks.
    #[must_use]
    pub fn carriers(&self, marked: &[(u32, Vec<String>)]) -> Vec<(&str, Vec<u32>)> {
        let carriers = |marker: &str| {
            let carries = |(_, marks): &&(u32, Vec<String>)| marks.iter().any(|mark| mark == marker);
            marked.iter().filter(carries).map(|(test, _)| *test).collect()
        };
        let markers = self.markers().into_iter();
        markers.map(|marker| (marker, carriers(marker))).collect()
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
