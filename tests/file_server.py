"""A server of files on loopback, of which every kind of misbehaviour is asked for by name; and an archive."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY = bytes(range(256)) * 12_000  # 3 MB
SHA = hashlib.sha256(BODY).hexdigest()


class Place:
    """What a server holds, how it misbehaves at each path, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/a.bin": BODY}
        self.faults: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""
        self.etag = ""

    def ranges(self, path: str) -> list[str | None]:
        return [asked for where, asked in self.asked if where == path]


@contextmanager
def serving() -> Iterator[Place]:
    held = Place()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Not on the tests' output."""

        def do_GET(self) -> None:
            path, asked = self.path, self.headers.get("Range")
            held.asked.append((path, asked))
            if self.headers.get("If-Range", held.etag) != held.etag:
                asked = None  # another file is there now: the whole of it is sent
            queue = held.faults.get(path, [])
            with suppress(ConnectionError):
                self.answer(path, asked, queue.pop(0) if queue else "")
            self.close_connection = True

        def answer(self, path: str, asked: str | None, fault: str) -> None:
            body = held.files.get(path)
            if fault.isdigit() or body is None:
                self.head(int(fault or 404), 0)
            elif fault.startswith("to "):
                self.head(302, 0, Location=fault[3:])
            elif fault.startswith("wait "):
                self.head(429, 0, **{"Retry-After": fault[5:]})
            elif fault == "page":
                self.head(200, 5, **{"Content-Type": "text/html; charset=utf-8"})
                self.wfile.write(b"<html")
            elif fault == "hang":
                time.sleep(1)
            elif fault == "slow":
                self.head(200, len(body))
                for start in range(0, len(body), 20_000):
                    self.wfile.write(body[start : start + 20_000])
                    time.sleep(0.02)
            else:
                self.part(body, asked, fault)

        def part(self, body: bytes, asked: str | None, fault: str) -> None:
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "no range" else 0
            if start >= len(body):
                self.head(416, 0, **{"Content-Range": f"bytes */{len(body)}"})
                return
            shift = 7 if fault == "elsewhere" and start else 0
            told = {"Content-Range": f"bytes {start - shift}-{len(body) - 1}/{len(body)}"} if start else {}
            length = len(body) - start + shift
            if fault == "no length":
                self.head(200, None)
            else:
                self.head(206 if start else 200, length + (9 if fault == "longer" else 0), **told)
            sent = body[start - shift :]
            self.wfile.write(sent[: len(sent) // 3] if fault == "cut" else sent)

        def head(self, status: int, length: int | None, **headers: str) -> None:
            self.send_response(status)
            if length is not None:
                self.send_header("Content-Length", str(length))
            for name, value in {**headers, **({"ETag": held.etag} if held.etag else {})}.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield held
    server.shutdown()
    server.server_close()


def tar(path: Path, *members: tuple[str, bytes | Callable[[tarfile.TarInfo], None]]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if callable(content):
                content(info)
                file.addfile(info)
            else:
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path
