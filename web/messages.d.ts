/** What the page and its worker say to each other. Types alone: nothing of this file is served. */

/** The terminal's size in cells. */
export interface Size {
  columns: number;
  rows: number;
}

export type ToWorker =
  /** Play; the query's pairs are as the URL has them, and Python judges them. */
  | ({ type: "start"; query: [string, string][] } & Size)
  | ({ type: "resize" } & Size)
  /** The terminal has taken in a text of this size: more may come. */
  | { type: "drawn"; size: number }
  | { type: "stop" };

export type FromWorker =
  /** Bytes fetched so far. */
  | { type: "progress"; loaded: number }
  /** For the terminal; `size` comes back in "drawn". */
  | { type: "text"; text: string; size: number }
  /** All runs are over, with the exit status that a shell would see. */
  | { type: "ended"; status: number }
  | { type: "failed"; message: string };
