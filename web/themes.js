// The colours of the terminal; those of the page around it are in style.css.

import { THEMES } from "./tables.js";

/** @import { ITheme } from "./vendor/xterm.mjs" */

const NAMES = /** @type {const} */ (["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]);
const BRIGHT = /** @type {const} */ ([
  "brightBlack",
  "brightRed",
  "brightGreen",
  "brightYellow",
  "brightBlue",
  "brightMagenta",
  "brightCyan",
  "brightWhite",
]);
const LEVELS = [0, 95, 135, 175, 215, 255]; // of xterm's colour cube

/**
 * A screen that has one colour, in many shades.
 *
 * @param {string} background
 * @param {[red: number, green: number, blue: number]} ink
 * @returns {ITheme}
 */
function oneColour(background, ink) {
  const shade = (/** @type {number} */ share) =>
    `rgb(${ink.map((part) => Math.round(part * share)).join(" ")})`;
  const shades = [0.25, 1, 0.8, 0.9, 0.7, 0.85, 0.75, 0.85]; // red is what must be seen
  const colours = shades.map((share, index) => [NAMES[index], shade(share)]);
  const bright = shades.map((share, index) => [
    BRIGHT[index],
    shade(index ? Math.min(share + 0.15, 1) : 0.6),
  ]);
  return {
    background,
    foreground: shade(0.85),
    selectionBackground: shade(0.35),
    scrollbarSliderBackground: shade(0.2),
    scrollbarSliderHoverBackground: shade(0.3),
    scrollbarSliderActiveBackground: shade(0.4),
    ...Object.fromEntries([...colours, ...bright]),
  };
}

/** @type {Record<string, ITheme>} */
const COLOURS = {
  dark: {
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
    brightBlack: "#7d8896",
    brightRed: "#ff9299",
    brightGreen: "#a4ecb0",
    brightYellow: "#ffdf9a",
    brightBlue: "#9bcaff",
    brightMagenta: "#e4c0ff",
    brightCyan: "#92ecef",
    brightWhite: "#f4f7fa",
  },
  light: {
    background: "#fbfaf7",
    foreground: "#2b3038",
    selectionBackground: "#c5daf5",
    scrollbarSliderBackground: "#2b303818",
    scrollbarSliderHoverBackground: "#2b303830",
    scrollbarSliderActiveBackground: "#2b303848",
    black: "#2b3038",
    red: "#b3202c",
    green: "#1d6b30",
    yellow: "#7c5500",
    blue: "#1857a8",
    magenta: "#7a2fa8",
    cyan: "#0d6469",
    white: "#5d6570",
    brightBlack: "#5d6570",
    brightRed: "#93101b",
    brightGreen: "#12531f",
    brightYellow: "#624200",
    brightBlue: "#0e4285",
    brightMagenta: "#5f1d88",
    brightCyan: "#064c50",
    brightWhite: "#14181d",
  },
  contrast: {
    background: "#000000",
    foreground: "#ffffff",
    selectionBackground: "#3f6fb0",
    scrollbarSliderBackground: "#ffffff30",
    scrollbarSliderHoverBackground: "#ffffff50",
    scrollbarSliderActiveBackground: "#ffffff70",
    black: "#3a3a3a",
    red: "#ff8a8a",
    green: "#7dff9a",
    yellow: "#ffe14d",
    blue: "#8cc8ff",
    magenta: "#f0b4ff",
    cyan: "#6ff5ff",
    white: "#ffffff",
    brightBlack: "#b8b8b8",
    brightRed: "#ffaaaa",
    brightGreen: "#a8ffbc",
    brightYellow: "#fff08a",
    brightBlue: "#b5dcff",
    brightMagenta: "#f7d2ff",
    brightCyan: "#aafaff",
    brightWhite: "#ffffff",
  },
  phosphor: oneColour("#020a04", [92, 255, 128]),
  amber: oneColour("#0b0602", [255, 176, 48]),
};

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: light)");
const usual = () => (system.matches ? "light" : "dark");

/** The theme that somebody has chosen, else the system's. early.js has looked up who chose what. */
export function chosenTheme() {
  return givenTheme() || usual();
}

/** The name of the theme that somebody has chosen; "" for the system's. */
export function givenTheme() {
  const { theme } = root.dataset;
  return theme && theme in COLOURS ? theme : "";
}

/** The theme after the one that is chosen; the system's other one comes first. */
export function nextTheme() {
  const names = [usual(), ...THEMES.filter((name) => name !== usual())];
  return names[(names.indexOf(chosenTheme()) + 1) % names.length] ?? usual();
}

/**
 * @param {string} name
 * @returns {ITheme}
 */
export function themeOf(name) {
  const theme = COLOURS[name] ?? {};
  return root.dataset.background ? { ...theme, background: "#0000" } : theme;
}

/**
 * A colour of the 256 that terminals have.
 *
 * @param {number} number
 * @param {ITheme} theme
 */
export function indexed(number, theme) {
  const name = number < 8 ? NAMES[number] : BRIGHT[number - 8];
  if (name) return String(theme[name]);
  const grey = 8 + (number - 232) * 10;
  const cube = number - 16;
  const [red, green, blue] =
    number >= 232
      ? [grey, grey, grey]
      : [LEVELS[Math.floor(cube / 36)], LEVELS[Math.floor(cube / 6) % 6], LEVELS[cube % 6]];
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * Call back when the system changes its theme, unless somebody has chosen one.
 *
 * @param {(name: string) => void} call
 */
export function followSystem(call) {
  system.addEventListener("change", () => root.dataset.theme || call(chosenTheme()));
}

/**
 * Keep a choice for the next visit, or look it up; some browsers allow neither.
 *
 * @param {string} name
 * @param {string} [value]
 * @returns {string} what is kept, or what was to be
 */
export function remember(name, value) {
  if (name === "theme" && value) {
    if (value === "auto") delete root.dataset.theme;
    else root.dataset.theme = value;
    for (const meta of document.querySelectorAll('meta[name="theme-color"]'))
      meta.setAttribute("content", String(themeOf(chosenTheme()).background));
  }
  try {
    if (value) localStorage.setItem(name, value);
    return localStorage.getItem(name) ?? value ?? "";
  } catch {
    return value ?? "";
  }
}
