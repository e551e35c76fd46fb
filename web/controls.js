// The controls: keys, and buttons that appear when the pointer moves or the focus reaches them.

import { element } from "./loading.js";
import { KEYS } from "./tables.js";

const IDLE = 2500; // ms without movement until the buttons disappear
const GRACE = 2000; // ms after a dialog has closed in which Escape is taken to mean that dialog

const bar = element("controls");

/** @param {string} name of an action */
export const button = (name) => /** @type {HTMLElement} */ (bar.querySelector(`[data-action="${name}"]`));

/**
 * Call the action of each button that is pressed, and of each key that has the same action.
 *
 * @param {Record<string, (button: HTMLElement) => void>} actions
 * @param {(key: string) => boolean} typed takes a key before it is looked up; false: it does not
 * @param {() => void} leave moves the focus back to the terminal
 */
export function listen(actions, typed, leave) {
  const act = (/** @type {string} */ name) => actions[name]?.(button(name));

  bar.addEventListener("click", ({ target }) => {
    const pressed = target instanceof Element && target.closest("[data-action]");
    if (pressed instanceof HTMLElement) act(pressed.dataset.action ?? "");
  });
  // A space after a click pauses, and does not press that button again. Keys click without a detail,
  // and fingers may be those of somebody who listens to where the focus is.
  document.addEventListener("click", ({ target, detail, pointerType }) => {
    const pointed = detail && pointerType !== "touch";
    if (pointed && target instanceof Element && target.closest("main :is(button, input)")) leave();
  });

  let closed = -GRACE; // when the last dialog closed, or had a key
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("close", () => {
      closed = performance.now();
    });

  const obeyed = (/** @type {KeyboardEvent} */ { key }, /** @type {Element} */ target) => {
    const name = KEYS[key.toLowerCase()];
    if (!name || (key === " " && target.closest("[data-action]"))) return false;
    if (target.matches("input[type=range]") && key.length > 1 && key !== "Escape") return false;
    act(name);
    return true;
  };

  // The listener runs before the terminal's, which would handle every key.
  const hear = (/** @type {KeyboardEvent} */ event) => {
    const { target, ctrlKey, altKey, metaKey } = event;
    if (ctrlKey || altKey || metaKey) return;
    if (!(target instanceof Element)) return;
    // Keys in a dialog belong to the dialog, and a space on a button presses the button. A busy browser
    // says later that the dialog has closed, after another key.
    if (target.closest("dialog")) closed = performance.now();
    else if (event.key === "Escape" && performance.now() - closed < GRACE) return;
    else if ((!target.closest("button, input") && typed(event.key)) || obeyed(event, target)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  window.addEventListener("keydown", hear, { capture: true });

  let timer = 0;
  const show = () => {
    document.documentElement.dataset.active = "";
    clearTimeout(timer);
    timer = window.setTimeout(() => delete document.documentElement.dataset.active, IDLE);
  };
  for (const movement of ["pointermove", "pointerdown"])
    window.addEventListener(movement, show, { passive: true });
}

let hush = 0;

/**
 * Say something beside the line above the buttons, for as long as it takes to read.
 *
 * @param {string} text
 */
export function notice(text) {
  element("notice").textContent = text;
  clearTimeout(hush);
  hush = window.setTimeout(() => (element("notice").textContent = ""), 2000 + 30 * text.length);
}

/**
 * Report that something beside the show is missing, in a short notice.
 *
 * @param {unknown} error
 * @param {string} sentence
 */
export function fall(error, sentence) {
  console.error(error);
  notice(sentence);
}

/**
 * Share a text: a link by the device's share dialog if it has one, other texts by the clipboard.
 *
 * @param {string} text
 * @param {boolean} [copied] whether the text is copied, since it is not a link
 * @returns {Promise<string>} what to tell
 */
export async function share(text, copied = false) {
  const wanted = { url: text, title: "llmsim" };
  if (!copied && matchMedia("(pointer: coarse)").matches && navigator.canShare?.(wanted)) {
    const told = await navigator.share(wanted).catch((error) => error.name);
    if (told === undefined || told === "AbortError") return "";
  }
  try {
    await navigator.clipboard.writeText(text);
    return copied ? "copied" : "link copied";
  } catch {
    window.prompt("Copy this:", text); // the browser does not let a page copy here
    return "";
  }
}

/** Switch full screen on or off. */
export async function toggleFullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  } catch {
    // Frames and some phones do not allow it.
  }
}
