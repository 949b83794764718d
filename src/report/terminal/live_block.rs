//! The live block: progress of the run and its longest-running tests, in lines that fit the terminal.
//!
//! The hazard it handles: a line that is too wide wraps, and then the block cannot be erased. A node id can have any
//! length and contain any characters.

use crate::analysis::time_left::Progress;
use crate::text::duration::{clock, micros, spoken};
use crate::text::width::{beginning, end, width};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Seconds after which a running test is shown. Shorter ones would be gone before they are read.
const MIN_SECONDS_SHOWN: f64 = 0.5;

/// Maximum number of running tests shown.
const MAX_TESTS_SHOWN: usize = 4;

/// Lines of the terminal that the block leaves free.
const FREE_LINES: usize = 2;

/// Columns of the bar: wide enough to show a percent or two; a bar below the minimum is omitted.
const MAX_BAR_WIDTH: usize = 32;
const MIN_BAR_WIDTH: usize = 6;

/// Categories of pytest's reporter in display order, with their words and colours.
const CATEGORIES: [(&str, &str, Colour); 6] = [
    ("passed", "passed", Colour::Green),
    ("failed", "failed", Colour::Red),
    ("error", "errors", Colour::Red),
    ("skipped", "skipped", Colour::Yellow),
    ("xfailed", "xfailed", Colour::Yellow),
    ("xpassed", "xpassed", Colour::Yellow),
];

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Its width.
    pub columns: usize,
    /// Its height.
    pub lines: usize,
}

/// A running test.
#[derive(Debug, Clone)]
pub struct Running {
    /// The worker's number.
    pub worker: u32,
    /// The test's node id.
    pub node_id: String,
    /// How many seconds it has been running.
    pub seconds: f64,
}

/// The characters of a bar, and the mark for cut text.
#[derive(Debug, Clone, Copy)]
struct Characters {
    full: char,
    half: char,
    empty: char,
    cut: char,
}

const DRAWN: Characters = Characters {
    full: '━',
    half: '╸',
    empty: '─',
    cut: '…',
};

const ASCII: Characters = Characters {
    full: '=',
    half: '>',
    empty: '-',
    cut: '~',
};

/// The characters beyond ASCII that a block uses if [`Style::is_drawn`] is set.
pub const DRAWN_CHARACTERS: &str = "━╸─…";

/// The capabilities of the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether text has colours.
    pub has_colours: bool,
    /// Whether it supports line-drawing characters, or only ASCII.
    pub is_drawn: bool,
}

impl Style {
    fn characters(self) -> Characters {
        if self.is_drawn { DRAWN } else { ASCII }
    }
}

/// The colours of pytest's terminal writer, by the code that selects them.
#[derive(Debug, Clone, Copy)]
enum Colour {
    Light = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// A piece of a line.
struct Part {
    text: String,
    colour: Option<Colour>,
}

impl Part {
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, colour: None }
    }

    fn coloured(text: impl Into<String>, colour: Colour) -> Self {
        Self {
            colour: Some(colour),
            ..Self::plain(text)
        }
    }
}

/// The lines of the block; empty if the terminal is too low. `counts` are those of pytest's reporter, by category, `load`
/// is the line about the load test that is running. The last column stays free, because a terminal that has written there may already have moved to the next line.
#[must_use]
pub fn lines(
    progress: &Progress,
    counts: &BTreeMap<String, usize>,
    load: Option<&str>,
    mut running: Vec<Running>,
    size: Size,
    style: Style,
) -> Vec<String> {
    let room = size.lines.saturating_sub(FREE_LINES).min(1 + MAX_TESTS_SHOWN);
    if room == 0 {
        return Vec::new();
    }
    let width = size.columns.saturating_sub(1);
    running.retain(|test| test.seconds >= MIN_SECONDS_SHOWN);
    running.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let load = load.filter(|_| room > 1);
    running.truncate(room - 1 - usize::from(load.is_some()));
    let mut lines = vec![summary(progress, counts, width, style.characters())];
    lines.extend(load.map(|load| vec![Part::plain(load)]));
    lines.extend(tests(&running, width, style.characters().cut));
    lines
        .iter()
        .map(|parts| joined(parts, width, style.has_colours))
        .collect()
}

/// Percentage, bar, tests, outcomes, time left.
fn summary(
    progress: &Progress,
    counts: &BTreeMap<String, usize>,
    columns: usize,
    characters: Characters,
) -> Vec<Part> {
    let count = |category: &str| counts.get(category).copied().unwrap_or(0);
    let share = progress.share();
    let mut facts = vec![Part::plain(format!("{}/{}", progress.finished, progress.tests))];
    for (category, word, colour) in CATEGORIES {
        if count(category) > 0 {
            facts.push(Part::coloured(format!("{} {word}", count(category)), colour));
        }
    }
    let left = progress.time_left().map(|left| clock(micros(left)));
    if let Some(left) = left.filter(|left| left != "0:00") {
        facts.push(Part::plain(format!("{left} left")));
    }
    let percent = format!("{:3}% ", (share * 100.0).floor());
    let taken = width(&percent) + facts.iter().map(|fact| width(&fact.text) + 2).sum::<usize>();
    let is_bad = count("failed") + count("error") > 0;
    let colour = if is_bad { Colour::Red } else { Colour::Green };
    let mut parts = vec![Part::plain(percent)];
    parts.extend(bar(
        share,
        columns.saturating_sub(taken).min(MAX_BAR_WIDTH),
        characters,
        colour,
    ));
    for fact in facts {
        if parts.len() > 1 {
            parts.push(Part::plain("  "));
        }
        parts.push(fact);
    }
    parts
}

fn bar(share: f64, columns: usize, characters: Characters, colour: Colour) -> Vec<Part> {
    if columns < MIN_BAR_WIDTH {
        return Vec::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from 0 to twice the columns"
    )]
    let halves = (share * columns as f64 * 2.0).round() as usize;
    let (full, half) = (halves / 2, halves % 2);
    let repeated = |character, times| std::iter::repeat_n(character, times).collect::<String>();
    let done = repeated(characters.full, full) + &repeated(characters.half, half);
    let rest = repeated(characters.empty, columns - full - half);
    vec![Part::coloured(done, colour), Part::coloured(rest, Colour::Light)]
}

/// A line for each test: worker, time, node id.
fn tests(running: &[Running], columns: usize, cut: char) -> Vec<Vec<Part>> {
    let facts: Vec<(String, String)> = running
        .iter()
        .map(|test| (format!("gw{}", test.worker), spoken(micros(test.seconds))))
        .collect();
    let names = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let times = facts.iter().map(|(_, time)| time.len()).max().unwrap_or(0);
    let lines = facts.iter().zip(running).map(|((name, time), test)| {
        let before = format!("{name:<names$}  {time:>times$}  ");
        let room = columns.saturating_sub(before.len());
        vec![
            Part::coloured(before, Colour::Light),
            Part::plain(end_of(&test.node_id, room, cut)),
        ]
    });
    lines.collect()
}

/// A node id that fits; a longer one is cut at its beginning, so that the test's name remains.
fn end_of(node_id: &str, columns: usize, cut: char) -> String {
    let node_id = node_id.replace(char::is_control, "?");
    if width(&node_id) <= columns {
        return node_id;
    }
    format!("{cut}{}", end(&node_id, columns.saturating_sub(1)))
}

/// Joins parts to one line that is no wider than `columns`, with the escape codes of pytest's terminal writer.
fn joined(parts: &[Part], mut columns: usize, has_colours: bool) -> String {
    let mut line = String::new();
    for part in parts {
        let text = beginning(&part.text, columns);
        columns -= width(text);
        match part.colour.filter(|_| has_colours && !text.is_empty()) {
            Some(colour) => {
                let _ = write!(line, "\x1b[{}m{text}\x1b[0m", colour as u8);
            }
            None => line.push_str(text),
        }
    }
    line
}

#[cfg(test)]
mod tests;
