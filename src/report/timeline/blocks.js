// The blocks of a lane as rectangles, as few as the screen can show.
//
// The hazard it handles: thousands of tests in one pixel. What is narrower than a pixel is merged with its neighbours
// of the same colour, and what cannot be told apart is drawn once. A test that failed or was found by the search is in
// a layer above the others, so that none of those hides it.

/** A failure alone among thousands must be seen: it is never thinner than this, in CSS pixels. */
const LEAST_BAD = 2.5;

/** Rectangles of one outcome in one layer: x, y, width and height, one after another. */
class Batch {
  constructor(outcome, dimmed, layer, shape) {
    Object.assign(this, { outcome, dimmed, layer, shape, rectangles: [] });
  }

  /** Adds a block; one that touches the last is the same to the eye, unless each shall have its mark. */
  add(x, y, width, height) {
    const { rectangles } = this;
    const last = rectangles.length - 4;
    if (this.layer !== 2 && last >= 0 && rectangles[last + 1] === y && rectangles[last] + rectangles[last + 2] >= x) {
      rectangles[last + 2] = Math.max(rectangles[last + 2], x + width - rectangles[last]);
    } else rectangles.push(x, y, width, height);
  }
}

/** Collects what the lanes show; to be made once and filled anew for each picture. */
export class Blocks {
  /** `shapes` has the shape of each outcome: ran, bad or low. */
  constructor(shapes) {
    const layerOf = (shape, dimmed) => (dimmed ? 0 : shape === "bad" ? 2 : 1);
    this.batches = [true, false].flatMap((dimmed) =>
      shapes.map((shape, outcome) => new Batch(outcome, dimmed, layerOf(shape, dimmed), shape)),
    );
    this.outcomes = shapes.length;
    // Of each layer: the batch, begin and end of the block that may still grow.
    this.open = [null, null, null];
    this.begin = new Float64Array(3);
    this.end = new Float64Array(3);
    this.ordered = [...this.batches].sort((a, b) => a.layer - b.layer);
    /** Blocks wide enough for a text or their phases: test, x, width, top and bottom, one after another. */
    this.wide = [];
    this.tops = { ran: 0, bad: 0, low: 0 };
  }

  clear() {
    for (const batch of this.batches) batch.rectangles.length = 0;
    this.wide.length = 0;
  }

  /** Adds a lane that begins at `top`. `scale` is in pixels a second, `pixel` the width of one of the screen's. */
  addLane(run, lane, state, { left, top, height, scale, pixel, wide }) {
    this.place(top, height);
    const [first, past] = lane.between(state.from, state.to);
    const [low, high] = [left - 8, left + (state.to - state.from) * scale + 8];
    for (let at = first; at < past; at += 1) {
      const test = lane.tests[at];
      const x = Math.max(low, left + (lane.starts[at] - state.from) * scale);
      const end = Math.min(high, left + (lane.ends[at] - state.from) * scale);
      const dimmed = state.matching !== null && state.matching[test] === 0;
      const batch = this.batches[run.outcome[test] + (dimmed ? 0 : this.outcomes)];
      if (end - x < pixel) this.narrow(batch, x, end, pixel);
      else {
        this.flush(batch.layer, pixel);
        const begin = Math.round(x / pixel) * pixel;
        const gap = end - x > 4 ? 1 : 0;
        const width = Math.max(batch.layer === 2 ? LEAST_BAD : pixel, Math.round(end / pixel) * pixel - begin - gap);
        batch.add(begin, this.tops[batch.shape], width, this.bottom - this.tops[batch.shape]);
        if (width >= wide) this.wide.push(test, begin, width, this.tops[batch.shape], this.bottom);
      }
    }
    for (let layer = 0; layer < 3; layer += 1) this.flush(layer, pixel);
  }

  /** Where blocks of each shape begin in a lane; all end at the same line. */
  place(top, height) {
    this.bottom = top + height - 1;
    this.tops.bad = top + 1;
    this.tops.ran = top + 1 + Math.max(2, Math.round(height * 0.22));
    this.tops.low = this.bottom - Math.max(3, Math.round(height * 0.34));
  }

  /** Takes in a block of less than a pixel: it makes the open one longer, is in its pixel, or begins another. */
  narrow(batch, x, end, pixel) {
    const { layer } = batch;
    const open = this.open[layer];
    if (open === batch && x - this.end[layer] < pixel) {
      this.end[layer] = Math.max(this.end[layer], end);
      return;
    }
    const inItsPixel = open !== null && layer !== 2 && x - this.begin[layer] < pixel;
    if (inItsPixel) return;
    this.flush(layer, pixel);
    this.open[layer] = batch;
    this.begin[layer] = x;
    this.end[layer] = end;
  }

  /** Adds what is open in a layer, if anything is. */
  flush(layer, pixel) {
    const batch = this.open[layer];
    if (batch === null) return;
    const begin = Math.floor(this.begin[layer] / pixel) * pixel;
    const end = Math.ceil(this.end[layer] / pixel) * pixel;
    const width = Math.max(layer === 2 ? LEAST_BAD : pixel, end - begin);
    batch.add(begin, this.tops[batch.shape], width, this.bottom - this.tops[batch.shape]);
    this.open[layer] = null;
  }
}
