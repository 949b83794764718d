//! Values of CSV files (RFC 4180).

use std::borrow::Cow;

/// A value, in quotes if it contains what would end it.
#[must_use]
pub fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_need_it_are_quoted() {
        assert_eq!(quoted("a.py::test[1]"), "a.py::test[1]");
        assert_eq!(quoted("test[\"1\", 2]"), "\"test[\"\"1\"\", 2]\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }
}
