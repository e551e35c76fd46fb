// Runs before the first paint, inside index.html: a page that is told a theme is never seen in another.
// It is a script of the old kind, and nothing else may be here: the rest of the page does without it.

(() => {
  const given = new URLSearchParams(location.search);
  const root = document.documentElement;
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    // Some browsers keep nothing; the system's choice holds then.
  }
  const theme = given.get("theme") ?? kept ?? "";
  if (["dark", "light"].includes(theme)) root.dataset.theme = theme;
  if (given.get("background") === "transparent") root.dataset.background = "transparent";
})();
