"""A Hugging Face hub on 127.0.0.1, and every way in which the way to it can fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BLOCK = 1 << 16


class FakeHub:
    """Serves files at ``/REPO/resolve/REVISION/NAME`` as the hub does: redirect, ETag, Range.

    Attributes:
        files: Content by path.
        requests: (method, path, Range header or None), in order.
        cuts: How many bytes to send of the next answers before the connection breaks; None sends
            all. Taken from the front; when it is empty, ``cut_always`` holds.
        cut_always: As an item of ``cuts``, for all later answers.
        stall_at: Position in the file from which nothing comes any more, or None.
        status: Answer with this instead, or None.
        change: What is done to a content before it is sent.
        honour_range: False sends the whole file whatever was asked.
        redirect: Whether the file lies elsewhere, as at the hub's CDN.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str, str | None]] = []
        self.reset()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._closing = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self) -> None:
        """Be a healthy hub again, with no memory of requests."""
        self.requests.clear()
        self.cuts: list[int | None] = []
        self.cut_always: int | None = None
        self.stall_at: int | None = None
        self.stalled = threading.Event()
        self.status: int | None = None
        self.change: Callable[[bytes], bytes] = lambda content: content
        self.honour_range = True
        self.redirect = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def gets(self) -> list[tuple[str, str | None]]:
        """Path and Range of each GET of a file's content."""
        return [(path, wanted) for method, path, wanted in self.requests if method == "GET"]

    def next_cut(self) -> int | None:
        return self.cuts.pop(0) if self.cuts else self.cut_always

    def wait_for_end(self) -> None:
        self.stalled.set()
        self._closing.wait(60)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection in the name of a hub."""

    protocol_version = "HTTP/1.1"

    def __init__(self, hub: FakeHub, *arguments: Any) -> None:
        self.hub = hub  # before the base class, whose __init__ answers the requests
        super().__init__(*arguments)

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub = self.hub
        hub.requests.append((self.command, self.path, self.headers.get("Range")))
        path = self.path.removeprefix("/cdn")
        if hub.status is not None or path not in hub.files:
            self._refuse(hub.status or 404)
        elif hub.redirect and path == self.path:
            self._redirect(f"/cdn{path}")
        else:
            self._send(hub.change(hub.files[path]), with_body)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, with_body: bool) -> None:
        start = self._start(len(content))
        if start is None:
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if with_body:
            stall = None if self.hub.stall_at is None else max(0, self.hub.stall_at - start)
            self._body(content[start:], stall)

    def _start(self, length: int) -> int | None:
        """Where the answer begins; None if it was refused."""
        wanted = self.headers.get("Range")
        if not wanted or not self.hub.honour_range:
            return 0
        start = int(wanted.removeprefix("bytes=").split("-")[0])
        if start < length:
            return start
        self._refuse(416)
        return None

    def _body(self, content: bytes, stall: int | None) -> None:
        cut = self.hub.next_cut()
        end = min(x for x in (cut, stall, len(content)) if x is not None)
        for at in range(0, end, BLOCK):
            self.wfile.write(content[at : min(at + BLOCK, end)])
        self.wfile.flush()
        if stall is not None and end == stall:
            self.hub.wait_for_end()
        if end < len(content):
            self.close_connection = True
            self.connection.close()
