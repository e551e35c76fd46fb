// Python lives here: Pyodide plays the run, and its text goes to the page by messages.

import { loadPyodide } from "./vendor/pyodide.mjs";

/** @import { FromWorker, Size, ToWorker } from "./messages" */

/**
 * The face of src/llmsim/hosts/browser.py.
 *
 * @typedef {object} Page
 * @property {(columns: number, rows: number) => void} resize
 * @property {(size: number) => void} drawn
 * @property {() => void} stop
 *
 * @typedef {object} Host
 * @property {(post: (text: string, size: number) => void, columns: number, rows: number) => Page} Page
 * @property {(query: [string, string][], page: Page) => Promise<number>} main
 */

/** @param {FromWorker} message */
const post = (message) => self.postMessage(message);

let loaded = 0;

/**
 * Tell the page how far a download is.
 *
 * @param {Response} response
 */
async function report(response) {
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    loaded += part.value.byteLength;
    post({ type: "progress", loaded });
  }
}

const plainFetch = self.fetch;

// Pyodide fetches its files itself, so this is the one place that sees them all. A file that is
// missing or has the wrong type must fail here, by its name: Pyodide would wait for it for ever.
self.fetch = async (input, init) => {
  const request = new Request(input, init);
  const { pathname } = new URL(request.url);
  const response = await plainFetch(request).catch(() => {
    throw fail(`${pathname} could not be fetched: the server does not answer.`);
  });
  const type = response.headers.get("Content-Type") ?? "no type";
  if (!response.ok) throw fail(`${pathname} could not be fetched (status ${response.status}).`);
  if (pathname.endsWith(".wasm") && !type.startsWith("application/wasm"))
    throw fail(`${pathname} is served as ${type}; it has to be application/wasm.`);
  report(response.clone()).catch(() => fail(`${pathname} broke off while it was loading.`));
  return response;
};

/**
 * Tell the page that nothing will come.
 *
 * @param {string} message
 */
function fail(message) {
  post({ type: "failed", message });
  return new Error(message);
}

/**
 * Start Python with llmsim in it. The wheel is unpacked rather than installed by micropip:
 * it has no dependencies to resolve, and this is half a second faster.
 *
 * @returns {Promise<Host>}
 */
async function boot() {
  const wheel = fetch("llmsim.whl").then((response) => response.arrayBuffer());
  const python = loadPyodide({ indexURL: new URL("vendor/", import.meta.url).href });
  const [bytes, pyodide] = await Promise.all([wheel, python]);
  pyodide.unpackArchive(bytes, "wheel");
  return pyodide.pyimport("llmsim.hosts.browser");
}

/** @type {Size} */
let size = { columns: 80, rows: 24 };
/** @type {Page | undefined} */
let page;

/** @param {[string, string][]} query */
async function play(query) {
  const host = await booted;
  page = host.Page((text, size) => post({ type: "text", text, size }), size.columns, size.rows);
  post({ type: "ended", status: await host.main(query, page) });
}

/** @param {unknown} error */
function crash(error) {
  console.error(error);
  const message = error instanceof Error ? error.message : String(error);
  // Of a Python traceback the last line says what happened; the console has the rest.
  fail(message.trimEnd().split("\n").at(-1) ?? message);
}

/** @param {MessageEvent<ToWorker>} event */
self.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      size = data;
      play(data.query).catch(crash);
      break;
    case "resize":
      size = data;
      page?.resize(size.columns, size.rows);
      break;
    case "drawn":
      page?.drawn(data.size);
      break;
    case "stop":
      page?.stop();
      break;
  }
};

// The download begins before the page says start.
const booted = boot();
booted.catch(() => {}); // told by play
