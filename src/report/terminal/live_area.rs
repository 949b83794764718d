//! The control sequences that draw lines below the output of a terminal, and erase them again.
//!
//! The hazard it handles: after a character in the last column a terminal delays the line wrap until more is written, but
//! any cursor movement cancels it. So such a character is written again.

use crate::text::width::width;
use std::fmt::Write as _;

/// Control sequences of ECMA-48 and the VT100. Index moves down in the same column, and scrolls at the bottom.
const INDEX: &str = "\x1bD";
const SAVE: &str = "\x1b7";
const RESTORE: &str = "\x1b8";
const UP: &str = "\x1b[A";
const ERASE_TO_END: &str = "\x1b[J";
const ERASE_TO_START_OF_LINE: &str = "\x1b[1K";

/// The line of the output in which the cursor is, at its end.
#[derive(Debug, Clone, Copy)]
pub struct LastLine<'a> {
    /// The columns that it takes, also if it is longer than a row.
    pub width: usize,
    /// Its last character.
    pub end: &'a str,
}

/// The texts that draw the lines below the output and erase them; both leave the cursor where it was.
///
/// `erases_right` says whether erasing may include what is right of the cursor, where another process may have written.
#[must_use]
pub fn drawn_and_erased(
    lines: &[String],
    columns: usize,
    last: LastLine<'_>,
    erases_right: bool,
) -> (String, String) {
    if lines.is_empty() {
        return Default::default();
    }
    let height = lines.len();
    let tail = rewritten_end(columns, last);
    let mut drawn = INDEX.repeat(height);
    let _ = write!(drawn, "\x1b[{height}A{SAVE}");
    for line in lines {
        let _ = write!(drawn, "\r\n{line}");
    }
    let _ = write!(drawn, "{RESTORE}{tail}");
    let erased = if erases_right && tail.is_empty() {
        ERASE_TO_END.to_owned()
    } else {
        format!("{INDEX}{ERASE_TO_START_OF_LINE}{ERASE_TO_END}{UP}{tail}")
    };
    (drawn, erased)
}

/// The text that writes the last character again if the line fills the width; otherwise empty.
fn rewritten_end(columns: usize, last: LastLine<'_>) -> String {
    if last.width == 0 || !last.width.is_multiple_of(columns) {
        return String::new();
    }
    format!(
        "\x1b[{}G{}",
        (columns + 1).saturating_sub(width(last.end)),
        last.end
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn shown(lines: &[&str], width: usize, end: &str, erases_right: bool) -> String {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let (drawn, erased) = drawn_and_erased(&lines, 10, LastLine { width, end }, erases_right);
        format!("{drawn}\n{erased}")
            .replace('\x1b', "ESC ")
            .replace('\r', "CR")
    }

    #[test]
    fn lines_are_drawn_below_the_output_and_erased() {
        assert_snapshot!(shown(&["one", "two"], 3, ".", true), @r"
        ESC DESC DESC [2AESC 7CR
        oneCR
        twoESC 8
        ESC [J
        ");
        assert_snapshot!(shown(&["one", "two"], 3, ".", false), @r"
        ESC DESC DESC [2AESC 7CR
        oneCR
        twoESC 8
        ESC DESC [1KESC [JESC [A
        ");
    }

    #[test]
    fn the_last_character_of_a_full_line_is_written_again() {
        assert_snapshot!(shown(&["one"], 20, "x", true), @r"
        ESC DESC [1AESC 7CR
        oneESC 8ESC [10Gx
        ESC DESC [1KESC [JESC [AESC [10Gx
        ");
        assert_snapshot!(shown(&["one"], 10, "\u{4e16}", true), @r"
        ESC DESC [1AESC 7CR
        oneESC 8ESC [9G世
        ESC DESC [1KESC [JESC [AESC [9G世
        ");
    }

    #[test]
    fn without_lines_nothing_is_written() {
        assert_eq!(shown(&[], 10, "x", true), "\n");
    }
}
