// Python lives here: Pyodide plays the run, and its text goes to the page by messages.

import { addressOf, fail, load, NO_MEMORY, OUT_OF_MEMORY, plainFetch, post, wanted } from "./fetching.js";
import { lock } from "./files.js";

/** @import { PyodideAPI } from "./vendor/pyodide.mjs" */
/** @import { Size, ToWorker } from "./messages" */

/**
 * The face of src/llmsim/hosts/browser.py and of its page.py.
 *
 * @typedef {object} Page
 * @property {(columns: number, rows: number) => void} resize
 * @property {(size: number) => void} drawn
 * @property {(paused: boolean) => void} pause
 * @property {(factor: number) => void} speed
 * @property {(shown: boolean) => void} board
 * @property {(shown: boolean) => void} wall
 * @property {(position: number) => void} seek
 * @property {(seconds: number) => void} skip
 * @property {(name: string) => void} theme
 * @property {(on: boolean) => void} typing
 * @property {() => void} key
 * @property {() => void} stop
 *
 * @typedef {object} Host
 * @property {(post: (text: string, size: number) => void, columns: number, rows: number,
 *   announce: (message: string) => void) => Page} Page
 * @property {(query: [string, string][], page: Page, at: string) => Promise<number>} main
 * @property {(kind: string, page: Page) => Promise<{ toJs: () => [string, Uint8Array<ArrayBuffer>] }>} keep
 */

/**
 * Start Pyodide; the options are those in which the ways to start differ.
 *
 * @param {Parameters<typeof import("./vendor/pyodide.mjs").loadPyodide>[0]} [options]
 * @returns {Promise<PyodideAPI>}
 */
async function start(options) {
  const [{ loadPyodide }, engine] = await Promise.all(["pyodide.mjs", "pyodide.asm.mjs"].map(load));
  const indexURL = new URL("./", import.meta.url).href;
  return loadPyodide({ createPyodideModule: engine.default, indexURL, ...options });
}

/**
 * The ways to start Python with llmsim in it; the page names this worker after the one it wants.
 *
 * @type {Record<string, () => Promise<PyodideAPI>>}
 */
const starts = {
  // One archive has all the Python there is to run, compiled: see tools/make_library.py.
  library: () => start({ stdLibURL: addressOf("library.zip"), lockFileContents: lock }),

  // Pyodide as it comes, and the wheel installed as any other would be.
  micropip: async () => {
    const pyodide = await start();
    const [own, micropip] = wanted.filter((name) => name.endsWith(".whl")).map(addressOf);
    await pyodide.loadPackage(micropip ?? "", { messageCallback: () => {} });
    await pyodide.pyimport("micropip").install(own);
    return pyodide;
  },
};

/** @returns {Promise<Host>} */
async function boot() {
  const pyodide = await starts[self.name]?.();
  Object.assign(self, { pyodide }); // for whoever opens the console
  return pyodide?.pyimport("llmsim.hosts.browser");
}

const STOPPED = 130; // the exit status of a show that somebody has stopped

/** @type {Size} */
let size = { columns: 80, rows: 24 };
let board = true;
let theme = "auto";
let typing = false;
/** @type {boolean | undefined} */
let wall; // until somebody chooses, the address does
/** @type {Page | undefined} */
let page;
/** @type {Promise<number> | undefined} */
let show;
let shows = 0;
let stopped = false; // since the newest show was asked for

/**
 * Play, instead of what is playing.
 *
 * @param {[string, string][]} query
 * @param {string} at where the first run begins; "" for where the query says
 */
async function play(query, at) {
  const number = ++shows;
  const host = await booted;
  stopped = false; // while Python loads there is nothing to stop
  page?.stop();
  await show;
  if (number !== shows) return; // another has been asked for since
  if (stopped) return post({ type: "ended", status: STOPPED }); // while the show before it ended
  post({ type: "began" });
  page = host.Page(
    (text, size) => post({ type: "text", text, size }),
    size.columns,
    size.rows,
    (message) => post(JSON.parse(message)),
  );
  page.theme(theme);
  page.typing(typing);
  page.board(board);
  if (wall !== undefined) page.wall(wall);
  show = host.main(query, page, at);
  const status = await show;
  if (number === shows) post({ type: "ended", status });
}

/**
 * Say what is wrong with a query. What Python cannot say, it says when it plays.
 *
 * @param {[string, string][]} query
 */
async function check(query) {
  let sentence = "";
  try {
    await booted;
    sentence = /** @type {any} */ (self).pyodide.pyimport("llmsim.hosts.messages").check(query);
  } catch (error) {
    console.error(error);
  }
  post({ type: "checked", sentence });
}

/** @type {Promise<void> | undefined} */
let complete;

/** Fetch what makes files of runs, which is not in the library. */
async function addMore() {
  const response = await plainFetch(addressOf("later.bin"));
  if (!response.ok) throw new Error(`later.bin could not be fetched (status ${response.status}).`);
  const { pyodide } = /** @type {any} */ (self);
  pyodide.pyimport("sitecustomize").add(pyodide.toPy(new Uint8Array(await response.arrayBuffer())));
}

/**
 * Make a file of the run that plays.
 *
 * @param {string} kind
 */
async function keep(kind) {
  const host = await booted;
  if (self.name === "library") {
    complete ??= addMore();
    complete.catch(() => (complete = undefined)); // the next time may be luckier
    await complete;
  }
  if (!page) throw new Error("There is no run.");
  const [name, content] = (await host.keep(kind, page)).toJs();
  post({ type: "kept", name, content });
}

/** @param {unknown} error */
function crash(error) {
  console.error(error); // a Python traceback, as a rule
  const message = error instanceof Error ? error.message : String(error);
  if (OUT_OF_MEMORY.test(message)) fail(NO_MEMORY);
  // Of a traceback the last line says what happened, in Python's words.
  else if (message.includes("Traceback")) fail(`Python has stopped: ${message.trimEnd().split("\n").at(-1)}`);
  else fail("Python has stopped: the browser's console says why.");
}

/** @param {MessageEvent<ToWorker>} event */
self.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      size = data;
      theme = data.theme;
      play(data.query, data.at).catch(crash);
      break;
    case "check":
      check(data.query);
      break;
    case "resize":
      size = data;
      page?.resize(size.columns, size.rows);
      break;
    case "drawn":
      page?.drawn(data.size);
      break;
    case "pause":
      page?.pause(data.paused);
      break;
    case "speed":
      page?.speed(data.factor);
      break;
    case "board":
      board = data.shown;
      page?.board(board);
      break;
    case "wall":
      wall = data.shown;
      if (wall !== undefined) page?.wall(wall);
      break;
    case "seek":
      page?.seek(data.position);
      break;
    case "skip":
      page?.skip(data.seconds);
      break;
    case "theme":
      theme = data.name;
      page?.theme(theme);
      break;
    case "typing":
      typing = data.on;
      page?.typing(typing);
      break;
    case "type":
      page?.key();
      break;
    case "keep":
      keep(data.kind).catch((error) => {
        console.error(error);
        post({ type: "kept", name: "" });
      });
      break;
    case "stop":
      stopped = true;
      page?.stop();
      break;
  }
};

// The download begins before the page says start.
const booted = boot();
booted.then(() => post({ type: "ready" })).catch(() => {}); // told by play
