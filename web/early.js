// Runs before the first paint, inside index.html: a page with a given theme is never seen in another,
// and nothing moves when somebody is greeted who is here for the first time.
// It is a script of the old kind, and nothing else may be here: the rest of the page does without it.

(() => {
  const given = new URLSearchParams(location.search);
  const root = document.documentElement;
  const kept = (/** @type {string} */ name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // some browsers keep nothing
    }
  };
  const theme = given.get("theme") ?? kept("theme") ?? "";
  if (/^[a-z]+$/.test(theme) && theme !== "auto") root.dataset.theme = theme; // see style.css
  if (given.get("background") === "transparent") root.dataset.background = "transparent";
  if (!/^(0|no|off|false)$/i.test(given.get("kiosk") ?? "no")) root.dataset.kiosk = ""; // no controls
  if (!kept("welcome") && !("kiosk" in root.dataset) && window.top === window) root.dataset.welcome = "";
})();
