//! The summary of memory use and of workers replaced because of it.

use crate::journal::read::read;
use crate::journal::run::Run;
use crate::report::memory::{ProcessMemory, memory};
use crate::text::size::spoken;
use crate::text::{counted, table};
use std::cmp::Reverse;
use std::path::Path;

/// Maximum numbers of lines shown; `-vv` shows all.
const MAX_WORKERS_SHOWN: usize = 10;
const MAX_REPLACED_SHOWN: usize = 5;

/// Minimum growth in bytes for naming a test: the first test of a worker often grows by less, without being the cause.
const MIN_GROWTH_SHOWN: u64 = 1 << 20;

/// A worker that was replaced because it exceeded the limit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replaced {
    /// Its resident bytes.
    pub resident: u64,
    /// Its name.
    pub worker: String,
    /// The test that ran last.
    pub test: String,
}

/// The section of the summary: the replaced workers, largest first, and the memory use of each according to the journal
/// at `path`, if there is one. Empty if nothing is to be shown: the table needs `-v` or a `limit`, and with `-q` only
/// replaced workers are shown.
#[must_use]
pub fn summary(
    limit: Option<u64>,
    replaced: Vec<Replaced>,
    path: Option<&Path>,
    verbosity: i32,
) -> Vec<String> {
    let mut lines = limit.map_or_else(Vec::new, |limit| replacements(limit, replaced, verbosity));
    if let Some(path) = path
        && (verbosity > 0 || (limit.is_some() && verbosity == 0))
    {
        match read(path) {
            Ok(mut logs) => {
                let run = logs.pop().map(Run::new).unwrap_or_default();
                lines.extend(memory_table(&run, verbosity));
            }
            Err(problem) => lines.push(format!("not known: {problem}")),
        }
    }
    lines
}

fn replacements(limit: u64, mut replaced: Vec<Replaced>, verbosity: i32) -> Vec<String> {
    let limit = spoken(limit);
    let were = match replaced.len() {
        0 if verbosity < 0 => return Vec::new(),
        0 => return vec![format!("no worker was replaced for using more than {limit}")],
        1 => "1 worker was".to_owned(),
        count => format!("{count} workers were"),
    };
    replaced.sort_by(|one, other| other.cmp(one));
    let shown = if verbosity > 1 {
        replaced.len()
    } else {
        MAX_REPLACED_SHOWN
    };
    let mut lines = vec![format!("{were} replaced for using more than {limit}, after:")];
    let rows = replaced.iter().take(shown);
    lines.extend(rows.map(|row| format!("  {} ({}, {})", row.test, row.worker, spoken(row.resident))));
    if replaced.len() > shown {
        let more = counted(replaced.len() - shown, "more test");
        lines.push(format!("  and {more}; -vv shows all"));
    }
    lines
}

/// Memory use of each process of a run, the largest first.
fn memory_table(run: &Run, verbosity: i32) -> Vec<String> {
    let mut processes = memory(run);
    if processes.is_empty() {
        return Vec::new();
    }
    processes.sort_by_key(|process| Reverse(process.peak));
    let shown = if verbosity > 1 {
        processes.len()
    } else {
        MAX_WORKERS_SHOWN
    };
    let head = ["worker", "peak", "proportional", "largest growth"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(processes.iter().take(shown).map(|process| row(run, process)));
    let mut lines = table::aligned(&rows, &[0, 3]);
    if processes.len() > shown {
        let more = counted(processes.len() - shown, "worker");
        lines.push(format!("and {more} that used less; -vv shows all"));
    }
    lines
}

fn row(run: &Run, process: &ProcessMemory) -> Vec<String> {
    let replaced = if process.replaced_after.is_some() {
        " (replaced)"
    } else {
        ""
    };
    let growth = process.growth.filter(|(_, bytes)| *bytes >= MIN_GROWTH_SHOWN);
    let growth = growth.map(|(test, bytes)| format!("{} in {}", spoken(bytes), run.id(test)));
    let unknown = || "-".to_owned();
    vec![
        format!("{}{replaced}", process.name),
        spoken(process.peak),
        process.proportional.map_or_else(unknown, spoken),
        growth.unwrap_or_else(unknown),
    ]
}

/// The warning that no worker is replaced, because workers exceed the `limit` from the start.
#[must_use]
pub fn limit_without_effect(resident: u64, limit: u64) -> String {
    let (resident, limit) = (spoken(resident), spoken(limit));
    format!(
        "--rustpar-max-rss has no effect: a worker uses {resident} before its first test, more than {limit}; raise the limit"
    )
}

/// The reason for replacing a worker, for the journal.
#[must_use]
pub fn replaced_because(resident: u64, limit: u64, test: &str) -> String {
    let (resident, limit) = (spoken(resident), spoken(limit));
    format!("resident {resident}, limit {limit}, after {test}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Event, Head, Outcome};
    use crate::journal::read::Log;
    use crate::journal::tests::{collected, ended};

    const MIB: u64 = 1 << 20;

    fn replaced(count: u64) -> Vec<Replaced> {
        let worker = |number| Replaced {
            resident: (500 + number) * MIB,
            worker: format!("gw{number}"),
            test: format!("a.py::test_{number}"),
        };
        (0..count).map(worker).collect()
    }

    fn shown(limit: Option<u64>, replaced: Vec<Replaced>, verbosity: i32) -> String {
        summary(limit, replaced, None, verbosity).join("\n")
    }

    /// A run in which worker `n` uses 100 MiB plus `n`, half of that proportional, and grew in its only test.
    fn run(workers: u32) -> Run {
        let ids: Vec<String> = (0..workers)
            .map(|number| format!("a.py::test_{number}"))
            .collect();
        let mut events = vec![collected(&ids.iter().map(String::as_str).collect::<Vec<_>>())];
        for number in 0..workers {
            let rss = 100 * MIB;
            events.push(Event::Memory {
                w: Some(number),
                at: 0,
                rss,
                pss: (number > 0).then_some(rss / 2),
            });
            events.push(Event::Call(ended(number, number, 10, 5, Outcome::Passed)));
            events.push(Event::Peak {
                t: number,
                w: Some(number),
                rss: rss + u64::from(number) * MIB,
            });
        }
        let head = Head::default();
        Run::new(Log { head, events })
    }

    #[test]
    fn replaced_workers_are_named_largest_first() {
        insta::assert_snapshot!(shown(Some(500 * MIB), replaced(1), 0), @r"
        1 worker was replaced for using more than 500 MiB, after:
          a.py::test_0 (gw0, 500 MiB)
        ");
        insta::assert_snapshot!(shown(Some(500 * MIB), replaced(7), 0), @r"
        7 workers were replaced for using more than 500 MiB, after:
          a.py::test_6 (gw6, 506 MiB)
          a.py::test_5 (gw5, 505 MiB)
          a.py::test_4 (gw4, 504 MiB)
          a.py::test_3 (gw3, 503 MiB)
          a.py::test_2 (gw2, 502 MiB)
          and 2 more tests; -vv shows all
        ");
    }

    #[test]
    fn all_replaced_workers_are_named_if_requested() {
        let lines = summary(Some(500 * MIB), replaced(7), None, 2);
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn the_absence_of_replacements_is_shown_unless_the_run_is_quiet() {
        insta::assert_snapshot!(shown(Some(2048 * MIB), Vec::new(), 0), @"no worker was replaced for using more than 2,048 MiB");
        assert_eq!(shown(Some(2048 * MIB), Vec::new(), -1), "");
        assert_eq!(shown(None, Vec::new(), 1), "");
    }

    #[test]
    fn the_memory_of_workers_is_a_table() {
        insta::assert_snapshot!(memory_table(&run(3), 1).join("\n"), @r"
        worker     peak  proportional  largest growth
        gw2     102 MiB        50 MiB  2 MiB in a.py::test_2
        gw1     101 MiB        50 MiB  1 MiB in a.py::test_1
        gw0     100 MiB             -  -
        ");
    }

    #[test]
    fn only_the_largest_workers_are_shown_unless_all_are_requested() {
        let lines = memory_table(&run(12), 1);
        assert_eq!(lines.len(), 12);
        insta::assert_snapshot!(lines[11], @"and 2 workers that used less; -vv shows all");
        assert_eq!(memory_table(&run(12), 2).len(), 13);
        assert_eq!(memory_table(&Run::default(), 1), [""; 0]);
    }

    #[test]
    fn an_unreadable_journal_is_not_an_error() {
        let path = Path::new("/nowhere/journal");
        assert_eq!(summary(None, Vec::new(), Some(path), 0), [""; 0]);
        let lines = summary(None, Vec::new(), Some(path), 1).join("\n");
        assert!(lines.starts_with("not known: "), "{lines}");
    }

    #[test]
    fn memory_limits_and_sizes_are_shown_in_mebibytes() {
        insta::assert_snapshot!(limit_without_effect(1500 * MIB, MIB), @"--rustpar-max-rss has no effect: a worker uses 1,500 MiB before its first test, more than 1 MiB; raise the limit");
        insta::assert_snapshot!(replaced_because(612 * MIB, 500 * MIB, "a.py::test_it"), @"resident 612 MiB, limit 500 MiB, after a.py::test_it");
    }
}
