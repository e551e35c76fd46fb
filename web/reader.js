// For those who listen: the log's new lines, a few at a time, and how far the run is.
//
// The terminal's own mode for screen readers tells every redrawing of the board, gives up with "Too
// much output", and spells out curves dot by dot.

import { notice } from "./controls.js";
import { element } from "./loading.js";
import { show } from "./show.js";

/** @import { Terminal } from "./vendor/xterm.mjs" */

const GAP = 5000; // ms between two announcements
const MOST = 3; // sentences in one of them: the latest
const KEPT = 50; // of them in the document
const LENGTH = 100; // characters of a sentence: more is not heard out before the next one comes
const DRAWN = /[\u2500-\u259f\u2800-\u28ff]/; // rules, bars and curves
const STAMP = /^[\d\-:., TZ]{8,} *(\[?(INFO|WARNING|ERROR|DEBUG)\]?)? *:? */; // at a line's beginning
const FRAME = /^[+|][- ]*|[- ]*[+|]$|-{3,}/g; // of a table
const STEP = /^step\b|\bloss\b.*\d/; // of these the latest is enough
const BOARD = /^\u2500\u2500 /; // its first row; the log is above it

/**
 * A line of the log as somebody would say it: without its stamp, its columns as clauses.
 *
 * @param {string} line
 */
function sentence(line) {
  const clauses = line
    .replace(STAMP, "")
    .replace(FRAME, " ")
    .trim()
    .split(/\s{2,}/);
  let said = "";
  for (const clause of clauses) {
    const value = /^[\d.-]/.test(clause) && !/\d/.test(said.split(", ").at(-1) ?? "");
    const longer = said && `${said}${value ? " " : ", "}${clause}`;
    if (longer.length > LENGTH && !value) break;
    said = longer || clause;
  }
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

/**
 * What is to be said of some lines: the latest step, and what else there is.
 *
 * @param {string[]} lines
 */
function sayable(lines) {
  const said = lines.map(sentence).filter((text) => /\p{L}{2}/u.test(text));
  const latest = said.findLast((text) => STEP.test(text));
  return said.filter((text) => text === latest || !STEP.test(text)).slice(-MOST);
}

/**
 * The rows that are text, from a row of the buffer on, and where to go on, from the cursor's row.
 *
 * @param {Terminal} terminal
 * @param {number} since
 */
function linesSince(terminal, since) {
  const buffer = terminal.buffer.active;
  const end = buffer.baseY + buffer.cursorY;
  const lines = [];
  let row = Math.min(since, end);
  for (; row < end; row++) {
    const text = buffer.getLine(row)?.translateToString(true) ?? "";
    if (BOARD.test(text)) break;
    if (/\p{L}{2}/u.test(text) && !DRAWN.test(text)) lines.push(text.trim());
  }
  return { lines, offset: row - end };
}

/**
 * Tell a screen reader what is new, until the function that this returns is called.
 *
 * @param {Terminal} terminal
 * @param {HTMLElement} log a live region
 * @param {() => string} progress
 */
function readAloud(terminal, log, progress) {
  // The last row that was told. It moves with its row when old ones are forgotten; one below it, in
  // the board, would move with the board, below all that is new.
  let mark = terminal.registerMarker(-1);
  let told = "";
  const add = (/** @type {string} */ text) => {
    const line = document.createElement("p");
    line.textContent = text;
    log.append(line);
  };
  const tell = () => {
    const { lines, offset } = linesSince(terminal, mark.line + 1);
    mark.dispose();
    mark = terminal.registerMarker(offset - 1);
    for (const text of sayable(lines)) add(text);
    const now = progress();
    if (now !== told && !lines.length) add(now); // where the log is still, the board goes on
    told = now;
    while (log.childElementCount > KEPT) log.firstElementChild?.remove();
  };
  tell();
  const timer = setInterval(tell, GAP);
  return () => {
    clearInterval(timer);
    mark.dispose();
    log.replaceChildren();
  };
}

/** @type {(() => void) | undefined} */
let silence; // ends what a screen reader is told

/**
 * Read the log to a screen reader, or no longer.
 *
 * @param {HTMLElement} button
 */
export function toggleReading(button) {
  const on = !silence && show.terminal;
  silence?.();
  silence = on ? readAloud(on, element("spoken"), () => show.reached) : undefined;
  button.ariaPressed = String(Boolean(silence));
  notice(silence ? "Screen readers now read new lines aloud." : "Screen readers no longer read new lines.");
}
