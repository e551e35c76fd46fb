// The terminal: xterm.js over the whole window.

import { drawChangedRows, measureOnCanvas } from "./rows.js";
import { scrollByTouch } from "./touch.js";
import { FitAddon } from "./vendor/addon-fit.mjs";
import { Terminal } from "./vendor/xterm.mjs";

export { drawer } from "./drawing.js";

/** @import { ITheme } from "./vendor/xterm.mjs" */

// Fonts that have block and Braille glyphs, or whose systems fall back to one of the same width.
const FONTS =
  '"JetBrains Mono", "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", ' +
  '"Liberation Mono", monospace';
const [SMALLEST, USUAL] = [9, 14]; // px
const COLUMNS = 80; // that a font should leave room for
const MOST_COLUMNS = 240; // and no more than these: lines are not so long
const PAIR = 200; // ms in which a second click may follow, which selects a word
const STILL = 5; // px that the pointer may move in a click

const pen = document.createElement("canvas").getContext("2d");

/** @param {number} size of the font, in px */
function cellWidth(size) {
  if (!pen) return size * 0.6;
  pen.font = `${size}px ${FONTS}`;
  return pen.measureText("\u2588".repeat(64)).width / 64;
}

/**
 * The font size for a window: smaller in a narrow one, so that it holds 80 columns if that is
 * still legible, larger in a very wide one, and such that a cell is a whole number of the screen's pixels wide: otherwise
 * there are hairlines between the blocks of a bar.
 *
 * @param {number} width
 */
function fontSize(width) {
  const ratio = cellWidth(100) / 100;
  const sizeFor = (/** @type {number} */ columns) => width / columns / ratio;
  const largest = Math.max(USUAL, sizeFor(MOST_COLUMNS));
  const wanted = Math.min(Math.max(sizeFor(COLUMNS), SMALLEST), largest);
  const error = (/** @type {number} */ cell) => {
    const pixels = cell * window.devicePixelRatio;
    return Math.abs(pixels - Math.round(pixels));
  };
  // Font sizes have steps of 1/64 pixel. Measuring takes time, so sizes far from a solution are skipped.
  const sizes = Array.from({ length: 97 }, (_, step) => Math.floor(wanted) - 1 + step / 64).filter(
    (size) => error(size * ratio) < 0.05,
  );
  const errors = sizes.map((size) => error(cellWidth(size)));
  return sizes[errors.indexOf(Math.min(...errors))] ?? wanted;
}

/** Whether a graphics card would draw WebGL; without one the DOM renderer is faster. */
function hasGraphicsCard() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = gl?.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER) ?? "software";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return !/software|swiftshader|llvmpipe|basic render/i.test(name);
}

/**
 * Draw with the graphics card, if there is one. Its start takes some time.
 *
 * @param {Terminal} terminal
 */
export async function accelerate(terminal) {
  if (!hasGraphicsCard()) return;
  const { WebglAddon } = await import("./vendor/addon-webgl.mjs");
  const addon = new WebglAddon();
  addon.onContextLoss(() => addon.dispose()); // the DOM takes over
  terminal.loadAddon(addon);
}

/**
 * Set the text size of the loading page to that of the terminal, so that the text does not jump.
 *
 * @param {Terminal} terminal
 */
function measureFor({ options, element, rows }) {
  const row = (element?.querySelector(".xterm-screen")?.clientHeight ?? 0) / rows;
  document.documentElement.style.setProperty("--size", `${options.fontSize}px`);
  document.documentElement.style.setProperty("--row", `${row}px`);
}

/**
 * Open a terminal in the element and keep it as large as the element is.
 *
 * @param {HTMLElement} element
 * @param {ITheme} theme
 */
export function openTerminal(element, theme) {
  const terminal = new Terminal({
    allowTransparency: "background" in document.documentElement.dataset,
    convertEol: true, // Python writes "\n"
    disableStdin: true, // the terminal takes no input, and a phone shows no keyboard
    fontFamily: FONTS,
    fontSize: fontSize(element.clientWidth),
    minimumContrastRatio: 4.5, // colours of the log that are too faint here get more contrast
    scrollback: 10_000,
    theme,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.textarea?.setAttribute("inputmode", "none");
  terminal.write("\x1b[?25l"); // no cursor, since the terminal takes no input
  drawChangedRows(terminal);
  measureOnCanvas(terminal);
  const fill = () => {
    fit.fit();
    // xterm.js 6.0.0 forgets at a resize how far apart letters are by default, and says it of every
    // span, until an option changes.
    terminal.options.scrollOnUserInput = !terminal.options.scrollOnUserInput; // there is no input
    measureFor(terminal);
  };
  fill();
  scrollByTouch(element, terminal);
  let width = element.clientWidth;
  new ResizeObserver(() => {
    if (element.clientWidth !== width) terminal.options.fontSize = fontSize(element.clientWidth);
    width = element.clientWidth;
    fill();
  }).observe(element);
  return terminal;
}

/**
 * Call back on Ctrl+C, unless text is selected: then Ctrl+C copies it.
 *
 * @param {Terminal} terminal
 * @param {() => void} interrupt
 */
export function onInterrupt(terminal, interrupt) {
  terminal.attachCustomKeyEventHandler(({ ctrlKey, key, type }) => {
    if (!ctrlKey || key !== "c") return key !== "Tab"; // Tab goes on to the controls, as on any page
    if (type === "keydown" && !terminal.hasSelection()) interrupt();
    return false;
  });
}

/**
 * Call back on a click or tap on the terminal that has no other meaning: it selects nothing, ends no
 * selection and no scrolling, and shows no controls that were hidden from a finger.
 *
 * @param {Terminal} terminal
 * @param {HTMLElement} element that the terminal fills
 * @param {() => void} act
 */
export function onClick(terminal, element, act) {
  let [left, top, plain, timer] = [0, 0, false, 0];
  const press = (/** @type {PointerEvent} */ { clientX, clientY, pointerType }) => {
    clearTimeout(timer);
    [left, top] = [clientX, clientY];
    const stay = pointerType === "mouse" || matchMedia("(pointer: coarse)").matches; // the controls
    const seen = stay || "active" in document.documentElement.dataset;
    plain = seen && !terminal.hasSelection() && !("gliding" in element.dataset);
  };
  element.addEventListener("pointerdown", press, { capture: true }); // before the selection ends
  element.addEventListener("click", ({ clientX, clientY, detail, target }) => {
    const screen = target instanceof Element && target.closest(".xterm-screen"); // no scrollbar
    const moved = Math.hypot(clientX - left, clientY - top) > STILL;
    if (!screen || !plain || moved || detail !== 1 || terminal.hasSelection()) return;
    timer = window.setTimeout(act, PAIR);
  });
}
