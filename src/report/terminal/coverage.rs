//! The line that tells what is covered, and what measuring cost after the last test.

use crate::text::duration::{Micros, spoken};
use crate::text::{counted, percent};

/// Data files of coverage.py that were joined natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// How many.
    pub files: usize,
    /// How long that took.
    pub took: Micros,
}

/// The line, with the `total` percentage where it is known; from the last test to the end it `took` so long.
#[must_use]
pub fn line(total: Option<f64>, took: Micros, joined: Joined) -> String {
    let total = total.map_or_else(String::new, |total| format!("{} in all; ", percent(total)));
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
    fn the_line_tells_the_total_and_the_time() {
        let joined = Joined {
            files: 5,
            took: 31_250,
        };
        insta::assert_snapshot!(line(Some(87.314), 421_000, joined), @"coverage: 87.31 % in all; saving, joining and reporting took 421 ms (5 files joined in 31.2 ms)");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let joined = Joined { files: 0, took: 0 };
        insta::assert_snapshot!(line(None, 1_200_000, joined), @"coverage: saving, joining and reporting took 1.20 s");
    }
}
