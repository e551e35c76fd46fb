// The controls: buttons that appear when somebody moves or looks for them, and keys.

const IDLE = 2500; // ms without movement until they go

/** @type {Record<string, string>} */
const KEYS = {
  " ": "pause",
  "+": "faster",
  "=": "faster",
  "-": "slower",
  _: "slower",
  n: "next",
  g: "board",
  q: "stop",
  escape: "stop",
};

/**
 * Call the action of each button that is pressed, and of each key that stands for one.
 *
 * @param {HTMLElement} bar
 * @param {Record<string, (button: HTMLElement) => void>} actions
 */
export function listen(bar, actions) {
  const button = (/** @type {string} */ name) =>
    /** @type {HTMLElement} */ (bar.querySelector(`[data-action="${name}"]`));
  const act = (/** @type {string} */ name) => actions[name]?.(button(name));

  bar.addEventListener("click", ({ target }) => {
    const pressed = target instanceof Element && target.closest("[data-action]");
    if (pressed instanceof HTMLElement) act(pressed.dataset.action ?? "");
  });

  // Before the terminal, which would take every key for its own.
  const hear = (/** @type {KeyboardEvent} */ event) => {
    const name = KEYS[event.key.toLowerCase()];
    const { target, ctrlKey, altKey, metaKey } = event;
    if (!name || ctrlKey || altKey || metaKey) return;
    // A dialog has its own use for every key, a button for a space.
    if (!(target instanceof Element) || target.closest("dialog")) return;
    if (event.key !== " " || !target.closest("[data-action]")) {
      event.preventDefault();
      event.stopPropagation();
      act(name);
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
  return { button };
}

/**
 * Put a text where it can be pasted from.
 *
 * @param {string} text
 * @returns {Promise<string>} what to tell
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    window.prompt("Copy this:", text); // the browser does not let a page copy here
    return "";
  }
}

/** Fill the screen, or no longer. */
export async function toggleFullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  } catch {
    // Frames and some phones do not allow it.
  }
}
