// The drawing of a load test: its panels as SVG, so that it is sharp in print and takes its colours from the page.

import { firstAbove } from "./data.js";
import { svg } from "./dom.js";
import { ticks } from "./lanes.js";
import { starts } from "./load_lines.js";

const [LEFT, RIGHT, TITLE, GAP, AXIS] = [66, 14, 20, 8, 24];
/** Widths of a character, a sample of a line and the space after it. */
const [CHARACTER, SAMPLE, SPACE] = [6, 22, 16];
/** With up to so many points, each is marked. */
const FEW = 60;

/** A round number that is not less than `most`, and the distance of lines that divides it. */
function roundScale(most, whole) {
  const least = (most || 1) / 3;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9));
  const distance = whole ? Math.max(1, step) : step;
  return [distance, Math.max(1, Math.ceil(most / distance - 1e-9)) * distance];
}

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export class LoadChart {
  constructor(load, label) {
    this.load = load;
    this.picture = svg("svg", { class: "load-chart", role: "img", "aria-label": label });
    const end = ({ seconds, curves }) => Math.max(seconds, curves.at.at(-1) ?? 0);
    this.end = Math.max(end(load), load.before ? end(load.before) : 0) || 1;
    this.starts = starts(load.curves);
  }

  x(moment) {
    return LEFT + (moment / this.end) * (this.width - LEFT - RIGHT);
  }

  /** The point at a place in the drawing; null outside of it. */
  pointAt(x) {
    const moment = ((x - LEFT) / (this.width - LEFT - RIGHT)) * this.end;
    const point = firstAbove(this.load.curves.at, moment);
    return moment < 0 || point >= this.load.curves.at.length ? null : point;
  }

  /** The middle of a point of time. */
  middle(point) {
    return (this.starts[point] + this.load.curves.at[point]) / 2;
  }

  draw(width, panels) {
    this.width = Math.max(320, width);
    this.panels = panels;
    let top = 0;
    for (const panel of panels) {
      panel.base = top + TITLE + panel.height;
      this.measure(panel);
      top = panel.base + GAP;
    }
    this.height = top + AXIS;
    this.cross = svg("g", { class: "load-cross" });
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.picture.setAttribute("height", this.height);
    this.picture.replaceChildren(
      ...this.shades(),
      ...this.timeAxis(),
      ...panels.map((panel) => svg("g", { "data-panel": panel.key }, ...this.panel(panel))),
      this.cross,
    );
  }

  /** Finds the scale of a panel: that of both runs. */
  measure(panel) {
    const runs = [this.load, this.load.before].filter(Boolean);
    panel.columns = panel.lines.map(({ of }) => runs.map(({ curves }) => of(curves)));
    let most = 0;
    for (const value of panel.columns.flat(2)) if (value > most) most = value;
    [panel.step, panel.most] = roundScale(most, panel.whole);
    panel.y = (value) => panel.base - (value / panel.most) * panel.height;
  }

  /** The seconds in which the load generator could not keep up. */
  shades() {
    const { at, saturated } = this.load.curves;
    return saturated.map((point) => {
      const from = this.x(this.starts[point]);
      const box = { x: from, y: TITLE, width: this.x(at[point]) - from, height: this.height - AXIS - GAP - TITLE };
      return svg("rect", { class: "load-shade", ...box });
    });
  }

  timeAxis() {
    const base = this.height - AXIS;
    return ticks(0, this.end, this.width - LEFT - RIGHT).flatMap(([moment, label]) => {
      const x = Math.round(this.x(moment)) + 0.5;
      const anchor = x > this.width - RIGHT - 14 ? "end" : "middle";
      return [
        svg("line", { class: "load-grid", x1: x, x2: x, y1: TITLE, y2: base - GAP + 4 }),
        svg("text", { x, y: base + 10, "text-anchor": anchor }, label),
      ];
    });
  }

  panel(panel) {
    const parts = this.title(panel);
    for (let value = 0; value <= panel.most * 1.001; value += panel.step) {
      const y = Math.round(panel.y(value)) + 0.5;
      parts.push(svg("line", { class: "load-grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y }));
      parts.push(svg("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" }, panel.write(value)));
    }
    const runs = [this.load.curves, this.load.before?.curves];
    for (const place of [1, 0]) {
      if (!runs[place]) continue;
      panel.lines.forEach((line, at) => {
        parts.push(this.line(panel, line, runs[place], panel.columns[at][place], place === 1));
      });
    }
    return parts;
  }

  /** The name of a panel, with a sample of each line if there are several. */
  title({ title, lines, base, height }) {
    const y = base - height - 7;
    const parts = [svg("text", { class: "strong", x: LEFT, y }, title)];
    if (lines.length < 2) return parts;
    let x = LEFT + title.length * CHARACTER + SPACE;
    for (const { name, colour, dash } of lines) {
      parts.push(this.stroke({ colour, dash }, `M${x},${y - 4}h${SAMPLE}`));
      parts.push(svg("text", { x: x + SAMPLE + 5, y }, name));
      x += SAMPLE + 5 + name.length * CHARACTER + SPACE;
    }
    return parts;
  }

  stroke({ colour, dash }, d, more = {}) {
    return svg("path", { class: "load-line", stroke: colour, "stroke-dasharray": dash, d, ...more });
  }

  /** A line through the values that are known; one that stands alone is a dot. */
  line(panel, line, curves, values, isBefore) {
    const begins = starts(curves);
    const x = (point) => this.x(panel.atEnd ? curves.at[point] : (begins[point] + curves.at[point]) / 2);
    const place = (point) => `${x(point).toFixed(1)},${panel.y(values[point]).toFixed(1)}`;
    let d = "";
    values.forEach((value, point) => {
      if (!isKnown(value)) return;
      if (isKnown(values[point - 1])) d += `L${place(point)}`;
      else d += `M${place(point)}${isKnown(values[point + 1]) ? "" : "h0.1"}`;
    });
    const marks = { "data-line": line.name, "data-run": isBefore ? "before" : "this" };
    const path = this.stroke(line, d, { ...marks, class: isBefore ? "load-line load-before" : "load-line" });
    if (isBefore || values.length > FEW || line.dash) return path;
    const dots = values.flatMap((value, point) =>
      isKnown(value) ? [svg("circle", { cx: x(point), cy: panel.y(value), r: 2, fill: line.colour })] : [],
    );
    return svg("g", {}, path, ...dots);
  }

  /** Marks a point of time in all panels; null marks none. */
  mark(point) {
    this.cross.replaceChildren();
    if (point === null) return;
    const x = this.x(this.middle(point));
    this.cross.append(svg("line", { x1: x, x2: x, y1: TITLE, y2: this.height - AXIS - GAP + 4 }));
    for (const { lines, columns, y, atEnd } of this.panels) {
      lines.forEach(({ colour }, line) => {
        const values = columns[line][0];
        // Between the values at both ends, where the line is.
        const value = atEnd ? (values[point - 1] + values[point]) / 2 : values[point];
        if (isKnown(value)) this.cross.append(svg("circle", { cx: x, cy: y(value), r: 3.5, fill: colour }));
      });
    }
  }
}
