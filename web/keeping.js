// Keeping: the button that saves a picture, a film or a file of the run, and what it says meanwhile.

import { button, notice } from "./controls.js";
import { choose, handOver, picture } from "./save.js";
import { show, tell } from "./show.js";

let making = ""; // the file that Python makes
/** @type {ReturnType<typeof import("./film.js").film> | undefined} */
let filming;
let filmed = ""; // the film's name

/** Ask what is to be kept of the run: a picture or a film of it, or a file that Python makes. */
export async function save() {
  const { run, terminal } = show;
  if (making) return;
  const kind = filming ? "film" : await choose();
  if (!kind || !terminal) return;
  const name = [run?.name, ...(show.reached.match(/\w+/g) ?? [])].join("-"); // run-training-45
  if (kind === "png") handOver(`${name}.png`, await picture(terminal));
  else if (kind === "film" && filming) {
    const { content, extension } = await filming();
    handOver(`${filmed}.${extension}`, content);
    showFilming(undefined);
  } else if (kind === "film") {
    const { film } = await import("./film.js");
    filmed = name;
    showFilming(film(terminal));
  } else {
    showMaking(document.querySelector(`#save [value="${kind}"] b`)?.textContent ?? kind);
    tell({ type: "keep", kind });
  }
}

/** @param {typeof filming} ending ends the film, if there is one */
function showFilming(ending) {
  filming = ending;
  button("save").textContent = ending ? "end film" : "save";
  button("save").ariaPressed = String(Boolean(ending));
}

/**
 * Say on the button what Python makes: that takes a while.
 *
 * @param {string} what "" for nothing
 */
function showMaking(what) {
  making = what;
  document.documentElement.toggleAttribute("data-making", Boolean(what));
  button("save").textContent = what ? `making ${what} ...` : "save";
  button("save").ariaBusy = String(Boolean(what));
  if (what) button("save").scrollIntoView({ inline: "center" });
}

/**
 * Hand over what Python has made.
 *
 * @param {string} name of the file
 * @param {Uint8Array<ArrayBuffer>} [content]
 */
export function kept(name, content) {
  showMaking("");
  if (content) handOver(name, new Blob([content]));
  notice(content ? name : "The file could not be made.");
}
