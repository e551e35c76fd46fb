// The settings: a form made from options.json, which the build writes from src/llmsim/options/table.py.

import { merged } from "./address.js";
import { show, tell } from "./show.js";
import { shown, takeTheme, visit } from "./view.js";

/** @import { Query } from "./address.js" */

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {string} meaning
 * @property {string} preset the default
 * @property {string[]} choices names to propose
 * @property {boolean} closed whether there are no other values
 * @property {boolean} first whether it stands above the fold
 */

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("settings"));
const fields = /** @type {HTMLElement} */ (document.getElementById("fields"));
const wrong = /** @type {HTMLElement} */ (document.getElementById("wrong"));

/** @returns {Promise<Option[]>} */
async function load() {
  const response = await fetch(new URL("./options.json", import.meta.url));
  if (!response.ok) throw new Error(`options.json could not be fetched (status ${response.status}).`);
  return response.json();
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @type {Map<string, string>} */
const presets = new Map();

/** @param {Option} option */
function field({ name, meaning, preset, choices, closed }) {
  const id = `option-${name}`;
  const shared = { id, name, "aria-describedby": `${id}-meaning` };
  const made = closed ? chosen(shared, choices) : written(shared, choices);
  presets.set(name, preset);
  const label = element("label", { for: id }, name);
  return element("p", {}, label, ...made, element("small", { id: `${id}-meaning` }, meaning));
}

/**
 * The fields: those that most visitors look for, and the rest in a fold.
 *
 * @param {Option[]} options
 */
function folded(options) {
  const of = (/** @type {boolean} */ first) => options.filter((it) => it.first === first).map(field);
  return [...of(true), element("details", {}, element("summary", {}, "more"), ...of(false))];
}

/**
 * A field that takes any text, with proposals.
 *
 * @param {Record<string, string>} shared
 * @param {string[]} choices
 */
function written(shared, choices) {
  const list = `${shared.id}-list`;
  const plain = { autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  const proposed = choices.map((value) => element("option", { value }));
  return [element("input", { ...shared, ...plain, list }), element("datalist", { id: list }, ...proposed)];
}

/**
 * A field of which one value is chosen. The first leaves it to llmsim, or to the scene.
 *
 * @param {Record<string, string>} shared
 * @param {string[]} choices
 */
function chosen(shared, choices) {
  const options = choices.map((value) => element("option", { value }, value));
  return [element("select", shared, element("option", { value: "" }), ...options)];
}

/**
 * Show a value in a field, and what holds if it is left open. An address may have a value that the
 * list has not: Python says what is wrong.
 *
 * @param {HTMLInputElement | HTMLSelectElement} field
 * @param {string} value
 * @param {string} open
 */
function fill(field, value, open) {
  if (field instanceof HTMLInputElement) field.placeholder = open;
  else {
    const [first] = field.options;
    if (first) first.text = open && `(${open})`;
    for (const other of field.querySelectorAll("[data-other]")) other.remove();
    const known = [...field.options].some((option) => option.value === value);
    if (!known) field.append(element("option", { value, "data-other": "" }, value));
  }
  field.value = value;
}

const inputs = () => [
  .../** @type {NodeListOf<HTMLInputElement | HTMLSelectElement>} */ (
    fields.querySelectorAll("input, select")
  ),
];

/** @returns {Query} */
const values = () =>
  inputs()
    .map((input) => /** @type {[string, string]} */ ([input.name, input.value.trim()]))
    .filter(([, value]) => value);

/**
 * Say what is wrong beside the form, and lead to the field that it names.
 *
 * @param {string} sentence "" for nothing
 */
function refuse(sentence) {
  wrong.textContent = sentence;
  for (const input of inputs()) input.ariaInvalid = String(sentence.startsWith(`${input.name} `));
  const named = inputs().find((input) => input.ariaInvalid === "true");
  const fold = named?.closest("details");
  if (fold) fold.open = true;
  named?.focus();
}

/** @param {Query} query that the form has */
const ofPython = (query) => query.filter(([name]) => name !== "theme");

/** @type {(sentence: string) => void} */
let resolve = () => {};

/**
 * What is wrong with a query, as Python says it; "" for nothing.
 *
 * @param {Query} query
 * @returns {Promise<string>}
 */
const check = (query) =>
  new Promise((answer) => {
    resolve = answer;
    tell({ type: "check", query: ofPython(query) });
  });

/**
 * Hear what is wrong with the query that was checked last.
 *
 * @param {string} sentence "" for nothing
 */
export const checked = (sentence) => resolve(sentence);

// The dialog stays open until what is chosen can be played.
dialog.addEventListener("submit", async (event) => {
  const { submitter } = event;
  if (!(submitter instanceof HTMLButtonElement) || submitter.value !== "play") return;
  event.preventDefault();
  const sentence = await check(values());
  if (!dialog.open) return; // cancelled meanwhile
  refuse(sentence);
  if (!sentence) dialog.close("play");
});

/**
 * Ask for the options of the next runs.
 *
 * @param {Query} query the current options
 * @param {Query} fixed what holds where nothing is chosen
 * @returns {Promise<Query | undefined>} undefined: the options do not change
 */
async function ask(query, fixed) {
  if (!fields.childElementCount) fields.append(...folded(await load()));
  const [now, open] = [new Map(query), new Map(fixed)];
  for (const input of inputs())
    fill(input, now.get(input.name) ?? "", open.get(input.name) ?? presets.get(input.name) ?? "");
  refuse("");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue === "play" ? values() : undefined;
}

/** What the scene says of its runs, where one plays. Each run has a seed and a start of its own. */
const fixed = () =>
  new Map(show.asked).has("scene")
    ? (show.run?.options ?? []).filter(([name]) => name !== "seed" && name !== "start")
    : [];

/** Ask for other settings, and play what they ask for. */
export async function changeSettings() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  const view = new Map(shown()).get("view") ?? "";
  const now = merged(show.asked, [
    ["theme", theme],
    ["view", view],
  ]);
  const wanted = await ask(now, fixed());
  if (!wanted) return;
  visit(ofPython(wanted));
  const other = new Map(wanted).get("theme") ?? "auto";
  if (other !== theme) takeTheme(other);
}
