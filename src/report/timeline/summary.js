// The top of the page: how the run ended, its figures, the sections; and the buttons of the outcomes.

import { byId, make } from "./dom.js";
import { count, countOf, mebibytes, moment, percent, plain, seconds } from "./format.js";
import { swatch } from "./lists.js";
import { outcomeOf } from "./outcomes.js";

const SECTIONS = [
  ["timeline", "Timeline"],
  ["failures", "Failures"],
  ["slowest", "Slowest tests"],
  ["durations", "Durations"],
  ["previous", "Previous run"],
  ["workers", "Workers"],
  ["events", "Events"],
  ["environments", "Environment"],
];

/** Outcomes as in pytest's last line, bad ones first. */
function headline({ data, about, size }) {
  const names = Object.keys(data.counts).filter((name) => data.counts[name]);
  const rank = (name) => (outcomeOf(name).shape === "bad" ? 0 : 1);
  const parts = names
    .sort((a, b) => rank(a) - rank(b))
    .map((name) => (name === "error" ? countOf(data.counts[name], name) : `${count(data.counts[name])} ${name}`));
  return `${size ? parts.join(", ") : "No tests ran"} in ${seconds(about.seconds)}`;
}

/** Fills the header. */
export function showHeader(run) {
  const { about, data } = run;
  const line = headline(run);
  document.title = `${line} – timeline`;
  byId("headline").textContent = line;
  byId("command").append(make("code", {}, plain(about.command)));
  const environment =
    data.environments.length === 1 ? data.environments[0].name : countOf(data.environments.length, "environment");
  const status = about.exit === null ? null : `exit status ${about.exit}`;
  byId("about").textContent = [moment(about.started), environment, status, `run ${about.id}`]
    .filter(Boolean)
    .join(" · ");
  if (about.complete) return;
  const there = `${count(about.ran)} of ${countOf(about.collected, "test")} in it`;
  byId("incomplete").hidden = false;
  byId("incomplete").textContent =
    `The run was cut short: its journal ends at ${seconds(run.lastMoment)}, with ${there}.`;
}

/** A figure with its name, and where it comes from. */
function figure(key, name, value, text, note = null) {
  const small = note ? make("small", { title: note }, note) : null;
  return make("div", {}, make("dt", {}, name), make("dd", { "data-figure": key, "data-value": value }, text, small));
}

/** Fills the strip of figures. */
export function showFigures(run, memory) {
  const { about, data } = run;
  const work = run.workers.map((_, worker) => run.work(worker));
  const sum = (key) => work.reduce((total, one) => total + one[key], 0);
  const peak = run.workers.reduce((most, _, worker) => Math.max(most, memory.peak(worker, "resident") || 0), 0);
  const test = data.durations.test ?? {};
  const figures = [
    figure("seconds", "Wall time", about.seconds, seconds(about.seconds)),
    data.bound && figure("bound", "At best", data.bound.seconds, seconds(data.bound.seconds), plain(data.bound.by)),
    figure(
      "tests",
      "Tests",
      about.ran,
      count(about.ran),
      about.collected === about.ran ? null : `${count(about.collected)} collected`,
    ),
    figure(
      "workers",
      "Workers",
      run.lanes.length,
      count(run.lanes.length),
      run.lanes.length < run.workers.length ? `${count(run.workers.length)} with replacements` : null,
    ),
    figure("busy", "Workers busy", sum("busy"), percent(sum("busy"), sum("life"))),
    ...["p50", "p95", "p99", "max"].map((key) =>
      figure(key, key === "max" ? "Longest test" : `${key} of tests`, test[key], seconds(test[key])),
    ),
    peak ? figure("memory", "Peak of a worker", peak, mebibytes(peak)) : null,
  ];
  byId("figures").append(...figures.filter(Boolean));
}

/** Fills the list of sections. */
export function showSections({ data }) {
  const numbers = { failures: data.failures.length, events: data.marks.length };
  const link = ([id, name]) =>
    make("a", { href: `#${id}-section` }, numbers[id] ? `${name} (${count(numbers[id])})` : name);
  byId("sections").append(...SECTIONS.map(link));
}

/** Buttons that keep the search to some outcomes, with how many there are of each. */
export function showOutcomes(state) {
  const { run } = state;
  const present = run.outcomes.map(() => 0);
  for (const outcome of run.outcome) present[outcome] += 1;
  const buttons = run.outcomes.map((name, outcome) => {
    if (!present[outcome]) return null;
    const button = make(
      "button",
      { type: "button", "aria-pressed": "false", "data-outcome": name },
      swatch(name),
      `${name} ${count(present[outcome])}`,
    );
    button.addEventListener("click", () => {
      const chosen = new Set(state.chosen);
      if (!chosen.delete(name)) chosen.add(name);
      button.setAttribute("aria-pressed", String(chosen.has(name)));
      state.search(state.words, chosen);
    });
    return button;
  });
  byId("outcomes").append(...buttons.filter(Boolean));
}
