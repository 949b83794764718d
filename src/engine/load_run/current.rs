//! A load test that is running, or about to: which workers take part, and what they have published.

use super::SECOND;
use crate::engine::shared::Shared;
use crate::journal::load::LoadEnd;
use crate::load::measurement::{Measurement, Moment};
use crate::platform::clock::nanos;
use crate::schedule::policy::Worker;
use std::collections::{BTreeMap, BTreeSet};

/// Nanoseconds for which the last planned second is kept open.
const LAST_SECOND_DELAY: u64 = 250_000_000;

/// A load test from the first worker that is ready to the last that has ended.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) measurement: Measurement,
    /// Workers whose users are set up.
    pub(super) ready: BTreeSet<Worker>,
    /// How many workers have got a share of the users.
    pub(super) joined: u64,
    /// Among how many workers users were dealt.
    pub(super) workers: u64,
    /// The slots of those of them that were not lost.
    pub(super) slots: BTreeMap<Worker, usize>,
    /// Those of them that have ended their iterations.
    pub(super) finished: BTreeSet<Worker>,
    /// Workers that have ended the test, or were lost.
    pub(super) out: BTreeSet<Worker>,
    /// When it begins, in nanoseconds of the monotonic clock.
    pub(super) begin: Option<u64>,
    pub(super) cancelled: bool,
    /// When the present second ends.
    pub(super) tick: u64,
    /// The users at that time.
    pub(super) users: Option<u32>,
    /// What workers have published at the end of the last second: started, dropped, CPU.
    pub(super) published: BTreeMap<Worker, [u64; 3]>,
    /// When that was, by the monotonic clock.
    pub(super) published_at: u64,
    pub(super) interrupted: u64,
    pub(super) end: LoadEnd,
    pub(super) why: String,
    pub(super) is_told: bool,
}

impl Current {
    pub(super) fn users_now(&self, shared: &Shared) -> u32 {
        let users = self.slots.values().map(|slot| shared.slot(*slot).load()[0]);
        u32::try_from(users.sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// For how long the end of the present second waits: the last one, for the last iterations to end.
    pub(super) fn delay(&self) -> u64 {
        let planned = self.measurement.plan().seconds();
        let begin = self.begin.unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "seconds of a load test")]
        let at = self.tick.saturating_sub(begin) as f64 / SECOND as f64;
        if at >= planned { LAST_SECOND_DELAY } else { 0 }
    }

    /// What the workers have published. A worker that was lost keeps what it has published before.
    pub(super) fn moment(&mut self, shared: &Shared) -> Moment {
        let mut moment = Moment {
            users: self.users_now(shared),
            ..Moment::default()
        };
        let now = nanos();
        let passed = now.saturating_sub(self.published_at).max(1);
        self.published_at = now;
        for (worker, slot) in &self.slots {
            let [_, started, dropped, cpu] = shared.slot(*slot).load();
            let before = self.published.insert(*worker, [started, dropped, cpu]);
            if let Some([_, _, earlier]) = before {
                #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a second")]
                let part = cpu.saturating_sub(earlier) as f64 / passed as f64;
                moment.cpu = moment.cpu.max(part);
            }
        }
        moment.started = self.published.values().map(|[started, ..]| started).sum();
        moment.dropped = self.published.values().map(|[_, dropped, _]| dropped).sum();
        moment
    }
}
