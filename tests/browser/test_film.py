"""A film that a visitor keeps: a video of the terminal, which the browser itself can play."""

import re
from base64 import b64encode
from pathlib import Path

import pytest

from tests.browser.visit import Visitor

pytestmark = pytest.mark.browser


# What a player says of a file: its picture's size, and how much of its last one is bright.
PLAYED = """
    async ([type, content]) => {
      const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
      const video = document.createElement("video");
      video.muted = true;
      video.src = URL.createObjectURL(new Blob([bytes], { type }));
      await new Promise((ready, failed) => {
        video.onloadeddata = ready;
        video.onerror = () => failed(video.error.message);
      });
      video.currentTime = 1e9; // its end
      await new Promise((ready) => (video.onseeked = ready));
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      const pen = canvas.getContext("2d");
      const seen = (value, place) => place % 4 < 3 && value;
      let pixels;
      do { // a busy player has its picture later than it says: until then there is nothing to see
        await new Promise((then) => setTimeout(then, 100));
        pen.drawImage(video, 0, 0);
        pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
      } while (!pixels.some(seen) && performance.now() < 60_000);
      let bright = 0;
      for (let place = 0; place < pixels.length; place += 4) bright += pixels[place + 1] > 100;
      return { width: canvas.width, height: canvas.height, bright: bright / (pixels.length / 4) };
    }
"""


def test_film_of_what_comes_is_a_video(visit: Visitor, tmp_path: Path) -> None:
    shown = visit(width=800, height=500)
    shown.open(**{"seed": 4, "dialect": "pytorch", "theme": "dark", "from": "50%"})
    shown.wait_for_state("playing")
    shown.press("save")
    shown.page.click("#save [value=film]")
    shown.wait_for("document.querySelector('[data-action=save]').textContent === 'end film'")
    shown.wait_for("(window.began ??= transcript.length) && transcript.length > began + 4000")
    with shown.page.expect_download() as kept:
        shown.press("save")
    assert shown.page.inner_text("[data-action=save]") == "save"
    name = kept.value.suggested_filename
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+-training-\d+\.(webm|mp4)", name)
    kept.value.save_as(tmp_path / name)
    content = b64encode((tmp_path / name).read_bytes()).decode()
    with_it = visit()
    with_it.page.goto("about:blank")
    seen = with_it.page.evaluate(PLAYED, [f"video/{name.rpartition('.')[2]}", content])
    assert seen["width"] >= 1500
    screen = shown.page.locator(".xterm-screen").bounding_box()
    assert screen
    assert seen["width"] / seen["height"] == pytest.approx(
        screen["width"] / screen["height"], abs=0.01
    )
    assert 0.01 < seen["bright"] < 0.5  # text and curves on a dark ground
