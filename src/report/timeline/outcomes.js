// What is known of each outcome, and the colours of the page as they are now.

/** Letters are pytest's. `shape` tells outcomes apart without colour: bad ones are tall, skipped and xfailed low. */
export const OUTCOMES = {
  passed: { letter: ".", shape: "ran" },
  failed: { letter: "F", shape: "bad" },
  error: { letter: "E", shape: "bad" },
  skipped: { letter: "s", shape: "low" },
  xfailed: { letter: "x", shape: "low" },
  xpassed: { letter: "X", shape: "ran" },
  rerun: { letter: "R", shape: "ran" },
  flaky: { letter: "~", shape: "ran" },
  quarantined: { letter: "q", shape: "ran" },
  crashed: { letter: "†", shape: "bad" },
};

/** What is known of an outcome; one that this page does not know is drawn as one that ran. */
export function outcomeOf(name) {
  return OUTCOMES[name] ?? { letter: "?", shape: "ran" };
}

/** The colour of an outcome as CSS says it. */
export function colourOf(name) {
  return OUTCOMES[name] ? `var(--${name})` : "var(--skipped)";
}

/** The colours for canvases: the custom properties of the page, read again when the colour scheme changes. */
export class Theme {
  constructor() {
    this.read();
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(`--${name}`).trim();
    for (const name of ["surface", "band", "grid", "line", "text", "muted", "accent", "faint", "mark", "on-block"]) {
      this[name] = value(name);
    }
    this.outcome = (name) => value(OUTCOMES[name] ? name : "skipped");
    this.sans = value("sans");
    this.mono = value("mono");
  }
}
