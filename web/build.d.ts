/** What tools/build_web.py writes at the top of the service worker. */
declare const build: {
  /** A hash of all that follows. */
  id: string;
  /** The page's own address, in `files`. */
  page: string;
  /** Each file's address and integrity: all that a visit needs. */
  files: Record<string, string>;
};
