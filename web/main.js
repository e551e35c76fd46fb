// The page: shows the text from the worker, and sends it the visitor's wishes.
//
// Its state is the root element's data-state: loading, playing, ended or failed.

import { commandOf, shownBy } from "./address.js";
import { fall, listen, notice, share, toggleFullScreen } from "./controls.js";
import { element, fail, failToStart, rest, showProgress, whenFailed } from "./loading.js";
import { forget, keepForLater } from "./offline.js";
import { playPrelude } from "./prelude.js";
import {
  address,
  again,
  changeSpeed,
  next,
  pauseOrPlay,
  play,
  seek,
  setPaused,
  setState,
  setTitle,
  show,
  tell,
} from "./show.js";
import { OPTIONS, SKIP } from "./tables.js";
import { chosenTheme, followSystem, nextTheme, remember, themeOf } from "./themes.js";
import { timelineOf } from "./timeline.js";
import {
  addressOfMoment,
  beginTyping,
  here,
  meet,
  revisit,
  setTheme,
  takeTheme,
  toggleBoard,
  toggleTyping,
  toggleWall,
  typed,
} from "./view.js";

/** @import { FromWorker } from "./messages" */

const root = document.documentElement;

let wrong = address.wrong; // what is wrong in the address and is not for Python to say
/** @type {ReturnType<typeof import("./drawing.js").drawer>["draw"] | undefined} */
let draw;

for (const prompt of document.querySelectorAll(".command")) prompt.textContent = commandOf(show.asked);

whenFailed(() => {
  if (show.worker) show.worker.onmessage = null;
  show.worker?.terminate();
});

// While Python loads there is a run to see, unless the address asks for another.
const prelude =
  show.asked.length || address.at || address.boot !== "library" || !OPTIONS.includes("from")
    ? undefined
    : playPrelude(element("prelude")).catch(console.info); // Python plays without it

const NO_WORKER =
  "The page may not start a worker here: the browser, or this site's Content-Security-Policy, forbids it.";
const CRASHED = "Python's worker has stopped: the browser's console says why.";
const REFUSED = 2; // the exit status of a run that cannot be
const NO_TERMINAL = "The terminal does not start in this browser: its console says why.";

/** Work that can wait until the show has begun. */
async function finish() {
  keepForLater();
  document.head.append(/** @type {HTMLTemplateElement} */ (element("later")).content);
  const { accelerate } = await import("./terminal.js");
  if (show.terminal) accelerate(show.terminal).catch(console.info);
}

// --- what the worker says ------------------------------------------------------------------------

/** @param {FromWorker} message */
function hear(message) {
  switch (message.type) {
    case "progress":
      showProgress(message.loaded, message.total, message.missing);
      break;
    case "ready":
      if (prelude) begin();
      break;
    case "began":
      rest();
      if (root.dataset.state === "loading") setTimeout(finish, 1000);
      refuse(wrong);
      draw?.(
        `\x1b[2J\x1b[3J\x1b[H\x1b[32m$\x1b[0m ${show.command}\n`,
        () => root.dataset.state === "loading" || setState("playing"),
      );
      break;
    case "run":
      show.run = message.run; // "timeline" follows, and what there is to see
      break;
    case "refused":
      show.asked = show.asked.filter(([name]) => !message.names.includes(name));
      refuse([wrong, message.sentence].filter(Boolean).join(" "));
      break;
    case "timeline":
      wrong = ""; // said once, as what Python refuses
      timeline.lay(message.length, message.marks);
      meet(message);
      if (show.sought !== undefined) tell({ type: "seek", position: show.sought });
      show.sought = undefined;
      if (address.paused) setPaused(true);
      address.paused = false; // the runs after it play
      element("timeline").hidden = address.kiosk;
      break;
    case "reached":
      show.reached = `${message.phase} ${message.percent}%`;
      show.at = message.at;
      timeline.reach(message.shown, show.reached);
      setTitle();
      break;
    case "text":
      draw?.(message.text, () => {
        tell({ type: "drawn", size: message.size });
        // What is shown while loading stays until there is something to take its place.
        if (root.dataset.state === "loading") setState("playing");
      });
      break;
    case "ended":
      // What has come is drawn first: the terminal is smaller then, and has other rows.
      draw?.("", () => {
        setState("ended");
        show.reached = "";
        setTitle();
        root.dataset.status = String(message.status);
        if (message.status === REFUSED) element("timeline").hidden = true; // it is another run's
      });
      break;
    case "checked":
      import("./settings.js").then(({ checked }) => checked(message.sentence));
      break;
    case "kept":
      import("./keeping.js").then(({ kept }) => kept(message.name, message.content));
      break;
    case "failed":
      fail(message.message);
      break;
  }
}

/** Python is there: the prelude goes on as a run of its own, at the moment that it has reached. */
async function begin() {
  const reached = (await prelude)?.();
  if (reached) show.asked = reached.run;
  if (reached) play(show.asked, [], `${reached.at}s`);
  else play(show.asked);
}

/**
 * Say what is wrong with what was asked for.
 *
 * @param {string} sentence "" for nothing
 */
function refuse(sentence) {
  element("refused").hidden = !sentence || address.kiosk;
  element("refusal").textContent = sentence;
}

/** Remember that the welcome has been read, so that it is not shown again. */
function greeted() {
  delete root.dataset.welcome;
  remember("welcome", "read");
}

/**
 * Show all controls in as many rows as they need, or one row of them, where they have no room in it.
 *
 * @param {HTMLElement} button
 */
function showAll(button) {
  const all = element("controls").toggleAttribute("data-all");
  button.ariaExpanded = String(all);
  button.textContent = all ? "less" : "more";
}

// --- the controls ------------------------------------------------------------------------------

/**
 * Say what could not be fetched, if it could not.
 *
 * @param {string} what
 * @param {Promise<unknown>} done
 */
const fetched = (what, done) => done.catch((error) => fall(error, `The ${what} could not be fetched.`));

const actions = {
  pause: pauseOrPlay,
  slower: () => changeSpeed(1 / 2),
  faster: () => changeSpeed(2),
  back: () => tell({ type: "skip", seconds: -SKIP }),
  forward: () => tell({ type: "skip", seconds: SKIP }),
  beginning: () => tell({ type: "seek", position: 0 }),
  restart: again,
  next,
  board: toggleBoard,
  wall: toggleWall,
  stop: () => tell({ type: "stop" }),
  scenes: () =>
    fetched(
      "scenes",
      import("./scenes.js").then(({ changeScene }) => changeScene()),
    ),
  settings: () =>
    fetched(
      "settings",
      import("./settings.js").then(({ changeSettings }) => changeSettings()),
    ),
  share: async () => notice(await share(new URL(addressOfMoment(), location.href).href)),
  // The command works without an installed llmsim: uv fetches it and plays the run.
  command: async () => notice(await share(`uvx ${shownBy(show.run?.command ?? "llmsim", here())}`, true)),
  screen: toggleFullScreen,
  theme: () => takeTheme(nextTheme()),
  type: toggleTyping,
  save: () =>
    fetched(
      "files",
      import("./keeping.js").then(({ save }) => save()),
    ),
  reader: (/** @type {HTMLElement} */ button) =>
    fetched(
      "reader",
      import("./reader.js").then(({ toggleReading }) => toggleReading(button)),
    ),
  more: (/** @type {HTMLElement} */ button) => showAll(button),
  help: () =>
    fetched(
      "help",
      import("./help.js").then(({ help }) => {
        greeted();
        help();
      }),
    ),
};
listen(actions, typed, () => show.terminal?.focus());

const timeline = timelineOf(seek);

/** Pause, or go on, as a click on a video does. */
function clicked() {
  if (root.dataset.state !== "playing" || root.hasAttribute("data-typing") || address.kiosk) return;
  pauseOrPlay();
  notice(show.paused ? "paused" : "playing");
}

/** In the kiosk mode the screen stays on. */
function keepAwake() {
  const wake = () => navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  wake();
}

async function start() {
  if (typeof WebAssembly === "undefined")
    return fail("This browser has no WebAssembly, or it is switched off; Python needs it.");
  try {
    show.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: address.boot });
  } catch (error) {
    return fail(NO_WORKER, error);
  }
  show.worker.onmessage = ({ data }) => hear(data);
  show.worker.onerror = (error) => failToStart(error.message ? CRASHED : NO_WORKER, error.message);

  if (address.kiosk) keepAwake();
  const module = await import("./terminal.js").catch((error) => failToStart(NO_TERMINAL, error));
  if (!module) return;
  const terminal = module.openTerminal(element("terminal"), themeOf(chosenTheme()));
  show.terminal = terminal;
  const drawer = module.drawer(terminal);
  draw = drawer.draw;
  followSystem(setTheme);
  setTheme(chosenTheme());
  beginTyping();
  element("terminal").addEventListener("click", () => typed(" ")); // for those who have no keys
  module.onClick(terminal, element("terminal"), clicked);
  terminal.onResize(({ cols, rows }) => {
    drawer.hurry();
    tell({ type: "resize", columns: cols, rows });
  });
  module.onInterrupt(terminal, () => tell({ type: "stop" }));
  if (window.top === window) terminal.focus(); // in a frame the focus stays with the outer page
  if (!prelude) play(show.asked, show.asked, address.at);
}

window.addEventListener("popstate", revisit);
element("refused")
  .querySelector("button")
  ?.addEventListener("click", () => refuse(""));
for (const button of element("after").querySelectorAll("button"))
  button.addEventListener("click", () => {
    if (button.dataset.then === "restart") again();
    else if (button.dataset.then === "next") next();
    else actions.scenes();
  });
element("welcome").querySelector("button")?.addEventListener("click", greeted);
element("retry").addEventListener("click", async () => {
  await forget();
  location.reload();
});
start().catch((error) => failToStart(NO_TERMINAL, error));
