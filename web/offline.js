// Keeps the page for visits without a network: sw.js does the work.

/** Install the service worker, once there is nothing more urgent to fetch. */
export function keepForLater() {
  // Where it is not allowed (private windows, frames, plain HTTP), the next visit needs a network.
  navigator.serviceWorker?.register("sw.js", { updateViaCache: "none" }).catch(() => {});
}

/** Delete all stored files, since one of them may be faulty. */
export async function forget() {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (!(await registration?.unregister())) return;
    const kept = (await caches.keys()).filter((name) => name.includes(registration?.scope ?? "llmsim"));
    await Promise.all(kept.map((name) => caches.delete(name)));
  } catch {
    // Nothing could be kept here either.
  }
}
