// What the worker fetches: its progress, and one sentence where something does not arrive or Python
// gets no memory. It listens from the first moment: Pyodide asks for its files itself, and would
// wait for ever for one that is missing.

import { boots, files } from "./files.js";

/** @import { FromWorker } from "./messages" */

/** @param {FromWorker} message */
export const post = (message) => self.postMessage(message);

export const OUT_OF_MEMORY = /memory/i; // in the words of any engine
export const NO_MEMORY =
  "The browser gives Python no more memory: close other tabs and windows, then try again.";

/**
 * Tell the page that nothing will come.
 *
 * @param {string} message
 */
export function fail(message) {
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

export const wanted = boots[self.name] ?? [];
const total = wanted.reduce((sum, name) => sum + (files[name]?.size ?? 0), 0);
const missing = new Set(wanted); // what has not come whole
let loaded = 0;
let [told, untold] = [0, missing.size]; // when the page was told last, and how many were missing then

/** @param {number} bytes */
function advance(bytes) {
  loaded += bytes;
  const now = performance.now();
  // That a file is whole is always told: no more may come, and the page would wait for it by its name.
  if (now - told < 40 && missing.size === untold) return;
  [told, untold] = [now, missing.size];
  post({ type: "progress", loaded, total, missing: [...missing] });
}

/** @param {string} name */
export const addressOf = (name) => new URL(files[name]?.url ?? name, import.meta.url).href;

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

export const plainFetch = self.fetch;
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
export async function load(name) {
  const module = await import(addressOf(name)).catch((error) => {
    console.error(error);
    throw fail(`${name} could not be loaded: it is missing, damaged or served as another type.`);
  });
  missing.delete(name);
  advance(files[name]?.size ?? 0);
  return module;
}
