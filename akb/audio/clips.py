"""Clips by what they hold: the hash of a file's bytes, for many files side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from akb.audio.ahead import cores
from akb.audio.sound import Unhearable, shown
from akb.files import file_sha256
from akb.types import Clip


def clip_of(path: str | Path) -> Clip:
    """The clip that a file is; its `decoding` is empty, for whoever hears it declares that.

    Only the bytes are read; whether they are audio is found when it is decoded.

    Raises:
        Unhearable: it is missing, cannot be read, or has no bytes.
    """
    where = shown(path)
    try:
        file = Path(path)
        if not file.exists():
            raise Unhearable("there is no such file", kind="missing", where=where)
        if not file.is_file():
            raise Unhearable("not a file; an audio file is wanted", kind="unreadable", where=where)
        if file.stat().st_size == 0:
            raise Unhearable("the file is empty (0 bytes)", kind="empty", where=where, fix="Fetch or copy it again.")
        found = file.stat()
        return Clip(_sha256(file, found.st_size, found.st_mtime_ns, found.st_ino), os.fspath(path))
    except ValueError:
        raise Unhearable("no file can be called that", kind="missing", where=where) from None
    except OSError as error:
        raise Unhearable(f"cannot be read: {error.strerror}", kind="unreadable", where=where) from None


def clips_of(paths: Iterable[str | Path], workers: int | None = None) -> list[Clip | Unhearable]:
    """The clips of many files, in their order; in place of one that cannot be had, the reason.

    Hashing releases the interpreter's lock, so files are hashed side by side (default: as many as there are cores).
    """
    with ThreadPoolExecutor(workers or cores(), "hash") as pool:
        return list(pool.map(_tried, paths))


@lru_cache(maxsize=100_000)
def _sha256(file: Path, size: int, changed: int, inode: int) -> str:
    """A file's hash; read once by a process that meets it in several runs, unless it changed in between."""
    return file_sha256(file)


def _tried(path: str | Path) -> Clip | Unhearable:
    try:
        return clip_of(path)
    except Unhearable as error:
        return error
