// What the page's address asks for, and the command that asks for the same in a terminal.

import { SWITCHES } from "./tables.js";

/** @typedef {[name: string, value: string][]} Query */

// Parameters of the page itself; all others are options of llmsim, which Python judges.
const OWN = ["background", "boot", "kiosk", "theme"];
// What others hang on an address that is passed around: it says where the visitor comes from.
const FOREIGN = /^(utm_\w*|[a-z]*cl(k)?id|gbraid|wbraid|igshid?|mc_[ce]id|_ga|_gl|ref|ref_src|source|si)$/i;

/** @param {string} search */
export function readAddress(search) {
  const given = new URLSearchParams(search);
  /** @type {Query} */
  const query = [...given].filter(([name]) => !OWN.includes(name) && !FOREIGN.test(name));
  const boot = given.get("boot") === "micropip" ? "micropip" : "library";
  return { query, boot, kiosk: given.has("kiosk") && given.get("kiosk") !== "0" };
}

/**
 * The address at which this page plays what the query asks for.
 *
 * @param {Query} query
 */
export function addressOf(query) {
  const own = [...new URLSearchParams(location.search)].filter(([name]) => OWN.includes(name));
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
 * The command with a query's options, as a shell takes it. Nothing in it can speak to a terminal:
 * an address may come from anybody.
 *
 * @param {Query} query
 */
export function commandOf(query) {
  const words = ["python", "-m", "llmsim"];
  for (const [name, value] of query)
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
