// A load test in figures: its thresholds, its metrics, and what has changed since the earlier run.

import { make, nothing, table } from "./dom.js";
import { count, moment, plain, seconds } from "./format.js";
import { digits, share } from "./load_lines.js";

const FIGURES = ["avg", "min", "med", "p90", "p95", "p99", "max"];
const P95 = FIGURES.indexOf("p95");
/** Per cent; less is written as "0 %". */
const LEAST_CHANGE = 0.05;
/** Per cent; less is not coloured: two runs of an iteration that sleeps have differed by 2 %. */
const NOTABLE = 5;

const VERDICTS = { true: ["worse", "✕ exceeded"], false: ["better", "✓ kept"], null: ["worse", "not judged"] };

/** The limits with what was measured. */
export function loadThresholds({ thresholds }) {
  if (!thresholds.length) return nothing("This load test has no thresholds.");
  const row = ({ text, value, broken = null }) => {
    const [kind, words] = VERDICTS[broken];
    return [
      make("code", {}, plain(text)),
      plain(value),
      make("span", { class: kind, "data-verdict": String(broken) }, words),
    ];
  };
  const columns = [{ name: "Threshold" }, { name: "In this run", number: true }, { name: "" }];
  return table("Thresholds of the load test", columns, thresholds.map(row));
}

const writer = (kind) => (kind === "time" ? seconds : digits);

function rate({ count: number }, load) {
  return number / Math.max(load.seconds, 1e-9);
}

/** A table of the distributions. */
function distributions(load) {
  const rows = load.metrics
    .filter(({ values }) => values)
    .flatMap((metric) => {
      const { name, kind, values, intended, part } = metric;
      const errors = kind === "time" ? share(part, metric.count) : "";
      const cells = (figures) => figures.map(writer(kind));
      const own = [plain(name), count(metric.count), `${digits(rate(metric, load))}/s`, errors, ...cells(values)];
      const from = make("span", { class: "quiet" }, "from the intended start");
      return intended ? [own, [from, "", "", "", ...cells(intended)]] : [own];
    });
  if (!rows.length) return nothing("No iteration has ended.");
  const columns = ["Count", "Rate", "Errors", ...FIGURES].map((name) => ({ name, number: true }));
  return table("Metrics of the load test", [{ name: "Metric" }, ...columns], rows);
}

/** A metric without a distribution. */
function simple({ name, kind, part, count: number, value }, load) {
  const of = `${count(part)} of ${count(number)}`;
  const values = {
    check: [share(part, number), of],
    rate: [share(part, number), of],
    counter: [digits(value), `${digits(value / Math.max(load.seconds, 1e-9))}/s`],
    gauge: [digits(value), ""],
  };
  const [text, more] = values[kind];
  const isBad = kind === "check" && part < number;
  return [plain(name), kind, make("span", { class: isBad ? "worse" : null }, text), more];
}

/** Tables of all metrics. */
export function loadMetrics(load) {
  const others = load.metrics.filter(({ kind }) => kind !== "time" && kind !== "trend");
  const columns = [{ name: "Metric" }, { name: "Kind" }, { name: "Value", number: true }, { name: "" }];
  const rows = others.map((metric) => simple(metric, load));
  return make(
    "div",
    {},
    distributions(load),
    rows.length ? table("Checks, rates, counters and gauges", columns, rows) : null,
  );
}

/** The difference in per cent, coloured if it is notably better or worse; `sign` is -1 where more is better, 0 where it is neither. */
function change(then, now, sign) {
  if (!(then > 0)) return now > 0 ? make("span", { class: sign > 0 ? "worse" : "better" }, "new") : "0 %";
  const percent = (100 * (now - then)) / then;
  if (Math.abs(percent) < LEAST_CHANGE) return "0 %";
  const text = `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 9.95 ? 1 : 0)} %`;
  const kind = percent * sign > 0 ? "worse" : "better";
  const isNotable = sign !== 0 && Math.abs(percent) >= NOTABLE;
  return make("span", { class: isNotable ? kind : null, "data-change": percent.toFixed(3) }, text);
}

/** What has changed since the earlier run; null if there is none. */
export function loadChanges(load) {
  const { before } = load;
  if (!before) return null;
  const line = (name, then, now, write, sign) => [name, write(then), write(now), change(then, now, sign)];
  const errors = (one) => one.failed / Math.max(one.iterations, 1);
  const perSecond = (one) => one.iterations / Math.max(one.seconds, 1e-9);
  const rows = [
    line("iterations per second", perSecond(before), perSecond(load), (value) => `${digits(value)}/s`, -1),
    line("error rate", errors(before), errors(load), (value) => share(value, 1), 1),
  ];
  for (const metric of load.metrics.filter(({ values }) => values)) {
    const same = ({ name, kind, values }) => values && name === metric.name && kind === metric.kind;
    const then = before.metrics.find(same);
    if (!then) continue;
    const sign = metric.kind === "time" ? 1 : 0;
    rows.push(line(`${plain(metric.name)} p95`, then.values[P95], metric.values[P95], writer(metric.kind), sign));
  }
  const columns = ["Earlier run", "This run", "Difference"].map((name) => ({ name, number: true }));
  const processes =
    before.generators === load.generators ? "" : ` It used ${before.generators} processes, this one ${load.generators}.`;
  const about = `The latest earlier run with this load test is run ${before.run}, begun ${moment(before.started)}.`;
  return make(
    "div",
    {},
    make("p", { class: "nothing" }, `${about}${processes} Its curves are the thin lines.`),
    table("Compared with the earlier run", [{ name: "" }, ...columns], rows),
  );
}
