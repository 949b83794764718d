// The sections of load tests, each with its charts and its figures; they come before the timeline.

import { byId, make } from "./dom.js";
import { count, plain, seconds } from "./format.js";
import { badge, idOf } from "./lists.js";
import { LoadChart } from "./load_chart.js";
import { digits, panelsOf, share } from "./load_lines.js";
import { LoadPointer } from "./load_pointer.js";
import { loadChanges, loadMetrics, loadThresholds } from "./load_tables.js";
import { OPTIONAL } from "./optional.js";

/** CSS pixels of the width of a printed page. */
const PRINTED = 720;
const P95 = 4;

const KEYS = [
  ["← →", "in the charts of a load test: second before, second after"],
  ["Shift ← →", "ten seconds back, ten seconds on"],
  ["Home End", "first, last second"],
];

function figures(load) {
  const all = load.metrics[0]?.values;
  const rate = load.iterations / Math.max(load.seconds, 1e-9);
  const shown = [
    ["iterations", "Iterations", count(load.iterations)],
    ["rate", "Rate", `${digits(rate)}/s`],
    ["errors", "Errors", share(load.failed, load.iterations)],
    ["p95", "p95 of iterations", seconds(all?.[P95])],
    ["users", load.model === "open" ? "Most at the same time" : "Most users", count(load.users)],
    load.dropped > 0 && ["dropped", "Dropped", count(load.dropped)],
    load.interrupted > 0 && ["interrupted", "Interrupted", count(load.interrupted)],
  ].filter(Boolean);
  const box = ([key, name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", { "data-load": key }, value));
  return make("dl", { class: "load-figures" }, ...shown.map(box));
}

/** What was asked for, and when. */
function about(load) {
  const processes = load.generators && `${load.generators} ${load.generators === 1 ? "process" : "processes"}`;
  const parts = [load.run, load.plan, processes, load.model && `${load.model} model`];
  parts.push(`began ${seconds(load.start)} into the run and took ${seconds(load.seconds)}`);
  if (load.curves.every > 1) parts.push(`each point is ${load.curves.every} seconds, with the worst percentile of them`);
  return make("p", { class: "nothing" }, parts.filter(Boolean).map(plain).join(" · "));
}

/** What the reader has to know before the curves. */
function notices(load) {
  const lines = [...load.problems];
  if (load.end === null) lines.push("The journal ends within this load test.");
  else if (load.end !== "complete" && !lines.includes(load.why))
    lines.push(`Ended after ${seconds(load.seconds)} of ${seconds(load.planned)}: ${load.why}`);
  const isSaid = lines.some((line) => line.includes("generator saturated"));
  if (load.saturated && !isSaid) lines.push(`The load generator was saturated: ${load.saturated}`);
  if (load.remark) lines.push(load.remark);
  return lines.map((line) => make("p", { class: "notice" }, plain(line)));
}

/** The chart with everything that belongs to it, and a function that draws it. */
function charts(load) {
  const label = `Charts of ${load.id} over time. The tables below have the figures.`;
  const chart = new LoadChart(load, label);
  const box = make(
    "div",
    {
      class: "load-box",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "charts",
      "aria-label": `${label} Arrow keys go from second to second.`,
    },
    chart.picture,
  );
  const options = load.curves.series.map(({ name }, at) => make("option", { value: at }, plain(name)));
  const choice = make("select", { "aria-label": "Metric whose percentiles are shown" }, ...options);
  const pointer = new LoadPointer(box, chart);
  const draw = (width = box.clientWidth) => {
    chart.draw(width, panelsOf(load, Number(choice.value)));
    pointer.show(pointer.point);
  };
  choice.addEventListener("change", () => draw());
  const shade = make("span", { class: "badge" }, make("span", { class: "swatch load-shaded" }), "load generator saturated");
  const thin = make("span", { class: "badge" }, make("span", { class: "load-thin" }), "earlier run");
  const title = make(
    "div",
    { class: "chart-title" },
    options.length > 1 ? make("label", {}, "Percentiles of ", choice) : null,
    load.before ? thin : null,
    load.curves.saturated.length ? shade : null,
  );
  return [make("div", {}, title, box), draw];
}

function section(load, number) {
  const id = `load-${number}-title`;
  const verdict = load.end === null ? null : badge(load.problems.length ? "failed" : "passed");
  const [picture, draw] = charts(load);
  const changes = loadChanges(load);
  const parts = [
    make("h2", { id }, "Load test ", idOf(load.id), " ", verdict),
    about(load),
    ...notices(load),
    figures(load),
    load.curves.at.length ? picture : null,
    make("h3", {}, "Thresholds"),
    loadThresholds(load),
    make("h3", {}, "Metrics"),
    loadMetrics(load),
    changes && make("h3", {}, "Compared with an earlier run"),
    changes,
  ];
  return [make("section", { id: `load-${number}`, class: "load", "aria-labelledby": id }, ...parts), draw];
}

function addKeys() {
  const rows = KEYS.map(([keys, does]) =>
    make(
      "tr",
      {},
      make("td", {}, ...keys.split(" ").flatMap((key) => [make("kbd", {}, key), " "])),
      make("td", {}, does),
    ),
  );
  byId("help-keys").append(make("table", {}, make("tbody", {}, ...rows)));
}

function showLoadTests(run) {
  const { load } = run.data;
  const made = load.map((one, number) => section(one, number));
  byId("timeline-section").before(...made.map(([element]) => element));
  byId("sections").prepend(make("a", { href: "#load-0" }, `Load tests (${count(load.length)})`));
  addKeys();
  const draw = (width) => made.forEach(([, one]) => one(width));
  draw();
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width !== width) draw();
    width = contentRect.width;
  }).observe(document.querySelector("main"));
  window.addEventListener("beforeprint", () => draw(PRINTED));
  window.addEventListener("afterprint", () => draw());
}

OPTIONAL.push(showLoadTests);
