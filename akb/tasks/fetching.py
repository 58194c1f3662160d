"""Fetching a task's questions and audio from where their owners publish them; nothing of it is part of akb.

A place is pinned (a revision) and its bytes are known by their hash. On the Hugging Face hub the hashes are those that
the hub tells for the pinned revision: the sha256 of a large file (Git LFS), git's own hash of a small one
(GET /api/datasets/REPO/tree/REVISION, as huggingface_hub's `list_repo_tree` reads it).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from filelock import FileLock, Timeout

from akb.errors import AkbError
from akb.files import explained, file_sha256, write_whole
from akb.settings import cache_folder
from akb.strict import read_text
from akb.tasks.downloading import Passing, Piece, download, opened, room
from akb.tasks.published import Fetch, Source
from akb.tasks.unpacking import unpack

RECORD = "fetched.json"
BY_HAND = "by hand from "
LISTING = 10_000_000  # bytes; no list of a dataset's files is longer


class Watcher(Protocol):
    """Whoever watches a fetch."""

    def says(self, line: str) -> None: ...

    def told(self, have: int, total: int | None) -> None: ...


# -- terms --


def agreed(terms: str) -> bool:
    """Whether the user has agreed to these very words before."""
    return _hash(terms) in _agreements()


def agree(task: str, terms: str) -> None:
    """Write down that the user agreed, and when."""
    told = {**_agreements(), _hash(terms): {"task": task, "when": datetime.now(UTC).isoformat(timespec="seconds")}}
    path = _agreements_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(told, indent=2) + "\n")


def _agreements_file() -> Path:
    return cache_folder() / "agreed.json"


def _agreements() -> dict[str, Any]:
    return _json(_agreements_file())


def _json(path: Path) -> dict[str, Any]:
    """A file of akb's own; what cannot be read counts as not there."""
    try:
        found = json.loads(read_text(path))
    except (AkbError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _hash(terms: str) -> str:
    return hashlib.sha256(" ".join(terms.split()).encode()).hexdigest()


# -- fetching --


def fetch(
    task: str, spec: Fetch, folder: Path, watcher: Watcher, *, timeout: float = 60.0, pause: float = 1.0
) -> Mapping[str, Any]:
    """Fetch what of a task's files is not there yet. The terms are the caller's to show and to have agreed to.

    Args:
        folder: where the files go; made if it is not there.
        timeout, pause: as of `akb.tasks.downloading.download`.

    Returns:
        What is there now, as `fetched.json` in the folder tells it: for each file its name, bytes, sha256, where it
        came from, and what was unpacked of it.

    Raises:
        AkbError: something cannot be had; what was fetched stays, and the same call goes on where it was.
    """
    with _alone(folder):
        record = _json(folder / RECORD)
        files = record["files"] if isinstance(record.get("files"), dict) else {}
        for number, source in enumerate(spec.files):
            key = source.name or (source.hub.path if source.hub else str(number))
            pinned = _hash(source.model_dump_json())
            if _is_there(folder, files.get(key), pinned):
                watcher.says(f"{key}: is there")
                continue
            kept = {RECORD, *spec.questions, *(s.name for s in spec.files)}
            files[key] = {**_one(source, folder, watcher, kept, timeout, pause), "pinned": pinned}
            write_whole(folder / RECORD, json.dumps({"task": task, "files": files}, indent=1) + "\n")
            if "unpacked" in files[key] and not files[key]["from"].startswith(BY_HAND):
                (folder / files[key]["name"]).unlink()  # what the user brought stays the user's
        return {"task": task, "folder": str(folder), "files": files}


def _one(
    source: Source, folder: Path, watcher: Watcher, kept: set[str], timeout: float, pause: float
) -> dict[str, Any]:
    """Fetch and unpack one file."""
    brought = folder / source.by_hand.name if source.by_hand else None
    if brought is not None and brought.is_file():
        path, rows, came = brought, None, f"{BY_HAND}{source.by_hand.url}" if source.by_hand else ""
    elif brought is not None and not (source.urls or source.hub):
        raise _only_by_hand(source, folder)
    else:
        piece = _resolve(source, timeout, pause, watcher)
        if piece.size is not None and not (folder / piece.name).exists():
            room(folder, piece.size * (2 if source.unpack else 1) - _came(folder, piece))
        watcher.says(f"{piece.name}: {piece.urls[0]}")
        path = download(piece, folder, watcher.told, timeout=timeout, pause=pause)
        rows, came = source.rows, piece.urls[0]
    told: dict[str, Any] = {"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path), "from": came}
    if source.unpack or path == brought:
        watcher.says(f"{path.name}: is being unpacked")
        below = folder / source.into if rows is not None else folder
        names = unpack(path, below, source.unpacked, rows, kept if below == folder else ())
        told["unpacked"] = [(below / name).relative_to(folder).as_posix() for name in names]
    return told


def _resolve(source: Source, timeout: float, pause: float, watcher: Watcher) -> Piece:
    if source.hub is None:
        return Piece(source.name, source.urls, source.bytes, source.sha256)
    hub, server = source.hub, os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{server}/api/datasets/{hub.repo}/tree/{hub.revision}?recursive=true"
    entries = [e for e in _listing(url, timeout, pause) if e.get("type") == "file"]
    fits = [e for e in entries if fnmatchcase(str(e.get("path")), hub.path)]
    if len(fits) != 1:
        raise AkbError(f"{hub.path} fits {len(fits)} files of {hub.repo} at {hub.revision[:12]}, one is wanted",
                       where=url, fix=_else(source))  # fmt: skip
    entry = fits[0]
    lfs = entry.get("lfs") or {}
    path, sha256 = str(entry["path"]), str(lfs.get("oid") or "")
    if source.sha256 and sha256 and sha256 != source.sha256:
        raise AkbError(f"{path} is not the file that is known: its sha256 is {sha256}", where=url)
    return Piece(
        source.name or path.rpartition("/")[2],
        (f"{server}/datasets/{hub.repo}/resolve/{hub.revision}/{quote(path)}",),
        source.bytes or lfs.get("size") or entry.get("size"),
        source.sha256 or sha256,
        "" if lfs else str(entry.get("oid") or ""),
    )


def _listing(url: str, timeout: float, pause: float) -> list[dict[str, Any]]:
    for left in reversed(range(3)):
        try:
            with opened(url, {"User-Agent": "akb"}, timeout) as reply:
                found = json.loads(reply.read(LISTING))
            break
        except (Passing, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            if not left:
                raise AkbError(f"the list of files cannot be had now: {error}", where=url,
                               fix="Try again later.") from None  # fmt: skip
            time.sleep(pause)
        except urllib.error.HTTPError as error:
            raise AkbError(f"the server refuses ({error.code})", where=url) from None
        except ValueError:
            raise AkbError("the server's list of files is not JSON", where=url) from None
    if not isinstance(found, list):
        raise AkbError("the server's answer is no list of files", where=url)
    return [entry for entry in found if isinstance(entry, dict)]


def _is_there(folder: Path, told: Any, pinned: str) -> bool:
    """Whether what was written down of a file is still so; bytes that were checked are not read again."""
    if not isinstance(told, dict) or told.get("pinned") != pinned:
        return False
    if "unpacked" in told:
        return all((folder / name).is_file() for name in told["unpacked"])
    file = folder / str(told.get("name"))
    return file.is_file() and file.stat().st_size == told.get("bytes")


def _came(folder: Path, piece: Piece) -> int:
    part = folder / f".{piece.name}.part"
    return part.stat().st_size if part.exists() else 0


def _only_by_hand(source: Source, folder: Path) -> AkbError:
    return AkbError(
        "its owner offers this only by a link that no program can follow", where=folder.name, fix=_else(source, folder)
    )


def _else(source: Source, folder: Path | None = None) -> str:
    if source.by_hand is None:
        return ""
    return (f"Get {source.by_hand.name} with a browser from {source.by_hand.url}, put it into "
            f"{folder or 'the folder of the task'}, and run the same again: it is unpacked there.")  # fmt: skip


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, kept from other processes."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(folder / ".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise AkbError("another akb process is fetching into this folder", where=str(folder),
                       fix="Wait for it.") from None  # fmt: skip
    try:
        yield
    finally:
        lock.release()
