// Making elements. Texts are only ever set as text, so that nothing in a run's data can become markup.

import { count } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** An HTML element; `onclick` is a listener, true an empty attribute, false and null none. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A table. A column is `{name, number?, title?}`; a row a list of cells, each a text or a node. */
export function table(label, columns, rows) {
  const kind = (at) => (columns[at].number ? "number" : null);
  const head = columns.map((column, at) =>
    make("th", { scope: "col", class: kind(at), title: column.title }, column.name),
  );
  const line = (cells) => make("tr", {}, ...cells.map((cell, at) => make("td", { class: kind(at) }, cell)));
  const parts = [make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows.map(line))];
  return make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": label }, make("table", {}, ...parts));
}

/** What stands where there is nothing to show. */
export function nothing(text) {
  return make("p", { class: "nothing" }, text);
}

/** Appends what `item(n)` makes for n below `total`, `step` at a time, with a button for more. */
export function paged(parent, total, step, item) {
  const button = make("button", { type: "button", class: "more" });
  let shown = 0;
  const grow = () => {
    const until = Math.min(total, shown + step);
    const added = [];
    for (; shown < until; shown += 1) added.push(item(shown));
    parent.append(...added);
    button.hidden = shown >= total;
    button.textContent = `Show ${count(Math.min(step, total - shown))} more of ${count(total)}`;
  };
  button.addEventListener("click", grow);
  grow();
  return button;
}

/** A canvas of so many CSS pixels, sharp on any screen; its context draws in CSS pixels. */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
