// Runs tools/make_library.py in the Pyodide that the page has, with the project under /project.
//
//     node tools/make_library.mjs build/library.zip < what tools/library.py says

import { readFileSync } from "node:fs";
import { loadPyodide } from "../web/node_modules/pyodide/pyodide.mjs";

// Without a fixed seed the order of a set, and with it the compiled code, would change.
const pyodide = await loadPyodide({
  stderr: () => {},
  env: { PYTHONHASHSEED: "0", PYTHONDONTWRITEBYTECODE: "1" },
});
pyodide.mountNodeFS("/project", ".");
pyodide.runPython("import sys; sys.path += ['/project', '/project/src']");

// The ways in which the page enters Python, the failing ones too: they import what they need.
for (const wrong of ["1/0", "asyncio", "if", "import nonsense", "import warnings; warnings.warn('')"])
  await pyodide.runPythonAsync(wrong).catch(() => {});

const { modules, importable } = JSON.parse(readFileSync(0, "utf8"));
const maker = pyodide.pyimport("tools.make_library");
await maker
  .main(pyodide.toPy(modules), pyodide.toPy(importable), `/project/${process.argv[2]}`)
  .catch((/** @type {Error} */ error) => {
    console.error(error.message); // Node would print Pyodide's one line of a megabyte with it
    process.exit(1);
  });
