// The options in the page's address, and the command with the same options for a terminal.

import { OPTIONS, SWITCHES } from "./tables.js";

/** @typedef {[name: string, value: string][]} Query */

// Parameters of the page itself. All others are options of llmsim, which Python checks.
const OWN = ["background", "boot", "kiosk", "theme", "type"];
// Tracking parameters that other sites append to a link; they are ignored.
const FOREIGN = /^(utm_\w*|[a-z]*cl(k)?id|gbraid|wbraid|igshid?|mc_[ce]id|_ga|_gl|ref|ref_src|source|si)$/i;

/** @param {string} search */
export function readAddress(search) {
  const given = new URLSearchParams(search);
  /** @type {Query} */
  const query = [...given].filter(([name]) => !OWN.includes(name) && !FOREIGN.test(name));
  const boot = given.get("boot") === "micropip" ? "micropip" : "library";
  const on = (/** @type {string} */ name) => !/^(0|no|off|false)$/i.test(given.get(name) ?? "no");
  return { query, boot, kiosk: on("kiosk"), typing: on("type") };
}

/**
 * The address at which this page plays a run with the query's options.
 *
 * @param {Query} query
 * @param {string} [theme] that takes the place of one in the address
 */
export function addressOf(query, theme) {
  const own = [...new URLSearchParams(location.search)]
    .filter(([name]) => OWN.includes(name))
    .map(([name, value]) => [name, (name === "theme" && theme) || value]);
  const search = new URLSearchParams([...query, ...own]).toString();
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

/**
 * The command with a query's options, quoted for a shell. Control characters are removed, since an
 * address may come from an attacker.
 *
 * @param {Query} query
 */
export function commandOf(query) {
  const words = ["python", "-m", "llmsim"];
  for (const [name, value] of query.filter(([name]) => OPTIONS.includes(name)))
    if (!SWITCHES.includes(name)) words.push(`--${name}`, value);
    else words.push(value ? `--${name}=${value}` : `--${name}`);
  return words.map(quoted).join(" ");
}

/** @param {string} word */
function quoted(word) {
  const printable = word.replace(/\p{C}/gu, "");
  if (/^[\w.,:/+=-]+$/.test(printable)) return printable;
  return `'${printable.replaceAll("'", "'\\''")}'`;
}
