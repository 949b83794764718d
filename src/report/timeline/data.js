// The run as the page works with it: columns of numbers, and tests in order of time in each lane.
//
// The hazard it handles: 100,000 tests. Nothing here makes an object for each test.

import { outcomeOf } from "./outcomes.js";

/** A column of numbers, NaN for those that are not known. A loop, as `Float64Array.from` takes ten times as long. */
function numbers(column) {
  const values = new Float64Array(column.length);
  for (let at = 0; at < column.length; at += 1) values[at] = column[at] ?? NaN;
  return values;
}

/** `indices` in the order of `values`; those that are in order already, as a worker's tests are, take no time. */
function inOrder(indices, values) {
  const before = (a, b) => values[a] - values[b] || a - b;
  if (!indices.every((index, at) => at === 0 || before(indices[at - 1], index) <= 0)) indices.sort(before);
  return indices;
}

/** The numbers below `length`. */
function upTo(length) {
  const indices = new Uint32Array(length);
  for (let at = 0; at < length; at += 1) indices[at] = at;
  return indices;
}

/** The first index from which on `values` are greater than `bound`, or, with `orEqual`, not less. */
export function firstAbove(values, bound, orEqual = false) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] > bound || (orEqual && values[middle] === bound)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The tests of a lane in order of time; a lane holds a worker and those that took its place. */
class Lane {
  constructor(run, workers) {
    this.workers = workers;
    this.environment = run.workers[workers[0]].environment;
    const names = [...new Set(workers.map((worker) => run.workers[worker].name))];
    this.names = names.join(", ");
    this.label = names.length > 1 ? `${names[0]} +${names.length - 1}` : names[0];
  }

  fill(run, tests) {
    this.tests = tests;
    this.starts = new Float64Array(tests.length);
    this.ends = new Float64Array(tests.length);
    tests.forEach((test, at) => {
      this.starts[at] = run.start[test];
      this.ends[at] = run.end[test];
    });
    // The latest end so far: ascending even if clocks disagreed, as a binary search needs it.
    this.reach = this.ends.slice();
    for (let at = 1; at < tests.length; at += 1) this.reach[at] = Math.max(this.reach[at], this.reach[at - 1]);
  }

  /** The places of the tests that are at least partly between two moments: first, and one past the last. */
  between(from, to) {
    return [firstAbove(this.reach, from, true), firstAbove(this.starts, to)];
  }
}

/** A run; `data` is as described in the documentation of the module in Rust. */
export class Run {
  constructor(data) {
    const tests = data.tests;
    this.about = data.run;
    this.data = data;
    this.workers = data.workers;
    this.outcomes = data.outcomes;
    this.ids = tests.id;
    this.size = tests.id.length;
    this.worker = Uint32Array.from(tests.worker);
    this.outcome = Uint8Array.from(tests.outcome);
    for (const name of ["start", "setup", "call", "teardown", "end", "usual", "previous", "growth"]) {
      this[name] = numbers(tests[name]);
    }
    this.seconds = this.setup.map((setup, test) => setup + this.call[test] + this.teardown[test]);
    const isBad = this.outcomes.map((name) => outcomeOf(name).shape === "bad");
    this.bad = Uint8Array.from(this.outcome, (outcome) => Number(isBad[outcome]));
    this.lastMoment = this.findLastMoment();
    this.lanes = this.makeLanes();
    this.failuresOf = new Map();
    for (const failure of [...data.failures, ...data.superseded]) {
      const others = this.failuresOf.get(failure.test);
      if (others) others.push(failure);
      else this.failuresOf.set(failure.test, [failure]);
    }
    this.leaksOf = new Map();
    for (const { test, text } of data.leaks) this.leaksOf.set(test, [...(this.leaksOf.get(test) ?? []), text]);
  }

  findLastMoment() {
    let last = this.about.seconds || 0;
    for (const end of this.end) if (end > last) last = end;
    for (const mark of this.data.marks) last = Math.max(last, mark.at);
    return last > 0 ? last : 1;
  }

  /** When a worker began and ended, so far as the journal knows. */
  lifeOf(worker) {
    const { start, end } = this.workers[worker];
    return [start ?? 0, end ?? this.lastMoment];
  }

  makeLanes() {
    const lanes = this.places().map((workers) => new Lane(this, workers));
    this.laneOf = new Uint32Array(this.workers.length);
    lanes.forEach((lane, at) => lane.workers.forEach((worker) => (this.laneOf[worker] = at)));
    const tests = lanes.map(() => []);
    for (let test = 0; test < this.size; test += 1) tests[this.laneOf[this.worker[test]]].push(test);
    lanes.forEach((lane, at) => lane.fill(this, inOrder(Uint32Array.from(tests[at]), this.start)));
    return lanes;
  }

  /** All tests in order of time. Nothing that is seen at first needs it. */
  get byTime() {
    this.sorted ??= inOrder(upTo(this.size), this.start);
    return this.sorted;
  }

  /** Which workers share a lane: one that came after another had crashed or been replaced takes its lane. */
  places() {
    const lanes = [];
    const starts = this.workers.map((_, worker) => this.lifeOf(worker)[0]);
    for (const worker of inOrder(upTo(starts.length), starts)) {
      const { environment } = this.workers[worker];
      const free = lanes.find((lane) => {
        const last = lane[lane.length - 1];
        const { ended, environment: other, end } = this.workers[last];
        const gone = ended === "crashed" || ended === "replaced";
        return gone && end !== null && other === environment && end <= starts[worker];
      });
      if (free) free.push(worker);
      else lanes.push([worker]);
    }
    return lanes.sort((a, b) => this.workers[a[0]].environment - this.workers[b[0]].environment || a[0] - b[0]);
  }

  /** The place of a test in its lane. */
  placeOf(test) {
    const lane = this.lanes[this.laneOf[this.worker[test]]];
    let at = firstAbove(lane.starts, this.start[test], true);
    while (lane.tests[at] !== test) at += 1;
    return at;
  }

  /** Tests that ran at the same time as this one, in other lanes, in order of time. */
  beside(test) {
    const found = [];
    const own = this.laneOf[this.worker[test]];
    this.lanes.forEach((lane, at) => {
      if (at === own) return;
      const [first, past] = lane.between(this.start[test], this.end[test]);
      for (let place = first; place < past; place += 1) {
        const other = lane.tests[place];
        if (this.end[other] > this.start[test] && this.start[other] < this.end[test]) found.push(other);
      }
    });
    return found.sort((a, b) => this.start[a] - this.start[b]);
  }

  /** All runs of the test with this node id, in order of time. */
  attempts(id) {
    return Array.from(this.byTime.filter((test) => this.ids[test] === id));
  }

  /** The tests that `keep` lets through, those with the largest `value` first. */
  largest(value, keep = () => true) {
    const key = Float64Array.from({ length: this.size }, (_, test) => value(test));
    return this.byTime.filter(keep).sort((a, b) => key[b] - key[a] || a - b);
  }

  /** What a worker did with its time, in seconds, and how many tests it ran. */
  work(worker) {
    const lane = this.lanes[this.laneOf[worker]];
    const own = lane.tests.filter((test) => this.worker[test] === worker);
    const sum = (value) => own.reduce((total, test) => total + value(test), 0);
    const [start, end] = this.lifeOf(worker);
    const busy = sum((test) => this.end[test] - this.start[test]);
    return { tests: own.length, busy, setup: sum((test) => this.setup[test]), life: end - start };
  }
}
