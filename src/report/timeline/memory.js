// The memory of each worker over time, below the lanes and in step with them.

import { firstAbove } from "./data.js";
import { byId, make, nothing, sized } from "./dom.js";
import { mebibytes } from "./format.js";

const HEIGHT = 120;
const TOP = 8;
const BOTTOM = 8;
const MIB = 1024 * 1024;

/** A round number of MiB above `bytes`, and the distance of lines that divides it. */
function scaleFor(bytes) {
  const least = Math.max(1, bytes / MIB) / 3;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= least);
  return [step * MIB, Math.ceil(bytes / MIB / step) * step * MIB];
}

export class Memory {
  constructor(state, theme, lanes) {
    Object.assign(this, { state, theme, lanes, canvas: byId("memory") });
    this.series = state.run.workers.map(({ memory }) => ({
      at: Float64Array.from(memory, (sample) => sample[0]),
      resident: Float64Array.from(memory, (sample) => sample[1]),
      proportional: Float64Array.from(memory, (sample) => sample[2] ?? NaN),
    }));
    this.measure = "resident";
    const largest = (values) => values.reduce((most, value) => (most >= value ? most : value), NaN);
    this.peaks = this.series.map(({ resident, proportional }, worker) => ({
      // What was held between two samples is known, too.
      resident: largest([state.run.workers[worker].peak ?? NaN, ...resident]),
      proportional: largest(proportional),
    }));
    this.samples = this.series.reduce((sum, { at }) => sum + at.length, 0);
    if (this.samples) this.offerMeasures();
    else {
      this.canvas.hidden = true;
      byId("memory-title").append(nothing("Memory of workers was not measured in this run."));
    }
  }

  offerMeasures() {
    const both = this.series.some(({ proportional }) => proportional.some((value) => !Number.isNaN(value)));
    const choice = make(
      "select",
      { "aria-label": "Kind of memory", title: "Proportional: shared pages divided among those who share them" },
      make("option", { value: "resident" }, "resident"),
      make("option", { value: "proportional" }, "proportional"),
    );
    choice.addEventListener("change", () => {
      this.measure = choice.value;
      this.draw();
    });
    this.reading = make("span", { id: "memory-reading" });
    byId("memory-title").append("Memory per worker", both ? choice : "(resident)", this.reading);
  }

  /** The largest value of a worker; NaN where there is none. */
  peak(worker, measure = this.measure) {
    return this.peaks[worker][measure];
  }

  draw() {
    if (!this.samples) return;
    const { lanes, theme } = this;
    const context = sized(this.canvas, lanes.width, HEIGHT);
    const peak = this.series.reduce((most, _, worker) => Math.max(most, this.peak(worker) || 0), 0);
    const [step, most] = scaleFor(peak);
    this.y = (bytes) => HEIGHT - BOTTOM - (bytes / most) * (HEIGHT - TOP - BOTTOM);
    context.fillStyle = theme.surface;
    context.fillRect(0, 0, lanes.width, HEIGHT);
    context.font = `11px ${theme.sans}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let bytes = 0; bytes <= most * 1.001; bytes += step) {
      context.fillStyle = theme.grid;
      context.fillRect(lanes.left, Math.round(this.y(bytes)), lanes.plot, 1);
      context.fillStyle = theme.muted;
      context.fillText(mebibytes(bytes), lanes.left - 6, this.y(bytes));
    }
    this.drawSeries(context);
    this.canvas.setAttribute(
      "aria-label",
      `Memory of the workers over time, at most ${mebibytes(peak)}. The table of workers has the figures.`,
    );
  }

  drawSeries(context) {
    const { lanes, theme, state } = this;
    const test = state.hovered ?? state.selected;
    const chosen = test === null ? null : state.run.worker[test];
    context.save();
    context.beginPath();
    context.rect(lanes.left, 0, lanes.plot, HEIGHT);
    context.clip();
    context.strokeStyle = theme.muted;
    context.lineWidth = 1;
    context.globalAlpha = chosen === null ? (this.series.length > 16 ? 0.4 : 0.7) : 0.28;
    this.series.forEach((_, worker) => worker !== chosen && this.drawLine(context, worker));
    context.globalAlpha = 1;
    context.strokeStyle = theme.accent;
    context.lineWidth = 1.75;
    if (chosen !== null) this.drawLine(context, chosen);
    context.restore();
    this.read(chosen, test);
  }

  /** A line through the samples; of many in one pixel, the largest. */
  drawLine(context, worker) {
    const { at, [this.measure]: values } = this.series[worker];
    const { from, to } = this.state;
    const past = Math.min(at.length, firstAbove(at, to) + 1);
    let [column, most, begun] = [null, NaN, false];
    const point = () => {
      if (Number.isNaN(most)) return;
      if (begun) context.lineTo(column, this.y(most));
      else context.moveTo(column, this.y(most));
      begun = true;
    };
    context.beginPath();
    for (let sample = Math.max(0, firstAbove(at, from) - 1); sample < past; sample += 1) {
      const x = Math.round(this.lanes.x(at[sample]));
      if (x !== column) {
        point();
        [column, most] = [x, NaN];
      }
      if (!(most >= values[sample])) most = values[sample];
    }
    point();
    context.stroke();
  }

  /** Says in words what the highlighted worker took at the end of the test. */
  read(worker, test) {
    if (worker === null) {
      this.reading.textContent = "";
      return;
    }
    const { at, [this.measure]: values } = this.series[worker];
    const sample = Math.max(0, firstAbove(at, this.state.run.end[test]) - 1);
    const then = at.length ? mebibytes(values[sample]) : "–";
    const { name } = this.state.run.workers[worker];
    this.reading.textContent = `${name}: ${then} then, at most ${mebibytes(this.peak(worker))}`;
  }
}
