// The second under the pointer, or that the arrow keys have reached: a line through the charts, and its values.

import { firstAbove } from "./data.js";
import { byId, make } from "./dom.js";
import { seconds } from "./format.js";

/** Points that an arrow key goes with Shift. */
const FAR = 10;
/** CSS pixels: where the values begin in the picture, and at the least in the window, below the list of sections. */
const [TOP, BELOW_SECTIONS] = [24, 60];

export class LoadPointer {
  /** `box` holds the drawing and the box with the values, `chart` has been drawn. */
  constructor(box, chart) {
    Object.assign(this, { box, chart, point: null, tip: make("div", { class: "load-tip", "aria-hidden": "true" }) });
    this.tip.hidden = true;
    box.append(this.tip);
    box.addEventListener("pointermove", (event) => this.move(event));
    box.addEventListener("pointerdown", (event) => this.move(event));
    box.addEventListener("pointerleave", () => this.show(null));
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("blur", () => this.show(null));
  }

  move(event) {
    this.show(this.chart.pointAt(event.clientX - this.box.getBoundingClientRect().left));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.chart.load.curves.at.length - 1;
    const step = event.shiftKey ? FAR : 1;
    const here = this.point;
    const places = {
      ArrowLeft: here === null ? last : Math.max(0, here - step),
      ArrowRight: here === null ? 0 : Math.min(last, here + step),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in places) || (event.key === "Escape" && here === null)) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(places[event.key]);
    if (this.point !== null) byId("spoken").textContent = this.sentence();
  }

  /** Shows a point of time; null shows none. */
  show(point) {
    this.point = point;
    this.chart.mark(this.point);
    this.tip.hidden = this.point === null;
    if (this.point === null) return;
    this.fill();
    const x = this.chart.x(this.chart.middle(this.point));
    const wide = this.tip.offsetWidth;
    const fits = x + 14 + wide <= this.box.clientWidth;
    this.tip.style.top = `${Math.max(TOP, BELOW_SECTIONS - this.box.getBoundingClientRect().top)}px`;
    this.tip.style.left = `${Math.max(0, fits ? x + 14 : x - 14 - wide)}px`;
  }

  get span() {
    const { starts, load } = this.chart;
    return `${seconds(starts[this.point])} to ${seconds(load.curves.at[this.point])}`;
  }

  /** The point of the earlier run at the same time; -1 where it had ended. */
  get pointBefore() {
    const { before } = this.chart.load;
    if (!before) return -1;
    const point = firstAbove(before.curves.at, this.chart.middle(this.point));
    return point < before.curves.at.length ? point : -1;
  }

  /** Name and values of each line. */
  rows() {
    const before = this.pointBefore;
    const rows = this.chart.panels.flatMap(({ lines, columns, write, unit = "" }) =>
      lines.map(({ name, colour }, line) => {
        const [now, then] = columns[line];
        const text = (value) => (Number.isFinite(value) ? `${write(value)}${unit}` : "–");
        return { name, colour, now: text(now[this.point]), then: then ? text(then[before]) : null };
      }),
    );
    const { lag } = this.chart.load.curves;
    rows.push({ name: "start lag (p95)", colour: null, now: seconds(lag[this.point]), then: null });
    return rows;
  }

  fill() {
    const { load } = this.chart;
    const isStrained = load.curves.saturated.includes(this.point);
    const swatch = (colour) => make("span", { class: "swatch", style: colour && `background: ${colour}` });
    const row = ({ name, colour, now, then }) =>
      make(
        "tr",
        { "data-value": name },
        make("td", {}, make("span", { class: "badge" }, swatch(colour), name)),
        make("td", { class: "number" }, now),
        load.before ? make("td", { class: "number" }, then) : null,
      );
    const heads = ["This run", "Before"].map((name) => make("th", { class: "number" }, name));
    const head = load.before ? make("tr", {}, make("th"), ...heads) : null;
    this.tip.replaceChildren(
      make("strong", {}, this.span),
      isStrained ? make("div", { class: "worse" }, "load generator saturated") : "",
      make("table", {}, make("tbody", {}, head, ...this.rows().map(row))),
    );
  }

  /** The same in words, to be read aloud. */
  sentence() {
    const values = this.rows().map(({ name, now, then }) => `${name} ${now}${then ? `, before ${then}` : ""}`);
    return `${this.span}: ${values.join("; ")}`;
  }
}
