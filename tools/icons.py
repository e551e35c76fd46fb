"""Draw web/icon.svg as the PNG files that launchers ask for: `make icons` after a change of it."""

from playwright.sync_api import sync_playwright

from tools.browser import launch
from tools.library import ROOT

SIZES = (180, 192, 512)  # iOS; Android's launcher and its splash screen
WEB = ROOT / "web"


def main() -> None:
    """Draw each size, without round corners: launchers cut their own shape."""
    svg = (WEB / "icon.svg").read_text(encoding="utf-8")
    style = "html, body { margin: 0; background: #0c0f14 } svg { display: block; width: 100vw }"
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>{style}</style>{svg}")
            page.screenshot(path=WEB / f"icon-{size}.png")
        browser.close()


if __name__ == "__main__":
    main()
