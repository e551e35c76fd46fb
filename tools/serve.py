"""Serve the built page on 127.0.0.1: `python -m tools.serve --port 8000`."""

import argparse
import gzip
import re
import sys
from functools import cache, partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

DIST = Path(__file__).parent.parent / "web" / "dist"
HASHED = re.compile("/[0-9a-f]{12}/")


@cache
def compressed(file: Path, _changed: int) -> bytes:
    """The file's content, at the level that hosts commonly have."""
    return gzip.compress(file.read_bytes(), 6)


class Handler(SimpleHTTPRequestHandler):
    """Static files with the types that browsers insist on, whatever this machine's own map says."""

    extensions_map = {  # noqa: RUF012 (the base class has it so)
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
        ".whl": "application/zip",
        ".zip": "application/zip",
    }

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Send text and programs compressed, as hosts do."""
        file = Path(self.translate_path(self.path))
        if "gzip" not in self.headers.get("Accept-Encoding", "") or not file.is_file():
            return super().send_head()
        content = compressed(file, file.stat().st_mtime_ns)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return BytesIO(content)

    def end_headers(self) -> None:
        """A file in a folder named by its hash never changes; all others may, at any time."""
        forever = HASHED.match(self.path)
        caching = "public, max-age=31536000, immutable" if forever else "no-cache"
        self.send_header("Cache-Control", caching)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    """A server that does not mind when a browser goes away in mid-download."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Report errors, but not a closed connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it came


def server(port: int = 0, directory: Path = DIST) -> Server:
    """A server of the folder on 127.0.0.1; port 0 takes a free one."""
    return Server(("127.0.0.1", port), partial(Handler, directory=str(directory)))


def main() -> int:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    try:
        http = server(port)
    except OSError as error:
        print(f"cannot serve on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    with http:
        print(f"http://127.0.0.1:{http.server_port}/  (Ctrl+C stops)", flush=True)
        try:
            http.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
