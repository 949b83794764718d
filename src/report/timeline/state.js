// What is shown of the run: the range of time, the selected test, and which tests the search has found. Whatever draws
// listens to it, whatever takes input changes it.

/** Nothing on the page is shorter than this, in seconds. */
const LEAST_SPAN = 2e-5;

export class State extends EventTarget {
  constructor(run) {
    super();
    this.run = run;
    this.from = 0;
    this.to = run.lastMoment;
    this.selected = null;
    this.hovered = null;
    this.words = "";
    this.chosen = new Set();
    /** For each test whether it matches; null while nothing is searched for. */
    this.matching = null;
    this.found = run.size;
  }

  say(what) {
    this.dispatchEvent(new Event(what));
  }

  // The range of time

  get whole() {
    return this.from <= 0 && this.to >= this.run.lastMoment;
  }

  show(from, to) {
    const all = this.run.lastMoment;
    const span = Math.min(all, Math.max(LEAST_SPAN, to - from));
    const begin = Math.min(Math.max(0, (from + to - span) / 2), all - span);
    if (begin === this.from && begin + span === this.to) return;
    [this.from, this.to] = [begin, begin + span];
    this.say("range");
  }

  /** Makes the range `factor` times as long, with the moment `at` where it is: by itself the middle. */
  zoom(factor, at = (this.from + this.to) / 2) {
    const span = Math.min(this.run.lastMoment, Math.max(LEAST_SPAN, (this.to - this.from) * factor));
    const part = (at - this.from) / (this.to - this.from);
    const begin = Math.min(Math.max(0, at - part * span), this.run.lastMoment - span);
    this.show(begin, begin + span);
  }

  pan(by) {
    const span = this.to - this.from;
    const begin = Math.min(Math.max(0, this.from + by), this.run.lastMoment - span);
    this.show(begin, begin + span);
  }

  /** Moves the range so that a test can be seen, and zooms in on one that would be a hair. */
  reveal(test) {
    const [start, end] = [this.run.start[test], this.run.end[test]];
    const span = this.to - this.from;
    const long = end - start;
    if (long < span / 400) this.show(start - 20 * long, end + 20 * long);
    else if (end < this.from || start > this.to || (start < this.from && long < span)) {
      this.show(start - span / 2, start + span / 2);
    }
  }

  // The tests

  /** How many tests are at least partly in the range. */
  get visible() {
    let total = 0;
    for (const lane of this.run.lanes) {
      const [first, past] = lane.between(this.from, this.to);
      total += Math.max(0, past - first);
    }
    return total;
  }

  select(test) {
    if (test === this.selected) return;
    this.selected = test;
    this.say("select");
  }

  hover(test) {
    if (test === this.hovered) return;
    this.hovered = test;
    this.say("hover");
  }

  // The search

  /** Finds tests whose node id has every word, whatever its case, and that ended as chosen if anything is chosen. */
  search(words, chosen = this.chosen) {
    const { run } = this;
    this.words = words;
    this.chosen = chosen;
    const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
    if (!parts.length && !chosen.size) {
      this.matching = null;
      this.found = run.size;
    } else {
      this.lowered ??= run.ids.map((id) => id.toLowerCase());
      const wanted = run.outcomes.map((name) => !chosen.size || chosen.has(name));
      this.matching = new Uint8Array(run.size);
      this.found = 0;
      for (let test = 0; test < run.size; test += 1) {
        if (wanted[run.outcome[test]] && parts.every((part) => this.lowered[test].includes(part))) {
          this.matching[test] = 1;
          this.found += 1;
        }
      }
    }
    this.say("search");
    return this.found;
  }

  matches(test) {
    return this.matching === null || this.matching[test] === 1;
  }

  // Going from test to test

  /** The next test in time after the selected one, or before it, for which `wanted` holds; goes round at the end. */
  step(forwards, wanted) {
    const { byTime, size } = this.run;
    if (!size) return null;
    const here = this.selected === null ? (forwards ? -1 : 0) : byTime.indexOf(this.selected);
    for (let steps = 1; steps <= size; steps += 1) {
      const at = (here + (forwards ? steps : -steps) + 2 * size) % size;
      if (wanted(byTime[at])) return byTime[at];
    }
    return null;
  }

  /** The test `by` places on in the lane of the selected one; the last there is if there are fewer. */
  along(by) {
    const lane = this.run.lanes[this.run.laneOf[this.run.worker[this.selected]]];
    const at = this.run.placeOf(this.selected) + by;
    return lane.tests[Math.min(Math.max(0, at), lane.tests.length - 1)];
  }

  /** The test that ran at about the same time in the next lane that has any, below or above. */
  across(down) {
    const { run } = this;
    const moment = (run.start[this.selected] + run.end[this.selected]) / 2;
    for (let lane = run.laneOf[run.worker[this.selected]] + down; run.lanes[lane]; lane += down) {
      const { tests } = run.lanes[lane];
      if (tests.length) return tests[Math.min(run.lanes[lane].between(moment, moment)[0], tests.length - 1)];
    }
    return this.selected;
  }

  /** The first test that can be seen, for when none is selected. */
  firstVisible() {
    for (const lane of this.run.lanes) {
      const [first, past] = lane.between(this.from, this.to);
      if (first < past) return lane.tests[first];
    }
    return this.run.size ? this.run.byTime[0] : null;
  }
}
