// All about one test: in a drawer at the bottom for the selected one, at the pointer in short for the one under it.

import { byId, make } from "./dom.js";
import { countOf, mebibytes, seconds, signed, times } from "./format.js";
import { colourOf } from "./outcomes.js";
import { badge, failureText, idOf, testLink } from "./lists.js";

const PHASES = [
  ["setup", "Set-up", 0.5],
  ["call", "Call", 1],
  ["teardown", "Teardown", 0.5],
];
const MOST_BESIDE = 24;

/** A strip with the three phases in their proportions. */
function phases(run, test, colour) {
  const share = (phase) => run[phase][test] / run.seconds[test] || 0;
  const parts = PHASES.map(([phase, , opacity]) =>
    make("span", { style: `flex-grow: ${share(phase)}; background: ${colour}; opacity: ${opacity}` }),
  );
  return make("div", { class: "phases", "aria-hidden": "true" }, ...parts);
}

function pair(name, value, data = {}) {
  return make("div", {}, make("dt", {}, name), make("dd", data, value));
}

/** The figures of a test as pairs of a name and a value. */
function figures(run, test) {
  const [took, usual, previous] = [run.seconds[test], run.usual[test], run.previous[test]];
  const compared = (base) =>
    Number.isNaN(base) ? "–" : [seconds(base), times(took, base) && `(now ${times(took, base)})`].join(" ");
  return [
    pair("Worker", run.workers[run.worker[test]].name),
    pair("Began at", seconds(run.start[test])),
    ...PHASES.map(([phase, name]) =>
      pair(name, seconds(run[phase][test]), { "data-phase": phase, "data-seconds": run[phase][test] }),
    ),
    pair("Total", make("strong", {}, seconds(took))),
    pair("Usually", compared(usual)),
    pair("In the previous run", compared(previous)),
    pair("Growth of the worker's peak", Number.isNaN(run.growth[test]) ? "–" : signed(run.growth[test], mebibytes)),
  ];
}

/** In one sentence, for a screen reader. */
export function sentence(run, test) {
  const outcome = run.outcomes[run.outcome[test]];
  return `${run.ids[test]}, ${outcome}, ${seconds(run.seconds[test])}, ${run.workers[run.worker[test]].name}`;
}

export class Details {
  constructor(state, select, leave) {
    Object.assign(this, { state, select, leave, drawer: byId("details"), tip: byId("tip") });
    state.addEventListener("select", () => this.showSelected());
    this.drawer.addEventListener("keydown", (event) => event.key === "Escape" && this.leave());
  }

  showSelected() {
    const { run, selected: test } = this.state;
    this.drawer.hidden = test === null;
    document.body.style.paddingBottom = test === null ? "" : "45vh";
    if (test === null) return;
    const outcome = run.outcomes[run.outcome[test]];
    const close = make("button", { type: "button", "aria-label": "Close details", onclick: this.leave }, "✕");
    this.drawer.replaceChildren(
      make("div", { class: "title" }, badge(outcome), idOf(run.ids[test]), close),
      phases(run, test, colourOf(outcome)),
      make("dl", {}, ...figures(run, test)),
      ...this.otherAttempts(test),
      ...(run.failuresOf.get(test) ?? []).map(failureText),
      ...this.leaks(test),
      ...this.others(test),
    );
    this.drawer.scrollTop = 0;
    byId("spoken").textContent = sentence(run, test);
  }

  otherAttempts(test) {
    const { run } = this.state;
    const all = run.attempts(run.ids[test]);
    if (all.length < 2) return [];
    const links = all.map((one, at) =>
      make(
        "button",
        { type: "button", disabled: one === test, onclick: () => this.select(one) },
        `${at + 1}: ${run.outcomes[run.outcome[one]]}`,
      ),
    );
    return [make("h3", {}, `This test ran ${all.length} times`), make("div", { class: "badge" }, ...links)];
  }

  leaks(test) {
    const leaks = this.state.run.leaksOf.get(test) ?? [];
    if (!leaks.length) return [];
    return [make("h3", {}, "Left behind"), make("ul", {}, ...leaks.map((text) => make("li", {}, text)))];
  }

  others(test) {
    const { run } = this.state;
    const beside = run.beside(test);
    if (!beside.length) return [];
    const items = beside
      .slice(0, MOST_BESIDE)
      .map((other) => make("li", {}, run.workers[run.worker[other]].name, testLink(run, other, this.select)));
    const more = beside.length - items.length;
    const list = make(
      "ul",
      { class: "beside" },
      ...items,
      more > 0 ? make("li", {}, `and ${countOf(more, "more test")}`) : null,
    );
    return [make("h3", {}, `Ran at the same time: ${countOf(beside.length, "test")}`), list];
  }

  /** Shows a test in short at a place in the picture; null hides it. */
  point(test, x, y) {
    const { run } = this.state;
    this.tip.hidden = test === null;
    if (test === null) return;
    const parts = PHASES.map(([phase, name]) => `${name} ${seconds(run[phase][test])}`).join(" · ");
    const usual = times(run.seconds[test], run.usual[test]);
    this.tip.replaceChildren(
      make("div", {}, idOf(run.ids[test])),
      make(
        "div",
        { class: "badge" },
        badge(run.outcomes[run.outcome[test]]),
        make("strong", {}, seconds(run.seconds[test])),
        usual && `${usual} its usual`,
      ),
      make("div", { class: "nothing" }, parts),
    );
    const room = this.tip.parentElement.clientWidth;
    this.tip.style.left = `${Math.max(0, Math.min(x + 14, room - this.tip.offsetWidth))}px`;
    this.tip.style.top = `${y + 18}px`;
  }
}
