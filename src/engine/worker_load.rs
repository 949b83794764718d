//! A worker's end of a load test: it waits for the beginning, publishes how many users it runs, and sends samples.

use super::shared::{Slot, TEMPLATE_SLOT};
use super::worker::Line;
use crate::platform::clock::cpu_nanos;
use crate::protocol::frame::Frame;
use crate::protocol::load::{LoadFrame, Sample, SampleValue};
use std::sync::atomic::Ordering;

/// The share of a worker in a load test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Not known yet.
    Waiting,
    /// One of several.
    Of {
        /// Which one, from 0.
        place: usize,
        /// The number of workers.
        workers: usize,
    },
    /// None, because the run is being stopped.
    None,
}

/// When a load test begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Not all workers are ready.
    Waiting,
    /// At this time of the monotonic clock, in nanoseconds.
    At(u64),
    /// It does not begin.
    Cancelled,
}

impl Line {
    /// Asks for a share of the users of a load test.
    pub fn load_join(&mut self, test: u32) {
        if self.is_own() {
            self.load_slot().clear_load();
        }
        self.send(&Frame::Load(LoadFrame::Join { test }), true);
    }

    /// The share of the users: the place of this worker, from 0, and the number of workers.
    #[must_use]
    pub fn load_share(&self) -> Share {
        match self.load_slot().load_share().load(Ordering::SeqCst) {
            0 => Share::Waiting,
            u64::MAX => Share::None,
            word => Share::Of {
                place: usize::try_from((word & u64::from(u32::MAX)) - 1).unwrap_or_default(),
                workers: usize::try_from(word >> 32).unwrap_or(1),
            },
        }
    }

    /// Reports that the users of this worker are set up.
    pub fn load_ready(&mut self, test: u32) {
        self.send(&Frame::Load(LoadFrame::Ready { test }), true);
    }

    /// When the load test begins.
    #[must_use]
    pub fn load_beginning(&self) -> Beginning {
        match self.load_slot().load_begin().load(Ordering::SeqCst) {
            0 => Beginning::Waiting,
            u64::MAX => Beginning::Cancelled,
            nanos => Beginning::At(nanos),
        }
    }

    /// Whether no further iteration is to start.
    #[must_use]
    pub fn load_is_stopped(&self) -> bool {
        self.load_slot().load_stopped().is_set() || !self.may_start()
    }

    /// Whether no worker runs an iteration any more.
    #[must_use]
    pub fn load_has_ended(&self) -> bool {
        self.load_slot().load_ended().is_set()
    }

    /// Takes one of the iterations that all users share; returns its number from 0.
    #[must_use]
    pub fn claim_iteration(&self) -> u64 {
        let counter = self.shared_slot(TEMPLATE_SLOT).iterations();
        counter.fetch_add(1, Ordering::SeqCst)
    }

    /// Publishes how many users take part, and how many iterations have started and were dropped.
    pub fn publish_load(&self, users: u64, started: u64, dropped: u64) {
        self.load_slot().set_load([users, started, dropped]);
    }

    /// Publishes the CPU time that this process has used.
    pub fn publish_cpu_time(&self) {
        self.load_slot().set_cpu_time(cpu_nanos());
    }

    /// Names a metric.
    pub fn name_metric(&mut self, number: u16, kind: u8, name: &str) {
        self.send(&Frame::Load(LoadFrame::Metric { number, kind, name }), false);
    }

    /// Sends a value.
    pub fn sample(&mut self, metric: u16, value: SampleValue) {
        self.send(&Frame::Load(LoadFrame::Sample(Sample { metric, value })), false);
    }

    /// Asks for the end of the load test in all workers.
    pub fn stop_load(&mut self, why: &str) {
        self.send(&Frame::Load(LoadFrame::Stop { why }), true);
    }

    /// Reports that no user of this worker runs an iteration any more.
    pub fn load_finished(&mut self, test: u32, interrupted: u64) {
        self.send(&Frame::Load(LoadFrame::Finished { test, interrupted }), true);
    }

    fn load_slot(&self) -> Slot<'_> {
        self.own_slot()
    }
}
