// The page: shows how loading goes, then what the worker writes, and says so when it cannot.
//
// Its state stands on the root element as data-state: loading, playing, ended or failed.

import { addressOf, commandOf, merged, readAddress } from "./address.js";
import { copy, listen, toggleFullScreen } from "./controls.js";
import { forget, keepForLater } from "./offline.js";
import { THEMES } from "./themes.js";

/** @import { Query } from "./address.js" */
/** @import { FromWorker, Run, ToWorker } from "./messages" */
/** @import { Terminal } from "./vendor/xterm.mjs" */

const PATIENCE = 60_000; // ms without any news while loading
const [SLOWEST, FASTEST] = [2 ** -6, 2 ** 10]; // that keys lead to

const root = document.documentElement;
const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const address = readAddress(location.search);

let asked = address.query; // by the address, then by the settings
/** @type {Run | undefined} */
let run;
let speed = 1;
let paused = false;
let board = true;
let reached = ""; // phase and percentage
/** @type {Worker | undefined} */
let worker;
/** @type {Terminal | undefined} */
let terminal;

/** @param {ToWorker} message */
const tell = (message) => worker?.postMessage(message);

// --- loading -----------------------------------------------------------------------------------

for (const prompt of document.querySelectorAll(".command")) prompt.textContent = commandOf(asked);

/**
 * Say why there is nothing to see. The first reason counts: others follow from it.
 *
 * @param {string} message
 */
function fail(message) {
  if (root.dataset.state === "failed") return;
  clearTimeout(timeout);
  if (worker) worker.onmessage = null;
  worker?.terminate();
  element("reason").textContent = message;
  root.dataset.state = "failed";
}

const waitedLongEnough = () => fail(`Nothing has arrived for ${PATIENCE / 1000} seconds.`);
let timeout = setTimeout(waitedLongEnough, PATIENCE);

/**
 * Draw the bar that a Python program would draw.
 *
 * @param {number} loaded
 * @param {number} total
 */
function showProgress(loaded, total) {
  clearTimeout(timeout);
  timeout = setTimeout(waitedLongEnough, PATIENCE);
  const share = Math.min(loaded / total, 1);
  const cells = Math.round(share * 24);
  const bar = "█".repeat(cells).padEnd(24, "░");
  const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
  element("progress").textContent =
    share < 1
      ? `Fetching Python ${bar} ${megabytes(loaded)}/${megabytes(total)} MB`
      : `Starting Python ${bar} ${megabytes(total)} MB`;
}

/** What can wait until the show has begun. */
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
      showProgress(message.loaded, message.total);
      break;
    case "began":
      clearTimeout(timeout);
      if (root.dataset.state === "loading") setTimeout(finish, 1000);
      root.dataset.state = "playing";
      terminal?.write(`\x1b[2J\x1b[3J\x1b[H\x1b[32m$\x1b[0m ${commandOf(message.query)}\n`);
      break;
    case "run":
      run = message.run;
      history.replaceState({ run: run.options }, ""); // for those who come back
      break;
    case "reached":
      reached = `${message.phase} ${message.percent}%`;
      setTitle();
      break;
    case "text":
      terminal?.write(message.text, () => tell({ type: "drawn", size: message.size }));
      break;
    case "ended":
      root.dataset.state = "ended";
      reached = "";
      setTitle();
      root.dataset.status = String(message.status);
      break;
    case "failed":
      fail(message.message);
      break;
  }
}

/**
 * Play, instead of what is playing.
 *
 * @param {Query} query
 */
function play(query) {
  const given = new Map(query).get("speed-factor") ?? "1";
  setSpeed(given === "max" ? Infinity : Number(given) > 0 ? Number(given) : 1);
  setPaused(false);
  if (terminal) tell({ type: "start", query, columns: terminal.cols, rows: terminal.rows });
}

/** @param {boolean} value */
function setPaused(value) {
  paused = value;
  tell({ type: "pause", paused });
  controls.button("pause").textContent = paused ? "resume" : "pause";
  setTitle();
}

/** The tab says how far the run is. */
function setTitle() {
  document.title = [paused && "paused", reached, "llmsim"].filter(Boolean).join(" · ");
}

/** @param {boolean} shown */
function setBoard(shown) {
  board = shown;
  tell({ type: "board", shown });
  controls.button("board").ariaPressed = String(shown);
}

/** @param {number} factor */
function setSpeed(factor) {
  speed = factor;
  element("speed").textContent = speed === Infinity ? "max" : `${Number(speed.toPrecision(6))}×`;
  tell({ type: "speed", factor });
}

/** @param {number} factor */
function changeSpeed(factor) {
  const within = Math.min(speed * factor, FASTEST);
  setSpeed(factor > 1 ? Math.max(speed, within) : Math.min(speed, Math.max(within, SLOWEST)));
  asked = merged(asked, [["speed-factor", speed === Infinity ? "max" : String(speed)]]);
}

/** The run after the one that plays. */
function next() {
  const seed = BigInt(new Map(run?.options).get("seed") ?? 0);
  play(merged(asked, [["seed", String((seed + 1n) % 2n ** 64n)]]));
}

async function changeSettings() {
  const { ask } = await import("./settings.js");
  const wanted = await ask(asked);
  if (!wanted) return;
  asked = wanted;
  history.pushState(null, "", addressOf(asked));
  play(asked);
}

// --- the controls ------------------------------------------------------------------------------

/** @param {string} name */
function setTheme(name) {
  const theme = THEMES[name] ?? THEMES.dark;
  root.dataset.theme = name;
  if (terminal && theme) {
    terminal.options.theme = theme;
    // The log chooses its colours for any screen: what is too faint on this one is lifted.
    terminal.options.minimumContrastRatio = 4.5;
  }
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", theme?.background ?? "");
  controls.button("theme").textContent = name === "light" ? "dark" : "light";
}

/** @param {string} text */
function notice(text) {
  element("notice").textContent = text;
  setTimeout(() => (element("notice").textContent = ""), 2000);
}

const controls = listen(element("controls"), {
  pause: () => root.dataset.state === "playing" && setPaused(!paused),
  slower: () => changeSpeed(1 / 2),
  faster: () => changeSpeed(2),
  restart: () => play(merged(asked, run?.options ?? [])),
  next,
  board: () => setBoard(!board),
  stop: () => tell({ type: "stop" }),
  settings: () => changeSettings().catch((error) => notice(error.message)),
  link: async () => notice(await copy(new URL(addressOf(run?.options ?? asked), location.href).href)),
  command: async () => notice(await copy(run?.command ?? commandOf(asked))),
  screen: toggleFullScreen,
  theme: () => {
    const name = root.dataset.theme === "light" ? "dark" : "light";
    setTheme(name);
    remember("theme", name);
  },
  reader: (button) => {
    if (!terminal) return;
    terminal.options.screenReaderMode = !terminal.options.screenReaderMode;
    button.ariaPressed = String(terminal.options.screenReaderMode);
  },
});

/**
 * Keep a choice for the next visit, or look it up; some browsers allow neither.
 *
 * @param {string} name
 * @param {string} [value]
 */
function remember(name, value) {
  try {
    if (value) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** The screen saver: nothing but the terminal, and the screen stays on. */
function keepAwake() {
  root.dataset.kiosk = "";
  const wake = () => navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  wake();
}

async function start() {
  if (typeof WebAssembly === "undefined")
    throw new Error("This browser has no WebAssembly, or it is switched off; Python needs it.");
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: address.boot });
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = ({ message }) =>
    fail(message ? `The worker stopped: ${message}` : "worker.js, or what it imports, could not be loaded.");

  if (address.kiosk) keepAwake();
  const { openTerminal, onInterrupt } = await import("./terminal.js");
  terminal = openTerminal(element("terminal"), THEMES.dark ?? {});
  setTheme(remember("theme") === "light" ? "light" : "dark");
  terminal.onResize(({ cols, rows }) => tell({ type: "resize", columns: cols, rows }));
  onInterrupt(terminal, () => tell({ type: "stop" }));
  if (window.top === window) terminal.focus(); // a frame does not take it from its page
  // Who comes back finds the run that was left; who reloads gets a fresh one.
  const [arrival] = performance.getEntriesByType("navigation");
  const back = arrival instanceof PerformanceNavigationTiming && arrival.type === "back_forward";
  play(merged(asked, (back && history.state?.run) || []));
}

window.addEventListener("popstate", ({ state }) => {
  asked = readAddress(location.search).query;
  play(merged(asked, state?.run ?? []));
});
element("retry").addEventListener("click", async () => {
  await forget();
  location.reload();
});
start().catch((error) => fail(String(error.message ?? error)));
