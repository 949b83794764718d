//! Formatting and parsing of values: durations, sizes, tables, paths, command lines and CSV; and the width of a text on a
//! terminal.

pub mod base64;
pub mod csv;
pub mod duration;
pub mod path;
pub mod shell;
pub mod size;
pub mod table;
pub mod width;

/// A number with commas between groups of three digits: `12,345`.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// A count with a noun: `1 worker`, `2 workers`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A percentage with two decimals, such as `0.50 %`.
#[must_use]
pub fn percent(rate: f64) -> String {
    format!("{rate:.2} %")
}

/// A percentage beside a `limit` that differs from it: with as many decimals as are needed to show the difference.
#[must_use]
pub fn percent_apart(rate: f64, limit: f64) -> String {
    let both = |digits: usize| (format!("{rate:.digits$} %"), format!("{limit:.digits$} %"));
    let apart = (2..9).map(both).find(|(rate, limit)| rate != limit);
    apart.map_or_else(|| percent(rate), |(rate, _)| rate)
}

/// Shortens a text to 40 characters for a message; a shortened text ends in `...`.
#[must_use]
pub fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let begin: String = text.chars().take(LONGEST - 3).collect();
    format!("{begin}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_singular() {
        let texts = [0, 1, 2].map(|count| counted(count, "test"));
        assert_eq!(texts, ["0 tests", "1 test", "2 tests"]);
    }

    #[test]
    fn a_percentage_just_over_its_limit_shows_it() {
        assert_eq!(percent_apart(12.5, 10.0), "12.50 %");
        assert_eq!(percent_apart(100.0 / 30_001.0, 0.0), "0.003 %");
        assert_eq!(percent_apart(1.0, 1.0), "1.00 %");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("12G"), "12G");
        assert_eq!(shortened(&"ä".repeat(41)), format!("{}...", "ä".repeat(37)));
    }
}
