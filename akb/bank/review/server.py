"""Serves the page on loopback to whoever has its address, and appends what raters answer to a log of readings."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

from filelock import FileLock, Timeout

from akb.bank.readings import Reading, read, words
from akb.bank.review import page
from akb.errors import AkbError
from akb.files import cut_unfinished_line, explained
from akb.strict import parse
from akb.tasks.items import Item

HOST = "127.0.0.1"
LARGEST = 64 * 1024  # bytes of a reading
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RefusedError(Exception):
    """A request that is not answered as it wishes."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Log:
    """A file of readings, of which each is on the disk before it is called saved. One process writes to it.

    Raises:
        AkbError: it cannot be written, another process writes to it, or a line of it is no reading.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._held = FileLock(str(path.with_name(f".{path.name}.lock")), timeout=0)
        with explained(path):
            self._file = path.open("ab", buffering=0)
            try:
                self._held.acquire()
            except Timeout:
                raise AkbError("another akb process is writing to this file", where=str(path)) from None
            try:
                _end_line(path)
                self._last = {_key(reading): reading for reading in read([path])}
            except BaseException:
                self._held.release()
                raise

    def add(self, reading: Reading) -> None:
        """Append a reading, unless it is what its rater said of the item last."""
        line = f"{json.dumps(reading.model_dump(mode='json'), ensure_ascii=False)}\n".encode()
        with self._lock:
            if self._last.get(_key(reading)) == reading:
                return
            size = os.fstat(self._file.fileno()).st_size
            try:
                if self._file.write(line) != len(line):
                    raise OSError("the disk is full")
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(size)
                raise
            self._last[_key(reading)] = reading

    def by(self, rater: str) -> list[Reading]:
        """What a rater said last of each item."""
        with self._lock:
            return [reading for reading in self._last.values() if reading.by == rater]

    def close(self) -> None:
        with self._lock:
            self._file.close()
        self._held.release()


def _key(reading: Reading) -> tuple[int, str, str, int]:
    return reading.round, reading.by, reading.item, reading.version


def _end_line(path: Path) -> None:
    """A last line without an end is ended if it is whole, and goes if a killed process left half of it."""
    last = path.read_bytes().rpartition(b"\n")[2]
    try:
        json.loads(last or b"0")
    except ValueError:
        cut_unfinished_line(path)
    else:
        if last:
            with path.open("ab") as file:
                file.write(b"\n")


class Server(ThreadingHTTPServer):
    """Listens on loopback until it is stopped; `url` is where.

    Args:
        items: what is to be read.
        number: of the round.
        results: the log of readings.
        port: 0 takes any that is free.

    Raises:
        AkbError: the port is in use, or the log cannot be written.
    """

    allow_reuse_address = os.name != "nt"  # where it would let two servers have one port

    def __init__(self, items: Sequence[Item], number: int, results: Path, port: int = 0) -> None:
        self.page = page.make(items, number, served=True).encode()
        self.items, self.number = {item.id: item for item in items}, number
        self.token = secrets.token_urlsafe(24)
        self.log = Log(results)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            self.log.close()
            raise AkbError(f"cannot be listened on: {error.strerror or error}", where=f"port {port}",
                           fix="Choose another with --port, or none to get one that is free.") from None  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> set[str]:
        """The names by which a browser may call this server; with any other, a foreign site may be behind it."""
        return {f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""

    def run(self) -> None:
        """Serve until Ctrl-C; what is being written then is still written."""
        try:
            self.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            self.server_close()
            self.log.close()

    def reading(self, body: bytes) -> Reading:
        """A posted reading, or RefusedError if it is none of these items."""
        try:
            row = json.loads(body.decode("utf-8"))
            reading = parse(Reading, row, "")
            json.dumps(reading.model_dump(), ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise RefusedError(400, "not JSON in UTF-8") from None
        except AkbError as error:
            raise RefusedError(422, error.what) from None
        item = self.items.get(reading.item)
        if item is None or item.version != reading.version:
            raise RefusedError(422, f"item: there is no {reading.item}, version {reading.version}")
        wanted: dict[str, Any] = {"round": self.number, "kind": "human", "blind": True, "key": item.answer,
                                  "category": item.category, "canary": item.canary}  # fmt: skip
        for name, value in wanted.items():
            if getattr(reading, name) != value:
                raise RefusedError(422, f"{name}: {value!r} is wanted")
        if reading.words not in ("", words(item)):
            raise RefusedError(422, f"words: {reading.item} is another here than on this page")
        if not reading.by.strip() or len(reading.by) > 200:
            raise RefusedError(422, "by: a name is wanted")
        clear = reading.verdict == "clear"
        if reading.answer not in (range(len(item.options)) if clear else (None,)):
            raise RefusedError(422, "answer: an option's index with the verdict clear, else null")
        return reading


class Handler(BaseHTTPRequestHandler):
    """One request, to the page or its results."""

    server: Server
    timeout = 15
    server_version, sys_version = "akb", ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the address is a secret."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses, as JSON too."""
        self._send(code, "application/json", json.dumps({"error": message or "refused"}).encode())

    def _answer(self, how: Any) -> None:
        try:
            kind, body = how(self._asked())
            status = 200
        except RefusedError as refused:
            status, kind, body = refused.status, "application/json", json.dumps({"error": refused.why}).encode()
        except TimeoutError:
            status, kind, body = 408, "application/json", b'{"error": "the body did not come"}'
        except OSError as error:
            why = {"error": f"cannot be written: {error.strerror or error}"}
            status, kind, body = 500, "application/json", json.dumps(why).encode()
        self._send(status, kind, body)

    def _asked(self) -> str:
        """The path after the token."""
        if self.headers.get("Host", "") not in self.server.hosts:
            raise RefusedError(403, "this host name is not served")
        token, slash, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise RefusedError(404, "there is nothing here")
        return rest

    def _get(self, rest: str) -> tuple[str, bytes]:
        if rest == "":
            return "text/html; charset=utf-8", self.server.page
        if rest != "results":
            raise RefusedError(404, "there is nothing here")
        by = parse_qs(self.path.partition("?")[2]).get("by", [""])[0]
        rows = [reading.model_dump(mode="json") for reading in self.server.log.by(by)]
        return "application/json", json.dumps({"results": rows}).encode()

    def _post(self, rest: str) -> tuple[str, bytes]:
        if rest != "results":
            raise RefusedError(404, "there is nothing here")
        if self.headers.get("Origin", "") != f"http://{self.headers['Host']}":
            raise RefusedError(403, "only this page may post")
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(415, "application/json is wanted")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(411, "Content-Length is wanted")
        if len(length) > 9 or int(length) > LARGEST:
            if len(length) < 8:  # else it would not hear this
                self.rfile.read(int(length))
            raise RefusedError(413, f"at most {LARGEST} bytes are taken")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise RefusedError(400, "the body is cut off")
        self.server.log.add(self.server.reading(body))
        return "application/json", b'{"saved": true}'

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
