// The settings: a form made from options.json, which the build writes from src/llmsim/options/table.py.

/** @import { Query } from "./address.js" */

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {string} meaning
 * @property {string} preset the default
 * @property {string[]} choices names to propose
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
function field({ name, meaning, preset, choices }) {
  const id = `option-${name}`;
  return element(
    "p",
    {},
    element("label", { for: id }, name),
    element("input", {
      id,
      name,
      placeholder: preset,
      list: `${id}-list`,
      "aria-describedby": `${id}-meaning`,
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
    }),
    element("small", { id: `${id}-meaning` }, meaning),
    element("datalist", { id: `${id}-list` }, ...choices.map((value) => element("option", { value }))),
  );
}

/**
 * Ask for the options of the next runs.
 *
 * @param {Query} query the current options
 * @returns {Promise<Query | undefined>} undefined: the options do not change
 */
export async function ask(query) {
  if (!fields.childElementCount) fields.append(...(await load()).map(field));
  const now = new Map(query);
  for (const input of fields.querySelectorAll("input")) input.value = now.get(input.name) ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  if (dialog.returnValue !== "play") return undefined;
  return [...fields.querySelectorAll("input")]
    .map((input) => /** @type {[string, string]} */ ([input.name, input.value.trim()]))
    .filter(([, value]) => value);
}
