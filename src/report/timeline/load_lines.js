// What the charts of a load test show: panels one below the other, each with lines over the same time.

import { count, seconds } from "./format.js";

/** A number with three digits that say something, thousands apart. */
export function digits(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return count(value >= 1000 ? Math.round(value) : Number(value.toPrecision(3)));
}

/** A part as a percentage with two decimals; what is not none or all is not written as if it were. */
export function share(part, whole) {
  if (!(whole > 0)) return "–";
  const text = ((100 * part) / whole).toFixed(2);
  if (text === "0.00" && part > 0) return "<0.01 %";
  return text === "100.00" && part < whole ? ">99.99 %" : `${text} %`;
}

/** When each point begins. */
export function starts({ at }) {
  return at.map((_, point) => at[point - 1] ?? 0);
}

function perSecond(numbers, { at }) {
  return numbers.map((number, point) => number / (at[point] - (at[point - 1] ?? 0)));
}

/** The series of the same metric in other curves, for example those of the earlier run; its columns are empty if none. */
export function seriesLike({ name, is_time: isTime }, { series }, isFirst) {
  const same = (one, place) => one.name === name && one.is_time === isTime && (place === 0) === isFirst;
  return series.find(same) ?? { p50: [], p95: [], p99: [] };
}

/** A line: its name, its column of some curves, and how it looks. */
function line(name, of, colour, dash = null) {
  return { name, of, colour: `var(--load-${colour})`, dash };
}

function ofIterations(name) {
  return (curves) => perSecond(curves.series[0]?.[name] ?? [], curves);
}

/** The panels of a load test; `chosen` is the number of the metric whose percentiles are shown. The unit is not on axes. */
export function panelsOf(load, chosen) {
  const { curves, model, before } = load;
  const metric = curves.series[chosen];
  const isOpen = model === "open";
  const target = line("target", (one) => one.target, "target", "6 4");
  const users = line(isOpen ? "running" : "users", (one) => one.users, 1);
  const rate = [line("ended", ofIterations("n"), 1)];
  rate.push(line("started", (one) => perSecond(one.started, one), 2, "1 4"));
  if (isOpen) rate.push(target);
  const percentile = (name, colour, dash) =>
    line(name, (one) => seriesLike(metric, one, chosen === 0)[name], colour, dash);
  const write = metric?.is_time === false ? digits : seconds;
  return [
    {
      key: "users",
      title: isOpen ? "Iterations at the same time" : "Users",
      lines: model === "closed" ? [users, target] : [users],
      write: digits,
      whole: true,
      // What a user is asked for is known at the end of a second; everything else is of the second as a whole.
      atEnd: true,
      height: 74,
    },
    { key: "rate", title: "Iterations per second", lines: rate, write: digits, unit: "/s", height: 104 },
    metric && {
      key: "percentiles",
      title: `${metric.is_time ? "Duration" : "Value"} of ${metric.name}`,
      lines: [percentile("p50", 1), percentile("p95", 2, "7 2"), percentile("p99", 3, "3 2")],
      write,
      height: 130,
    },
    {
      key: "errors",
      title: "Failed iterations per second",
      lines: [line("failed", ofIterations("failed"), "bad")],
      write: digits,
      unit: "/s",
      height: 52,
    },
    (load.dropped > 0 || before?.dropped > 0) && {
      key: "dropped",
      title: "Dropped iterations per second",
      lines: [line("dropped", (one) => perSecond(one.dropped, one), 3)],
      write: digits,
      unit: "/s",
      height: 52,
    },
    curves.saturated.length > 0 && {
      key: "cpu",
      title: "CPU of the busiest process of the load generator",
      lines: [line("CPU", (one) => one.cpu, "target")],
      write: (value) => `${digits(value)} %`,
      height: 52,
    },
  ].filter(Boolean);
}
