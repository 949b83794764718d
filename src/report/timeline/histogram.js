// How the durations of tests are distributed: a histogram with a logarithmic axis, and the percentiles.

import { byId, make, nothing, svg, table } from "./dom.js";
import { count, countOf, seconds } from "./format.js";

const PHASES = [
  ["test", "Whole test", "seconds"],
  ["setup", "Set-up", "setup"],
  ["call", "Call", "call"],
  ["teardown", "Teardown", "teardown"],
];
const PERCENTILES = ["p50", "p95", "p99", "max"];
/** Bars for each power of ten. */
const BARS = 4;
/** Seconds; what took less is in the first bar. */
const LEAST = 1e-5;
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [920, 230, 30, 30, 26, 28];

/** How many of `values` are in each bar, from the first that is not empty on, and the number of that bar. */
function counted(values) {
  const bars = new Map();
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    const bar = Math.floor(Math.log10(Math.max(value, LEAST)) * BARS + 1e-9);
    bars.set(bar, (bars.get(bar) ?? 0) + 1);
  }
  if (!bars.size) return [0, []];
  // Whole powers of ten at both ends, so that the axis begins and ends with a label.
  const first = Math.floor(Math.min(...bars.keys()) / BARS) * BARS;
  const last = Math.ceil((Math.max(...bars.keys()) + 1) / BARS) * BARS;
  return [first, Array.from({ length: last - first }, (_, at) => bars.get(first + at) ?? 0)];
}

/** A power of ten as a label of the axis. */
function powerOfTen(value) {
  return value < 0.999 ? `${Number((value * 1000).toPrecision(3))} ms` : `${count(value)} s`;
}

/** A drawing of the bars with the percentiles as lines; low ones can be told from none. */
function drawing(first, bars, percentiles, name) {
  const wide = (WIDTH - LEFT - RIGHT) / bars.length;
  const base = HEIGHT - BOTTOM;
  const most = Math.max(...bars);
  const x = (value) => LEFT + (Math.log10(Math.max(value, LEAST)) * BARS - first) * wide;
  const parts = [svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: base, y2: base, stroke: "var(--line)" })];
  bars.forEach((number, at) => {
    if (!number) return;
    const high = Math.max(2, (number / most) * (base - TOP - 14));
    const from = 10 ** ((first + at) / BARS);
    const title = `${countOf(number, "test")} from ${seconds(from)} to ${seconds(10 ** ((first + at + 1) / BARS))}`;
    const box = {
      x: LEFT + at * wide + 1,
      y: base - high,
      width: wide - 2,
      height: high,
      fill: "var(--muted)",
      opacity: 0.75,
    };
    parts.push(svg("rect", { ...box, "data-count": number }, svg("title", {}, title)));
    parts.push(
      svg("text", { x: LEFT + (at + 0.5) * wide, y: base - high - 4, "text-anchor": "middle" }, count(number)),
    );
  });
  for (let at = 0; at <= bars.length; at += BARS) {
    const label = powerOfTen(10 ** ((first + at) / BARS));
    parts.push(
      svg("line", { x1: LEFT + at * wide, x2: LEFT + at * wide, y1: base, y2: base + 5, stroke: "var(--line)" }),
    );
    parts.push(svg("text", { x: LEFT + at * wide, y: base + 18, "text-anchor": "middle" }, label));
  }
  for (const key of ["p50", "p95", "p99"]) {
    const value = percentiles?.[key];
    if (!(value > 0)) continue;
    parts.push(
      svg("line", { x1: x(value), x2: x(value), y1: 14, y2: base, stroke: "var(--accent)", "stroke-dasharray": "3 3" }),
    );
    const anchor = key === "p99" ? "start" : "end";
    parts.push(
      svg("text", { x: x(value) + (key === "p99" ? 4 : -4), y: 12, "text-anchor": anchor, class: "strong" }, key),
    );
  }
  const label = `Histogram: ${name.toLowerCase()}, logarithmic axis of time. The percentiles are in the table.`;
  return svg("svg", { id: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, ...parts);
}

/** The percentiles as the run has them. */
function percentileTable(durations) {
  const columns = [{ name: "Phase" }, ...PERCENTILES.map((name) => ({ name, number: true }))];
  const cell = (phase, key) =>
    make(
      "span",
      { "data-percentile": `${phase} ${key}`, "data-value": durations[phase]?.[key] },
      seconds(durations[phase]?.[key]),
    );
  const rows = PHASES.map(([phase, name]) => [name, ...PERCENTILES.map((key) => cell(phase, key))]);
  return table("Percentiles of durations", columns, rows);
}

/** Fills the section. */
export function showDurations(run) {
  const parent = byId("durations");
  if (!run.size) {
    parent.append(nothing("No test has run."));
    return;
  }
  const options = PHASES.map(([phase, name]) => make("option", { value: phase }, name));
  const choice = make("select", { "aria-label": "Phase" }, ...options);
  const place = make("div");
  const draw = () => {
    const [phase, name, column] = PHASES.find(([one]) => one === choice.value);
    const [first, bars] = counted(run[column]);
    place.replaceChildren(drawing(first, bars, run.data.durations[phase], name));
  };
  choice.addEventListener("change", draw);
  draw();
  parent.append(
    make("div", { class: "chart-title" }, choice, "number of tests by duration"),
    place,
    percentileTable(run.data.durations),
  );
}
