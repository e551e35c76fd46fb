// Draws those rows of the terminal that have changed, and moves those that have scrolled.
//
// xterm.js 6.0.0 makes anew every row between the first and the last that something was written to,
// and at each of these times all rows once more, lest the selection has changed. Of a log above a board
// that is the whole screen twice, several times a second.

/** @import { Terminal } from "./vendor/xterm.mjs" */

/**
 * What is used of xterm's renderer, which is not part of its interface; the version is pinned.
 *
 * @typedef {object} Renderer
 * @property {HTMLElement[]} _rowElements
 * @property {{ buffer: { ydisp: number, lines: { get: (row: number) => { _data: Uint32Array } | undefined } } }} _bufferService
 * @property {(first: number, last: number) => void} renderRows
 * @property {(start: unknown, ...more: unknown[]) => void} handleSelectionChanged
 */

const MOST = 8; // rows that are looked for as scrolled
const LEAST = 3; // rows that are worth moving
const PIECE = 16; // ms of a frame for a whole drawing; what is left of it waits for the next frame
// Each of these changes how rows look: what was drawn is then not worth keeping.
const CHANGES = ["clear", "handleCharSizeChanged", "handleDevicePixelRatioChange", "_injectCss"];

/**
 * Whether two rows have the same cells.
 *
 * @param {Uint32Array | undefined} one
 * @param {Uint32Array | undefined} other
 */
function same(one, other) {
  if (!one || one.length !== other?.length) return false;
  for (let place = 0; place < one.length; place++) if (one[place] !== other[place]) return false;
  return true;
}

/**
 * The rows, from one until another, that stood some rows lower before.
 *
 * @param {(Uint32Array | undefined)[]} before
 * @param {(Uint32Array | undefined)[]} now
 * @param {boolean[]} changed
 */
function moved(before, now, changed) {
  let best = { first: 0, end: 0, shift: 0 };
  for (let shift = 1; shift <= MOST; shift++) {
    let first = 0;
    for (let row = 0; row + shift < now.length; row++) {
      if (!changed[row] || !same(now[row], before[row + shift])) first = row + 1;
      else if (row + 1 - first > best.end - best.first) best = { first, end: row + 1, shift };
    }
  }
  return best.end - best.first >= LEAST ? best : undefined;
}

/**
 * Spare the terminal what it need not draw. A renderer of another kind is left as it is.
 *
 * @param {Terminal} terminal
 */
export function drawChangedRows(terminal) {
  /** @type {(Renderer & Record<string, unknown>) | undefined} */
  const renderer = /** @type {any} */ (terminal)._core?._renderService?._renderer?.value;
  if (!renderer?._rowElements) return;
  const draw = renderer.renderRows.bind(renderer);
  /** @type {(Uint32Array | undefined)[]} */
  let drawn = []; // the cells of each row on the screen; undefined: unknown
  let unfinished = false; // whether a whole drawing goes on

  for (const name of CHANGES) {
    const change = renderer[name];
    if (typeof change !== "function") return;
    renderer[name] = (/** @type {unknown[]} */ ...given) => {
      drawn = [];
      return change.apply(renderer, given);
    };
  }

  const select = renderer.handleSelectionChanged.bind(renderer);
  let selected = false; // it is also said where nothing is selected, before and after
  renderer.handleSelectionChanged = (start, ...more) => {
    if (start || selected) drawn = [];
    selected = Boolean(start);
    select(start, ...more);
  };

  /**
   * Move the elements of rows that have scrolled.
   *
   * @param {(Uint32Array | undefined)[]} now
   * @param {boolean[]} changed
   */
  const scroll = (now, changed) => {
    const found = moved(drawn, now, changed);
    if (!found) return;
    const elements = renderer._rowElements;
    for (let count = 0; count < found.shift; count++) {
      const [element] = elements.splice(found.first, 1);
      drawn.splice(found.first, 1);
      if (!element) return;
      const place = found.end + found.shift - 1;
      element.parentElement?.insertBefore(element, elements[place] ?? null);
      elements.splice(place, 0, element);
      drawn.splice(place, 0, undefined);
    }
  };

  renderer.renderRows = () => {
    const { buffer } = renderer._bufferService;
    const now = renderer._rowElements.map((_, row) => buffer.lines.get(row + buffer.ydisp)?._data);
    const changed = now.map((cells, row) => !same(cells, drawn[row]));
    if (drawn.length === now.length && changed.filter(Boolean).length > LEAST) scroll(now, changed);
    const whole = unfinished || !drawn.length;
    const end = performance.now() + PIECE;
    unfinished = false;
    for (const [row, cells] of now.entries()) {
      if (same(cells, drawn[row])) continue;
      if (whole && performance.now() > end) {
        unfinished = true;
        requestAnimationFrame(() => renderer.renderRows(0, now.length - 1));
        return;
      }
      draw(row, row);
      drawn[row] = cells?.slice();
    }
  };
}

const MEASURED = 32; // times that xterm.js writes a glyph to measure it
const [BOLD, ITALIC] = [1, 2];

/**
 * Measure new glyphs on a canvas. xterm.js asks the page how wide each of them is, and the page lays
 * itself out anew for every answer: in the first frames of a board for a tenth of a second.
 *
 * @param {Terminal} terminal
 */
export function measureOnCanvas(terminal) {
  const widths = /** @type {any} */ (terminal)._core?._renderService?._renderer?.value?._widthCache;
  const pen = document.createElement("canvas").getContext("2d");
  if (typeof widths?._measure !== "function" || !pen || !("fontKerning" in pen)) return;
  widths._measure = (/** @type {string} */ glyph, /** @type {number} */ style) => {
    const weight = style & BOLD ? widths._weightBold : widths._weight;
    pen.font = `${style & ITALIC ? "italic " : ""}${weight} ${widths._fontSize}px ${widths._font}`;
    pen.fontKerning = "none";
    return Math.round(pen.measureText(glyph.repeat(MEASURED)).width) / MEASURED;
  };
}
