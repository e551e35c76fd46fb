// The options in the page's address, and the command with the same options for a terminal.

import { OPTIONS, OWN, SHOWN, SWITCHES, THEMES } from "./tables.js";
import { givenTheme } from "./themes.js";

/** @typedef {[name: string, value: string][]} Query */

// Tracking parameters that other sites append to a link; they are ignored.
const FOREIGN = /^(utm_\w*|[a-z]*cl(k)?id|gbraid|wbraid|igshid?|mc_[ce]id|_ga|_gl|ref|ref_src|source|si)$/i;

const NOW = ["theme", "type", "paused", "at"]; // the page's own that change while it shows

/** @param {string} search */
export function readAddress(search) {
  const given = new URLSearchParams(search);
  /** @type {Query} */
  const query = [...given].filter(([name]) => !OWN.includes(name) && !FOREIGN.test(name));
  const boot = given.get("boot") === "micropip" ? "micropip" : "library";
  const on = (/** @type {string} */ name) => !/^(0|no|off|false)$/i.test(given.get(name) ?? "no");
  const kiosk = "kiosk" in document.documentElement.dataset; // early.js has read it
  const [typing, paused] = [on("type"), on("paused")];
  const at = given.get("at") ?? "";
  return { query, boot, kiosk, typing, paused, at, wrong: wrongTheme(given.get("theme")) };
}

/**
 * What is wrong with a theme, as Python says it of its options: it knows nothing of this one.
 *
 * @param {string | null} name
 */
function wrongTheme(name) {
  const names = ["auto", ...THEMES];
  if (name === null || names.includes(name)) return "";
  const shown = name.replace(/\p{C}/gu, "").slice(0, 40);
  return `theme cannot be '${shown}': give ${names.slice(0, -1).join(", ")} or ${names.at(-1)}.`;
}

/**
 * The address at which this page plays a run with the query's options, in the theme that is chosen,
 * by the clock or by keys.
 *
 * @param {Query} query
 */
export function addressOf(query) {
  const own = [...new URLSearchParams(location.search)].filter(
    ([name]) => OWN.includes(name) && !NOW.includes(name),
  );
  const typing = document.documentElement.hasAttribute("data-typing") ? [["type", "1"]] : [];
  const search = new URLSearchParams([...query, ...own, ...theme(), ...typing]).toString();
  return location.pathname + (search && `?${search}`);
}

/**
 * A query with some of its options replaced by others.
 *
 * @param {Query} query
 * @param {Query} others
 * @returns {Query}
 */
export const merged = (query, others) => [...new Map([...query, ...others])];

/** @returns {Query} */
const theme = () => (givenTheme() ? [["theme", givenTheme()]] : []);

/**
 * The command with a query's options, quoted for a shell. Control characters are removed, since an
 * address may come from an attacker.
 *
 * @param {Query} query
 */
export function commandOf(query) {
  return ["python -m llmsim", ...flags(query.filter(([name]) => OPTIONS.includes(name)))].join(" ");
}

/**
 * The command that shows in a terminal what the page shows.
 *
 * @param {string} command that plays the run
 * @param {Query} query
 */
export const shownBy = (command, query) =>
  [command, ...flags([...query.filter(([name]) => SHOWN.includes(name)), ...theme()])].join(" ");

/** @param {Query} query */
function flags(query) {
  const words = [];
  for (const [name, value] of query)
    if (!SWITCHES.includes(name)) words.push(`--${name}`, value);
    else words.push(value ? `--${name}=${value}` : `--${name}`);
  return words.map(quoted);
}

/** @param {string} word */
function quoted(word) {
  const printable = word.replace(/\p{C}/gu, "");
  if (/^[\w.,:/+=-]+$/.test(printable)) return printable;
  return `'${printable.replaceAll("'", "'\\''")}'`;
}
