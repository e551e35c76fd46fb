// How often the terminal is drawn: as often as this machine can afford.
//
// Text comes ten times a second and more. Where there is no graphics card, each drawing takes its
// time, so what comes is gathered until drawing takes no more than a small share of it.

/** @import { Terminal } from "./vendor/xterm.mjs" */

const SHARE = 0.05; // of the time, for drawing
const LONGEST = 500; // ms between two drawings: a slow machine is not made to stand still
const FLOOD = 8192; // characters that are drawn without a wait: somebody wants to see them fly by

/**
 * Writes to the terminal: `draw` calls back when a text is taken in, and after `hurry` the next one
 * does not wait, as after a resize, when what stands there is wrong.
 *
 * @param {Terminal} terminal
 */
export function drawer(terminal) {
  let waiting = "";
  /** @type {(() => void)[]} */
  let calls = [];
  let [timer, last, cost] = [0, 0, 0]; // when the last drawing was, and what one takes, in ms

  const flush = () => {
    const [text, taken] = [waiting, calls];
    [waiting, calls, timer, last] = ["", [], 0, performance.now()];
    terminal.write(text, () => {
      for (const call of taken) call();
      requestAnimationFrame(measure); // after the terminal's own, which draws
    });
  };

  // A message comes after the frame has been painted.
  const { port1, port2 } = new MessageChannel();
  let began = 0;
  const measure = (/** @type {number} */ frame) => {
    began = frame;
    port2.postMessage(null);
  };
  port1.onmessage = () => {
    cost += (performance.now() - began - cost) / 4; // a mean that forgets
  };

  const draw = (/** @type {string} */ text, /** @type {() => void} */ call = () => {}) => {
    waiting += text;
    calls.push(call);
    if (timer) {
      if (waiting.length < FLOOD) return;
      clearTimeout(timer);
    }
    const wait = waiting.length < FLOOD ? Math.min(cost / SHARE, LONGEST) - (performance.now() - last) : 0;
    if (wait > 4) timer = window.setTimeout(flush, wait);
    else flush();
  };
  const hurry = () => {
    clearTimeout(timer);
    flush();
    last = -LONGEST;
  };
  return { draw, hurry };
}
