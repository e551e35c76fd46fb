// Loading: its progress, the files that are missing, and the reason if the page does not start.
//
// The first of the page's modules. It imports none, so that it can say which of them does not arrive;
// where it does not arrive itself, index.html says so without any script.

const QUIET = 6000; // ms without progress until the page says which file is missing
const PATIENCE = 60_000; // ms without progress until the page gives up
const PROBE = 2500; // ms in which a file must answer a probe while the page waits
const SEARCH = 20_000; // and after a failure, when one of the files must be at fault
const [FULL, EMPTY] = ["\u2588", "\u2591"];

const root = document.documentElement;
root.dataset.alive = ""; // index.html then hides its sentence that nothing has arrived

export const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {(() => void)[]} */
const endings = [];

/**
 * Call back when the page has failed.
 *
 * @param {() => void} call
 */
export const whenFailed = (call) => endings.push(call);

/**
 * Show why the page has failed. Only the first reason is shown, since others follow from it.
 *
 * @param {string} sentence
 * @param {unknown} [cause] the browser's error, for the console
 */
export function fail(sentence, cause) {
  if (root.dataset.state === "failed") return;
  if (cause) console.error(cause);
  rest();
  for (const end of endings) end();
  element("reason").textContent = sentence;
  element("failure").hidden = false;
  root.dataset.state = "failed";
}

// --- what is wrong -----------------------------------------------------------------------------

/** The addresses of the page's modules, those of the worker too. */
function needed() {
  const { content } = /** @type {HTMLTemplateElement} */ (element("needed"));
  return [...document.querySelectorAll("link[rel=modulepreload]"), ...content.querySelectorAll("link")].map(
    (link) => new URL(link.getAttribute("href") ?? "", document.baseURI).href,
  );
}

/**
 * Whether a file has the content that the build made: folders are named by their content's SHA-256.
 *
 * @param {string} address
 * @param {Response} response
 */
async function intact(address, response) {
  const wanted = address.match(/\/([0-9a-f]{12})\/[^/]+$/)?.[1];
  if (!wanted || !globalThis.crypto?.subtle) return true; // it cannot be checked
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer()));
  return [...digest.slice(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("") === wanted;
}

/**
 * @typedef {object} Fault
 * @property {string} sentence
 * @property {boolean} certain whether waiting cannot help
 */

/**
 * The fault of a module; undefined if it has none.
 *
 * @param {string} address
 * @param {number} patience in ms
 * @returns {Promise<Fault | undefined>}
 */
async function fault(address, patience) {
  const name = address.split("/").at(-1);
  const certain = (/** @type {string} */ sentence) => ({ sentence: `${name} ${sentence}.`, certain: true });
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(patience) });
    const type = response.headers.get("Content-Type") ?? "no type";
    if (!response.ok) return certain(`could not be fetched (status ${response.status})`);
    if (!/javascript/i.test(type)) return certain(`is served as ${type}; it has to be text/javascript`);
    if (await intact(address, response)) return undefined;
    return certain("is not as it was built: it broke off on its way, or was compressed twice");
  } catch (error) {
    if (error instanceof DOMException) return { sentence: `${name} has not come yet.`, certain: false };
    return certain("could not be fetched: the server does not answer");
  }
}

/**
 * The fault of the page's modules: of one that cannot arrive, otherwise of the first that is late.
 *
 * @param {number} patience in ms
 * @returns {Promise<string | undefined>}
 */
async function firstFault(patience) {
  const asked = needed().map((address) => fault(address, patience));
  const certain = asked.map(async (asked) => {
    const found = await asked;
    return found?.certain ? found.sentence : Promise.reject(); // the search goes on
  });
  return Promise.any(certain).catch(async () => (await Promise.all(asked)).find(Boolean)?.sentence);
}

/**
 * Fail because a module has not started, and name the file whose fault it is.
 *
 * @param {string} otherwise the sentence if all files are right
 * @param {unknown} [cause]
 */
export async function failToStart(otherwise, cause) {
  fail((await firstFault(SEARCH)) ?? otherwise, cause);
}

// --- how far it is -----------------------------------------------------------------------------

/** @type {string[]} */
let awaited = []; // names of files
let begun = performance.now();

async function sayWhatIsAwaited() {
  const seconds = Math.round((performance.now() - begun) / 1000);
  const [first] = awaited;
  const fault = first ? `still waiting for ${first}.` : await firstFault(PROBE);
  if (root.dataset.state !== "loading") return;
  element("hint").textContent = fault
    ? `Nothing has come for ${seconds} s: ${fault}`
    : `Python takes its time to start on this machine: ${seconds} s.`;
}

let quiet = setTimeout(sayWhatIsAwaited, QUIET);
const giveUp = () => fail(`Nothing has arrived for ${PATIENCE / 1000} seconds.`);
let patience = setTimeout(giveUp, PATIENCE);

/** Stop the timers of loading. */
export function rest() {
  clearTimeout(quiet);
  clearTimeout(patience);
}

/**
 * Draw a progress bar as a Python program would draw it.
 *
 * @param {number} loaded
 * @param {number} total
 * @param {string[]} missing the files that have not arrived completely
 */
export function showProgress(loaded, total, missing) {
  rest();
  begun = performance.now();
  awaited = missing;
  quiet = setTimeout(sayWhatIsAwaited, QUIET);
  patience = setTimeout(giveUp, PATIENCE);
  const share = Math.min(loaded / total, 1);
  const cells = Math.round(share * 24);
  const bar = FULL.repeat(cells).padEnd(24, EMPTY);
  const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
  element("hint").textContent = "";
  element("progress").textContent =
    share < 1
      ? `Fetching Python ${bar} ${megabytes(loaded)}/${megabytes(total)} MB`
      : `Starting Python ${bar} ${megabytes(total)} MB`;
}

// --- the page ----------------------------------------------------------------------------------

const OLD_BROWSER =
  "The page's program does not start here: the browser is too old for it, or keeps it from running.";
const NO_STYLE =
  "This site's Content-Security-Policy keeps the page from its own styles: it needs style-src 'unsafe-inline'.";

if (!getComputedStyle(root).getPropertyValue("--inset")) fail(NO_STYLE);
else
  import(/** @type {HTMLLinkElement} */ (element("program")).href).catch((error) =>
    failToStart(OLD_BROWSER, error),
  );
