// The view: what is shown of the run, in which colours, and the address that names it all.

import { addressOf, merged, readAddress } from "./address.js";
import { button, notice } from "./controls.js";
import { address, play, show, tell } from "./show.js";
import { chosenTheme, remember, themeOf } from "./themes.js";

/** @import { Query } from "./address.js" */

const root = document.documentElement;
let board = true;
let wall = false;
let meant = "auto"; // the view that the options ask for
let hasBoard = true; // whether the run has a board that can be taken away

/** Show the board, or take it away. */
export function toggleBoard() {
  if (!hasBoard) return playIn("board");
  tell({ type: "board", shown: !board });
  showPicture(wall, !board);
}

/** Show the wall, or the log and the board. */
export function toggleWall() {
  if (!hasBoard) return playIn("wall");
  tell({ type: "wall", shown: !wall });
  showPicture(!wall, board);
}

/**
 * Go on in a view that the run does not have: it was begun as a log alone.
 *
 * @param {string} view
 */
function playIn(view) {
  const here = shown();
  show.asked = merged(show.asked, [["view", view]]);
  afresh();
  play(merged(here, [["view", view]]), show.asked, moment());
}

/** Have the options decide what is shown, and no longer the buttons. */
function afresh() {
  board = true;
  tell({ type: "wall" });
  tell({ type: "board", shown: true });
}

/**
 * Note what the options of a run that begins show of it.
 *
 * @param {{ view: string, board: boolean, wall: boolean }} picture
 */
export function meet(picture) {
  meant = picture.view;
  hasBoard = picture.board;
  showPicture(picture.wall, board);
}

/**
 * Note what is shown, on the buttons and in the address.
 *
 * @param {boolean} shownWall
 * @param {boolean} shownBoard
 */
function showPicture(shownWall, shownBoard) {
  wall = shownWall;
  board = shownBoard;
  button("wall").ariaPressed = String(wall);
  button("board").ariaPressed = String(hasBoard && board);
  nameRun();
}

/** The options of this run as it is shown: the buttons may show another view than was asked for. */
export function shown() {
  const now = wall ? "wall" : hasBoard && !board ? "log" : meant === "wall" ? "auto" : meant;
  const here = merged(show.asked, show.run?.options ?? []);
  const given = new Map(here);
  if (now === (given.get("view") ?? meant)) return here;
  if (now !== "auto" || given.has("scene")) return merged(here, [["view", now]]);
  return here.filter(([name]) => name !== "view");
}

/** This moment of this run; "" where the run is over or has hardly begun. */
const moment = () => (show.at >= 1 && root.dataset.state === "playing" ? `${Math.floor(show.at)}s` : "");

/** The options with which a terminal shows this moment of this run. */
export const here = () => (moment() ? merged(shown(), [["from", moment()]]) : shown());

/** The address that opens at this moment, paused if the show is. The runs after it begin as ever. */
export function addressOfMoment() {
  const now = moment() ? [["at", moment()]] : [];
  if (show.paused && root.dataset.state === "playing") now.push(["paused", "1"]);
  return addressOf(/** @type {Query} */ ([...shown(), ...now]));
}

/** The address names the run, so that a reload, a return or a shared link plays it again. */
function nameRun() {
  const { run } = show;
  history.replaceState(run ? { run: run.options } : history.state, "", addressOf(shown()));
}

/**
 * Play what somebody has chosen, in the view that it asks for. The browser's back button leads back.
 *
 * @param {Query} query
 */
export function visit(query) {
  show.asked = query;
  history.pushState(null, "", addressOf(query));
  afresh();
  play(query);
}

/** Play what the address names, after the browser has gone back or on. */
export function revisit() {
  const { query, typing, at } = readAddress(location.search);
  show.asked = query;
  take(typing);
  afresh();
  play(query, query, at);
}

// --- typing ------------------------------------------------------------------------------------

/**
 * Let each key bring a line of the log, or the clock.
 *
 * @param {boolean} on
 */
function setTyping(on) {
  take(on);
  nameRun();
  notice(
    on
      ? "Each key or tap prints the next line. Esc or this button ends it."
      : "The lines come by themselves again.",
  );
}

/** @param {boolean} on */
function take(on) {
  root.toggleAttribute("data-typing", on); // the address reads it
  tell({ type: "typing", on });
  button("type").ariaPressed = String(on);
  if (on) show.terminal?.focus();
}

/** Begin with the typing that the address asks for. */
export const beginTyping = () => take(address.typing);

/** Type, or no longer. */
export const toggleTyping = () => setTyping(!root.hasAttribute("data-typing"));

/**
 * Take a key while each key brings a line of the log, whichever key it is; Esc ends that.
 *
 * @param {string} key
 */
export function typed(key) {
  if (!root.hasAttribute("data-typing") || root.dataset.state !== "playing") return false;
  if (key === "Escape") setTyping(false);
  else if (key.length === 1 || key === "Enter" || key === "Backspace") tell({ type: "type" });
  else return false;
  return true;
}

// --- colours -----------------------------------------------------------------------------------

/** @param {string} name */
export function setTheme(name) {
  if (show.terminal) show.terminal.options.theme = themeOf(name);
  tell({ type: "theme", name });
}

/** @param {string} name of a theme, or auto: the system's */
export function takeTheme(name) {
  remember("theme", name);
  setTheme(chosenTheme());
  nameRun();
  notice(name);
}
