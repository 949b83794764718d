//! Limits on what a load test measures, in the grammar of the run's thresholds (`analysis/threshold.rs`) with k6's names.
//!
//! ```text
//! thresholds = [ threshold ] { ( "," | newline ) [ threshold ] }
//! threshold  = [ metric ":" ] figure comparison limit
//! figure     = "p(" number ")" | "avg" | "med" | "min" | "max" | "count" | "rate" | "value"
//!            | "error_rate" | "error_count" | "dropped_iterations" | "checks"
//! limit      = number unit | number "%" | number "/s" | number
//! abort      = threshold "for" duration
//! ```
//!
//! Without a metric, a figure is that of the iterations. The hazard it handles: a limit on a metric that nothing has
//! measured would never be exceeded, unnoticed; it counts as exceeded.

use crate::analysis::threshold::Comparison;
use crate::text::duration::{self, Micros, spoken};
use std::fmt;
use std::str::FromStr;

/// What is compared with a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The value not exceeded by this percentage.
    Percentile(f64),
    /// The mean.
    Average,
    /// The least value.
    Least,
    /// The greatest value.
    Most,
    /// How many iterations, or the sum of a counter.
    Count,
    /// Iterations, or the sum of a counter, per second; of a rate or check, the percentage that was true.
    Rate,
    /// The last value of a gauge.
    Value,
    /// Percentage of failed iterations.
    ErrorRate,
    /// Number of failed iterations.
    ErrorCount,
    /// Number of iterations that were due when no user was free.
    Dropped,
    /// Percentage of checks that were true.
    Checks,
}

const NAMES: [(&str, Figure); 12] = [
    ("avg", Figure::Average),
    ("med", Figure::Percentile(50.0)),
    ("min", Figure::Least),
    ("max", Figure::Most),
    ("count", Figure::Count),
    ("rate", Figure::Rate),
    ("value", Figure::Value),
    ("error_rate", Figure::ErrorRate),
    ("error_count", Figure::ErrorCount),
    ("dropped_iterations", Figure::Dropped),
    ("checks", Figure::Checks),
    ("failed_rate", Figure::ErrorRate),
];

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A duration.
    Time(Micros),
    /// A percentage.
    Percent(f64),
    /// A number per second.
    PerSecond(f64),
    /// A number without a unit.
    Number(f64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&spoken(*time).replace(' ', "")),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::PerSecond(number) => write!(f, "{number}/s"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// One limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The metric; `None` for the iterations.
    pub metric: Option<String>,
    /// What is compared.
    pub figure: Figure,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub limit: Limit,
    /// As it was written.
    pub text: String,
}

/// The limits of a load test.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds(pub Vec<Threshold>);

/// A condition that aborts a load test when it has held for some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Abort {
    /// The condition.
    pub condition: Threshold,
    /// For how many seconds it has to hold.
    pub seconds: f64,
}

/// What is wrong with a text, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidThreshold(String);

impl FromStr for Thresholds {
    type Err = InvalidThreshold;

    fn from_str(text: &str) -> Result<Self, InvalidThreshold> {
        let parts = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Ok(Self(parts.map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(|one| one.text.as_str()).collect();
        f.write_str(&texts.join(", "))
    }
}

impl FromStr for Abort {
    type Err = InvalidThreshold;

    fn from_str(text: &str) -> Result<Self, InvalidThreshold> {
        let wrong = || {
            InvalidThreshold(format!(
                "invalid abort condition '{text}': expected for example error_rate>50% for 10s"
            ))
        };
        let (condition, time) = text.rsplit_once(" for ").ok_or_else(wrong)?;
        let seconds = duration::parse(time).ok().filter(|seconds| *seconds > 0.0);
        Ok(Self {
            condition: condition.trim().parse()?,
            seconds: seconds.ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}s", self.condition.text, self.seconds)
    }
}

impl FromStr for Threshold {
    type Err = InvalidThreshold;

    fn from_str(text: &str) -> Result<Self, InvalidThreshold> {
        let wrong = |reason: &str| InvalidThreshold(format!("invalid threshold '{text}': {reason}"));
        // The name of a metric may contain anything, so the comparison is the last one in the text.
        let (at, (operator, comparison)) = text
            .rfind(['<', '>', '='])
            .and_then(|end| {
                let begin = text[..end].strip_suffix(['<', '>', '=']).map_or(end, str::len);
                let known = Comparison::ALL
                    .iter()
                    .find(|(name, _)| text[begin..=end] == **name)?;
                Some((begin, *known))
            })
            .ok_or_else(|| wrong("expected a comparison, as in p(95)<500ms"))?;
        let (left, right) = (text[..at].trim(), text[at + operator.len()..].trim());
        let (metric, name) = match left.rsplit_once(':') {
            Some((metric, name)) if !name.contains('}') => (Some(metric.trim()), name.trim()),
            _ => (None, left),
        };
        let figure = figure(name).ok_or_else(|| {
            let names: Vec<&str> = NAMES[..11].iter().map(|(name, _)| *name).collect();
            wrong(&format!(
                "unknown figure '{name}'; use p(95), {}",
                names.join(", ")
            ))
        })?;
        if metric.is_some_and(str::is_empty) {
            return Err(wrong("expected the name of a metric before the colon"));
        }
        let of_iterations = [
            Figure::ErrorRate,
            Figure::ErrorCount,
            Figure::Dropped,
            Figure::Checks,
        ];
        if metric.is_some() && of_iterations.contains(&figure) {
            return Err(wrong(&format!(
                "{name} is a figure of the iterations, not of a metric"
            )));
        }
        let limit = limit(right).ok_or_else(|| wrong("expected a limit, as in 500ms, 1%, 100/s or 10"))?;
        check_kind(metric, figure, limit).map_err(|reason| wrong(&format!("{name} {reason}")))?;
        Ok(Self {
            metric: metric.map(str::to_owned),
            figure,
            comparison,
            limit,
            text: text.to_owned(),
        })
    }
}

fn figure(name: &str) -> Option<Figure> {
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, figure)| *figure).or_else(|| {
        let percent = name.strip_prefix("p(")?.strip_suffix(')')?.trim();
        let percent: f64 = percent.parse().ok()?;
        (percent > 0.0 && percent <= 100.0).then_some(Figure::Percentile(percent))
    })
}

fn limit(text: &str) -> Option<Limit> {
    let number = |text: &str| {
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
    };
    if let Some(percent) = text.strip_suffix('%') {
        return number(percent).map(Limit::Percent);
    }
    if let Some(rate) = text.strip_suffix("/s") {
        return number(rate).map(Limit::PerSecond);
    }
    match number(text) {
        Some(number) => Some(Limit::Number(number)),
        None => duration::parse(text)
            .ok()
            .map(|seconds| Limit::Time(duration::micros(seconds))),
    }
}

/// Whether a figure can be compared with a limit. There is no default unit of durations.
fn check_kind(metric: Option<&str>, figure: Figure, limit: Limit) -> Result<(), &'static str> {
    let (fits, otherwise) = match figure {
        Figure::ErrorRate | Figure::Checks => (
            matches!(limit, Limit::Percent(_)),
            "is compared to a percentage, as in 1%",
        ),
        Figure::Count | Figure::ErrorCount | Figure::Dropped | Figure::Value => (
            matches!(limit, Limit::Number(_)),
            "is compared to a number, as in 10",
        ),
        Figure::Rate => (
            matches!(limit, Limit::PerSecond(_)) || (metric.is_some() && matches!(limit, Limit::Percent(_))),
            "is compared to a number per second, as in 100/s, or of a check to a percentage",
        ),
        Figure::Percentile(_) | Figure::Average | Figure::Least | Figure::Most => (
            matches!(limit, Limit::Time(_)) || (metric.is_some() && matches!(limit, Limit::Number(_))),
            "is compared to a duration with a unit, as in 500ms",
        ),
    };
    if fits { Ok(()) } else { Err(otherwise) }
}

/// Thresholds as text, for serde.
pub mod as_text {
    use super::Thresholds;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes them as they were written.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(value: &Thresholds, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_string())
    }

    /// Parses them.
    ///
    /// # Errors
    /// Those of the format, and an invalid threshold.
    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Thresholds, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// An abort condition as text, for serde.
pub mod as_optional_text {
    use super::Abort;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Writes it as it was written.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(value: &Option<Abort>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(to)
    }

    /// Parses it.
    ///
    /// # Errors
    /// Those of the format, and an invalid condition.
    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Abort>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Threshold {
        text.parse().expect(text)
    }

    #[test]
    fn the_words_of_k6_are_understood() {
        let one = parsed("p(95)<500ms");
        assert_eq!(
            (one.figure, one.limit),
            (Figure::Percentile(95.0), Limit::Time(500_000))
        );
        assert_eq!(parsed("error_rate<1%").limit, Limit::Percent(1.0));
        let one = parsed("pay: p(99.9)<=1.5s");
        assert_eq!(
            (one.metric.as_deref(), one.comparison),
            (Some("pay"), Comparison::AtMost)
        );
        assert_eq!(
            parsed("status is 200: rate>99%").metric.as_deref(),
            Some("status is 200")
        );
        let one = parsed("http_req_duration{name:GET /}: p(95)<200ms");
        assert_eq!(one.metric.as_deref(), Some("http_req_duration{name:GET /}"));
        assert_eq!(parsed("rate>100/s").limit, Limit::PerSecond(100.0));
        assert_eq!(parsed("size: max<1000").limit, Limit::Number(1000.0));
        assert_eq!(parsed("x < y: count == 3").metric.as_deref(), Some("x < y"));
        let both: Thresholds = "p(95)<500ms, checks>99%".parse().expect("two");
        assert_eq!(both.0.len(), 2);
        assert_eq!(both.to_string(), "p(95)<500ms, checks>99%");
    }

    #[test]
    fn what_is_wrong_with_a_threshold_is_said() {
        let wrong = |text: &str| text.parse::<Thresholds>().expect_err(text).to_string();
        for (text, expected) in [
            ("p(95)", "expected a comparison"),
            ("p(95)<500", "a duration with a unit"),
            ("p(0)<1s", "unknown figure 'p(0)'"),
            ("error_rate<1", "a percentage"),
            ("error_rate<1s", "a percentage"),
            ("rate>100", "a number per second"),
            ("count<1s", "a number"),
            ("pay: error_rate<1%", "not of a metric"),
            (": p(95)<1s", "the name of a metric"),
            ("p(95)<x", "expected a limit"),
        ] {
            let said = wrong(text);
            assert!(said.contains(expected), "{said}");
        }
        for text in ["error_rate>50%", "error_rate>50% for", "error_rate>50% for 0s"] {
            let said = text.parse::<Abort>().expect_err(text).to_string();
            assert!(said.contains("for 10s"), "{said}");
        }
    }
}
