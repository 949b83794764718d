// The picture of the lanes: a row for each worker, a block for each test, a time axis above.

import { Blocks } from "./blocks.js";
import { sized } from "./dom.js";
import { splitId, tick, tickStep } from "./format.js";
import { outcomeOf } from "./outcomes.js";
import { firstAbove } from "./data.js";

const AXIS = 26;
const RIGHT = 12;
const ENVIRONMENT = 24;
/** Pixels around a thin block in which the pointer still means it. */
const NEAR = 3;
/** Blocks this wide show their phases, and their names. */
const WIDE = 14;
const NAMED = 44;
/** Lanes of this height have room for text. */
const ROOMY = 17;
/** Widths of a character of the small fonts, enough to cut a name in time. */
const CHARACTER = 6.1;

const LETTER = { crash: "†", replaced: "↻" };

/** The height of a lane: few workers get tall ones, 64 fit a screen. */
function laneHeight(lanes) {
  return lanes <= 4 ? 38 : lanes <= 8 ? 30 : lanes <= 16 ? 24 : lanes <= 32 ? 17 : 13;
}

/** The moments of an axis between `from` and `to` that has room for `width` pixels, each with its label. */
export function ticks(from, to, width) {
  const step = tickStep(((to - from) * 86) / width);
  const found = [];
  for (let number = Math.ceil(from / step - 1e-9); number * step <= to; number += 1) {
    found.push([number * step, tick(number * step, step, to)]);
  }
  return found;
}

export class Lanes {
  constructor(canvas, state, theme) {
    this.canvas = canvas;
    this.state = state;
    this.theme = theme;
    this.run = state.run;
    this.blocks = new Blocks(this.run.outcomes.map((name) => outcomeOf(name).shape));
    this.layOut();
  }

  /** Where everything is; to be called again when the page's width has changed. */
  layOut() {
    const { run } = this;
    this.width = Math.max(320, this.canvas.parentElement.clientWidth);
    const longest = run.lanes.reduce((most, lane) => Math.max(most, lane.label.length), 4);
    this.left = Math.min(132, Math.round(longest * 7.4) + 22);
    this.plot = this.width - this.left - RIGHT;
    this.lane = laneHeight(run.lanes.length);
    this.tops = [];
    this.headings = [];
    let top = AXIS;
    run.lanes.forEach((lane, at) => {
      if (run.data.environments.length > 1 && lane.environment !== run.lanes[at - 1]?.environment) {
        this.headings.push([top, run.data.environments[lane.environment].name]);
        top += ENVIRONMENT;
      }
      this.tops.push(top);
      top += this.lane;
    });
    this.height = top + 6;
  }

  get scale() {
    return this.plot / (this.state.to - this.state.from);
  }

  x(moment) {
    return this.left + (moment - this.state.from) * this.scale;
  }

  momentAt(x) {
    return this.state.from + (x - this.left) / this.scale;
  }

  draw() {
    const context = sized(this.canvas, this.width, this.height);
    this.context = context;
    context.fillStyle = this.theme.surface;
    context.fillRect(0, 0, this.width, this.height);
    this.drawBands();
    this.drawGrid();
    this.drawBlocks();
    this.drawMarks();
    this.outline(this.state.hovered, this.theme.muted, 1);
    this.outline(this.state.selected, this.theme.accent, 2);
    this.drawLabels();
  }

  /** When each worker was there. */
  drawBands() {
    const { context } = this;
    context.fillStyle = this.theme.band;
    this.run.lanes.forEach((lane, at) => {
      for (const worker of lane.workers) {
        const [start, end] = this.run.lifeOf(worker);
        const from = Math.max(this.left, this.x(start));
        const to = Math.min(this.width - RIGHT, this.x(end));
        if (to > from) context.fillRect(from, this.tops[at] + 1, to - from, this.lane - 2);
      }
    });
  }

  drawGrid() {
    const { context } = this;
    context.fillStyle = this.theme.grid;
    context.font = `11px ${this.theme.sans}`;
    context.textBaseline = "middle";
    this.labels = ticks(this.state.from, this.state.to, this.plot);
    for (const [moment] of this.labels)
      context.fillRect(Math.round(this.x(moment)), AXIS - 4, 1, this.height - AXIS - 2);
  }

  drawBlocks() {
    const { context, blocks, theme, run } = this;
    blocks.clear();
    const pixel = 1 / (window.devicePixelRatio || 1);
    const place = { left: this.left, height: this.lane, scale: this.scale, pixel, wide: WIDE };
    run.lanes.forEach((lane, at) => blocks.addLane(run, lane, this.state, { ...place, top: this.tops[at] }));
    context.save();
    context.beginPath();
    context.rect(this.left, 0, this.plot + 1, this.height);
    context.clip();
    for (const { rectangles, outcome, dimmed } of blocks.ordered) {
      context.fillStyle = dimmed ? theme.faint : theme.outcome(run.outcomes[outcome]);
      for (let at = 0; at < rectangles.length; at += 4) {
        context.fillRect(rectangles[at], rectangles[at + 1], rectangles[at + 2], rectangles[at + 3]);
      }
    }
    this.drawWide();
    this.drawNotches();
    context.restore();
  }

  /** What wide blocks show in addition: set-up and teardown paler than the call, and the test's name. */
  drawWide() {
    const { context, run, theme, scale } = this;
    const { wide } = this.blocks;
    for (let at = 0; at < wide.length; at += 5) {
      const [test, x, width, top, bottom] = wide.slice(at, at + 5);
      if (!this.state.matches(test)) continue;
      context.globalAlpha = 0.3;
      context.fillStyle = theme.surface;
      const begin = this.x(run.start[test]);
      const [setup, teardown] = [run.setup[test] * scale, run.teardown[test] * scale];
      const call = begin + setup + run.call[test] * scale;
      if (setup > 1) this.fillBetween(begin, begin + setup, x, width, top, bottom);
      if (teardown > 1) this.fillBetween(call, call + teardown, x, width, top, bottom);
      context.globalAlpha = 1;
      if (width >= NAMED && this.lane >= ROOMY) this.drawName(test, x, width, top, bottom);
    }
  }

  fillBetween(from, to, x, width, top, bottom) {
    const [left, right] = [Math.max(from, x), Math.min(to, x + width)];
    if (right > left) this.context.fillRect(left, top, right - left, bottom - top);
  }

  drawName(test, x, width, top, bottom) {
    const { context, run, theme } = this;
    const { letter, shape } = outcomeOf(run.outcomes[run.outcome[test]]);
    const name = `${shape === "bad" ? `${letter} ` : ""}${splitId(run.ids[test])[1]}`;
    const begin = Math.max(x, this.left);
    const room = Math.floor((Math.min(x + width, this.width - RIGHT) - begin - 8) / CHARACTER);
    if (room < 5 || bottom - top < 10) return;
    context.fillStyle = theme["on-block"];
    context.fillText(name.length > room ? `${name.slice(0, room - 1)}…` : name, begin + 5, (top + bottom) / 2 + 0.5);
  }

  /** A triangle on each block that failed, so that it is told by more than its colour. */
  drawNotches() {
    const { context, theme } = this;
    context.beginPath();
    for (const { layer, rectangles } of this.blocks.batches) {
      if (layer !== 2) continue;
      for (let at = 0; at < rectangles.length; at += 4) {
        const middle = rectangles[at] + Math.min(rectangles[at + 2] / 2, 5);
        this.trianglePath(middle, rectangles[at + 1] - 1, 3.5, 5);
      }
    }
    context.fillStyle = theme.mark;
    context.fill();
  }

  /** Crashes and replaced workers as a line with a letter in their lanes, thresholds and warnings on the axis. */
  drawMarks() {
    const { context, theme, run } = this;
    context.textAlign = "center";
    context.font = `bold 11px ${theme.sans}`;
    // A crash is drawn over the worker that took the place a moment later.
    for (const mark of [...run.data.marks].sort((a, b) => (a.kind === "crash") - (b.kind === "crash"))) {
      const x = Math.round(this.x(mark.at));
      if (x >= this.left && x <= this.width - RIGHT) this.drawMark(mark, x);
    }
    context.textAlign = "left";
  }

  drawMark({ worker, kind }, x) {
    const { context, theme, run } = this;
    const [top, height] = worker === null ? [AXIS - 8, 8] : [this.tops[run.laneOf[worker]], this.lane];
    context.fillStyle = theme.mark;
    context.fillRect(x - 0.75, top, 1.5, height);
    context.beginPath();
    if (worker === null || height < ROOMY) this.trianglePath(x, top - 1, 4, 6);
    else context.arc(x, top + height / 2, 7, 0, 7);
    context.fill();
    if (worker === null || height < ROOMY) return;
    context.fillStyle = theme.surface;
    context.fillText(LETTER[kind] ?? "!", x, top + height / 2 + 0.5);
  }

  /** Adds a triangle that points down to the path. */
  trianglePath(x, top, half, height) {
    this.context.moveTo(x - half, top);
    this.context.lineTo(x + half, top);
    this.context.lineTo(x, top + height);
  }

  outline(test, colour, thickness) {
    if (test === null) return;
    const { context, run } = this;
    const top = this.tops[run.laneOf[run.worker[test]]];
    const from = Math.max(this.left - 2, this.x(run.start[test]));
    const to = Math.min(this.width - RIGHT + 2, this.x(run.end[test]));
    if (to < this.left || from > this.width - RIGHT) return;
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    const width = Math.max(4, to - from);
    context.strokeRect(from - (width > to - from ? 2 : 0), top + 0.5, width, this.lane - 1);
  }

  drawLabels() {
    const { context, theme, run } = this;
    context.fillStyle = theme.surface;
    context.fillRect(0, 0, this.left - 1, this.height);
    context.fillStyle = theme.line;
    context.fillRect(this.left - 1, AXIS - 4, 1, this.height - AXIS);
    context.fillStyle = theme.muted;
    context.font = `11px ${theme.sans}`;
    for (const [moment, label] of this.labels) {
      const x = this.x(moment);
      const width = context.measureText(label).width;
      context.fillText(label, Math.min(Math.max(this.left, x - width / 2), this.width - width - 2), 9);
    }
    const selected = this.state.selected === null ? -1 : run.laneOf[run.worker[this.state.selected]];
    run.lanes.forEach((lane, at) => {
      context.fillStyle = at === selected ? theme.accent : theme.text;
      context.font = `${at === selected ? "bold " : ""}${this.lane < 16 ? 10 : 12}px ${theme.sans}`;
      context.fillText(lane.label, 8, this.tops[at] + this.lane * 0.6, this.left - 16);
    });
    for (const [top, name] of this.headings) {
      context.fillStyle = theme.surface;
      context.fillRect(0, top, this.width, ENVIRONMENT);
      context.fillStyle = theme.muted;
      context.font = `bold 11px ${theme.sans}`;
      context.fillText(name, 8, top + ENVIRONMENT / 2 + 2);
    }
  }

  /** The lane at this height; null above, below and between. */
  laneAt(y) {
    const at = firstAbove(this.tops, y) - 1;
    return at >= 0 && y < this.tops[at] + this.lane ? at : null;
  }

  /** The test at this place: one that failed before others that are as near, null where there is none. */
  testAt(x, y) {
    const at = this.laneAt(y);
    if (at === null || x < this.left) return null;
    const lane = this.run.lanes[at];
    const [from, to] = [this.momentAt(x - NEAR), this.momentAt(x + NEAR)];
    const moment = this.momentAt(x);
    let [best, least] = [null, Infinity];
    const [first, past] = lane.between(from, to);
    for (let place = first; place < past; place += 1) {
      const test = lane.tests[place];
      const away = Math.max(0, lane.starts[place] - moment, moment - lane.ends[place]);
      const rank = this.run.bad[test] ? -1 : 0;
      const worth = rank + away * this.scale + (this.state.matches(test) ? 0 : NEAR);
      if (worth < least) [best, least] = [test, worth];
    }
    return best;
  }
}
