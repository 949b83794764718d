//! Snapshots of the block on several kinds of terminals, and property tests of its width.

use super::*;
use proptest::prelude::*;

const DRAWN_PLAIN: Style = Style {
    has_colours: false,
    is_drawn: true,
};

/// The progress of a run with two workers that is half done.
fn half() -> Progress {
    Progress {
        tests: 10,
        finished: 5,
        workers: 2,
        expected: 20.0,
        done: 10.0,
        is_known: true,
        remaining_of_running: 0.0,
        elapsed: 5.0,
    }
}

fn counts(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

fn running(tests: &[(&str, f64)]) -> Vec<Running> {
    let tests = tests.iter().zip(0..).map(|((node_id, seconds), worker)| Running {
        worker,
        node_id: (*node_id).to_owned(),
        seconds: *seconds,
    });
    tests.collect()
}

/// The block in the middle of a run, on a terminal of 24 lines, with readable escape codes.
fn shown(columns: usize, style: Style) -> String {
    let counts = counts(&[("passed", 3), ("failed", 1), ("skipped", 1), ("deselected", 7)]);
    let running = running(&[
        (
            "tests/deep/below/test_it.py::test_the_thing[with-a-parameter]",
            2.0,
        ),
        ("test_it.py::test_日本語の長い名前を持つテスト", 75.0),
        ("test_it.py::test_short", 0.1),
        ("test_\n\x1b[m.py::test_it", 0.612),
    ]);
    let size = Size { columns, lines: 24 };
    lines(&half(), &counts, None, running, size, style)
        .join("\n")
        .replace('\x1b', "<ESC>")
}

#[test]
fn a_block_on_a_terminal_of_80_columns() {
    insta::assert_snapshot!(shown(80, DRAWN_PLAIN));
}

#[test]
fn a_block_on_a_wide_terminal() {
    insta::assert_snapshot!(shown(200, DRAWN_PLAIN));
}

#[test]
fn a_block_on_a_narrow_terminal_has_no_bar_and_cuts_node_ids_at_their_beginning() {
    insta::assert_snapshot!(shown(40, DRAWN_PLAIN));
}

#[test]
fn a_block_on_a_tiny_terminal() {
    insta::assert_snapshot!(shown(16, DRAWN_PLAIN));
}

#[test]
fn a_block_in_ascii() {
    let style = Style {
        is_drawn: false,
        ..DRAWN_PLAIN
    };
    insta::assert_snapshot!(shown(60, style));
}

#[test]
fn a_block_with_colours() {
    let style = Style {
        has_colours: true,
        ..DRAWN_PLAIN
    };
    insta::assert_snapshot!(shown(80, style));
}

#[test]
fn a_block_in_ascii_with_colours() {
    let style = Style {
        has_colours: true,
        is_drawn: false,
    };
    insta::assert_snapshot!(shown(80, style));
}

#[test]
fn drawn_characters_lists_the_characters_of_the_block() {
    let Characters {
        full,
        half,
        empty,
        cut,
    } = DRAWN;
    assert_eq!(DRAWN_CHARACTERS, String::from_iter([full, half, empty, cut]));
}

#[test]
fn at_most_four_tests_are_named_and_fewer_on_a_low_terminal() {
    let tests = running(&[("test_it.py::test_it", 10.0); 9]);
    let heights = [24, 7, 6, 5, 4, 3, 2, 1, 0].map(|height| {
        let size = Size {
            columns: 80,
            lines: height,
        };
        lines(&half(), &BTreeMap::new(), None, tests.clone(), size, DRAWN_PLAIN).len()
    });
    assert_eq!(heights, [5, 5, 4, 3, 2, 1, 0, 0, 0]);
}

#[test]
fn a_bar_is_full_only_at_the_end() {
    for (done, percent) in [(0.0, "  0% "), (19.99, " 99% "), (20.0, "100% ")] {
        let progress = Progress { done, ..half() };
        let size = Size {
            columns: 80,
            lines: 24,
        };
        let found = lines(&progress, &BTreeMap::new(), None, Vec::new(), size, DRAWN_PLAIN);
        assert!(found[0].starts_with(percent), "{}", found[0]);
    }
}

/// Node ids of any text, and of wide, combining or control characters.
fn any_node_id() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z_:/日本❤👩💻\u{301}\u{200D}\u{FE0F}\u{1b}\u{9b}\n]{0,60}".prop_map(|text: String| text)
    ]
}

/// Removes the escape codes of colours from a line.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once('m').expect("a code of a colour").1;
    }
    text
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        node_ids in prop::collection::vec((any_node_id(), 0.0..10_000.0f64), 0..6),
        (columns, height) in (0_usize..120, 0_usize..10),
        (has_colours, is_drawn, is_known) in any::<(bool, bool, bool)>(),
        (tests, finished, passed, failed) in any::<(usize, usize, u32, u32)>(),
        (expected, done, elapsed) in (0.0..1e9, 0.0..1e9, 0.0..1e9),
    ) {
        let progress = Progress { tests, finished, expected, done, is_known, elapsed, ..half() };
        let running = node_ids.iter().zip(0..).map(|((node_id, seconds), worker)| {
            Running { worker, node_id: node_id.clone(), seconds: *seconds }
        });
        let counts = counts(&[("passed", passed as usize), ("failed", failed as usize)]);
        let style = Style { has_colours, is_drawn };
        let found = lines(&progress, &counts, None, running.collect(), Size { columns, lines: height }, style);
        prop_assert!(found.len() <= height.saturating_sub(FREE_LINES));
        for line in found {
            let line = without_colours(&line);
            prop_assert!(!line.contains(char::is_control), "{line:?}");
            prop_assert!(width(&line) <= columns.saturating_sub(1), "{line:?} in {columns} columns");
            prop_assert!(unicode_width::UnicodeWidthStr::width(&*line) <= columns.saturating_sub(1));
        }
    }
}
