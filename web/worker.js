// Python lives here: Pyodide plays the run, and its text goes to the page by messages.

import { boots, files, lock } from "./files.js";

/** @import { PyodideAPI } from "./vendor/pyodide.mjs" */
/** @import { FromWorker, Size, ToWorker } from "./messages" */

/**
 * The face of src/llmsim/hosts/browser.py.
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
 * @property {(query: [string, string][], page: Page) => Promise<number>} main
 * @property {(kind: string, page: Page) => Promise<{ toJs: () => [string, Uint8Array<ArrayBuffer>] }>} keep
 */

/** @param {FromWorker} message */
const post = (message) => self.postMessage(message);

const OUT_OF_MEMORY = /memory/i; // in the words of any engine
const NO_MEMORY = "The browser gives Python no more memory: close other tabs and windows, then try again.";

/**
 * Tell the page that nothing will come.
 *
 * @param {string} message
 */
function fail(message) {
  const reason = OUT_OF_MEMORY.test(message) ? NO_MEMORY : message;
  post({ type: "failed", message: reason });
  return new Error(reason);
}

// Python without memory dies as it chooses, often in silence, so its requests are listened to. It
// asks for more than it needs first: what counts is that in the end it got nothing.
const { grow } = WebAssembly.Memory.prototype;
let starved = false;
WebAssembly.Memory.prototype.grow = function (pages) {
  starved = true;
  setTimeout(() => starved && fail(NO_MEMORY));
  const before = grow.call(this, pages);
  starved = false;
  return before;
};

const wanted = boots[self.name] ?? [];
const total = wanted.reduce((sum, name) => sum + (files[name]?.size ?? 0), 0);
const missing = new Set(wanted); // what has not come whole
let loaded = 0;
let told = 0; // when the page was told so last

/** @param {number} bytes */
function advance(bytes) {
  loaded += bytes;
  const now = performance.now();
  if (now - told < 40 && loaded < total && missing.size) return;
  told = now;
  post({ type: "progress", loaded, total, missing: [...missing] });
}

/** @param {string} name */
const addressOf = (name) => new URL(files[name]?.url ?? name, import.meta.url).href;

/**
 * Read a copy of a download, to tell the page how far it is and to see that all of it comes.
 *
 * @param {Response} response
 * @param {string} name
 */
async function watch(response, name) {
  const size = files[name]?.size ?? 0;
  let left = size;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    left -= part.value.byteLength;
    advance(part.value.byteLength);
  }
  if (left > 0) throw new Error(`${size - left} of ${size} bytes have come`);
  if (left < 0) throw new Error(`${-left} bytes more than its ${size} have come`);
  missing.delete(name);
  advance(0);
}

const plainFetch = self.fetch;
/** @type {Promise<unknown>[]} */
const watched = [];

/**
 * Fetch a file, and say so if that goes wrong. A file that is missing or has the wrong type must
 * fail here, by its name: Pyodide would wait for it for ever.
 *
 * @param {string} name
 */
async function download(name) {
  const response = await plainFetch(addressOf(name)).catch(() => {
    throw fail(`${name} could not be fetched: the server does not answer, or a policy forbids it.`);
  });
  const type = response.headers.get("Content-Type") ?? "no type";
  if (!response.ok) throw fail(`${name} could not be fetched (status ${response.status}).`);
  if (name.endsWith(".wasm") && !type.startsWith("application/wasm"))
    throw fail(`${name} is served as ${type}; it has to be application/wasm.`);
  const whole = watch(response.clone(), name).catch((error) => {
    console.error(error);
    const count = /bytes/.test(error.message) ? error.message : "the connection is gone";
    fail(`${name} broke off while it was loading: ${count}.`);
  });
  watched.push(whole);
  return response;
}

// All downloads begin at once. Pyodide asks for its files itself, one after the other, and gets
// them from here.
const arriving = new Map(
  wanted.filter((name) => !name.endsWith(".mjs")).map((name) => [name, download(name)]),
);
for (const response of arriving.values()) response.catch(() => {}); // told already

self.fetch = async (input, init) => {
  const { pathname } = new URL(new Request(input).url);
  const name = pathname.split("/").at(-1) ?? "";
  const response = arriving.get(name) ?? plainFetch(input, init);
  arriving.delete(name); // it can be read once
  return response;
};

// When the engine cannot start, as without enough memory, Pyodide warns and waits for ever.
const instantiate = WebAssembly.instantiateStreaming;
WebAssembly.instantiateStreaming = (source, imports) =>
  instantiate(source, imports).catch(async (error) => {
    await Promise.all(watched); // a download that broke off says more
    console.error(error);
    throw fail(reasonOf(String(error.message)));
  });

/** @param {string} message of the engine's failure, in the browser's words */
function reasonOf(message) {
  if (OUT_OF_MEMORY.test(message)) return NO_MEMORY;
  if (/content.?security.?policy|unsafe-eval|embedder/i.test(message))
    return "This site's Content-Security-Policy forbids WebAssembly: its script-src needs 'wasm-unsafe-eval'.";
  return "Python could not be started: pyodide.asm.wasm is damaged, or this browser is too old for it.";
}

/**
 * Import one of the wanted modules.
 *
 * @param {string} name
 */
async function load(name) {
  const module = await import(addressOf(name)).catch((error) => {
    console.error(error);
    throw fail(`${name} could not be loaded: it is missing, damaged or served as another type.`);
  });
  missing.delete(name);
  advance(files[name]?.size ?? 0);
  return module;
}

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

/**
 * Play, instead of what is playing.
 *
 * @param {[string, string][]} query
 */
async function play(query) {
  const number = ++shows;
  const host = await booted;
  page?.stop();
  await show;
  if (number !== shows) return; // another has been asked for since
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
  show = host.main(query, page);
  const status = await show;
  if (number === shows) post({ type: "ended", status });
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
      play(data.query).catch(crash);
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
      page?.stop();
      break;
  }
};

// The download begins before the page says start.
const booted = boot();
booted.then(() => post({ type: "ready" })).catch(() => {}); // told by play
