//! The number of workers for `-n auto` and `-n logical`, and the reason: pytest-xdist's number, limited by the
//! resources that this process may use.
//!
//! The hazard it handles: a wrong number makes a run slower than necessary, or makes the kernel kill a worker for lack
//! of memory. So a number chosen by the user or a hook is always accepted, and for every other number the run reports
//! the reason.

use crate::text::{counted, size};
use std::fmt;

/// Seconds of tests in one process that are too short for workers. Two workers save half of it, and ten trivial tests
/// take 0.1 s longer with -n 2 than with -n 0 on two idle CPUs, 0.22 s on busy ones.
const SHORT_RUN: f64 = 0.25;

/// Seconds that pytest spends around the phases of a test, which no report includes: half of what 2,000 trivial tests
/// take in one process, 1.0 s of CPU time.
const OVERHEAD_PER_TEST: f64 = 0.000_25;

/// Minimum memory of a worker in bytes. A worker of a suite of trivial tests writes to 6 to 10 MiB; the rest is a
/// reserve for tests of unknown memory use.
const MIN_MEMORY: u64 = 32 << 20;

/// The CPUs of the machine, and those available to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The number that pytest-xdist counts: the physical cores with psutil, otherwise the CPUs of the affinity mask.
    pub counted: usize,
    /// All CPUs of the machine.
    pub cpus: usize,
    /// CPUs in the affinity mask, if there is one.
    pub usable: Option<usize>,
    /// CPUs of the control group's quota, if there is one.
    pub quota: Option<usize>,
}

/// The chosen number of workers, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The number of workers; 0 for running in one process.
    pub count: usize,
    /// The reason in a few words.
    pub why: String,
    /// Whether the user or a hook chose the number, which is then not changed.
    pub is_explicit: bool,
}

impl Choice {
    /// A number chosen by the user or a hook.
    #[must_use]
    pub fn explicit(count: usize, why: String) -> Self {
        Self {
            count,
            why,
            is_explicit: true,
        }
    }

    /// pytest-xdist's number, limited by the CPUs of the affinity mask, if it excludes any, and by the CPU quota of the
    /// control group.
    #[must_use]
    pub fn for_machine(machine: &Machine) -> Self {
        let mut choice = Self {
            count: machine.counted,
            why: counted(machine.counted, "CPU"),
            is_explicit: false,
        };
        // A mask that includes all CPUs is no limit: a larger number was counted deliberately.
        if let Some(usable) = machine.usable.filter(|usable| *usable < machine.cpus) {
            choice = choice.at_most(usable, "CPU affinity");
        }
        if let Some(quota) = machine.quota {
            choice = choice.at_most(quota, "CPU quota of the control group");
        }
        choice
    }

    /// One process, if that is faster according to the last run of the same command, which took so many seconds for so
    /// many tests.
    #[must_use]
    pub fn after_last_run(tests: u32, seconds: f64) -> Option<Self> {
        let whole = seconds + f64::from(tests) * OVERHEAD_PER_TEST;
        // The comparison is false for NaN.
        (whole <= SHORT_RUN).then(|| {
            let milliseconds = (seconds * 1000.0).max(1.0);
            let tests = counted(tests as usize, "test");
            Self {
                count: 0,
                why: format!("the last run's {tests} took {milliseconds:.0} ms"),
                is_explicit: false,
            }
        })
    }

    /// This choice, or a lower number for another reason.
    #[must_use]
    pub fn at_most(self, count: usize, why: impl Into<String>) -> Self {
        if self.count <= count {
            return self;
        }
        Self {
            count,
            why: why.into(),
            ..self
        }
    }

    /// Limits the number to the number of tests; at least one.
    #[must_use]
    pub fn for_tests(self, tests: usize) -> Self {
        self.at_most(tests.max(1), counted(tests, "test"))
    }

    /// Limits the number by the available memory; at least one. A number chosen by the user or a hook is not changed.
    ///
    /// A worker shares the template's memory until it writes to it. Its future memory use is estimated as half of the
    /// template's memory, plus the growth of workers in the last run of the same command.
    ///
    /// `left` is the available memory in bytes, `template` the memory of the template, and `growth` the growth of a
    /// worker beyond it in the last run, if known.
    #[must_use]
    pub fn within_memory(self, left: u64, template: u64, growth: Option<u64>) -> Self {
        if self.is_explicit {
            return self;
        }
        let each = (template / 2).saturating_add(growth.unwrap_or(0)).max(MIN_MEMORY);
        let [left_words, each_words] = [left, each].map(size::spoken);
        let fit = usize::try_from(left / each).unwrap_or(usize::MAX).max(1);
        self.at_most(fit, format!("memory: {left_words} left, {each_words} each"))
    }
}

/// The text shown by the run.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self.count {
            0 => "one process".to_owned(),
            count => counted(count, "worker"),
        };
        write!(f, "{number} ({})", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MACHINE: Machine = Machine {
        counted: 8,
        cpus: 8,
        usable: Some(8),
        quota: None,
    };

    fn words(machine: &Machine) -> String {
        Choice::for_machine(machine).to_string()
    }

    #[test]
    fn the_smallest_number_gives_the_reason() {
        assert_eq!(words(&MACHINE), "8 workers (8 CPUs)");
        let quota = Some(3);
        let usable = Some(4);
        assert_eq!(words(&Machine { usable, ..MACHINE }), "4 workers (CPU affinity)");
        assert_eq!(
            words(&Machine {
                usable,
                quota,
                ..MACHINE
            }),
            "3 workers (CPU quota of the control group)"
        );
        let counted = 2;
        assert_eq!(
            words(&Machine {
                counted,
                quota,
                ..MACHINE
            }),
            "2 workers (2 CPUs)"
        );
    }

    #[test]
    fn a_higher_count_than_a_full_affinity_mask_is_deliberate() {
        let counted = 16;
        assert_eq!(words(&Machine { counted, ..MACHINE }), "16 workers (16 CPUs)");
    }

    #[test]
    fn a_short_last_run_means_one_process() {
        let choice = Choice::after_last_run(4, 0.0314).unwrap();
        assert_eq!(
            choice.to_string(),
            "one process (the last run's 4 tests took 31 ms)"
        );
        let least = Choice::after_last_run(1, 0.0).unwrap();
        assert_eq!(least.to_string(), "one process (the last run's 1 test took 1 ms)");
    }

    #[test]
    fn long_tests_and_many_tests_mean_workers() {
        assert_eq!(Choice::after_last_run(4, 0.3), None);
        assert_eq!(Choice::after_last_run(2_000, 0.0), None);
        assert_eq!(Choice::after_last_run(4, f64::NAN), None);
    }

    #[test]
    fn fewer_tests_and_little_memory_are_reasons() {
        let eight = || Choice::for_machine(&MACHINE);
        assert_eq!(eight().for_tests(2).to_string(), "2 workers (2 tests)");
        assert_eq!(eight().for_tests(0).to_string(), "1 worker (0 tests)");
        let few = eight().within_memory(100 << 20, 1 << 20, None);
        assert_eq!(few.to_string(), "3 workers (memory: 100 MiB left, 32 MiB each)");
        let none = eight().within_memory(0, 1 << 20, None);
        assert_eq!(none.to_string(), "1 worker (memory: 0 MiB left, 32 MiB each)");
        let grown = eight().within_memory(2 << 30, 200 << 20, Some(500 << 20));
        assert_eq!(
            grown.to_string(),
            "3 workers (memory: 2,048 MiB left, 600 MiB each)"
        );
        assert_eq!(eight().within_memory(64 << 30, 1 << 20, None), eight());
    }

    #[test]
    fn a_number_chosen_by_the_user_is_kept_whatever_the_memory() {
        let given = || Choice::explicit(8, "a hook".to_owned());
        assert_eq!(given().within_memory(0, 1 << 30, None), given());
        assert_eq!(given().for_tests(2).count, 2);
    }

    proptest! {
        #[test]
        fn there_is_always_a_worker_and_never_more_than_there_were(
            counted in 1_usize..100,
            tests: usize,
            left: u64,
            template: u64,
            growth: Option<u64>,
        ) {
            let choice = Choice::for_machine(&Machine { counted, ..MACHINE });
            let chosen = choice.clone().for_tests(tests).within_memory(left, template, growth);
            prop_assert!((1..=choice.count).contains(&chosen.count));
        }
    }
}
