// Reads the run's data and puts the page together: first what is at its top, then the lists below.

import { showPrevious } from "./comparison.js";
import { Controls } from "./controls.js";
import { Run } from "./data.js";
import { Details } from "./details.js";
import { byId, nothing } from "./dom.js";
import { count, countOf, seconds } from "./format.js";
import { showDurations } from "./histogram.js";
import { listenToKeys } from "./keys.js";
import { Lanes } from "./lanes.js";
import { showEnvironments, showEvents, showFailures, showOnce } from "./lists.js";
import { showSlowest, showThresholds, showWorkers } from "./lists.js";
import { Memory } from "./memory.js";
import { Theme } from "./outcomes.js";
import { OPTIONAL } from "./optional.js";
import { Overview } from "./overview.js";
import { Pointer } from "./pointer.js";
import { State } from "./state.js";
import { showFigures, showHeader, showOutcomes, showSections } from "./summary.js";

const VERSION = 1;
/** Milliseconds without a key until a search begins. */
const TYPING = 80;

/** Says in words what the range and the search amount to. */
function describe(state) {
  const { run } = state;
  byId("found").textContent = state.matching ? `${count(state.found)} of ${countOf(run.size, "test")}` : "";
  const range = state.whole ? "whole run" : `${seconds(state.from)} to ${seconds(state.to)}`;
  byId("range").textContent = run.size ? `${range}, ${countOf(state.visible, "test")}` : "";
}

/** Runs `act` once nobody has asked for it for a moment. */
function calmly(act) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, TYPING);
  };
}

/** Draws again when the width of the page, the screen or the colours have changed. */
function listenToWindow(theme, lanes, controls) {
  new ResizeObserver(() => {
    lanes.layOut();
    controls.draw();
  }).observe(byId("lanes").parentElement);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme.read();
    controls.redraw();
  });
}

function showLists(state, memory, controls) {
  const { run } = state;
  const select = (test) => controls.select(test);
  const goTo = (at) => {
    controls.show(at - run.lastMoment / 100, at + run.lastMoment / 100);
    byId("timeline-section").scrollIntoView();
  };
  showFailures(run, select);
  showSlowest(state, select);
  showDurations(run);
  showPrevious(run, select);
  showOnce(run);
  showWorkers(run, memory);
  showEvents(run, goTo);
  showEnvironments(run);
}

function begin(data) {
  const run = new Run(data);
  const state = new State(run);
  const theme = new Theme();
  showHeader(run);
  showSections(run);
  showThresholds(run);
  showOutcomes(state);
  const lanes = new Lanes(byId("lanes"), state, theme);
  const memory = new Memory(state, theme, lanes);
  showFigures(run, memory);
  const controls = new Controls(state, lanes, [new Overview(state, theme, lanes), lanes, memory]);
  const leave = () => {
    controls.select(null);
    byId("lanes").focus();
  };
  const details = new Details(state, (test) => controls.select(test), leave);
  new Pointer(byId("lanes"), lanes, state, controls, details);
  listenToKeys(controls);
  for (const show of OPTIONAL) show(run);
  byId("search").addEventListener(
    "input",
    calmly(() => controls.search(byId("search").value)),
  );
  for (const what of ["range", "search"]) state.addEventListener(what, () => describe(state));
  describe(state);
  byId("picture").hidden = !run.lanes.length;
  if (!run.lanes.length) byId("picture").before(nothing("No worker was started."));
  controls.draw();
  performance.mark("rustpar drawn");
  window.rustpar = controls;
  // The lists wait until the browser has shown the picture.
  requestAnimationFrame(() =>
    setTimeout(() => {
      showLists(state, memory, controls);
      state.addEventListener(
        "search",
        calmly(() => showSlowest(state, (test) => controls.select(test))),
      );
      listenToWindow(theme, lanes, controls);
      document.documentElement.dataset.ready = "yes";
    }),
  );
}

function refuse(text) {
  byId("headline").textContent = text;
  byId("sections").hidden = true;
  document.querySelector("main").hidden = true;
}

/** The run's data, null where it cannot be read. */
function read() {
  try {
    return JSON.parse(byId("run").textContent);
  } catch {
    return null;
  }
}

const data = read();
if (data === null) refuse("The data in this page is damaged. Write the report again from the run's journal.");
else if (data.version !== VERSION)
  refuse(`The data in this page has version ${data.version}; the page reads version ${VERSION}.`);
else begin(data);
