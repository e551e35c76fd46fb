// The colours of the terminal; those of the page around it are in style.css.

/** @import { ITheme } from "./vendor/xterm.mjs" */

/** @type {{ dark: ITheme, light: ITheme }} */
export const THEMES = {
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
};

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: light)");

/** The theme that somebody has chosen, else the system's. early.js has looked up who chose what. */
export const chosenTheme = () => root.dataset.theme ?? (system.matches ? "light" : "dark");

/** @param {string} name */
export function themeOf(name) {
  const theme = name === "light" ? THEMES.light : THEMES.dark;
  return root.dataset.background ? { ...theme, background: "#0000" } : theme;
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
    root.dataset.theme = value;
    for (const meta of document.querySelectorAll('meta[name="theme-color"]'))
      meta.setAttribute("content", String(themeOf(value).background));
  }
  try {
    if (value) localStorage.setItem(name, value);
    return localStorage.getItem(name) ?? value ?? "";
  } catch {
    return value ?? "";
  }
}
