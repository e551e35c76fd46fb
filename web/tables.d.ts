/** What Python's tables say of keys, speeds and options; tables.js itself is made by the build. */

/** The action of each key, by KeyboardEvent's name of it in lower case. */
export const KEYS: Record<string, string>;
/** The speeds that keys and buttons lead to. */
export const SLOWEST: number;
export const FASTEST: number;
/** Options that need no value; a shell takes one only with an equals sign. */
export const SWITCHES: string[];
