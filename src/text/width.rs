//! The number of terminal columns that a text takes.
//!
//! The hazard it handles: terminals disagree about characters that combine, such as an emoji of several characters. The
//! maximum of all terminals is counted, so that a line never wraps.

use unicode_width::UnicodeWidthChar;

/// Variation selectors. After a heart, the last of them selects the wide, coloured form.
const VARIATION_SELECTORS: std::ops::RangeInclusive<char> = '\u{FE00}'..='\u{FE0F}';

/// The maximum number of columns that a text takes. Control characters take none.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// The longest end of a text that takes at most so many columns.
#[must_use]
pub fn end(text: &str, columns: usize) -> &str {
    let start = cut(text.char_indices().rev(), columns);
    start.map_or(text, |(at, char)| &text[at + char.len_utf8()..])
}

/// The longest beginning of a text that takes at most so many columns.
#[must_use]
pub fn beginning(text: &str, columns: usize) -> &str {
    cut(text.char_indices(), columns).map_or(text, |(at, _)| &text[..at])
}

/// The first character that exceeds so many columns, with its position.
fn cut(mut chars: impl Iterator<Item = (usize, char)>, columns: usize) -> Option<(usize, char)> {
    let mut taken = 0;
    chars.find(|(_, char)| {
        taken += of_char(*char);
        taken > columns
    })
}

fn of_char(char: char) -> usize {
    if VARIATION_SELECTORS.contains(&char) {
        return 1;
    }
    char.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    /// Any text, and text of combining characters.
    fn any_text() -> impl Strategy<Value = String> {
        let combining = "[a❤☺👩💻\u{301}\u{200D}\u{FE00}-\u{FE0F}\u{1F3FB}‘’“”日1#\u{20E3}🇩]{0,12}";
        prop_oneof![any::<String>(), combining.prop_map(|text: String| text)]
    }

    #[test]
    fn wide_characters_take_two_columns_and_accents_none() {
        assert_eq!(
            ["", "abc", "日本", "e\u{301}", "\u{1b}"].map(width),
            [0, 3, 4, 1, 0]
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(
            [0, 1, 2, 3, 9].map(|columns| end("a日b", columns)),
            ["", "b", "b", "日b", "a日b"]
        );
        assert_eq!(
            [0, 1, 2, 3, 9].map(|columns| beginning("a日b", columns)),
            ["", "a", "a", "a日", "a日b"]
        );
    }

    proptest! {
        #[test]
        fn no_terminal_needs_more_columns_than_are_counted(text in any_text()) {
            let text = text.replace(char::is_control, "?");
            prop_assert!(UnicodeWidthStr::width(&*text) <= width(&text));
        }

        #[test]
        fn a_cut_text_is_the_longest_that_fits(text in any_text(), columns in 0_usize..20) {
            for part in [beginning(&text, columns), end(&text, columns)] {
                prop_assert!(width(part) <= columns);
                prop_assert!(part == text || width(part) + 2 >= columns);
            }
            prop_assert!(text.starts_with(beginning(&text, columns)) && text.ends_with(end(&text, columns)));
        }
    }
}
