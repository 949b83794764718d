//! Builder of synthetic runs for tests.

use crate::journal::Micros;
use crate::journal::event::{Collected, Event, Head, Outcome, PhaseEnded, Start};
use crate::journal::merged::Merged;
use crate::journal::read::Log;
use crate::journal::run::Run;
use crate::protocol::report::Phase;
use std::collections::BTreeMap;

/// A run being built, in which the tests of each worker follow each other.
pub(super) struct RunBuilder {
    pub(super) events: Vec<Event>,
    ids: Vec<String>,
    pub(super) collected: Collected,
    options: BTreeMap<String, String>,
    pub(super) ends: Vec<Micros>,
    dist: &'static str,
}

impl RunBuilder {
    pub(super) fn new(dist: &'static str, workers: usize) -> Self {
        Self {
            events: Vec::new(),
            ids: Vec::new(),
            collected: Collected::default(),
            options: BTreeMap::new(),
            ends: vec![0; workers],
            dist,
        }
    }

    pub(super) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The number of a test.
    pub(super) fn test(&mut self, id: &str) -> u32 {
        let known = self.ids.iter().position(|known| known == id);
        let place = known.unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        u32::try_from(place).expect("few tests")
    }

    pub(super) fn fixture(&mut self, id: &str, worker: u32, key: &str, us: Micros) {
        let t = self.test(id);
        let key = key.to_owned();
        self.events.push(Event::Fixture {
            t,
            w: Some(worker),
            key,
            us,
            once: false,
        });
    }

    /// Adds a test to a worker, with the durations of its phases and the outcome of its call.
    pub(super) fn ran(&mut self, id: &str, worker: u32, took: [Micros; 3], outcome: Outcome) -> u32 {
        let t = self.test(id);
        let end = &mut self.ends[worker as usize];
        let outcomes = [Outcome::Passed, outcome, Outcome::Passed];
        for ((phase, us), o) in Phase::ALL.into_iter().zip(took).zip(outcomes) {
            let (w, at, part) = (Some(worker), *end, false);
            let ended = PhaseEnded {
                t,
                w,
                at,
                us,
                o,
                part,
            };
            self.events.push(Event::phase(phase, ended));
            *end += us;
            if o == Outcome::Rerun {
                break;
            }
        }
        t
    }

    pub(super) fn passed(&mut self, id: &str, worker: u32, call: Micros) -> u32 {
        self.ran(id, worker, [0, call, 0], Outcome::Passed)
    }

    /// The run, merged alone.
    pub(super) fn runs(self) -> Merged {
        Merged::new(vec![self.log()])
    }

    pub(super) fn run(self) -> Run {
        Run::new(self.log())
    }

    pub(super) fn log(self) -> Log {
        let ids = self.ids;
        let mut events = vec![
            Event::Collected(Collected {
                ids,
                ..self.collected
            }),
            Event::Start(Start {
                workers: self.ends.len(),
                dist: self.dist.to_owned(),
                ..Start::default()
            }),
        ];
        events.extend(self.events);
        let head = Head {
            options: self.options,
            ..Head::default()
        };
        Log { head, events }
    }
}
