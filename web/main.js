// The page: shows the text from the worker, and sends it the visitor's wishes.
//
// Its state is the root element's data-state: loading, playing, ended or failed.

import { addressOf, commandOf, merged, readAddress, shownBy } from "./address.js";
import { listen, share, toggleFullScreen } from "./controls.js";
import { element, fail, failToStart, rest, showProgress, whenFailed } from "./loading.js";
import { forget, keepForLater } from "./offline.js";
import { playPrelude } from "./prelude.js";
import { FASTEST, OPTIONS, SKIP, SLOWEST } from "./tables.js";
import { chosenTheme, followSystem, nextTheme, remember, themeOf } from "./themes.js";
import { timelineOf } from "./timeline.js";

/** @import { Query } from "./address.js" */
/** @import { FromWorker, Run, ToWorker } from "./messages" */
/** @import { Terminal } from "./vendor/xterm.mjs" */

const root = document.documentElement;
const address = readAddress(location.search);

let asked = address.query; // by the address, then by the settings
/** @type {Run | undefined} */
let run;
let speed = 1;
let paused = false;
let board = true;
let wall = false;
let meant = "auto"; // the view that the options ask for
let hasBoard = true; // whether the run has a board that can be taken away
let typing = false;
let making = ""; // the file that Python makes
/** @type {number | undefined} */
let sought; // the show second from which a run that is over plays again
let reached = ""; // phase and percentage
let at = 0; // simulated seconds
let command = ""; // that the show begins with
/** @type {Worker | undefined} */
let worker;
/** @type {Terminal | undefined} */
let terminal;
/** @type {ReturnType<typeof import("./drawing.js").drawer>["draw"] | undefined} */
let draw;
/** @type {ReturnType<typeof import("./film.js").film> | undefined} */
let filming;
/** @type {(() => void) | undefined} */
let silence; // ends what a screen reader is told

/** @param {ToWorker} message */
const tell = (message) => worker?.postMessage(message);

for (const prompt of document.querySelectorAll(".command")) prompt.textContent = commandOf(asked);

whenFailed(() => {
  if (worker) worker.onmessage = null;
  worker?.terminate();
});

// While Python loads there is a run to see, unless the address asks for another.
const prelude =
  asked.length || address.boot !== "library" || !OPTIONS.includes("from")
    ? undefined
    : playPrelude(element("prelude")).catch(console.info); // Python plays without it

const NO_WORKER =
  "The page may not start a worker here: the browser, or this site's Content-Security-Policy, forbids it.";
const CRASHED = "Python's worker has stopped: the browser's console says why.";
const NO_TERMINAL = "The terminal does not start in this browser: its console says why.";

/** Work that can wait until the show has begun. */
async function finish() {
  keepForLater();
  document.head.append(/** @type {HTMLTemplateElement} */ (element("later")).content);
  const { accelerate } = await import("./terminal.js");
  if (terminal) accelerate(terminal).catch(console.info);
}

// --- the show ----------------------------------------------------------------------------------

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
      else setState("playing");
      refuse("");
      draw?.(`\x1b[2J\x1b[3J\x1b[H\x1b[32m$\x1b[0m ${command}\n`);
      break;
    case "run":
      run = message.run; // "timeline" follows, and what there is to see
      break;
    case "refused":
      asked = asked.filter(([name]) => !message.names.includes(name));
      refuse(message.sentence);
      break;
    case "timeline":
      timeline.lay(message.length, message.marks);
      meant = message.view;
      hasBoard = message.board;
      showPicture(message.wall, board);
      if (sought !== undefined) tell({ type: "seek", position: sought });
      sought = undefined;
      element("timeline").hidden = address.kiosk;
      break;
    case "reached":
      reached = `${message.phase} ${message.percent}%`;
      at = message.at;
      timeline.reach(message.shown, reached);
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
      setState("ended");
      reached = "";
      setTitle();
      root.dataset.status = String(message.status);
      break;
    case "kept":
      kept(message.name, message.content);
      break;
    case "failed":
      fail(message.message);
      break;
  }
}

/** Python is there: the prelude goes on as a run of its own, at the moment that it has reached. */
async function begin() {
  const reached = (await prelude)?.();
  if (reached) asked = reached.run;
  if (reached) play(merged(asked, [["from", `${reached.at}s`]]), []);
  else play(asked);
}

/**
 * Play, instead of what is playing.
 *
 * @param {Query} query
 * @param {Query} typed what of it was asked for
 */
function play(query, typed = query) {
  command = commandOf(typed);
  const given = new Map(query).get("speed-factor") ?? "1";
  setSpeed(given === "max" ? Infinity : Number(given) > 0 ? Number(given) : 1);
  setPaused(false);
  if (terminal)
    tell({ type: "start", query, columns: terminal.cols, rows: terminal.rows, theme: chosenTheme() });
}

/** @param {"playing" | "ended"} state */
function setState(state) {
  root.dataset.state = state;
  element("controls").hidden = address.kiosk;
  labelPause();
}

/** Label the first button: pause, resume or, after the end, again. */
function labelPause() {
  const ended = root.dataset.state === "ended";
  controls.button("pause").textContent = ended ? "again" : paused ? "resume" : "pause";
}

/** @param {boolean} value */
function setPaused(value) {
  paused = value;
  tell({ type: "pause", paused });
  labelPause();
  setTitle();
}

/** Play this run again from its first line. */
function again() {
  play(merged(asked, run?.options ?? []));
}

/** Show the run's progress in the tab's title. */
function setTitle() {
  document.title = [paused && "paused", reached, "llmsim"].filter(Boolean).join(" \u00b7 ");
}

/** @param {boolean} shown */
function setBoard(shown) {
  if (!hasBoard) return playIn("board");
  tell({ type: "board", shown });
  showPicture(wall, shown);
}

/** @param {boolean} shown */
function setWall(shown) {
  if (!hasBoard) return playIn("wall");
  tell({ type: "wall", shown });
  showPicture(shown, board);
}

/**
 * Go on in a view that the run does not have: it was begun as a log alone.
 *
 * @param {string} view
 */
function playIn(view) {
  const here = moment();
  asked = merged(asked, [["view", view]]);
  afresh();
  play(merged(here, [["view", view]]), asked);
}

/** Have the options decide what is shown, and no longer the buttons. */
function afresh() {
  board = true;
  tell({ type: "wall" });
  tell({ type: "board", shown: true });
}

/**
 * Note what is shown, on the buttons and in the address.
 *
 * @param {boolean} shownWall
 * @param {boolean} shownBoard
 */
function showPicture(shownWall, shownBoard) {
  wall = shownWall;
  board = shownBoard;
  controls.button("wall").ariaPressed = String(wall);
  controls.button("board").ariaPressed = String(hasBoard && board);
  nameRun();
}

/** The options of this run as it is shown: the buttons may show another view than was asked for. */
function shown() {
  const now = wall ? "wall" : hasBoard && !board ? "log" : meant === "wall" ? "auto" : meant;
  const here = merged(asked, run?.options ?? []);
  const given = new Map(here);
  if (now === (given.get("view") ?? meant)) return here;
  if (now !== "auto" || given.has("scene")) return merged(here, [["view", now]]);
  return here.filter(([name]) => name !== "view");
}

/** The address names the run, so that a reload, a return or a shared link plays it again. */
function nameRun() {
  history.replaceState(run ? { run: run.options } : history.state, "", addressOf(shown()));
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

/** @param {boolean} on */
function setTyping(on) {
  typing = on;
  tell({ type: "typing", on });
  controls.button("type").ariaPressed = String(on);
  if (on) terminal?.focus();
}

/**
 * Take a key while each key brings a line of the log, whichever key it is; Esc ends that.
 *
 * @param {string} key
 */
function typed(key) {
  if (!typing || root.dataset.state !== "playing") return false;
  if (key === "Escape") setTyping(false);
  else if (key.length === 1 || key === "Enter" || key === "Backspace") tell({ type: "type" });
  else return false;
  return true;
}

/** @param {number} factor */
function setSpeed(factor) {
  speed = factor;
  element("speed").textContent = speed === Infinity ? "max" : `${Number(speed.toPrecision(6))}\u00d7`;
  tell({ type: "speed", factor });
}

/** @param {number} factor */
function changeSpeed(factor) {
  const within = Math.min(speed * factor, FASTEST);
  setSpeed(factor > 1 ? Math.max(speed, within) : Math.min(speed, Math.max(within, SLOWEST)));
  asked = merged(asked, [["speed-factor", speed === Infinity ? "max" : String(speed)]]);
}

/** Play the run with the next seed. */
function next() {
  if (!run) return; // there is none yet
  const seed = BigInt(new Map(run.options).get("seed") ?? 0);
  play(merged(asked, [["seed", String((seed + 1n) % 2n ** 64n)]]));
}

async function changeSettings() {
  const { ask } = await import("./settings.js");
  const theme = root.dataset.theme ?? "auto";
  const view = new Map(shown()).get("view") ?? "";
  const wanted = await ask(
    merged(asked, [
      ["theme", theme],
      ["view", view],
    ]),
  );
  if (!wanted) return;
  visit(wanted.filter(([name]) => name !== "theme"));
  const other = new Map(wanted).get("theme") ?? "auto";
  if (other !== theme) takeTheme(other);
}

async function changeScene() {
  const { pick } = await import("./scenes.js");
  const scene = await pick(new Map(asked).get("scene"));
  if (scene) visit([["scene", scene]]);
}

/**
 * Play what somebody has chosen, in the view that it asks for. The browser's back button leads back.
 *
 * @param {Query} query
 */
function visit(query) {
  asked = query;
  history.pushState(null, "", addressOf(asked));
  afresh();
  play(asked);
}

// --- the controls ------------------------------------------------------------------------------

/** @param {string} name */
function setTheme(name) {
  if (terminal) terminal.options.theme = themeOf(name);
  tell({ type: "theme", name });
}

/** @param {string} name of a theme, or auto: the system's */
function takeTheme(name) {
  remember("theme", name);
  setTheme(chosenTheme());
  nameRun();
  notice(name);
}

/** @param {string} text */
function notice(text) {
  element("notice").textContent = text;
  setTimeout(() => (element("notice").textContent = ""), 2000);
}

const actions = {
  // After the end there is nothing to pause: the same key plays the run again.
  pause: () =>
    root.dataset.state === "ended" ? again() : root.dataset.state === "playing" && setPaused(!paused),
  slower: () => changeSpeed(1 / 2),
  faster: () => changeSpeed(2),
  back: () => tell({ type: "skip", seconds: -SKIP }),
  forward: () => tell({ type: "skip", seconds: SKIP }),
  beginning: () => tell({ type: "seek", position: 0 }),
  restart: again,
  next,
  board: () => setBoard(!board),
  wall: () => setWall(!wall),
  stop: () => tell({ type: "stop" }),
  scenes: () => changeScene().catch((error) => fall(error, "The scenes could not be fetched.")),
  settings: () => changeSettings().catch((error) => fall(error, "The settings could not be fetched.")),
  share: async () => notice(await share(new URL(addressOf(moment()), location.href).href)),
  // The command works without an installed llmsim: uv fetches it and plays the run.
  command: async () => notice(await share(`uvx ${shownBy(run?.command ?? "llmsim", moment())}`, true)),
  screen: toggleFullScreen,
  theme: () => takeTheme(nextTheme()),
  type: () => setTyping(!typing),
  save: () => save().catch((error) => fall(error, "The files could not be fetched.")),
  reader: (/** @type {HTMLElement} */ button) =>
    read(button).catch((error) => fall(error, "The reader could not be fetched.")),
  more: (/** @type {HTMLElement} */ button) => showAll(button),
  help: () => showHelp().catch((error) => fall(error, "The help could not be fetched.")),
};
const controls = listen(element("controls"), actions, typed);

const timeline = timelineOf(seek);

/**
 * Go to another moment of the run; of one that is over, too.
 *
 * @param {number} position in show seconds
 */
function seek(position) {
  if (root.dataset.state !== "ended") return tell({ type: "seek", position });
  sought = position;
  again();
}

/** The options of this moment of this run. */
function moment() {
  const here = shown();
  return at >= 1 && root.dataset.state === "playing" ? merged(here, [["from", `${Math.floor(at)}s`]]) : here;
}

/**
 * Read the log to a screen reader, or no longer.
 *
 * @param {HTMLElement} button
 */
async function read(button) {
  const { readAloud } = await import("./reader.js");
  const on = !silence && terminal;
  silence?.();
  silence = on ? readAloud(on, element("spoken"), () => reached) : undefined;
  button.ariaPressed = String(Boolean(silence));
}

/** Ask what is to be kept of the run: a picture or a film of it, or a file that Python makes. */
async function save() {
  const { choose, handOver, picture } = await import("./save.js");
  if (making) return;
  const kind = filming ? "film" : await choose();
  if (!kind || !terminal) return;
  const name = new Map(run?.options).get("seed");
  if (kind === "png") handOver(`${name}.png`, await picture(terminal));
  else if (kind === "film" && filming) {
    const { content, extension } = await filming();
    handOver(`${name}.${extension}`, content);
    showFilming(undefined);
  } else if (kind === "film") {
    const { film } = await import("./film.js");
    showFilming(film(terminal));
  } else {
    showMaking(document.querySelector(`#save [value="${kind}"] b`)?.textContent ?? kind);
    tell({ type: "keep", kind });
  }
}

/** @param {typeof filming} ending ends the film, if there is one */
function showFilming(ending) {
  filming = ending;
  controls.button("save").textContent = ending ? "end film" : "save";
  controls.button("save").ariaPressed = String(Boolean(ending));
}

/**
 * Say on the button what Python makes: that takes a while.
 *
 * @param {string} what "" for nothing
 */
function showMaking(what) {
  making = what;
  root.toggleAttribute("data-making", Boolean(what));
  controls.button("save").textContent = what ? `making ${what} ...` : "save";
  controls.button("save").ariaBusy = String(Boolean(what));
  if (what) controls.button("save").scrollIntoView({ inline: "center" });
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

/**
 * @param {string} name of the file
 * @param {Uint8Array<ArrayBuffer>} [content]
 */
async function kept(name, content) {
  showMaking("");
  const { handOver } = await import("./save.js");
  if (content) handOver(name, new Blob([content]));
  notice(content ? name : "The file could not be made.");
}

async function showHelp() {
  const { help } = await import("./help.js");
  greeted();
  help();
}

/**
 * Report that something beside the show is missing, in a short notice.
 *
 * @param {unknown} error
 * @param {string} sentence
 */
function fall(error, sentence) {
  console.error(error);
  notice(sentence);
}

/** Remember that the welcome has been read, so that it is not shown again. */
function greeted() {
  delete root.dataset.welcome;
  remember("welcome", "read");
}

/** The kiosk mode: only the terminal is shown, and the screen stays on. */
function keepAwake() {
  root.dataset.kiosk = "";
  const wake = () => navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  wake();
}

async function start() {
  if (typeof WebAssembly === "undefined")
    return fail("This browser has no WebAssembly, or it is switched off; Python needs it.");
  try {
    worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: address.boot });
  } catch (error) {
    return fail(NO_WORKER, error);
  }
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (error) => failToStart(error.message ? CRASHED : NO_WORKER, error.message);

  if (address.kiosk) keepAwake();
  const module = await import("./terminal.js").catch((error) => failToStart(NO_TERMINAL, error));
  if (!module) return;
  terminal = module.openTerminal(element("terminal"), themeOf(chosenTheme()));
  const drawer = module.drawer(terminal);
  draw = drawer.draw;
  followSystem(setTheme);
  setTheme(chosenTheme());
  setTyping(address.typing);
  element("terminal").addEventListener("click", () => typed(" ")); // for those who have no keys
  terminal.onResize(({ cols, rows }) => {
    drawer.hurry();
    tell({ type: "resize", columns: cols, rows });
  });
  module.onInterrupt(terminal, () => tell({ type: "stop" }));
  if (window.top === window) terminal.focus(); // in a frame the focus stays with the outer page
  if (!prelude) play(asked);
}

window.addEventListener("popstate", () => {
  asked = readAddress(location.search).query;
  afresh();
  play(asked);
});
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
