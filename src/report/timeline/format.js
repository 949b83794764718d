// How figures and texts are written: the same whatever the reader's locale, so that figures can be compared.

const GROUPED = new Intl.NumberFormat("en-US");
const MIB = 1024 * 1024;

/** A whole number with its thousands apart. */
export function count(number) {
  return GROUPED.format(number);
}

/** A number of things: "1 test", "2 tests". */
export function countOf(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}

/** A duration in seconds with two to four digits that say something; a dash for what is not known. */
export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value < 0) return `−${seconds(-value)}`;
  if (value === 0) return "0 ms";
  if (value < 0.00995) return `${(value * 1000).toFixed(value < 0.000995 ? 2 : 1)} ms`;
  if (value < 0.9995) return `${(value * 1000).toFixed(0)} ms`;
  if (value < 9.995) return `${value.toFixed(2)} s`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours) return `${count(hours)} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** A difference, always with its sign. */
export function signed(value, write) {
  return value > 0 ? `+${write(value)}` : value < 0 ? `−${write(-value)}` : write(0);
}

/** Bytes as MiB; a dash for what is not known. */
export function mebibytes(bytes) {
  if (bytes === null || bytes === undefined || Number.isNaN(bytes)) return "–";
  if (bytes === 0) return "0 MiB";
  const value = bytes / MIB;
  return `${Math.abs(value) < 9.95 ? value.toFixed(1) : GROUPED.format(Math.round(value))} MiB`;
}

/** How many times as long: "3.1×"; empty where there is nothing to compare with. */
export function times(value, base) {
  if (!(base > 0)) return "";
  const ratio = value / base;
  return `${ratio < 9.95 ? ratio.toFixed(1) : GROUPED.format(Math.round(ratio))}×`;
}

/** A share as a whole percentage. */
export function percent(part, whole) {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : "–";
}

/** A moment in the reader's time zone: "2026-01-31 14:05:12". */
export function moment(epoch) {
  const at = new Date(epoch * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}

/** A label on a time axis whose labels are `step` seconds apart. */
export function tick(value, step, longest) {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  if (longest < 1) return `${(value * 1000).toFixed(Math.max(0, decimals - 3))} ms`;
  if (longest < 120) return `${value.toFixed(decimals)} s`;
  const minutes = Math.floor(value / 60 + 1e-9);
  const rest = Math.max(0, value - minutes * 60).toFixed(decimals);
  return `${minutes}:${rest.padStart(decimals ? decimals + 3 : 2, "0")}`;
}

/** The distance between the labels of a time axis with room for one every `least` seconds. */
export function tickStep(least) {
  if (least > 0.5 && least <= 7200) {
    return [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200].find((step) => step >= least);
  }
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9));
}

// CSI and OSC sequences, and other escapes of two characters.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g;

/** A text of a terminal as a page can show it: no escape sequences, control characters visible, no half characters. */
export function plain(text) {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(ESCAPES, "")
    .replace(CONTROLS, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
    .replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The same text with its lines cut at `limit` characters, and how many lines that were. */
export function cutLines(text, limit) {
  let cut = 0;
  const lines = text.split("\n").map((line) => {
    if (line.length <= limit) return line;
    cut += 1;
    return `${line.slice(0, limit)} … ${countOf(line.length - limit, "more character")}`;
  });
  return [lines.join("\n"), cut];
}

/** A node id in two: where the test is, and its name. Parameters may hold "::", too. */
export function splitId(id) {
  const bracket = id.indexOf("[");
  const cut = id.lastIndexOf("::", bracket < 0 ? id.length : bracket);
  return cut < 0 ? ["", id] : [id.slice(0, cut + 2), id.slice(cut + 2)];
}
