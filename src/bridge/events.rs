//! Conversion of the engine's events to tuples for Python.

use super::load_results::{LoadOutcome, LoadSeconds};
use super::rebuild::{RunObjects, WorkerObjects};
use super::value::{decode_object, to_text};
use crate::engine::load_run::LoadEvent;
use crate::engine::messages::{Event, TEMPLATE};
use crate::protocol::frame::Frame;
use crate::protocol::report::{Outcome, Phase};
use crate::schedule::policy::Worker;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::collections::HashMap;

/// The kind of an event, the first item of its tuple. The comments show the values after the worker.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum EventKind {
    /// (node ids, (groups, extras)); the node ids are the same list object for all workers that collected the same.
    Inventory,
    /// (test, location)
    Start,
    /// (test, report of a set-up or teardown that has passed)
    Passed,
    /// (test, report of a call that has passed)
    PassedCall,
    /// (test, report)
    Report,
    /// (test, data)
    Serialized,
    /// (test, location)
    Finish,
    /// (test, how often it was tried)
    Retry,
    /// (test, duration)
    Done,
    /// (topic, value)
    Message,
    /// (text, None)
    Output,
    /// (process id, None)
    Forked,
    /// ((status, running, how often that was tried before), finished)
    Exited,
    /// (tests, None)
    Unscheduled,
    /// (test, seconds of its limit)
    TimedOut,
    /// (process id, None)
    TemplateForked,
    /// (status, None)
    TemplateExited,
    /// (None, None)
    ServerGone,
    /// (events of the journal, None)
    LoadSecond,
    /// (the result, None)
    LoadResult,
    /// (text, None)
    Broken,
    /// (test or None, resident bytes)
    Peak,
    /// (test, resident bytes)
    OverMemoryLimit,
}

/// Appends the tuples for an event.
pub(super) fn to_tuples<'py>(
    event: Event,
    run: &mut RunObjects,
    workers: &mut HashMap<Worker, WorkerObjects>,
    groups: &mut Vec<Option<String>>,
    out: &Bound<'py, PyList>,
) -> PyResult<()> {
    let py = out.py();
    let none = py.None().into_bound(py);
    let mut push = |kind: EventKind, worker: Worker, first: Bound<'py, PyAny>, second: Bound<'py, PyAny>| {
        out.append((kind as u8, worker, first, second))
    };
    match event {
        Event::Frames(worker, bytes) => {
            let objects = workers
                .get_mut(&worker)
                .ok_or_else(|| PyValueError::new_err(format!("frames of an unknown worker {worker}")))?;
            for frame in frames(&bytes) {
                frame_tuple(
                    py,
                    worker,
                    &Frame::decode(frame)?,
                    run,
                    objects,
                    groups,
                    &mut push,
                )?;
            }
        }
        Event::Output(worker, text) => push(
            EventKind::Output,
            worker,
            text.into_pyobject(py)?.into_any(),
            none,
        )?,
        Event::Forked(worker, pid) => {
            push(EventKind::Forked, worker, pid.into_pyobject(py)?.into_any(), none)?;
        }
        Event::Exited {
            worker,
            status,
            running,
            tried,
            finished,
            peak,
        } => {
            // No more events follow, and a run that replaces workers may have many of them.
            workers.remove(&worker);
            let death = (status, running, tried, peak).into_pyobject(py)?.into_any();
            push(
                EventKind::Exited,
                worker,
                death,
                finished.into_pyobject(py)?.to_owned().into_any(),
            )?;
        }
        Event::Unscheduled(worker, tests) => {
            push(
                EventKind::Unscheduled,
                worker,
                tests.into_pyobject(py)?.into_any(),
                none,
            )?;
        }
        Event::TemplateForked(pid) => {
            push(
                EventKind::TemplateForked,
                TEMPLATE,
                pid.into_pyobject(py)?.into_any(),
                none,
            )?;
        }
        Event::TemplateExited(status) => {
            push(
                EventKind::TemplateExited,
                TEMPLATE,
                status.into_pyobject(py)?.into_any(),
                none,
            )?;
        }
        Event::ServerGone => push(EventKind::ServerGone, TEMPLATE, none.clone(), none)?,
        Event::TimedOut(worker, test, limit) => push(
            EventKind::TimedOut,
            worker,
            test.into_pyobject(py)?.into_any(),
            limit.into_pyobject(py)?.into_any(),
        )?,
        Event::Load(LoadEvent::Second(seconds)) => {
            let seconds = LoadSeconds { core: seconds }.into_pyobject(py)?.into_any();
            push(EventKind::LoadSecond, TEMPLATE, seconds, none)?;
        }
        Event::Load(LoadEvent::Result(result)) => {
            let result = LoadOutcome { core: *result }.into_pyobject(py)?.into_any();
            push(EventKind::LoadResult, TEMPLATE, result, none)?;
        }
        Event::Broken(worker, text) => push(
            EventKind::Broken,
            worker,
            text.into_pyobject(py)?.into_any(),
            none,
        )?,
    }
    Ok(())
}

/// The frames in a batch, each preceded by its length.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (frame, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(frame)
    })
}

fn frame_tuple<'py>(
    py: Python<'py>,
    worker: Worker,
    frame: &Frame<'_>,
    run: &mut RunObjects,
    objects: &mut WorkerObjects,
    groups: &mut Vec<Option<String>>,
    push: &mut impl FnMut(EventKind, Worker, Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    let number = |test: u32| PyResult::Ok(test.into_pyobject(py)?.into_any());
    match frame {
        Frame::Text(text) => objects.define(py, text)?,
        Frame::Inventory { entries, extras } => {
            let ids: Vec<_> = entries
                .iter()
                .map(|entry| to_text(py, entry.node_id))
                .collect::<PyResult<_>>()?;
            let ids = PyList::new(py, ids)?;
            let own: Vec<_> = entries
                .iter()
                .map(|entry| entry.group.map(str::to_owned))
                .collect();
            let about = (own.clone(), decode_object(py, extras)?)
                .into_pyobject(py)?
                .into_any();
            let first = run.node_ids.bind(py);
            let ids = if !first.is_empty() && ids.eq(first)? {
                first.clone()
            } else if first.is_empty() || worker == TEMPLATE {
                // If the collections differ, the template's tests are run.
                run.node_ids = ids.clone().unbind();
                *groups = own;
                ids
            } else {
                ids
            };
            push(EventKind::Inventory, worker, ids.into_any(), about)?;
        }
        Frame::Start { test, location } => {
            let location = objects.start(py, run, *test, location)?.into_any();
            push(EventKind::Start, worker, number(*test)?, location)?;
        }
        Frame::Plain(plain) => {
            let report = objects.report(py, run, plain)?;
            let kind = match (plain.outcome, plain.phase) {
                (Outcome::Passed, Phase::Call) => EventKind::PassedCall,
                (Outcome::Passed, Phase::Setup | Phase::Teardown) => EventKind::Passed,
                _ => EventKind::Report,
            };
            push(kind, worker, number(plain.test)?, report)?;
        }
        Frame::Report { test, body, .. } => {
            let data = decode_object(py, body)?.cast_into::<PyDict>()?;
            objects.mark(py, run, *test, &data)?;
            push(EventKind::Serialized, worker, number(*test)?, data.into_any())?;
        }
        Frame::Finish { test, location } => {
            let location = match location {
                Some(location) => objects.location(py, location)?,
                None => objects.started_at(py, *test)?,
            };
            push(EventKind::Finish, worker, number(*test)?, location.into_any())?;
        }
        Frame::Retry { test, tried, .. } => {
            push(EventKind::Retry, worker, number(*test)?, number(*tried)?)?;
        }
        Frame::Done { test, duration } => {
            push(
                EventKind::Done,
                worker,
                number(*test)?,
                duration.into_pyobject(py)?.into_any(),
            )?;
        }
        Frame::Peak { test, resident } => {
            let test = test.into_pyobject(py)?;
            push(
                EventKind::Peak,
                worker,
                test,
                resident.into_pyobject(py)?.into_any(),
            )?;
        }
        Frame::OverMemoryLimit { test, resident } => {
            let resident = resident.into_pyobject(py)?.into_any();
            push(EventKind::OverMemoryLimit, worker, number(*test)?, resident)?;
        }
        // They are only sent in load tests, where the engine's thread takes them.
        Frame::Load(_) => {}
        Frame::Message { topic, body } => {
            push(
                EventKind::Message,
                worker,
                (*topic as u8).into_pyobject(py)?.into_any(),
                decode_object(py, body)?,
            )?;
        }
    }
    Ok(())
}
