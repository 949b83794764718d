// The lists below the timeline: failures, slowest tests, workers, events, environments, thresholds.

import { byId, make, nothing, paged, table } from "./dom.js";
import { count, countOf, cutLines, mebibytes, percent, plain, seconds, splitId, times } from "./format.js";
import { colourOf, outcomeOf } from "./outcomes.js";

/** Characters of a line that are shown at first; a browser takes long to lay out very long ones. */
const LINE = 2000;
const PAGE = 25;

/** A text that breaks, where it must, after what divides a node id. */
function breakable(text) {
  return text.split(/(?<=::|\/)/).flatMap((part) => [part, make("wbr")]);
}

/** A node id with its name apart from its place. */
export function idOf(id) {
  const [where, name] = splitId(plain(id));
  return make(
    "span",
    { class: "id" },
    make("span", { class: "where" }, ...breakable(where)),
    make("span", { class: "name" }, name),
  );
}

/** The node id of a test as a button that selects it. */
export function testLink(run, test, select) {
  return make(
    "button",
    { type: "button", class: "link", "data-test": test, onclick: () => select(test) },
    idOf(run.ids[test]),
  );
}

/** A block as in the lanes. */
export function swatch(outcome) {
  const style = `background: ${colourOf(outcome)}`;
  return make("span", { class: `swatch ${outcomeOf(outcome).shape}`, style, "aria-hidden": "true" });
}

/** An outcome in colour, shape and words. */
export function badge(outcome) {
  return make("span", { class: "badge" }, swatch(outcome), outcome);
}

/** A text of a test, with very long lines cut and a button to see them whole. */
function textBlock(text) {
  const whole = plain(text);
  const [short, cut] = cutLines(whole, LINE);
  const block = make("pre", { tabindex: 0 }, short);
  if (!cut) return [block];
  const button = make("button", { type: "button", class: "more" }, `Show ${countOf(cut, "long line")} whole`);
  button.addEventListener("click", () => {
    block.textContent = whole;
    button.remove();
  });
  return [block, button];
}

/** What went wrong in a phase of a test, and what was captured. */
export function failureText({ phase, text, sections }) {
  const captured = sections.flatMap(([title, body]) => [make("h3", {}, plain(title)), ...textBlock(body)]);
  return make("div", {}, make("h3", {}, `Failed in ${phase}`), ...textBlock(text), ...captured);
}

export function showFailures(run, select) {
  const { failures } = run.data;
  const parent = byId("failures");
  if (!failures.length) {
    parent.append(nothing(run.size ? "No test failed." : "No test has run."));
    return;
  }
  const item = (at) => {
    const failure = failures[at];
    const outcome = run.outcomes[run.outcome[failure.test]];
    const where = `${failure.phase}, ${run.workers[run.worker[failure.test]].name}`;
    const summary = make(
      "summary",
      {},
      badge(outcome),
      idOf(run.ids[failure.test]),
      make("span", { class: "quiet" }, where),
    );
    const box = make("details", { class: "failure", "data-failure": at }, summary);
    const fill = () => {
      const button = make("button", { type: "button", onclick: () => select(failure.test) }, "Show in the timeline");
      box.append(failureText(failure), make("p", {}, button));
    };
    box.addEventListener("toggle", fill, { once: true });
    return box;
  };
  const list = make("div");
  parent.append(list, paged(list, failures.length, PAGE * 2, item));
}

/** The tests that took longest, of those that the search has found. */
export function showSlowest(state, select) {
  const { run } = state;
  const { slow } = run.about;
  const parent = byId("slowest");
  run.byLength ??= run.largest((test) => run.seconds[test]);
  const tests = state.matching ? run.byLength.filter((test) => state.matching[test]) : run.byLength;
  if (!tests.length) {
    parent.replaceChildren(nothing(run.size ? "No test matches the search." : "No test has run."));
    return;
  }
  const row = (test) => [
    testLink(run, test, select),
    badge(run.outcomes[run.outcome[test]]),
    run.workers[run.worker[test]].name,
    ...["setup", "call", "teardown"].map((phase) => seconds(run[phase][test])),
    make("strong", { "data-seconds": run.seconds[test] }, seconds(run.seconds[test])),
    times(run.seconds[test], run.usual[test]),
  ];
  const columns = [{ name: "Test" }, { name: "Outcome" }, { name: "Worker" }];
  const figures = ["Set-up", "Call", "Teardown", "Total"].map((name) => ({ name, number: true }));
  columns.push(...figures, { name: "× usual", number: true, title: "How many times as long as usual" });
  const over = slow === null ? 0 : tests.filter((test) => run.seconds[test] > slow).length;
  const parts =
    slow === null
      ? []
      : [
          make(
            "p",
            { class: "nothing", id: "over" },
            `${over ? countOf(over, "test") : "No test"} took more than ${seconds(slow)}.`,
          ),
        ];
  const built = table("Slowest tests", columns, []);
  const body = built.querySelector("tbody");
  const line = (at) => {
    const cells = row(tests[at]);
    return make(
      "tr",
      {},
      ...cells.map((cell, place) => make("td", { class: columns[place].number ? "number" : null }, cell)),
    );
  };
  parent.replaceChildren(...parts, built, paged(body, tests.length, PAGE, line));
}

/** What each worker did with its time. */
export function showWorkers(run, memory) {
  const parent = byId("workers");
  if (!run.workers.length) {
    parent.append(nothing("No worker was started."));
    return;
  }
  const several = run.data.environments.length > 1;
  const rows = run.workers.map((worker, at) => {
    const { tests, busy, setup, life } = run.work(at);
    const share = (part) => `width: ${life > 0 ? Math.min(100, (100 * part) / life).toFixed(1) : 0}%`;
    const bar = make(
      "span",
      { class: "bar", "aria-hidden": "true" },
      make("span", { style: `${share(busy - setup)}; background: var(--muted)` }),
      make("span", { style: `${share(setup)}; background: var(--muted); opacity: 0.5` }),
    );
    const ended = [worker.ended ?? (run.about.complete ? "" : "unknown"), worker.reason].filter(Boolean).join(": ");
    return [
      worker.name,
      several ? run.data.environments[worker.environment].name : null,
      worker.pid === null ? "–" : String(worker.pid),
      make("span", { "data-tests": tests }, count(tests)),
      seconds(busy),
      seconds(setup),
      seconds(Math.max(0, life - busy)),
      percent(busy, life),
      bar,
      mebibytes(memory.peak(at, "resident")),
      mebibytes(memory.peak(at, "proportional")),
      plain(ended),
    ].filter((cell) => cell !== null);
  });
  const number = (name, title) => ({ name, title, number: true });
  const columns = [
    { name: "Worker" },
    several ? { name: "Environment" } : null,
    number("Process"),
    number("Tests"),
    number("Busy", "Time in tests"),
    number("of it set-up", "Time in set-up phases"),
    number("Idle", "Time without a test"),
    number("Share", "Busy, of the time that the worker was there"),
    { name: "", title: "Call and teardown, set-up, idle" },
    number("Peak memory", "Resident"),
    number("proportional", "Shared pages divided among those who share them"),
    { name: "Ended" },
  ].filter(Boolean);
  parent.append(table("Workers", columns, rows));
}

/** The fixtures that were set up once for all workers, before their tests. */
export function showOnce(run) {
  const { once } = run.data;
  byId("once-section").hidden = !once.length;
  if (!once.length) return;
  const row = ({ key, seconds: took }) => [make("code", {}, plain(key)), seconds(took)];
  byId("once").append(
    table("Fixtures set up once", [{ name: "Fixture" }, { name: "Set-up", number: true }], once.map(row)),
  );
}

export function showEvents(run, goTo) {
  const { marks } = run.data;
  const parent = byId("events");
  if (!marks.length) {
    parent.append(nothing("No worker crashed or was replaced, and nothing was warned about."));
    return;
  }
  const row = ({ at, worker, kind, text }) => [
    make(
      "button",
      { type: "button", class: "link", onclick: () => goTo(at) },
      make("span", { class: "name" }, seconds(at)),
    ),
    kind,
    worker === null ? "–" : run.workers[worker].name,
    plain(text),
  ];
  parent.append(
    table(
      "Events",
      [{ name: "At", number: true }, { name: "Kind" }, { name: "Worker" }, { name: "What happened" }],
      marks.map(row),
    ),
  );
}

export function showEnvironments(run) {
  const { environments } = run.data;
  if (environments.length > 1) byId("environments-title").textContent = "Environments";
  const one = ({ name, details }) => {
    const rows = Object.entries(details).map(([key, value]) => [key, plain(value)]);
    return make(
      "div",
      {},
      make("h3", {}, name),
      rows.length ? table(name, [{ name: "What" }, { name: "Value" }], rows) : nothing("Nothing more is known."),
    );
  };
  byId("environments").append(
    environments.length
      ? make("div", { class: "columns" }, ...environments.map(one))
      : nothing("Nothing is known of where this ran."),
  );
}

export function showThresholds(run) {
  const { thresholds } = run.data;
  byId("thresholds-section").hidden = !thresholds.length;
  if (!thresholds.length) return;
  const row = ({ text, value, broken }) => [
    make("code", {}, plain(text)),
    plain(value),
    make(
      "span",
      { class: broken ? "worse" : "better", "data-broken": broken ? "true" : "false" },
      broken ? "✕ broken" : "✓ held",
    ),
  ];
  byId("thresholds").append(
    table(
      "Thresholds",
      [{ name: "Threshold" }, { name: "In this run", number: true }, { name: "" }],
      thresholds.map(row),
    ),
  );
}
