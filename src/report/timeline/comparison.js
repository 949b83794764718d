// This run beside the previous one: outcomes, time, and the tests whose time has changed most.

import { byId, make, nothing, table } from "./dom.js";
import { count, countOf, moment, seconds, signed, times } from "./format.js";
import { testLink } from "./lists.js";

const MOST = 10;
/** Seconds; smaller differences say nothing. */
const LEAST_CHANGE = 0.001;

/** A difference, coloured where more is worse. */
function change(difference, write) {
  return make(
    "span",
    { class: difference > 0 ? "worse" : difference < 0 ? "better" : null },
    signed(difference, write),
  );
}

/** Numbers of both runs, one line for each outcome that either has, and the wall time. */
function totals({ about, data }) {
  const before = data.previous;
  const names = Object.keys({ ...before.counts, ...data.counts });
  const rows = names
    .filter((name) => before.counts[name] || data.counts[name])
    .map((name) => {
      const [then, now] = [before.counts[name] ?? 0, data.counts[name] ?? 0];
      return [name, count(then), count(now), signed(now - then, count)];
    });
  rows.unshift([
    "wall time",
    seconds(before.seconds),
    seconds(about.seconds),
    change(about.seconds - before.seconds, seconds),
  ]);
  const columns = [{ name: "" }, ...["Previous run", "This run", "Difference"].map((name) => ({ name, number: true }))];
  return table("Totals of both runs", columns, rows);
}

/** The tests whose time has grown most, or with `sign` -1 shrunk. */
function changed(run, sign, select) {
  const by = (test) => sign * (run.seconds[test] - run.previous[test]);
  const tests = Array.from(run.largest(by, (test) => by(test) > LEAST_CHANGE).slice(0, MOST));
  if (!tests.length) return nothing("None by more than a millisecond.");
  const row = (test) => [
    testLink(run, test, select),
    seconds(run.previous[test]),
    seconds(run.seconds[test]),
    change(run.seconds[test] - run.previous[test], seconds),
    times(run.seconds[test], run.previous[test]),
  ];
  const columns = [{ name: "Test" }, ...["Then", "Now", "Difference", "Ratio"].map((name) => ({ name, number: true }))];
  return table(sign > 0 ? "Slower tests" : "Faster tests", columns, tests.map(row));
}

/** Fills the section. */
export function showPrevious(run, select) {
  const parent = byId("previous");
  const before = run.data.previous;
  if (!before) {
    parent.append(nothing("There is no previous run to compare with."));
    return;
  }
  const fresh = run.previous.reduce((sum, seconds) => sum + Number(Number.isNaN(seconds)), 0);
  const both = `${countOf(run.size - fresh, "test")} ran in both, ${count(fresh)} only in this one`;
  const line = `The previous run began ${moment(before.started)}. ${both}.`;
  parent.append(make("p", { class: "nothing", id: "in-both" }, line), totals(run));
  parent.append(
    make(
      "div",
      { class: "columns" },
      make("div", {}, make("h3", {}, "Slower"), changed(run, 1, select)),
      make("div", {}, make("h3", {}, "Faster"), changed(run, -1, select)),
    ),
  );
}
