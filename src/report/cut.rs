//! Shortening of long texts.
//!
//! The hazard it handles: a test can print, or compare, a line of any length. Texts are cut between characters, and a
//! mark shows where.

use std::borrow::Cow;

/// The first line of a text, cut to so many bytes plus an ellipsis.
#[must_use]
pub fn line(text: &str, most: usize) -> Cow<'_, str> {
    let line = text.lines().next().unwrap_or_default();
    if line.len() <= most {
        return Cow::Borrowed(line);
    }
    Cow::Owned(format!("{}…", &line[..line.floor_char_boundary(most)]))
}

/// The last lines of a text, limited in number and bytes: the error is at the end.
#[must_use]
pub fn tail(text: &str, lines: usize, bytes: usize) -> Cow<'_, str> {
    let by_bytes = text.ceil_char_boundary(text.len().saturating_sub(bytes));
    let line_ends = text.trim_end_matches('\n').rmatch_indices('\n');
    let by_lines = line_ends.map(|(at, _)| at + 1).nth(lines.saturating_sub(1));
    match by_bytes.max(by_lines.unwrap_or(0)) {
        0 => Cow::Borrowed(text),
        begin => Cow::Owned(format!(
            "[{begin} bytes before this are left out]\n{}",
            &text[begin..]
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{line, tail};
    use proptest::prelude::*;

    #[test]
    fn a_text_that_fits_is_unchanged() {
        assert_eq!(line("one\ntwo", 3), "one");
        assert_eq!(line("", 0), "");
        assert_eq!(tail("a\nb\n", 2, 4), "a\nb\n");
        assert_eq!(tail("", 1, 0), "");
    }

    #[test]
    fn a_shortened_text_is_marked() {
        assert_eq!(line("née", 2), "n…");
        assert_eq!(
            tail("a\nb\nc\n", 2, 9),
            "[2 bytes before this are left out]\nb\nc\n"
        );
        assert_eq!(tail("éé", 9, 3), "[2 bytes before this are left out]\né");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_to_the_size(text in any::<String>(), lines in 1_usize..5, bytes in 0_usize..20) {
            prop_assert!(line(&text, bytes).len() <= bytes + "…".len());
            let tail = tail(&text, lines, bytes);
            let kept = tail.split_once(" left out]\n").map_or(&*tail, |(_, kept)| kept);
            prop_assert!(kept.len() <= bytes && kept.lines().count() <= lines);
            prop_assert!(text.ends_with(kept));
        }
    }
}
