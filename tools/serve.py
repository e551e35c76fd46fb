"""Serve the built page on 127.0.0.1: `python -m tools.serve --port 8000`."""

import argparse
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIST = Path(__file__).parent.parent / "web" / "dist"


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
        ".whl": "application/zip",
        ".zip": "application/zip",
    }

    def end_headers(self) -> None:
        """Let the browser ask each time whether a file has changed: the page may be rebuilt."""
        self.send_header("Cache-Control", "no-cache")
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
