// For those who listen: the log's new lines, a few at a time, and how far the run is.
//
// The terminal's own mode for screen readers tells every redrawing of the board, gives up with "Too
// much output", and spells out curves dot by dot.

/** @import { Terminal } from "./vendor/xterm.mjs" */

const GAP = 5000; // ms between two announcements
const MOST = 3; // lines in one of them: the latest
const KEPT = 50; // of them in the document
const DRAWN = /[\u2500-\u259f\u2800-\u28ff]/; // rules, bars and curves
const BOARD = /^\u2500\u2500 /; // its first row; the log is above it

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
export function readAloud(terminal, log, progress) {
  let mark = terminal.registerMarker(0); // it moves with its row when old ones are forgotten
  let told = "";
  const add = (/** @type {string} */ text) => {
    const line = document.createElement("p");
    line.textContent = text;
    log.append(line);
  };
  const tell = () => {
    const { lines, offset } = linesSince(terminal, Math.max(mark.line, 0));
    mark.dispose();
    mark = terminal.registerMarker(offset);
    for (const line of lines.slice(-MOST)) add(line);
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
