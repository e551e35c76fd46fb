/** What tools/build_web.py knows of the built files; files.js itself is made by the build. */

/** Where each file is, from a module's own address, and its length in bytes. */
export const files: Record<string, { url: string; size: number }>;
/** The files that each way to start Python fetches. */
export const boots: Record<string, string[]>;
/** Pyodide's lock, without its packages. */
export const lock: string;
