//! Memory use of each process of a run, and the test with the largest growth.

use crate::journal::event::{Ending, Test};
use crate::journal::run::Run;

/// The memory of a process that ran tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessMemory {
    /// `gw0` and so on, or `main`.
    pub name: String,
    /// The highest observed number of resident bytes.
    pub peak: u64,
    /// The highest number of proportional bytes; `None` if not measured.
    pub proportional: Option<u64>,
    /// The test in which its peak grew most, and the growth in bytes; `None` if it did not grow.
    pub growth: Option<(Test, u64)>,
    /// The test after which another process replaced it.
    pub replaced_after: Option<Test>,
}

/// The memory use of each process for which any is known, sorted by number.
#[must_use]
pub fn memory(run: &Run) -> Vec<ProcessMemory> {
    let mut growths = vec![None; run.processes.len()];
    for attempt in run.attempts.iter().filter(|attempt| attempt.growth > 0) {
        let largest: &mut Option<(Test, u64)> = &mut growths[attempt.process];
        if largest.is_none_or(|(_, bytes)| bytes < attempt.growth) {
            *largest = Some((attempt.test, attempt.growth));
        }
    }
    let known = run
        .processes
        .iter()
        .zip(growths)
        .filter(|(process, _)| process.peak > 0);
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(process, _)| process.number);
    let rows = known.into_iter().map(|(process, growth)| {
        let replaced = process.gone.as_ref();
        let replaced = replaced.filter(|gone| gone.how == Ending::Replaced);
        ProcessMemory {
            name: process.name(),
            peak: process.peak,
            proportional: process.memory.iter().filter_map(|(_, _, pss)| *pss).max(),
            growth,
            replaced_after: replaced.and_then(|gone| gone.running),
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Event, Head, Outcome, PhaseEnded, Worker, WorkerGone};
    use crate::journal::read::Log;
    use crate::protocol::report::Phase;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn ran(t: Test, w: Worker) -> Event {
        let (at, us, o) = (0, 1, Outcome::Passed);
        let ended = PhaseEnded {
            t,
            w,
            at,
            us,
            o,
            part: false,
        };
        Event::phase(Phase::Call, ended)
    }

    fn holds(w: Worker, rss: u64, pss: Option<u64>) -> Event {
        Event::Memory { w, at: 0, rss, pss }
    }

    fn grew(t: Test, w: Worker, rss: u64) -> Event {
        Event::Peak { t, w, rss }
    }

    fn of(events: Vec<Event>) -> Vec<ProcessMemory> {
        let head = Head::default();
        let log = Log { head, events };
        memory(&Run::new(log))
    }

    #[test]
    fn the_test_in_which_a_worker_grew_most_is_named() {
        let events = vec![
            holds(Some(1), 50 * MIB, None),
            ran(0, Some(1)),
            grew(0, Some(1), 60 * MIB),
            ran(1, Some(1)),
            grew(1, Some(1), 160 * MIB),
            ran(2, Some(1)),
            holds(Some(1), 90 * MIB, Some(30 * MIB)),
        ];
        let expected = ProcessMemory {
            name: "gw1".to_owned(),
            peak: 160 * MIB,
            proportional: Some(30 * MIB),
            growth: Some((1, 100 * MIB)),
            replaced_after: None,
        };
        assert_eq!(of(events), [expected]);
    }

    #[test]
    fn a_replaced_worker_names_its_last_test() {
        let gone = |w, how, running| {
            let (at, status, why) = (0, 0, None);
            Event::Gone(WorkerGone {
                w,
                at,
                how,
                status,
                running,
                why,
            })
        };
        let events = vec![
            holds(Some(2), MIB, None),
            holds(Some(0), MIB, None),
            holds(Some(1), MIB, None),
            gone(0, Ending::Replaced, Some(7)),
            gone(1, Ending::Crashed, Some(8)),
            gone(2, Ending::Left, None),
        ];
        let replaced = of(events)
            .into_iter()
            .map(|process| (process.name, process.replaced_after));
        let expected = [("gw0", Some(7)), ("gw1", None), ("gw2", None)];
        assert!(replaced.eq(expected.map(|(name, test)| (name.to_owned(), test))));
    }

    #[test]
    fn a_process_of_unknown_memory_is_left_out() {
        assert_eq!(of(vec![ran(0, None)]), []);
        assert_eq!(of(vec![]), []);
    }

    proptest! {
        #[test]
        fn growth_is_at_most_the_difference_of_the_first_sample_and_the_peak(
            steps in prop::collection::vec((0..5_u32, 0..3_u32, 1..100_u64), 0..30),
        ) {
            let first = (0..3).map(|worker| holds(Some(worker), MIB, None));
            let mut peaks = [MIB; 3];
            let steps = steps.into_iter().flat_map(|(test, worker, by)| {
                peaks[worker as usize] += by;
                [ran(test, Some(worker)), grew(test, Some(worker), peaks[worker as usize])]
            });
            let events = first.chain(steps).collect();
            for process in of(events) {
                let (_, growth) = process.growth.unwrap_or((0, 0));
                prop_assert!(growth <= process.peak - MIB);
                prop_assert_eq!(growth == 0, process.peak == MIB);
            }
        }
    }
}
