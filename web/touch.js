// Fingers on the terminal: a drag scrolls it, and goes on for a while when it was quick.
//
// xterm.js 6.0.0 has lost this (its issue 5489; no release has it back yet).

/** @import { Terminal } from "./vendor/xterm.mjs" */

const FRICTION = 0.95; // of the speed that is left after a sixtieth of a second
const SLOWEST = 0.02; // px per ms below which it stands still

/**
 * Let fingers scroll the terminal.
 *
 * @param {HTMLElement} element that the terminal fills
 * @param {Terminal} terminal
 */
export function scrollByTouch(element, terminal) {
  let [last, when, speed, rest] = [0, 0, 0, 0]; // px, ms, px per ms, px not scrolled yet
  let gliding = 0;

  const scroll = (/** @type {number} */ pixels) => {
    const row = element.clientHeight / terminal.rows;
    rest += pixels;
    const lines = Math.trunc(rest / row);
    rest -= lines * row;
    if (lines) terminal.scrollLines(lines);
  };
  const glide = (/** @type {number} */ before) => {
    gliding = requestAnimationFrame((now) => {
      scroll(speed * (now - before));
      speed *= FRICTION ** ((now - before) / (1000 / 60));
      if (Math.abs(speed) > SLOWEST) glide(now);
      else delete element.dataset.gliding;
    });
  };

  element.addEventListener(
    "touchstart",
    ({ touches, timeStamp }) => {
      cancelAnimationFrame(gliding);
      delete element.dataset.gliding;
      [last, when, speed, rest] = [touches[0]?.clientY ?? 0, timeStamp, 0, 0];
    },
    { passive: true },
  );
  element.addEventListener(
    "touchmove",
    (event) => {
      const [finger] = event.touches;
      if (!finger || event.touches.length > 1) return; // two of them zoom
      event.preventDefault(); // the page itself stays where it is
      const moved = last - finger.clientY;
      speed = moved / Math.max(event.timeStamp - when, 1);
      [last, when] = [finger.clientY, event.timeStamp];
      scroll(moved);
    },
    { passive: false },
  );
  element.addEventListener("touchend", ({ timeStamp }) => {
    if (timeStamp - when >= 50 || Math.abs(speed) <= SLOWEST) return;
    element.dataset.gliding = ""; // the tap that ends it is no other tap
    glide(timeStamp);
  });
}
