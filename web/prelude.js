// The prelude: how one fixed run opens, shown while Python loads. The build has written it down, as
// Python prints it (tools/prelude.py); it is drawn here as the terminal will draw it.

import { chosenTheme, indexed, themeOf } from "./themes.js";

/** @import { Query } from "./address.js" */

/**
 * @typedef {object} Reached
 * @property {Query} run what is playing
 * @property {number} at simulated seconds
 */

/** @typedef {[shown: number, at: number, text: string]} Line */

const SOURCE = new URL("./prelude.json", import.meta.url);
/**
 * Apply an SGR sequence's numbers.
 *
 * @param {CSSStyleDeclaration} style
 * @param {number[]} numbers
 */
function paint(style, numbers) {
  const [first = 0, second, third = 0] = numbers;
  const theme = themeOf(chosenTheme());
  if (first === 38 && second === 5) style.color = indexed(third, theme);
  else if (first === 38) style.color = `rgb(${numbers.slice(2, 5).join(" ")})`;
  else if (first === 1) style.fontWeight = "bold";
  else if (first === 2) style.opacity = "0.5";
  else if (first >= 90 && first < 98) style.color = indexed(first - 82, theme);
  else if (first >= 30 && first < 38) style.color = indexed(first - 30, theme);
  if (first < 3 && second) paint(style, numbers.slice(1));
}

/**
 * A line of the log.
 *
 * @param {string} text
 */
function drawn(text) {
  const row = document.createElement("div");
  for (const [index, part] of text.split("\x1b[").entries()) {
    const end = index ? part.indexOf("m") : -1; // of the sequence that this part begins with
    if (end === part.length - 1) continue;
    const span = document.createElement("span");
    span.textContent = part.slice(end + 1);
    paint(span.style, part.slice(0, Math.max(end, 0)).split(";").map(Number));
    row.append(span);
  }
  return row;
}

/**
 * Play it.
 *
 * @param {HTMLElement} element
 * @returns {Promise<() => Reached>} ends it, and says how far it has come
 */
export async function playPrelude(element) {
  const response = await fetch(SOURCE);
  if (!response.ok) throw new Error(`prelude.json: status ${response.status}`);
  /** @type {{ run: Query, widths: Record<string, Line[]> }} */
  const { run, widths } = await response.json();

  const ruler = element.appendChild(document.createElement("span"));
  ruler.textContent = "0".repeat(64);
  const columns = (element.clientWidth / ruler.getBoundingClientRect().width) * 64;
  const fitting = Object.keys(widths)
    .map(Number)
    .filter((width) => width <= columns);
  const lines = widths[Math.max(...fitting)] ?? widths[Math.min(...Object.keys(widths).map(Number))] ?? [];
  element.replaceChildren();

  const began = performance.now();
  let [shown, ended] = [0, false];
  const advance = () => {
    if (ended) return;
    const now = (performance.now() - began) / 1000;
    const due = lines.slice(shown).filter(([when]) => when <= now);
    if (due.length) {
      element.append(...due.map(([, , text]) => drawn(text)));
      element.scrollTop = element.scrollHeight;
      shown += due.length;
    }
    requestAnimationFrame(advance);
  };
  advance();
  return () => {
    ended = true;
    const now = (performance.now() - began) / 1000;
    const [before, after] = [lines[shown - 1], lines[shown]];
    const [from, at] = before ?? [0, 0];
    // Between two lines as far as time is; after the last of them where that was.
    const share = after ? (now - from) / (after[0] - from) : 0;
    return {
      run,
      at: Math.round((at + Math.min(Math.max(share, 0), 0.99) * ((after?.[1] ?? at) - at)) * 1000) / 1000,
    };
  };
}
