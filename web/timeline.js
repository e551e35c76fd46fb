// The timeline: where the run is, with marks where it validates, saves and fails; who moves it seeks.

import { element } from "./loading.js";

const GAP = 150; // ms between two moments that a drag asks for
const NEAR = 0.006; // of the line, within which a mark is meant

/**
 * Call back with the show second that somebody asks for.
 *
 * @param {(position: number) => void} seek
 */
export function timelineOf(seek) {
  const input = /** @type {HTMLInputElement} */ (element("position"));
  const place = element("place");
  let [timer, held] = [0, false];
  let [length, marks] = [1, /** @type {[kind: string, shown: number][]} */ ([])];

  /** @param {number} shown the show second whose time and mark the label says */
  const label = (shown) => {
    const away = (/** @type {number} */ at) => Math.abs(at - shown) / length;
    // Trouble comes last in the list: of two that are equally near it is said.
    const [kind, at] = marks.reduce(
      (best, mark) => (away(mark[1]) <= away(best[1]) ? mark : best),
      ["", Infinity],
    );
    const seconds = Math.floor(shown);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    place.textContent = away(at) < NEAR ? `${time} ${kind}` : time;
    place.style.left = `clamp(5em, ${(100 * shown) / length}%, 100% - 5em)`;
    place.hidden = false;
  };
  const point = (/** @type {PointerEvent} */ { clientX }) => {
    const { left, width } = element("marks").getBoundingClientRect();
    label(Math.min(Math.max((clientX - left) / width, 0), 1) * length);
  };
  const unlabel = () => {
    place.hidden = true;
  };
  const follow = () => {
    if (input.matches(":focus-visible")) label(Number(input.value));
  };
  for (const move of /** @type {const} */ (["pointermove", "pointerdown"]))
    input.addEventListener(move, point);
  for (const end of ["pointerleave", "blur"]) input.addEventListener(end, unlabel);
  input.addEventListener("focus", follow);
  const ask = () => {
    timer = 0;
    seek(Number(input.value));
  };
  input.addEventListener("input", () => {
    if (!timer) timer = window.setTimeout(ask, GAP);
    follow();
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
     * @param {number} lasting in show seconds
     * @param {[kind: string, shown: number][]} marked
     */
    lay(lasting, marked) {
      [length, marks] = [lasting, marked];
      input.max = String(length);
      input.value = "0";
      element("marks").replaceChildren(
        ...marks.map(([kind, shown]) => {
          const mark = document.createElement("i");
          mark.className = `mark ${kind}`;
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
      if (!held && !timer) {
        input.value = String(shown);
        follow();
      }
      input.setAttribute("aria-valuetext", text);
    },
  };
}
