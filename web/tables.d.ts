/** The parts of Python's tables of keys, speeds and options; the build makes tables.js itself. */

/** The action of each key, by KeyboardEvent's name of it in lower case. */
export const KEYS: Record<string, string>;
/** The slowest and the fastest speed that keys and buttons can set. */
export const SLOWEST: number;
export const FASTEST: number;
/** The names of all options that a page has. */
export const OPTIONS: string[];
/** The names of the address's parameters that are the page's own. */
export const OWN: string[];
/** Show seconds that a key goes back or on. */
export const SKIP: number;
/** The names of the options that change a show and not its run. */
export const SHOWN: string[];
/** Options that need no value; a shell takes one only with an equals sign. */
export const SWITCHES: string[];
/** The names of the themes, but auto. */
export const THEMES: string[];
