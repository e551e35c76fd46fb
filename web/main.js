// The page: shows how loading goes, then what the worker writes, and says so when it cannot.
//
// Its state stands on the root element as data-state: loading, playing, ended or failed.

/** @import { Terminal } from "./vendor/xterm.mjs" */
/** @import { FromWorker, ToWorker } from "./messages" */

const PATIENCE = 60_000; // ms without any news while loading

const root = document.documentElement;
const total = Number(root.dataset.bytes); // of all downloads, written by the build
const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Worker | undefined} */
let worker;
/** @type {Terminal | undefined} */
let terminal;

/** @param {ToWorker} message */
const tell = (message) => worker?.postMessage(message);

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
 */
function showProgress(loaded) {
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

/** @param {FromWorker} message */
function hear(message) {
  switch (message.type) {
    case "progress":
      showProgress(message.loaded);
      break;
    case "text":
      clearTimeout(timeout);
      root.dataset.state = "playing";
      terminal?.write(message.text, () => tell({ type: "drawn", size: message.size }));
      break;
    case "ended":
      root.dataset.state = "ended";
      root.dataset.status = String(message.status);
      break;
    case "failed":
      fail(message.message);
      break;
  }
}

async function start() {
  if (typeof WebAssembly === "undefined")
    throw new Error("This browser has no WebAssembly, or it is switched off; Python needs it.");
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = ({ message }) =>
    fail(message ? `The worker stopped: ${message}` : "worker.js, or what it imports, could not be loaded.");

  const { openTerminal, onInterrupt } = await import("./terminal.js");
  terminal = openTerminal(element("terminal"));
  terminal.onResize(({ cols, rows }) => tell({ type: "resize", columns: cols, rows }));
  onInterrupt(terminal, () => tell({ type: "stop" }));
  terminal.focus();
  const query = [...new URLSearchParams(location.search)];
  tell({ type: "start", query, columns: terminal.cols, rows: terminal.rows });
}

element("retry").addEventListener("click", () => location.reload());
start().catch((error) => fail(String(error.message ?? error)));
