"""What a visitor takes home: pictures, the log, and the files that Python makes."""

import json
import re
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

from tests.browser.visit import NOTICE, PINNED, Visit, Visitor

pytestmark = pytest.mark.browser


def kept(shown: Visit, kind: str) -> tuple[str, bytes]:
    """Ask for a file by the dialog, and give its name and its content."""
    shown.press("save")
    with shown.page.expect_download(timeout=180_000) as asked:
        shown.page.click(f"#save button[value={kind}]")
    return asked.value.suggested_filename, Path(asked.value.path()).read_bytes()


def test_files_of_the_run_are_made_while_it_plays(visit: Visitor) -> None:
    shown = visit()
    shown.open(**PINNED)
    shown.wait_for("transcript.length > 1000")
    files = {kind: kept(shown, kind) for kind in ("log", "cast", "jsonl", "labels", "csv")}
    (name,) = {file.partition(".")[0] for file, _ in files.values()}
    assert name in shown.plain  # the run's own
    assert name in files["log"][1].decode()
    head, *entries = map(json.loads, files["cast"][1].splitlines())
    assert (head["version"], head["width"]) == (2, shown.screen.width)
    assert {code for _, code, _ in entries} >= {"o", "m"}
    events = [json.loads(line) for line in files["jsonl"][1].splitlines()]
    assert all(event["simulated"] for event in events)
    assert events[0]["seed"] == PINNED["seed"]
    json.loads(files["labels"][1].splitlines()[0])
    with ZipFile(BytesIO(files["csv"][1])) as archive:
        assert sorted(archive.namelist()) == ["gpus.csv", "nodes.csv", "steps.csv"]
    assert shown.complaints == []


def test_picture_shows_what_the_terminal_shows(visit: Visitor) -> None:
    """Two pixels for each of the page's, on the theme's ground, with ink where the page has it."""
    shown = visit(width=1280, height=800)
    shown.open(**PINNED, theme="dark", **{"from": "60%"})
    shown.wait_for("/[\u2801-\u28ff]/.test(document.querySelector('.xterm-rows')?.textContent)")
    shown.press("pause")
    shown.wait_for("document.title.startsWith('paused')")
    shown.settle()
    name, content = kept(shown, "png")
    picture = Image.open(BytesIO(content)).convert("RGB")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+-training-\d+\.png", name)
    assert name.partition("-training-")[0] in shown.plain  # the run's own name
    box = shown.page.locator(".xterm-screen").bounding_box()
    assert box
    assert abs(picture.width - 2 * box["width"]) <= 2
    assert abs(picture.height - 2 * box["height"]) <= 2
    counts = sorted(picture.getcolors(1 << 24) or (), reverse=True)
    assert counts[0][1] == (12, 15, 20)
    height = picture.height / len(shown.rows)
    for number, row in enumerate(shown.rows):
        strip = picture.crop(
            (0, round(number * height), picture.width, round((number + 1) * height))
        )
        assert (len(strip.getcolors(1 << 24) or ()) > 8) >= bool(row.strip()), row


def test_file_that_cannot_be_fetched_is_told_and_the_show_goes_on(visit: Visitor) -> None:
    shown = visit()
    shown.open(**PINNED)
    shown.wait_for("transcript.length > 1000")
    shown.page.context.route("**/later.bin", lambda route: route.fulfill(status=404))
    shown.press("save")
    shown.page.click("#save button[value=jsonl]")
    shown.wait_for(f"{NOTICE}?.includes('could not be made')")
    before = shown.page.evaluate("transcript.length")
    shown.wait_for(f"transcript.length > {before}")
    shown.page.context.unroute("**/later.bin")
    assert kept(shown, "jsonl")[1].startswith(b"{")
