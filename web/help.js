// The help: what this is, and the keys of the controls.

import { element } from "./loading.js";

const dialog = /** @type {HTMLDialogElement} */ (element("help"));

/** A row for each button that has a key: the key, and the button's title. */
function rows() {
  return [...document.querySelectorAll("#controls [aria-keyshortcuts]")].flatMap((button) => {
    const [key, meaning] = [document.createElement("dt"), document.createElement("dd")];
    key.textContent = button.getAttribute("aria-keyshortcuts")?.replace("Escape", "Esc") ?? "";
    meaning.textContent = button.getAttribute("title");
    return [key, meaning];
  });
}

/** Show the help; the dialog closes as all dialogs do. */
export function help() {
  element("keys").replaceChildren(...rows());
  dialog.showModal();
}
