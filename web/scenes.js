// The scenes: runs that are worth seeing, from scenes.json, which the build writes from data/llm_scenes.txt.

import { show } from "./show.js";
import { visit } from "./view.js";

/**
 * @typedef {object} Scene
 * @property {string} name
 * @property {string} sentence what there is to see
 */

const DIE = "*"; // no scene has this name
const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("scenes"));
const list = /** @type {HTMLElement} */ (document.getElementById("scene-list"));
/** @type {Scene[]} */
let scenes = [];

/** @returns {Promise<Scene[]>} */
async function load() {
  const response = await fetch(new URL("./scenes.json", import.meta.url));
  if (!response.ok) throw new Error(`scenes.json could not be fetched (status ${response.status}).`);
  return response.json();
}

/** @param {Scene} scene */
function row({ name, sentence }) {
  const button = document.createElement("button");
  const [title, text] = [document.createElement("b"), document.createElement("span")];
  button.value = name;
  title.textContent = name;
  text.textContent = sentence;
  button.append(title, " ", text);
  return button;
}

/**
 * One of the scenes, by chance, but not the one that plays.
 *
 * @param {string | undefined} now
 */
function thrown(now) {
  const others = scenes.filter(({ name }) => name !== now);
  return others[Math.floor(Math.random() * others.length)]?.name;
}

/**
 * Ask for a scene.
 *
 * @param {string | undefined} now the name of the scene that plays
 * @returns {Promise<string | undefined>} undefined: what plays goes on
 */
async function pick(now) {
  if (!scenes.length) {
    scenes = await load();
    list.append(...scenes.map(row));
  }
  for (const button of list.querySelectorAll("button"))
    button.toggleAttribute("data-playing", button.value === now);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue === DIE ? thrown(now) : dialog.returnValue || undefined;
}

/** Ask for a scene, and play it. */
export async function changeScene() {
  const scene = await pick(new Map(show.asked).get("scene"));
  if (scene) visit([["scene", scene]]);
}
