// The show: what plays, how fast, and what the worker is told of it.

import { commandOf, merged, readAddress } from "./address.js";
import { button } from "./controls.js";
import { element } from "./loading.js";
import { FASTEST, SLOWEST } from "./tables.js";
import { chosenTheme } from "./themes.js";

/** @import { Query } from "./address.js" */
/** @import { Run, ToWorker } from "./messages" */
/** @import { Terminal } from "./vendor/xterm.mjs" */

const root = document.documentElement;
export const address = readAddress(location.search);

export const show = {
  asked: address.query, // by the address, then by the settings
  run: /** @type {Run | undefined} */ (undefined),
  speed: 1,
  paused: false,
  sought: /** @type {number | undefined} */ (undefined), // whence a run that is over plays again
  reached: "", // phase and percentage
  at: 0, // simulated seconds
  command: "", // that the show begins with
  worker: /** @type {Worker | undefined} */ (undefined),
  terminal: /** @type {Terminal | undefined} */ (undefined),
};

/** @param {ToWorker} message */
export const tell = (message) => show.worker?.postMessage(message);

/**
 * Play, instead of what is playing.
 *
 * @param {Query} query
 * @param {Query} typed what of it was asked for
 * @param {string} at the moment of the first run at which it begins; "" for where the query says
 */
export function play(query, typed = query, at = "") {
  show.command = commandOf(typed);
  const given = new Map(query).get("speed-factor") ?? "1";
  setSpeed(given === "max" ? Infinity : Number(given) > 0 ? Number(given) : 1);
  setPaused(false);
  const { terminal } = show;
  if (terminal)
    tell({ type: "start", query, at, columns: terminal.cols, rows: terminal.rows, theme: chosenTheme() });
}

/** Play this run again from its first line. */
export function again() {
  play(merged(show.asked, show.run?.options ?? []));
}

/** Play the run with the next seed. */
export function next() {
  if (!show.run) return; // there is none yet
  const seed = BigInt(new Map(show.run.options).get("seed") ?? 0);
  play(merged(show.asked, [["seed", String((seed + 1n) % 2n ** 64n)]]));
}

/**
 * Go to another moment of the run; of one that is over, too.
 *
 * @param {number} position in show seconds
 */
export function seek(position) {
  if (root.dataset.state !== "ended") return tell({ type: "seek", position });
  show.sought = position;
  again();
}

/** @param {"playing" | "ended"} state */
export function setState(state) {
  root.dataset.state = state;
  element("controls").hidden = address.kiosk;
  labelPause();
}

/** @param {boolean} value */
export function setPaused(value) {
  show.paused = value;
  tell({ type: "pause", paused: value });
  labelPause();
  setTitle();
}

/** Label the first button: pause, resume or, after the end, again. */
function labelPause() {
  const ended = root.dataset.state === "ended";
  button("pause").textContent = ended ? "again" : show.paused ? "resume" : "pause";
}

/** After the end there is nothing to pause: the same key plays the run again. */
export function pauseOrPlay() {
  if (root.dataset.state === "ended") again();
  else if (root.dataset.state === "playing") setPaused(!show.paused);
}

/** Show the run's progress in the tab's title. */
export function setTitle() {
  document.title = [show.paused && "paused", show.reached, "llmsim"].filter(Boolean).join(" \u00b7 ");
}

/** @param {number} factor */
function setSpeed(factor) {
  show.speed = factor;
  element("speed").textContent = factor === Infinity ? "max" : `${Number(factor.toPrecision(6))}\u00d7`;
  tell({ type: "speed", factor });
}

/** @param {number} factor */
export function changeSpeed(factor) {
  const within = Math.min(show.speed * factor, FASTEST);
  setSpeed(factor > 1 ? Math.max(show.speed, within) : Math.min(show.speed, Math.max(within, SLOWEST)));
  const speed = show.speed === Infinity ? "max" : String(show.speed);
  show.asked = merged(show.asked, [["speed-factor", speed]]);
}
