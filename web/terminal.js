// The terminal: xterm.js over the whole window.

import { FitAddon } from "./vendor/addon-fit.mjs";
import { Terminal } from "./vendor/xterm.mjs";

// Fonts that have block and Braille glyphs, or whose systems fall back to one of the same width.
const FONTS =
  '"JetBrains Mono", "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", ' +
  '"Liberation Mono", monospace';

const THEME = {
  background: "#0c0f14",
  foreground: "#c8d0da",
  selectionBackground: "#2d4a6e",
  scrollbarSliderBackground: "#c8d0da18",
  scrollbarSliderHoverBackground: "#c8d0da30",
  scrollbarSliderActiveBackground: "#c8d0da48",
  black: "#1b222c",
  red: "#ff6b74",
  green: "#7fd88f",
  yellow: "#f2c66d",
  blue: "#6cb0ff",
  magenta: "#d39bff",
  cyan: "#62d4d9",
  white: "#c8d0da",
  brightBlack: "#66717f",
  brightRed: "#ff9299",
  brightGreen: "#a4ecb0",
  brightYellow: "#ffdf9a",
  brightBlue: "#9bcaff",
  brightMagenta: "#e4c0ff",
  brightCyan: "#92ecef",
  brightWhite: "#f4f7fa",
};

/**
 * A font size near the wanted one at which a cell is a whole number of the screen's pixels
 * wide: otherwise there are hairlines between the blocks of a bar.
 *
 * @param {number} wanted
 */
function fontSize(wanted) {
  const pen = document.createElement("canvas").getContext("2d");
  if (!pen) return wanted;
  const error = (/** @type {number} */ size) => {
    pen.font = `${size}px ${FONTS}`;
    const pixels = (pen.measureText("█".repeat(64)).width / 64) * window.devicePixelRatio;
    return Math.abs(pixels - Math.round(pixels));
  };
  // Browsers know font sizes in steps of 1/64 pixel.
  const sizes = Array.from({ length: 97 }, (_, step) => wanted - 1 + step / 64);
  const errors = sizes.map(error);
  return sizes[errors.indexOf(Math.min(...errors))] ?? wanted;
}

/**
 * Open a terminal in the element and keep it as large as the element is.
 *
 * @param {HTMLElement} element
 */
export function openTerminal(element) {
  const terminal = new Terminal({
    convertEol: true, // Python writes "\n"
    fontFamily: FONTS,
    fontSize: fontSize(window.innerWidth < 600 ? 11 : 14),
    scrollback: 10_000,
    theme: THEME,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.write("\x1b[?25l"); // nobody types here: no cursor
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(element);
  return terminal;
}

/**
 * Call back on Ctrl+C, unless there is a selection: then it copies, as everywhere.
 *
 * @param {Terminal} terminal
 * @param {() => void} interrupt
 */
export function onInterrupt(terminal, interrupt) {
  terminal.attachCustomKeyEventHandler(
    ({ ctrlKey, key }) => !(ctrlKey && key === "c" && terminal.hasSelection()),
  );
  terminal.onData((data) => {
    if (data === "\x03") interrupt();
  });
}
