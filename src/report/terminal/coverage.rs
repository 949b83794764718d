//! The line about total coverage, and the time that measuring took after the last test.

use crate::text::duration::{Micros, spoken};
use crate::text::{counted, percent};

/// Data files of coverage.py that were joined natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Number of files.
    pub files: usize,
    /// How long joining took.
    pub took: Micros,
}

/// Formats the line; `total` is the percentage if known, `took` the time from the last test to the end.
#[must_use]
pub fn line(total: Option<f64>, took: Micros, joined: Joined) -> String {
    let total = total.map_or_else(String::new, |total| format!("{} in total; ", percent(total)));
    let joined = match joined.files {
        0 => String::new(),
        files => format!(" ({} joined in {})", counted(files, "file"), spoken(joined.took)),
    };
    let took = spoken(took);
    format!("coverage: {total}saving, joining and reporting took {took}{joined}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_total_and_the_time() {
        let joined = Joined {
            files: 5,
            took: 31_250,
        };
        insta::assert_snapshot!(line(Some(87.314), 421_000, joined), @"coverage: 87.31 % in total; saving, joining and reporting took 421 ms (5 files joined in 31.2 ms)");
    }

    #[test]
    fn unknown_values_are_left_out() {
        let joined = Joined { files: 0, took: 0 };
        insta::assert_snapshot!(line(None, 1_200_000, joined), @"coverage: saving, joining and reporting took 1.20 s");
    }
}
