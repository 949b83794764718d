//! Answers to a status request: the progress of a run and the activity of each process.

use crate::text::duration::{Micros, spoken};

/// The progress of the run.
#[must_use]
pub fn progress(finished: usize, tests: usize) -> String {
    match tests {
        0 => "tests are being collected".to_owned(),
        1 => format!("{finished} of 1 test has run"),
        tests => format!("{finished} of {tests} tests have run"),
    }
}

/// The activity of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity<'a> {
    /// It has not started collecting.
    Forked,
    /// The file that it is collecting, and for how long.
    Collects(&'a str, Micros),
    /// How long it has been idle.
    Idle(Micros),
    /// The test that it is running, and for how long.
    Runs(&'a str, Micros),
}

/// Describes a worker or the template; without a process id it is still starting.
#[must_use]
pub fn process(name: &str, process: Option<u32>, activity: Activity<'_>) -> String {
    let Some(process) = process else {
        return format!("{name} is starting");
    };
    let does = match activity {
        Activity::Forked => "has not started to collect".to_owned(),
        Activity::Collects(file, time) => format!("has been collecting {file} for {}", spoken(time)),
        Activity::Idle(time) => format!("has been idle for {}", spoken(time)),
        Activity::Runs(test, time) => format!("has been running {test} for {}", spoken(time)),
    };
    format!("{name} (process {process}) {does}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_tests_once_they_are_known() {
        insta::assert_snapshot!(progress(0, 0), @"tests are being collected");
        insta::assert_snapshot!(progress(1, 1), @"1 of 1 test has run");
        insta::assert_snapshot!(progress(7, 12), @"7 of 12 tests have run");
    }

    #[test]
    fn the_activity_of_a_process_has_its_duration() {
        let activities = [
            Activity::Forked,
            Activity::Collects("tests/test_a.py", 412_000),
            Activity::Idle(2_500_000),
            Activity::Runs("tests/test_a.py::test_b", 83_400_000),
        ];
        let lines = activities.map(|activity| process("gw0", Some(41), activity));
        insta::assert_snapshot!(lines.join("\n"), @r"
        gw0 (process 41) has not started to collect
        gw0 (process 41) has been collecting tests/test_a.py for 412 ms
        gw0 (process 41) has been idle for 2.50 s
        gw0 (process 41) has been running tests/test_a.py::test_b for 1:23 min
        ");
        insta::assert_snapshot!(process("gw1", None, Activity::Forked), @"gw1 is starting");
    }
}
