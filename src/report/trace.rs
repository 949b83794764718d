//! Chrome trace events for Perfetto and `chrome://tracing`: a process for each environment, a thread for each worker,
//! tests with nested phases, counters, and crashes of workers.
//!
//! The format is the JSON object format of "Trace Event Format"; times are microseconds since the start of the first
//! run.
//!
//! The hazard it handles: start times and durations are measured with different clocks. Events of a thread must be
//! nested, so an event that would start before the previous one has ended is moved to its end. Durations are not
//! changed.

use super::spans::spans;
use crate::journal::Micros;
use crate::journal::event::Ending;
use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run, Verdict};
use crate::protocol::report::Phase;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Maximum number of steps of the counter of finished tests in each run.
const STEPS: u64 = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    trace_events: Vec<Event>,
    display_time_unit: &'static str,
    other_data: Value,
}

#[derive(Serialize)]
struct Event {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'static str,
    ph: char,
    ts: Micros,
    pid: usize,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<Micros>,
    /// For an instant event: the scope of its marker.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<char>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

/// The process and thread of events.
#[derive(Clone, Copy)]
struct Lane {
    pid: usize,
    tid: usize,
}

/// Serializes the trace.
///
/// # Errors
/// None are possible for texts and numbers.
pub fn write(merged: &Merged) -> serde_json::Result<Vec<u8>> {
    let mut events = Vec::new();
    for (index, environment) in merged.environments.iter().enumerate() {
        let lane = Lane {
            pid: index + 1,
            tid: 0,
        };
        events.push(lane.metadata("process_name", &environment.name));
    }
    let mut lanes = 0;
    for (index, part) in merged.parts.iter().enumerate() {
        let lane = |process: usize| Lane {
            pid: part.environment + 1,
            tid: lanes + process + 1,
        };
        let mut of_processes = vec![Vec::new(); part.run.processes.len()];
        for (attempt, (began, _)) in part.run.attempts.iter().zip(spans(&part.run)) {
            of_processes[attempt.process].push((began, attempt));
        }
        for (process, attempts) in of_processes.into_iter().enumerate() {
            let name = merged.process_name(index, process);
            events.push(lane(process).metadata("thread_name", &name));
            add_tests(&mut events, lane(process), &part.run, part.offset, attempts);
            add_memory_and_crash(&mut events, lane(process), &part.run, part.offset, process, &name);
        }
        let lane = lane(part.run.processes.len());
        add_finished(&mut events, lane, &part.run, part.offset, index);
        lanes += part.run.processes.len() + 1;
    }
    let commands = merged.parts.iter().map(|part| part.run.head.command.join(" "));
    serde_json::to_vec(&Document {
        trace_events: events,
        display_time_unit: "ms",
        other_data: json!({"commands": commands.collect::<Vec<_>>()}),
    })
}

impl Lane {
    fn event(self, ph: char, name: &str, ts: Micros) -> Event {
        Event {
            name: name.to_owned(),
            cat: "",
            ph,
            ts,
            pid: self.pid,
            tid: self.tid,
            dur: None,
            s: None,
            args: Map::new(),
        }
    }

    fn metadata(self, name: &str, value: &str) -> Event {
        let mut event = self.event('M', name, 0);
        event.args.insert("name".to_owned(), value.into());
        event
    }

    fn counter(self, name: &str, ts: Micros, values: &[(&str, u64)]) -> Event {
        let mut event = self.event('C', name, ts);
        let values = values.iter();
        event
            .args
            .extend(values.map(|&(name, value)| (name.to_owned(), value.into())));
        event
    }
}

fn add_tests(
    events: &mut Vec<Event>,
    lane: Lane,
    run: &Run,
    offset: Micros,
    mut attempts: Vec<(Micros, &Attempt)>,
) {
    attempts.sort_by_key(|&(began, _)| began);
    let mut free = offset;
    for (start, attempt) in attempts {
        let place = events.len();
        let mut began = None;
        for phase in Phase::ALL {
            let Some(ran) = attempt.phases[phase as usize] else {
                continue;
            };
            let mut event = lane.event('X', phase.name(), free.max(offset + ran.at));
            event.dur = Some(ran.took);
            event.cat = Verdict::of_phase(phase, ran.outcome).map_or("passed", Verdict::name);
            began.get_or_insert(event.ts);
            free = event.ts + ran.took;
            events.push(event);
        }
        // A worker that crashed may have reported no phase.
        let began = began.or_else(|| attempt.crashed.then(|| free.max(offset + start)));
        let Some(began) = began else {
            continue;
        };
        free = free.max(began);
        let gone = run.processes[attempt.process].gone.as_ref();
        if let Some(gone) = gone.filter(|_| attempt.crashed) {
            free = free.max(offset + gone.at);
        }
        let mut event = lane.event('X', run.id(attempt.test), began);
        event.dur = Some(free - began);
        event.cat = attempt.verdict().name();
        event.args.insert("outcome".to_owned(), event.cat.into());
        let error = attempt.details.iter().map(|&index| &run.details[index].message);
        if let Some(message) = error.into_iter().find(|message| !message.is_empty()) {
            event.args.insert("message".to_owned(), message.as_str().into());
        }
        events.insert(place, event);
    }
}

/// Adds the memory use of a process, and its crash.
fn add_memory_and_crash(
    events: &mut Vec<Event>,
    lane: Lane,
    run: &Run,
    offset: Micros,
    process: usize,
    name: &str,
) {
    let process = &run.processes[process];
    for &(at, rss, pss) in &process.memory {
        let values = [("resident", rss), ("proportional", pss.unwrap_or(0))];
        let values = &values[..=usize::from(pss.is_some())];
        events.push(lane.counter(&format!("memory of {name}"), offset + at, values));
    }
    let gone = process.gone.as_ref().filter(|gone| gone.how != Ending::Left);
    if let Some(gone) = gone {
        let (how, verdict) = match gone.how {
            Ending::Crashed => ("crashed", Verdict::Crashed.name()),
            _ => ("replaced", ""),
        };
        let mut event = lane.event('i', &format!("{name} {how}"), offset + gone.at);
        event.cat = verdict;
        event.s = Some('t');
        event.args.insert("status".to_owned(), gone.status.into());
        if let Some(test) = gone.running {
            event.args.insert("test".to_owned(), run.id(test).into());
        }
        if let Some(why) = &gone.why {
            event.args.insert("why".to_owned(), why.as_str().into());
        }
        events.push(event);
    }
}

/// Adds the number of finished tests, in a limited number of steps.
fn add_finished(events: &mut Vec<Event>, lane: Lane, run: &Run, offset: Micros, part: usize) {
    let name = format!("tests finished in run {}", part + 1);
    let mut ends: Vec<Micros> = run.attempts.iter().filter_map(Attempt::ended).collect();
    ends.sort_unstable();
    let step = run.lasted / STEPS;
    let mut next = 0;
    for (count, (&end, number)) in ends.iter().zip(1..).enumerate() {
        if end >= next || count + 1 == ends.len() {
            events.push(lane.counter(&name, offset + end, &[("finished", number)]));
            next = end + step;
        }
    }
}
