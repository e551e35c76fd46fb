// The help: what this is, and the keys of the controls.

import { element } from "./loading.js";

const dialog = /** @type {HTMLDialogElement} */ (element("help"));

/** A row for each button that has a key: the key, and the button's title. Fingers have all buttons. */
function rows() {
  const fingers = matchMedia("(pointer: coarse)").matches;
  const all = document.querySelectorAll(`#controls ${fingers ? "[title]" : "[aria-keyshortcuts]"}`);
  return [...all].flatMap((button) => {
    const [key, meaning] = [document.createElement("dt"), document.createElement("dd")];
    const keys = button.getAttribute("aria-keyshortcuts")?.replace("Escape", "Esc") ?? "";
    key.textContent = fingers ? button.textContent : keys;
    meaning.textContent = button.getAttribute("title");
    return [key, meaning];
  });
}

/** Show the help; the dialog closes as all dialogs do. */
export function help() {
  element("keys").replaceChildren(...rows());
  dialog.showModal();
}
