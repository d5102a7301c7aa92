"""A run in a browser while it goes on: a page, its changes as server-sent events, its images. Reads only."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vlrl.errors import ConfigError
from vlrl.report.watching.live_run import LiveRun

SECONDS = 1.0  # between two looks at the files
QUIET_SECONDS = 15.0  # after which a line without content shows that the connection lives
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DIGEST = re.compile(r"/image/([0-9a-f]{8,64})")
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_PAGES = {
    "/": ("watch.html", "text/html"),
    "/watch.js": ("watch.js", "text/javascript"),
    "/watch.css": ("watch.css", "text/css"),
    "/report.css": ("../report.css", "text/css"),
}
POLICY = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"


class WatchServer(ThreadingHTTPServer):
    """Serves one run folder. `stopping` ends the streams of events."""

    daemon_threads = True

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self.folder, self.stopping = folder, threading.Event()
        self.names = {*LOOPBACK, host}
        self.checks_names = host in LOOPBACK
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"--host {host} --port {port}", f"can't be listened on: {error.strerror}", "another --port, 0 for any"
            ) from error

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/"

    def close(self) -> None:
        """End all streams and stop listening."""
        self.stopping.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """GET of a page, an image, or the stream. Another name in `Host` is refused: no other page may read a run."""

    server: WatchServer
    protocol_version = "HTTP/1.1"
    server_version = "vlrl"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request."""
        named = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if self.server.checks_names and named not in self.server.names:
            self._answer(403, b"this server answers to its own name alone", "text/plain")
            return
        path = urlsplit(self.path).path
        if path in _PAGES:
            name, kind = _PAGES[path]
            folder = resources.files("vlrl.report" if name.startswith("../") else "vlrl.report.watching")
            self._answer(200, folder.joinpath(name.removeprefix("../")).read_bytes(), f"{kind}; charset=utf-8")
        elif path == "/events":
            self._stream()
        elif (named_image := _DIGEST.fullmatch(path)) is not None:
            self._image(named_image[1])
        else:
            self._answer(404, b"not here", "text/plain")

    def _answer(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _image(self, digest: str) -> None:
        file = next(
            (f for f in sorted((self.server.folder / "images").glob(f"{digest}.*")) if f.suffix in _KINDS), None
        )
        try:
            data = b"" if file is None else file.read_bytes()
        except OSError:
            data = b""
        if file is None or not data:
            self._answer(404, b"not here", "text/plain")
        else:
            self._answer(200, data, _KINDS[file.suffix])

    def _stream(self) -> None:
        """Every change as one event, until the reader or the server leaves."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        run, last, quiet = LiveRun(self.server.folder), None, 0.0
        try:
            while not self.server.stopping.is_set():
                change = run.look()
                if change.restarted or change.metrics or change.groups or change.status != last:
                    self._send(f"data: {json.dumps(change.as_dict(), ensure_ascii=False)}\n\n")
                    last, quiet = change.status, 0.0
                elif quiet >= QUIET_SECONDS:
                    self._send(": still here\n\n")
                    quiet = 0.0
                self.server.stopping.wait(SECONDS)
                quiet += SECONDS
        except (BrokenPipeError, ConnectionResetError):
            return  # the reader has left

    def _send(self, text: str) -> None:
        self.wfile.write(text.encode("utf-8", "replace"))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news."""
