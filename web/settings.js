// The settings: a form made from options.json, which the build writes from src/llmsim/options/table.py.

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

/** @param {Option} option */
function field({ name, meaning, preset, choices, closed }) {
  const id = `option-${name}`;
  const shared = { id, name, "aria-describedby": `${id}-meaning` };
  const made = closed ? chosen(shared, preset, choices) : written(shared, preset, choices);
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
 * @param {string} preset
 * @param {string[]} choices
 */
function written(shared, preset, choices) {
  const list = `${shared.id}-list`;
  const plain = { autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  const proposed = choices.map((value) => element("option", { value }));
  return [
    element("input", { ...shared, ...plain, list, placeholder: preset }),
    element("datalist", { id: list }, ...proposed),
  ];
}

/**
 * A field of which one value is chosen. The first leaves it to llmsim, or to the scene.
 *
 * @param {Record<string, string>} shared
 * @param {string} preset
 * @param {string[]} choices
 */
function chosen(shared, preset, choices) {
  const options = choices.map((value) => element("option", { value }, value));
  const first = element("option", { value: "" }, preset && `(${preset})`);
  return [element("select", shared, first, ...options)];
}

/**
 * Show a value in a field. An address may have one that the list has not: Python says what is wrong.
 *
 * @param {HTMLInputElement | HTMLSelectElement} field
 * @param {string} value
 */
function show(field, value) {
  if (field instanceof HTMLSelectElement) {
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

/**
 * Ask for the options of the next runs.
 *
 * @param {Query} query the current options
 * @returns {Promise<Query | undefined>} undefined: the options do not change
 */
export async function ask(query) {
  if (!fields.childElementCount) fields.append(...folded(await load()));
  const now = new Map(query);
  for (const input of inputs()) show(input, now.get(input.name) ?? "");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  if (dialog.returnValue !== "play") return undefined;
  return inputs()
    .map((input) => /** @type {[string, string]} */ ([input.name, input.value.trim()]))
    .filter(([, value]) => value);
}
