//! Parsing thresholds. The grammar is in [`super::threshold`].

use super::threshold::{Comparison, Figure, Kind, Limit, Threshold, Thresholds};
use crate::text::duration::UNITS;
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// A syntax error. It is shown in three lines: the reason, the line of the expression, and an arrow below the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, and what to write.
    pub reason: String,
    /// The line of the expression.
    pub line: String,
    /// The position in it, in characters.
    pub column: usize,
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = self.column + 1;
        write!(f, "{}\n  {}\n  {:>arrow$}", self.reason, self.line, "^")
    }
}

impl FromStr for Thresholds {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut thresholds = Vec::new();
        for line in text.lines() {
            let mut rest = Rest { line, at: 0 };
            loop {
                rest.skip_space();
                if !rest.is_at_end() && !rest.text().starts_with(',') {
                    thresholds.push(rest.threshold()?);
                    rest.skip_space();
                }
                if rest.is_at_end() {
                    break;
                }
                if !rest.take(",") {
                    return Err(rest.error("expected a comma between two thresholds"));
                }
            }
        }
        Ok(Self(thresholds))
    }
}

/// The unparsed rest of a line.
struct Rest<'a> {
    line: &'a str,
    /// The byte offset of the rest.
    at: usize,
}

impl<'a> Rest<'a> {
    fn text(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    fn error(&self, reason: impl Into<String>) -> ParseError {
        ParseError {
            reason: reason.into(),
            // A tab would shift the arrow.
            line: self.line.replace('\t', " "),
            column: self.line[..self.at].chars().count(),
        }
    }

    fn error_at(&self, at: usize, reason: impl Into<String>) -> ParseError {
        Rest { at, line: self.line }.error(reason)
    }

    fn skip_space(&mut self) {
        self.at = self.line.len() - self.text().trim_start().len();
    }

    fn take(&mut self, what: &str) -> bool {
        let found = self.text().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let text = self.text();
        let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
        self.at += end;
        &text[..end]
    }

    fn word(&mut self) -> &'a str {
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    fn threshold(&mut self) -> Result<Threshold, ParseError> {
        let marker = self.marker()?;
        let figure = self.figure()?;
        self.skip_space();
        let comparison = self.comparison()?;
        self.skip_space();
        let limit = self.limit(figure)?;
        Ok(Threshold {
            marker,
            figure,
            comparison,
            limit,
        })
    }

    fn marker(&mut self) -> Result<Option<String>, ParseError> {
        let begin = self.at;
        let word = self.word();
        self.skip_space();
        if !self.take(":") {
            self.at = begin;
            return Ok(None);
        }
        if word.is_empty() || word.starts_with(|c: char| c.is_numeric() || c == '_') {
            return Err(self.error_at(
                begin,
                "expected a marker before the colon, as in unit: p(99)<50ms",
            ));
        }
        self.skip_space();
        Ok(Some(word.to_owned()))
    }

    fn figure(&mut self) -> Result<Figure, ParseError> {
        let begin = self.at;
        let word = self.word();
        if word == "p" && self.take("(") {
            return self.percentile();
        }
        let found = Figure::NAMED.iter().find(|(name, _)| *name == word);
        found.map(|(_, figure)| *figure).ok_or_else(|| {
            let names: Vec<&str> = Figure::NAMED.iter().map(|(name, _)| *name).collect();
            let what = match word {
                "" => "expected a figure".to_owned(),
                _ => format!("unknown figure {word}"),
            };
            self.error_at(begin, format!("{what}; use one of p(95), {}", names.join(", ")))
        })
    }

    fn percentile(&mut self) -> Result<Figure, ParseError> {
        self.skip_space();
        let begin = self.at;
        let percent = self.number()?;
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(self.error_at(begin, "a percentile is more than 0 and at most 100, as in p(95)"));
        }
        self.skip_space();
        if !self.take(")") {
            return Err(self.error("expected ) after the percentile, as in p(95)"));
        }
        Ok(Figure::Percentile(percent))
    }

    fn comparison(&mut self) -> Result<Comparison, ParseError> {
        for (text, comparison) in Comparison::ALL {
            if self.take(text) {
                return Ok(comparison);
            }
        }
        Err(self.error("expected a comparison: <, <=, >, >= or =="))
    }

    fn limit(&mut self, figure: Figure) -> Result<Limit, ParseError> {
        let begin = self.at;
        let number = self.number()?;
        let end = self.at;
        self.skip_space();
        match figure.kind() {
            Kind::Time => self.time(number).map(Limit::Time),
            Kind::Rate if self.take("%") => Ok(Limit::Rate(number)),
            Kind::Rate => Err(self.error(format!("{figure} is compared to a percentage, as in 1%"))),
            Kind::Count => {
                let digits = &self.line[begin..end];
                let count = digits.parse().map(Limit::Count);
                let reason = format!("{figure} is compared to a whole number, as in 10");
                count.map_err(|_| self.error_at(begin, reason))
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a conversion of floats saturates, and no limit is centuries long"
    )]
    fn time(&mut self, number: f64) -> Result<u64, ParseError> {
        let begin = self.at;
        let unit = self.word();
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, micros) = known.ok_or_else(|| {
            let what = match unit {
                "" => "the unit is missing".to_owned(),
                _ => format!("unknown unit {unit}"),
            };
            self.error_at(
                begin,
                format!("{what}; durations are in us, ms, s, m or h, as in 500ms"),
            )
        })?;
        Ok((number * *micros as f64).round() as u64)
    }

    fn number(&mut self) -> Result<f64, ParseError> {
        let begin = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '.');
        digits
            .parse()
            .map_err(|_| self.error_at(begin, "expected a number"))
    }
}
