/** The messages between the page and its worker. This file has types alone and is not served. */

/** The terminal's size in cells. */
export interface Size {
  columns: number;
  rows: number;
}

/** A run, as the page can ask for it again. */
export interface Run {
  /** As its log and its files call it. */
  name: string;
  /** In a terminal. */
  command: string;
  /** In an address. */
  options: [name: string, value: string][];
}

export type ToWorker =
  /**
   * Stop the current show and play another; Python checks the query's pairs. Its first run begins at
   * the moment `at`, if that is not "".
   */
  | ({ type: "start"; query: [string, string][]; at: string; theme: string } & Size)
  /** Say what is wrong with a query, and play nothing. */
  | { type: "check"; query: [string, string][] }
  | ({ type: "resize" } & Size)
  /** The terminal has taken in a text of this size: more may come. */
  | { type: "drawn"; size: number }
  | { type: "pause"; paused: boolean }
  /** The terminal's ground has become light or dark. */
  | { type: "theme"; name: string }
  | { type: "speed"; factor: number }
  /** Show the board below the log, or the log alone. */
  | { type: "board"; shown: boolean }
  /**
   * Fill the window with the run, as a control room shows it, or show the log and the board. Without
   * `shown` the options of the next show decide.
   */
  | { type: "wall"; shown?: boolean }
  /** Go on at this show second of the run. */
  | { type: "seek"; position: number }
  /** Go on so many show seconds later, or earlier if negative. */
  | { type: "skip"; seconds: number }
  /** Let each line of the log wait for a key, or not. */
  | { type: "typing"; on: boolean }
  /** A key: the next line is due. */
  | { type: "type" }
  /** Make a file of the run, of a kind in src/llmsim/hosts/downloads.py. */
  | { type: "keep"; kind: string }
  | { type: "stop" };

export type FromWorker =
  /** Bytes fetched so far, and of all downloads, and which files have not come whole. */
  | { type: "progress"; loaded: number; total: number; missing: string[] }
  /** Python is there: it can be told what to play. */
  | { type: "ready" }
  /** A show begins, on an empty screen. */
  | { type: "began" }
  /** A run of it begins. */
  | { type: "run"; run: Run }
  /** Parameters that are wrong and left out, and what is wrong with them. */
  | { type: "refused"; names: string[]; sentence: string }
  /**
   * How many show seconds it takes, and the show second of each pause of its training and of each
   * failure; the view that its options ask for, whether it has a board, and whether the wall shows it.
   */
  | {
      type: "timeline";
      length: number;
      marks: [kind: string, shown: number][];
      view: string;
      board: boolean;
      wall: boolean;
    }
  /** So much of a phase of it is over; when that is, in show seconds and simulated ones. */
  | { type: "reached"; phase: string; percent: number; shown: number; at: number }
  /** For the terminal; `size` comes back in "drawn". */
  | { type: "text"; text: string; size: number }
  /** All runs are over, with the exit status that a shell would see. */
  | { type: "ended"; status: number }
  /** What is wrong with the query of "check"; "" for nothing. */
  | { type: "checked"; sentence: string }
  /** The file that was asked for; without a content it could not be made. */
  | { type: "kept"; name: string; content?: Uint8Array<ArrayBuffer> }
  | { type: "failed"; message: string };
