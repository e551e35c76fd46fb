// The service worker: keeps one whole build of the page, so that the next visit needs no network.
//
// A build is installed when all its files are there with the right hashes; until then the earlier
// build is served. The page always belongs to the installed build, and all other files are named by
// their hash, so that no visit sees parts of two builds. The build writes `build` above this line.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

const scope = worker.registration.scope;
const PREFIX = `llmsim ${scope} `; // an origin may have other pages, and other llmsims
const CACHE = PREFIX + build.id;

async function install() {
  const cache = await caches.open(CACHE);
  const keep = async (/** @type {[string, string]} */ [path, integrity]) => {
    const url = new URL(path, scope).href;
    const before = path === build.page ? undefined : await caches.match(url, { ignoreVary: true });
    await cache.put(url, before ?? (await fetch(url, { integrity, cache: "no-cache" })));
  };
  try {
    await Promise.all(Object.entries(build.files).map(keep));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
  await worker.skipWaiting();
}

/** Delete old builds except the last one, since a page of it may be open. */
async function activate() {
  const ours = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(ours.slice(0, -1).map((name) => caches.delete(name)));
}

/** @param {Request} request */
async function answer(request) {
  const url = new URL(request.url);
  url.search = ""; // the options of a run; no file differs by it
  const isPage = [scope, `${scope}index.html`].includes(url.href);
  const kept = isPage
    ? await (await caches.open(CACHE)).match(new URL(build.page, scope))
    : await caches.match(url, { ignoreVary: true });
  return kept ?? fetch(request);
}

/**
 * Tell browsers that support it to read this build's files from the cache without this worker.
 *
 * @param {ExtendableEvent & { addRoutes?: (routes: object[]) => Promise<void> }} event
 */
async function route(event) {
  const paths = Object.keys(build.files).filter((path) => path !== build.page);
  const routes = paths.map((path) => ({
    condition: { urlPattern: new URL(path, scope).href },
    source: { cacheName: CACHE },
  }));
  await event.addRoutes?.(routes);
}

worker.addEventListener("install", (event) => event.waitUntil(Promise.all([install(), route(event)])));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(scope))
    event.respondWith(answer(event.request));
});
