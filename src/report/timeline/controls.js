// What a reader can do with the picture, whichever key, button or pointer asks for it. The page's own keys use this,
// and so can a script: it is `window.rustpar`.

import { byId } from "./dom.js";

export class Controls {
  #state;
  #lanes;
  #pictures;
  #pending = false;

  /** `pictures` are drawn one after another whenever something has changed. */
  constructor(state, lanes, pictures) {
    this.#state = state;
    this.#lanes = lanes;
    this.#pictures = pictures;
    for (const what of ["range", "select", "hover", "search"]) state.addEventListener(what, () => this.redraw());
  }

  /** The range of time that is shown, in seconds from the run's start. */
  get view() {
    return { from: this.#state.from, to: this.#state.to };
  }

  /** How many tests are at least partly in that range. */
  get visible() {
    return this.#state.visible;
  }

  /** How many tests the search has found; all without one. */
  get found() {
    return this.#state.found;
  }

  /** The number of the selected test, counted from 0 as in the data; null without one. */
  get selected() {
    return this.#state.selected;
  }

  /** Where a test is in the canvas `#lanes`, in CSS pixels: x of its middle, y of its lane's. */
  placeOf(test) {
    const { run } = this.#state;
    const lanes = this.#lanes;
    const moment = (run.start[test] + run.end[test]) / 2;
    return { x: lanes.x(moment), y: lanes.tops[run.laneOf[run.worker[test]]] + lanes.lane / 2 };
  }

  /** Shows a range of time, in seconds. */
  show(from, to) {
    this.#state.show(from, to);
  }

  /** Makes the range `factor` times as long, about the moment `at`: by itself the selected test, or the middle. */
  zoom(factor, at = this.#anchor()) {
    this.#state.zoom(factor, at);
  }

  #anchor() {
    const { run, selected, from, to } = this.#state;
    const middle = selected === null ? NaN : (run.start[selected] + run.end[selected]) / 2;
    return middle >= from && middle <= to ? middle : (from + to) / 2;
  }

  /** Moves the range by a part of its length, back if negative. */
  pan(part) {
    const { from, to } = this.#state;
    this.#state.pan(part * (to - from));
  }

  /** Shows the whole run. */
  whole() {
    this.#state.show(0, this.#state.run.lastMoment);
  }

  /** Selects a test by its number or its node id, and brings it into view; null selects none. */
  select(test) {
    const found = typeof test === "string" ? this.#state.run.ids.indexOf(test) : test;
    if (found === -1) return;
    if (found !== null) this.#state.reveal(found);
    this.#state.select(found);
    if (found !== null) this.#scrollTo(found);
  }

  /** Scrolls the page so that the lane of a test is between the top and the drawer with its details. */
  #scrollTo(test) {
    const canvas = byId("lanes").getBoundingClientRect();
    const y = canvas.top + this.placeOf(test).y;
    const [top, bottom] = [90, window.innerHeight - byId("details").offsetHeight - 30];
    if (y < top) window.scrollBy(0, y - top);
    else if (y > bottom) window.scrollBy(0, y - bottom);
  }

  /** Searches node ids for words; returns how many tests were found. */
  search(words) {
    byId("search").value = words;
    return this.#state.search(words);
  }

  /** Selects the next test of those found by the search, or the one before. */
  nextFound(forwards = true) {
    this.select(this.#state.step(forwards, (test) => this.#state.matches(test)));
  }

  /** Selects the next test that failed, or the one before. */
  nextFailure(forwards = true) {
    const { bad } = this.#state.run;
    const test = this.#state.step(forwards, (one) => bad[one] === 1);
    if (test !== null) this.select(test);
  }

  /** Selects a neighbour of the selected test: `along` its lane, or `across` to the lane below (1) or above (-1). */
  move(along, across) {
    const state = this.#state;
    if (state.selected === null) this.select(state.firstVisible());
    else this.select(across ? state.across(across) : state.along(along));
  }

  /** Has everything drawn anew before the browser's next picture. */
  redraw() {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.draw();
    });
  }

  /** Draws now; how long that took is a measure of the page, `rustpar redraw` in the browser's performance timeline. */
  draw() {
    const start = performance.now();
    for (const picture of this.#pictures) picture.draw();
    performance.measure("rustpar redraw", { start, end: performance.now() });
  }
}
