// What a visitor keeps: a picture of the terminal, drawn here, and the files that Python makes.

import { element } from "./loading.js";
import { chosenTheme, indexed, themeOf } from "./themes.js";

/** @import { IBufferCell, ITheme, Terminal } from "./vendor/xterm.mjs" */

const SCALE = 2; // pixels of the picture in one of the page

/** @returns {Promise<string>} the kind; "" for none */
export async function choose() {
  const dialog = /** @type {HTMLDialogElement} */ (element("save"));
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue;
}

/**
 * Give the visitor a file.
 *
 * @param {string} name
 * @param {Blob} content
 */
export function handOver(name, content) {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(content);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const hex = (/** @type {number} */ rgb) => `#${rgb.toString(16).padStart(6, "0")}`;

/**
 * The colours of a cell; no background: the terminal's own.
 *
 * @param {IBufferCell} cell
 * @param {ITheme} theme
 */
function coloursOf(cell, theme) {
  const of = (/** @type {boolean} */ rgb, /** @type {boolean} */ palette, /** @type {number} */ value) =>
    rgb ? hex(value) : palette ? indexed(value, theme) : undefined;
  const front = of(cell.isFgRGB(), cell.isFgPalette(), cell.getFgColor()) ?? String(theme.foreground);
  const back = of(cell.isBgRGB(), cell.isBgPalette(), cell.getBgColor());
  return cell.isInverse() ? { front: back ?? String(theme.background), back: front } : { front, back };
}

/**
 * The terminal's size in the page's pixels.
 *
 * @param {Terminal} terminal
 */
export function sizeOf(terminal) {
  const screen = terminal.element?.querySelector(".xterm-screen");
  return { width: screen?.clientWidth ?? 0, height: screen?.clientHeight ?? 0 };
}

/**
 * Paint what the terminal shows on a canvas, as wide as that is.
 *
 * @param {Terminal} terminal
 * @param {HTMLCanvasElement} canvas
 */
export function paint(terminal, canvas) {
  const { cols, rows, options } = terminal;
  const size = sizeOf(terminal);
  const [width, height] = [size.width / cols, size.height / rows];
  const theme = themeOf(chosenTheme());
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const scale = canvas.width / size.width;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = String(theme.background);
  pen.fillRect(0, 0, size.width, canvas.height / scale);
  pen.textBaseline = "middle";
  const buffer = terminal.buffer.active;
  const draw = (/** @type {IBufferCell} */ cell, /** @type {number} */ left, /** @type {number} */ top) => {
    const { front, back } = coloursOf(cell, theme);
    if (back) {
      pen.fillStyle = back;
      pen.fillRect(left, top, width + 0.3, height + 0.3);
    }
    if (!cell.getChars().trim()) return;
    pen.font = `${cell.isBold() ? "bold" : "normal"} ${options.fontSize}px ${options.fontFamily}`;
    pen.globalAlpha = cell.isDim() ? 0.5 : 1;
    pen.fillStyle = front;
    pen.fillText(cell.getChars(), left, top + height / 2);
    pen.globalAlpha = 1;
  };
  for (let y = 0; y < rows; y++) {
    const line = buffer.getLine(buffer.viewportY + y);
    for (let x = 0; x < cols; x++) {
      const cell = line?.getCell(x);
      if (cell) draw(cell, x * width, y * height);
    }
  }
}

/**
 * What the terminal shows, as PNG.
 *
 * @param {Terminal} terminal
 * @returns {Promise<Blob>}
 */
export async function picture(terminal) {
  const canvas = document.createElement("canvas");
  const { width, height } = sizeOf(terminal);
  [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
  paint(terminal, canvas);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("There is no picture."))));
  });
}
