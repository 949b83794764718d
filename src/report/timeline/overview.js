// The whole run at a glance, above the lanes: how many workers were busy, where tests failed, which part is shown.

import { byId, sized } from "./dom.js";

const HEIGHT = 34;
/** Pixels from an edge of the part that is shown in which a drag moves that edge. */
const EDGE = 5;

export class Overview {
  constructor(state, theme, lanes) {
    Object.assign(this, { state, theme, lanes, canvas: byId("overview") });
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
  }

  /** Of each pixel how many workers were busy in it on average, and whether a test failed. */
  measure() {
    const { run } = this.state;
    const width = this.lanes.plot;
    const scale = width / run.lastMoment;
    this.busy = new Float64Array(width + 2);
    this.failed = new Uint8Array(width + 1);
    const change = new Float64Array(width + 2);
    for (let test = 0; test < run.size; test += 1) {
      const [from, to] = [run.start[test] * scale, run.end[test] * scale];
      const [first, last] = [Math.floor(from), Math.floor(to)];
      if (first === last) this.busy[first] += to - from;
      else {
        this.busy[first] += first + 1 - from;
        this.busy[last] += to - last;
        change[first + 1] += 1;
        change[last] -= 1;
      }
      if (run.bad[test]) this.failed[Math.min(width, first)] = 1;
    }
    for (let x = 0, whole = 0; x <= width; x += 1) {
      whole += change[x];
      this.busy[x] += whole;
    }
    this.measured = width;
  }

  draw() {
    const { theme, state, lanes } = this;
    if (this.measured !== lanes.plot) this.measure();
    const context = sized(this.canvas, lanes.width, HEIGHT);
    const base = HEIGHT - 3;
    context.fillStyle = theme.surface;
    context.fillRect(0, 0, lanes.width, HEIGHT);
    context.fillStyle = theme.muted;
    context.font = `11px ${theme.sans}`;
    context.textBaseline = "middle";
    context.fillText("busy", 8, HEIGHT / 2);
    const most = Math.max(1, state.run.lanes.length);
    context.fillStyle = theme.outcome("skipped");
    for (let x = 0; x < lanes.plot; x += 1) {
      const height = Math.min(1, this.busy[x] / most) * (base - 7);
      if (height > 0) context.fillRect(lanes.left + x, base - height, 1, height);
    }
    context.fillStyle = theme.outcome("failed");
    this.failed.forEach((yes, x) => yes && context.fillRect(lanes.left + x - 1, 1, 2.5, 5));
    this.drawShown(context);
  }

  drawShown(context) {
    const { lanes, theme, state } = this;
    if (state.whole) return;
    const [from, to] = [this.x(state.from), this.x(state.to)];
    context.fillStyle = theme.surface;
    context.globalAlpha = 0.65;
    context.fillRect(lanes.left, 0, from - lanes.left, HEIGHT);
    context.fillRect(to, 0, lanes.left + lanes.plot - to, HEIGHT);
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 1.5;
    context.strokeRect(from, 1, Math.max(2, to - from), HEIGHT - 2);
  }

  x(moment) {
    return this.lanes.left + (moment / this.state.run.lastMoment) * this.lanes.plot;
  }

  momentAt(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    return ((x - this.lanes.left) / this.lanes.plot) * this.state.run.lastMoment;
  }

  /** A drag: of an edge of what is shown, of what is shown, or of a new part. */
  begin(event) {
    const { state, canvas } = this;
    const at = this.momentAt(event);
    const near = (EDGE / this.lanes.plot) * state.run.lastMoment;
    const { from, to } = state;
    let move = (now) => state.show(Math.min(at, now), Math.max(at, now));
    if (!state.whole && Math.abs(at - from) < near) move = (now) => state.show(Math.min(now, to), Math.max(now, to));
    else if (!state.whole && Math.abs(at - to) < near)
      move = (now) => state.show(Math.min(from, now), Math.max(from, now));
    else if (!state.whole && at > from && at < to) move = (now) => state.pan(from + now - at - state.from);
    const drag = (moved) => {
      const now = this.momentAt(moved);
      if (Math.abs(now - at) > near / 2) move(now);
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", drag);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", drag), { once: true });
  }
}
