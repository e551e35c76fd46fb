// Runs tools/make_library.py in the Pyodide that the page has, with the project under /project.
//
//     node tools/make_library.mjs build/library.zip build/later.bin < what tools/library.py says

import { readFileSync, realpathSync } from "node:fs";
import { loadPyodide } from "../web/node_modules/pyodide/pyodide.mjs";

const { modules, importing, later } = JSON.parse(readFileSync(0, "utf8"));
const [, , target = "", beside = ""] = process.argv;

/**
 * Start Pyodide, with its own library or with one of ours.
 *
 * @param {string} [library]
 */
async function start(library) {
  const pyodide = await loadPyodide({
    stderr: () => {},
    // Without a fixed seed the order of a set, and with it the compiled code, would change. Lines are
    // enough for a traceback: columns are twice as long.
    env: { PYTHONHASHSEED: "0", PYTHONDONTWRITEBYTECODE: "1", PYTHONNODEBUGRANGES: "1" },
    ...(library && { stdLibURL: new URL(library, `file://${process.cwd()}/`).href }),
  });
  pyodide.mountNodeFS("/project", ".");
  pyodide.mountNodeFS("/pyodide", realpathSync("web/node_modules/pyodide"));
  pyodide.runPython("import sys; sys.path += ['/project', '/project/src']");
  return { pyodide, maker: pyodide.pyimport("tools.make_library") };
}

/**
 * What the page uses of the library.
 *
 * @param {Awaited<ReturnType<typeof start>>} started
 */
async function used({ pyodide, maker }) {
  // The ways in which the page enters Python, the failing ones too: they import what they need.
  const wrong = ["1/0", "asyncio", "if", "import nonsense", "import warnings; warnings.warn('')"];
  for (const code of wrong) await pyodide.runPythonAsync(code).catch(() => {});
  return (await maker.used(pyodide.toPy(importing))).toJs();
}

try {
  const first = await start();
  const write = (/** @type {string[]} */ paths) =>
    first.maker.write(first.pyodide.toPy(paths), first.pyodide.toPy(modules), `/project/${target}`);
  write(await used(first));
  write(await used(await start(target)));
  const { pyodide, maker } = await start(target);
  const [paths, more] = maker.lacking(pyodide.toPy(later), pyodide.toPy(modules)).toJs();
  first.maker.write_later(first.pyodide.toPy(paths), first.pyodide.toPy(more), `/project/${beside}`);
} catch (error) {
  // Node would print Pyodide's one line of a megabyte with it.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
