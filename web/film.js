// A film of what comes: each drawing of the terminal, painted as a picture is, into a video.

import { paint, sizeOf } from "./save.js";

/** @import { Terminal } from "./vendor/xterm.mjs" */

const WIDTH = 1920; // pixels that a film is wide, at most twice as many as the terminal
const BITS = 8_000_000; // a second: letters are small
// The first that the browser can make. Everything plays H.264; not every browser may make it.
const TYPES = ["video/mp4;codecs=avc1.640028", "video/webm;codecs=vp9", "video/webm", "video/mp4"];

/**
 * Begin a film.
 *
 * @param {Terminal} terminal
 * @returns {() => Promise<{ content: Blob, extension: string }>} ends it
 */
export function film(terminal) {
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type)) ?? "";
  const canvas = document.createElement("canvas");
  const { width, height } = sizeOf(terminal);
  const scale = Math.min(WIDTH / width, 2);
  const even = (/** @type {number} */ size) => 2 * Math.round((size * scale) / 2); // as codecs want it
  [canvas.width, canvas.height] = [even(width), even(height)];
  const stream = canvas.captureStream(0); // a frame for each drawing, and no other
  const [track] = /** @type {CanvasCaptureMediaStreamTrack[]} */ (stream.getVideoTracks());
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: BITS });
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const take = () => {
    paint(terminal, canvas);
    track?.requestFrame();
  };
  recorder.start();
  take();
  const drawn = terminal.onRender(take);
  return async () => {
    drawn.dispose();
    take(); // so that it lasts until now
    const ended = new Promise((end) => recorder.addEventListener("stop", end, { once: true }));
    recorder.stop();
    await ended;
    track?.stop();
    const [type = ""] = recorder.mimeType.split(";");
    return { content: new Blob(parts, { type }), extension: type.replace("video/", "") };
  };
}
