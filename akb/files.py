"""Files that must not be lost: written whole or not at all, locked by one process, with errors that say where."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from akb.errors import AkbError

KEPT = "What was answered so far is kept. Make room or choose another place (--out), and run the same again."
ALONE = "Wait for it, or give this run a folder of its own with --out."


class LockedError(AkbError):
    """Another process is writing there."""


@contextmanager
def explained(path: Path, fix: str = KEPT) -> Iterator[None]:
    """Turns an error of the file system into one that says where and what to do."""
    try:
        yield
    except FileExistsError:
        fix = "Move it away or choose another place (--out), and run the same again." if fix == KEPT else fix
        raise AkbError("cannot be written: a file is there, and a folder is wanted", where=str(path), fix=fix) from None
    except OSError as error:
        raise AkbError(f"cannot be written: {error.strerror or error}", where=str(path), fix=fix) from None


@contextmanager
def explained_read(path: Path) -> Iterator[None]:
    """Turns an error of the file system into one that says where."""
    try:
        yield
    except OSError as error:
        raise AkbError(f"cannot be read: {error.strerror}", where=str(path)) from None


def take_lock(folder: Path, fix: str = ALONE) -> FileLock:
    """Keep others from writing to a run until the lock is released (or the process ends).

    Raises:
        LockedError: another process holds it.
    """
    lock = FileLock(str(folder / ".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError("another akb process is writing to this run", where=str(folder), fix=fix) from None
    return lock


def is_written_to(folder: Path) -> bool:
    """Whether a process is at work on a run."""
    if not (folder / ".lock").exists():
        return False
    try:
        take_lock(folder).release()
    except AkbError:
        return True
    return False


def write_whole(path: Path, content: str | Iterable[str], fix: str = KEPT) -> None:
    """Write a file so that it is there whole or as it was before. Errors of making the content stay what they are."""
    beside = path.with_name(f".{path.name}.part")
    with explained(path, fix):
        file = beside.open("w", encoding="utf-8")
    try:
        for text in [content] if isinstance(content, str) else content:
            with explained(path, fix):
                file.write(text)
        with explained(path, fix):
            file.flush()
            os.fsync(file.fileno())
    finally:
        with explained(path, fix):  # what could not be written is tried again here
            file.close()
    with explained(path, fix):
        beside.replace(path)


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    if not path.exists():
        return hashlib.sha256(b"").hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cut_unfinished_line(path: Path) -> int:
    """A killed process may leave half a line at the end; it was never promised, so it goes. Returns its bytes."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end, position = size, size
        while position > 0:
            step = min(65536, position)
            position -= step
            file.seek(position)
            newline = file.read(step).rfind(b"\n")
            if newline >= 0:
                end = position + newline + 1
                break
            end = position
        if end < size:
            file.truncate(end)
        return size - end


def file_name(text: str) -> str:
    """A name as a part of a path: letters, digits and -+=. as they are, at most 60 of them."""
    return "".join(c if c.isalnum() or c in "-+=." else "_" for c in text)[:60]
