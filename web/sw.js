// The service worker: keeps one whole build of the page, so that the next visit needs no network.
//
// A build is installed when every byte of it is here and has the hash that the build knows; until
// then the one before it is served. The page is always the installed build's, and all else is
// named by its hash, so no visit ever sees parts of two. The build writes `build` above this.

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

/** Forget old builds, but for the last: a page of it may be open. */
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
 * Browsers that can are told to read this build's files from its cache without asking here first.
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
