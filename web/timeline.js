// The timeline: where the run is, with marks where it validates, saves and fails; who moves it seeks.

import { element } from "./loading.js";

const GAP = 150; // ms between two moments that a drag asks for

/**
 * Call back with the show second that somebody asks for.
 *
 * @param {(position: number) => void} seek
 */
export function timelineOf(seek) {
  const input = /** @type {HTMLInputElement} */ (element("position"));
  let [timer, held] = [0, false];
  const ask = () => {
    timer = 0;
    seek(Number(input.value));
  };
  input.addEventListener("input", () => {
    if (!timer) timer = window.setTimeout(ask, GAP);
  });
  // While a finger or the mouse holds the knob it does not move by itself.
  input.addEventListener("pointerdown", () => {
    held = true;
  });
  for (const end of ["pointerup", "pointercancel"])
    window.addEventListener(end, () => {
      held = false;
    });

  return {
    /**
     * A run begins.
     *
     * @param {number} length in show seconds
     * @param {[kind: string, shown: number][]} marks
     */
    lay(length, marks) {
      input.max = String(length);
      input.value = "0";
      element("marks").replaceChildren(
        ...marks.map(([kind, shown]) => {
          const mark = document.createElement("i");
          mark.className = kind;
          mark.style.left = `${(100 * shown) / length}%`;
          return mark;
        }),
      );
    },

    /**
     * The run goes on.
     *
     * @param {number} shown the show second
     * @param {string} text what that is
     */
    reach(shown, text) {
      if (!held && !timer) input.value = String(shown);
      input.setAttribute("aria-valuetext", text);
    },
  };
}
