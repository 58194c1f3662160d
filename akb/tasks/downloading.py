"""Downloading one file over HTTP: resumed where it broke off, whole or not at all, its bytes checked.

What came so far lies in a hidden file beside the target (".NAME.part"), so that even a killed download goes on where
it was: RFC 9110, section 14 (Range, Content-Range), and section 13.1.5 (If-Range).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from akb.errors import AkbError
from akb.files import file_sha256

TRIES = 5  # in a row that bring nothing
PATIENCE = 120.0  # seconds; a server that wants a longer pause is left alone
BLOCK = 2**18
Told = Callable[[int, int | None], None]  # bytes that are there, bytes that there are to be


@dataclass(frozen=True)
class Piece:
    """A file to fetch.

    Attributes:
        name: what it is to be called.
        urls: where it is published; each is tried in turn.
        size: its bytes; None if they are not known.
        sha256: of its bytes; empty if it is not known.
        git: its hash as git counts it (sha1 of "blob SIZE NUL" and the bytes); empty if it is not known.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str = ""
    git: str = ""

    def wrong(self, path: Path) -> str:
        """What is wrong with a file that is to be this one; empty if it is right."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"it has {size} bytes, {self.size} are wanted"
        if self.sha256 and (found := file_sha256(path)) != self.sha256:
            return f"its sha256 is {found}, {self.sha256} is wanted"
        if self.git and (found := git_hash(path)) != self.git:
            return f"its git hash is {found}, {self.git} is wanted"
        return ""


class Passing(Exception):  # noqa: N818 - told to nobody but the loop that tries again
    """A fault that may pass: the same is asked again, from where it broke off."""

    def __init__(self, what: str, after: float = 0.0) -> None:
        super().__init__(what)
        self.after = after


def git_hash(path: Path) -> str:
    """The hash under which git keeps a file."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def download(piece: Piece, folder: Path, told: Told, *, timeout: float = 60.0, pause: float = 1.0) -> Path:
    """Fetch a file into a folder; what is there already and right is not fetched again.

    Args:
        told: hears of the progress.
        timeout: seconds without a byte after which a connection is given up.
        pause: seconds before the first new try; doubled at each further one.

    Returns:
        The file.

    Raises:
        AkbError: no place gives the file as it is wanted; what came so far is kept.
    """
    target = folder / piece.name
    if target.exists():
        if wrong := piece.wrong(target):
            raise AkbError(f"another file of this name is there: {wrong}", where=str(target),
                           fix="Move it away, or fetch into another folder with --to DIR.")  # fmt: skip
        return target
    part = folder / f".{piece.name}.part"
    for number, url in enumerate(piece.urls, start=1):
        try:
            _fetch(url, piece, part, told, timeout, pause)
            break
        except AkbError:
            if number == len(piece.urls):
                raise
    part.replace(target)
    _etag(part).unlink(missing_ok=True)
    return target


def _fetch(url: str, piece: Piece, part: Path, told: Told, timeout: float, pause: float) -> None:
    """Bring the part to its whole length, and check it."""
    resumed = part.exists() and part.stat().st_size > 0
    tries = 0
    while True:
        before = _size(part)
        try:
            _go_on(url, piece, part, told, timeout)
        except Passing as fault:
            tries = 1 if _size(part) > before + 2**20 else tries + 1
            if tries >= TRIES or fault.after > PATIENCE:
                wait = f"Try again in {fault.after:.0f} seconds: " if fault.after else "Try again later: "
                raise AkbError(f"{piece.name} cannot be fetched now: {fault}", where=url,
                               fix=wait + "the same command goes on where it was.") from None  # fmt: skip
            time.sleep(fault.after or min(pause * 2 ** (tries - 1), PATIENCE))
            continue
        wrong = piece.wrong(part)
        if not wrong:
            return
        part.unlink()
        if not resumed:
            raise AkbError(f"{piece.name} is not the file that is known: {wrong}", where=url,
                           fix="Its owner may have changed it. Nothing of it was kept.")  # fmt: skip
        resumed = False  # the file may have changed between the two parts: once more from its beginning


def _go_on(url: str, piece: Piece, part: Path, told: Told, timeout: float) -> None:
    have = _size(part)
    headers = {"User-Agent": "akb", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _etag(part).exists():
            headers["If-Range"] = _etag(part).read_text("latin-1")
    try:
        with opened(url, headers, timeout) as reply:
            _take(reply, url, piece, part, told)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is no more, or another file is there now
            if (error.headers.get("Content-Range") or "").removeprefix("bytes */") == str(have):
                return
            part.unlink()
            raise Passing("the server's file is shorter than what came before") from None
        raise
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise Passing(_words(error)) from None


def opened(url: str, headers: dict[str, str], timeout: float) -> Any:
    """The open answer to a GET.

    Raises:
        Passing: the server is busy or out of reach.
        AkbError: it refuses, or has no such file.
        HTTPError: 416 alone.
    """
    try:
        opener = urllib.request.build_opener(_Redirects)
        return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise
        raise _refused(error, url) from None
    except urllib.error.URLError as error:
        raise Passing(_words(error.reason)) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise Passing(_words(error)) from None


def _refused(error: urllib.error.HTTPError, url: str) -> Exception:
    after = error.headers.get("Retry-After", "") if error.headers else ""
    seconds = float(after) if re.fullmatch(r"\d{1,9}(\.\d+)?", after) else 0.0
    if error.code == 429:
        return Passing("too many requests (429)", seconds)
    if error.code >= 500 or error.code == 408:
        return Passing(f"the server failed ({error.code})", seconds)
    if error.code in (404, 410):
        fix = "Its owner may have moved it. If you have the file, name its folder with --data DIR."
        return AkbError(f"there is no such file ({error.code})", where=url, fix=fix)
    if error.code in (401, 403):
        fix = "Fetch it with a browser (log in, agree to its terms), and name its folder with --data DIR."
        return AkbError(f"the server does not give the file to everyone ({error.code})", where=url, fix=fix)
    if 300 <= error.code < 400:
        return AkbError(f"the redirections lead nowhere ({error.code}): {error.reason}", where=url)
    return AkbError(f"the server refuses ({error.code} {error.reason})", where=url)


def _take(reply: Any, url: str, piece: Piece, part: Path, told: Told) -> None:
    """Write down what comes; the place in the file is what the server says it is."""
    have, total = _size(part), _length(reply)
    if reply.status == 206:
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", reply.headers.get("Content-Range", ""))
        if place is None or int(place[1]) != have:
            part.unlink(missing_ok=True)
            raise Passing("the server answered with another part of the file than was asked for")
        total = int(place[2]) if place[2] != "*" else None if total is None else have + total
    else:
        have = 0  # the server does not know Range, or has another file now
    if "html" in reply.headers.get("Content-Type", "") and not piece.name.endswith((".html", ".htm")):
        raise AkbError(f"the server sends a web page instead of {piece.name}", where=url,
                       fix="Look at the address with a browser; fetch the file by hand, and name its folder with "
                           "--data DIR.")  # fmt: skip
    if piece.size is not None and total is not None and total != piece.size:
        raise AkbError(f"{piece.name} has {total} bytes there, {piece.size} are known", where=url,
                       fix="Its owner has changed it. Nothing was fetched.")  # fmt: skip
    most = piece.size if piece.size is not None else total
    room(part.parent, (most or 0) - have)
    etag = reply.headers.get("ETag", "")
    try:
        if etag and not etag.startswith("W/"):
            _etag(part).write_text(etag, "latin-1")
        else:
            _etag(part).unlink(missing_ok=True)
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            have = _copy(reply, file, have, most, told)
            file.flush()
            os.fsync(file.fileno())
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise AkbError(f"cannot be written: {error.strerror or error}", where=str(part),
                       fix="What came so far is kept. Make room, and run the same again.") from None  # fmt: skip
    if most is not None and have < most:
        raise Passing(f"the connection broke off after {have} of {most} bytes")
    if most is not None and have > most:
        part.unlink()
        raise AkbError(f"{piece.name} is longer than the {most} bytes that were told", where=url)


def _copy(reply: Any, file: IO[bytes], have: int, most: int | None, told: Told) -> int:
    told(have, most)
    while block := reply.read(BLOCK):
        file.write(block)
        have += len(block)
        told(have, most)
        if most is not None and have > most:
            break
    return have


def room(folder: Path, wanted: int) -> None:
    """Raises: AkbError: the disk has no room for so many bytes more."""
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise AkbError(f"{wanted / 1e9:.2f} GB are wanted, {free / 1e9:.2f} GB are free", where=str(folder),
                       fix="Make room, or choose another place with --to DIR.")  # fmt: skip


def _length(reply: Any) -> int | None:
    told = reply.headers.get("Content-Length", "")
    return int(told) if re.fullmatch(r"\d{1,18}", told) else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _etag(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    return f"the server cannot be reached or broke off ({str(error) or type(error).__name__})"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections by HTTP, never from an encrypted place to one that is not."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        schemes = (urlsplit(req.full_url).scheme, urlsplit(newurl).scheme)
        if schemes not in {("https", "https"), ("http", "http"), ("http", "https")}:
            raise urllib.error.HTTPError(newurl, code, f"from {schemes[0]} to {schemes[1]}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
