// The keyboard: one table of keys, which the handler and the help are made from.

import { byId, make } from "./dom.js";

const STEP = 1.6;

function toSearch() {
  byId("search").focus();
  byId("search").select();
}

/** What each key does in the timeline. `keys` are names of the browser; `shown` is how the help writes them. */
const LANES = [
  { keys: ["ArrowLeft"], shown: "← →", does: "test before, test after", act: (controls) => controls.move(-1, 0) },
  { keys: ["ArrowRight"], act: (controls) => controls.move(1, 0) },
  { keys: ["ArrowUp"], shown: "↑ ↓", does: "worker above, worker below", act: (controls) => controls.move(0, -1) },
  { keys: ["ArrowDown"], act: (controls) => controls.move(0, 1) },
  {
    keys: ["Home"],
    shown: "Home End",
    does: "first, last test of the worker",
    act: (controls) => controls.move(-Infinity, 0),
  },
  { keys: ["End"], act: (controls) => controls.move(Infinity, 0) },
  { keys: ["Enter"], shown: "Enter", does: "read the details", act: () => byId("details").focus() },
  {
    keys: ["Shift+ArrowLeft"],
    shown: "Shift ← →",
    does: "move the range of time",
    act: (controls) => controls.pan(-0.25),
  },
  { keys: ["Shift+ArrowRight"], act: (controls) => controls.pan(0.25) },
];

/** And what works everywhere on the page but in a field. */
const EVERYWHERE = [
  {
    keys: ["Escape"],
    shown: "Esc",
    does: "close the details, back to the timeline",
    act: (controls) => controls.select(null),
  },
  { keys: ["+", "="], shown: "+ −", does: "zoom in, zoom out", act: (controls) => controls.zoom(1 / STEP) },
  { keys: ["-", "_"], act: (controls) => controls.zoom(STEP) },
  { keys: ["0"], shown: "0", does: "the whole run", act: (controls) => controls.whole() },
  { keys: ["f"], shown: "f F", does: "next, previous failure", act: (controls) => controls.nextFailure(true) },
  { keys: ["F"], act: (controls) => controls.nextFailure(false) },
  {
    keys: ["n"],
    shown: "n N",
    does: "next, previous test that was found",
    act: (controls) => controls.nextFound(true),
  },
  { keys: ["N"], act: (controls) => controls.nextFound(false) },
  { keys: ["/"], shown: "/", does: "search; Enter goes to the next test found", act: toSearch },
  { keys: ["?"], shown: "?", does: "these keys", act: () => byId("help").showModal() },
];

function fillHelp() {
  const rows = [...LANES, ...EVERYWHERE]
    .filter(({ shown }) => shown)
    .map(({ shown, does }) =>
      make(
        "tr",
        {},
        make("td", {}, ...shown.split(" ").flatMap((key) => [make("kbd", {}, key), " "])),
        make("td", {}, does),
      ),
    );
  const mouse = "The wheel zooms, a drag moves, a click selects. A drag in the strip above the lanes shows that part.";
  byId("help-keys").append(make("table", {}, make("tbody", {}, ...rows)), make("p", { class: "nothing" }, mouse));
}

/** Listens to the keyboard and to the buttons that do the same. */
export function listenToKeys(controls) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target.matches("input, select, textarea")) return;
    const arrow = event.shiftKey && event.key.startsWith("Arrow");
    const name = arrow ? `Shift+${event.key}` : event.key;
    const fits = ({ keys }) => keys.includes(name);
    const entry = (event.target === byId("lanes") && LANES.find(fits)) || EVERYWHERE.find(fits);
    if (!entry) return;
    event.preventDefault();
    entry.act(controls);
  });
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") controls.nextFound(!event.shiftKey);
    else if (event.key === "Escape") byId("lanes").focus();
  });
  byId("zoom-in").addEventListener("click", () => controls.zoom(1 / STEP));
  byId("zoom-out").addEventListener("click", () => controls.zoom(STEP));
  byId("zoom-all").addEventListener("click", () => controls.whole());
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  fillHelp();
}
