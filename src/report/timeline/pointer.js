// The pointer over the lanes: the wheel zooms, a drag moves the range of time, a click selects, resting shows a test.

/** Pixels; less is a click with an unsteady hand. */
const DRAG = 4;
/** Milliseconds for which the wheel still belongs to the page that it has been scrolling. */
const SCROLLING = 180;
/** How much of a zoom a pixel of the wheel is. */
const WHEEL = 0.0016;
/** Pixels of a line and a page, for wheels that count in those. */
const UNITS = [1, 16, 400];

export class Pointer {
  constructor(canvas, lanes, state, controls, details) {
    Object.assign(this, { canvas, lanes, state, controls, details });
    this.scrolled = -Infinity;
    this.drag = null;
    window.addEventListener("scroll", () => (this.scrolled = performance.now()), { passive: true });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.end());
    canvas.addEventListener("pointerleave", () => this.leave());
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Up zooms in, down zooms out and then scrolls the page; sideways, or with Shift, moves. */
  wheel(event) {
    const { controls, state, lanes } = this;
    const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    const down = event.shiftKey ? 0 : event.deltaY;
    const zoomsOut = down > 0 && Math.abs(down) >= Math.abs(across);
    if (performance.now() - this.scrolled < SCROLLING || (zoomsOut && state.whole)) return;
    event.preventDefault();
    const unit = UNITS[event.deltaMode];
    if (Math.abs(across) > Math.abs(down)) controls.pan((across * unit) / lanes.plot);
    else controls.zoom(Math.exp(down * unit * WHEEL), lanes.momentAt(this.place(event)[0]));
  }

  down(event) {
    if (event.button !== 0) return;
    const [x] = this.place(event);
    this.drag = { x, from: this.state.from, moved: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    const [x, y] = this.place(event);
    if (this.drag === null) {
      const test = this.lanes.testAt(x, y);
      this.state.hover(test);
      this.details.point(test, x, y + this.canvas.offsetTop);
      this.canvas.title = x < this.lanes.left ? (this.state.run.lanes[this.lanes.laneAt(y)]?.names ?? "") : "";
      this.canvas.style.cursor = test === null ? "" : "pointer";
      return;
    }
    if (Math.abs(x - this.drag.x) > DRAG) this.drag.moved = true;
    if (!this.drag.moved) return;
    this.canvas.classList.add("panning");
    this.details.point(null);
    this.state.pan(this.drag.from - (x - this.drag.x) / this.lanes.scale - this.state.from);
  }

  up(event) {
    const clicked = this.drag !== null && !this.drag.moved;
    this.end();
    if (clicked) this.controls.select(this.lanes.testAt(...this.place(event)));
  }

  end() {
    this.drag = null;
    this.canvas.classList.remove("panning");
  }

  leave() {
    this.state.hover(null);
    this.details.point(null);
  }
}
