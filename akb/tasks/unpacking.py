"""Unpacking what was fetched: plain files alone, none outside the folder, no more bytes than are declared."""

from __future__ import annotations

import json
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from akb.errors import AkbError, missing_extra
from akb.tasks.published import Rows

BLOCK = 2**20
MOST_FILES = 200_000
FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


def unpack(archive: Path, folder: Path, most: int, rows: Rows | None = None, kept: Collection[str] = ()) -> list[str]:
    """Unpack a tar, zip or (with `rows`) Parquet file.

    Args:
        most: the most bytes that it may unpack to.
        kept: names in the folder that it may not write to.

    Returns:
        The files' names below the folder.

    Raises:
        AkbError: it is broken, is more than declared, or holds a link, a device or a path that leads out.
    """
    made: list[str] = []
    used = 0
    try:
        for name, size, source in _members(archive, rows):
            used += size
            if used > most or len(made) >= MOST_FILES:
                raise _bomb(archive, most)
            if name in kept:
                raise _bad(archive, name, "a file that was fetched by itself")
            _write(source, folder / name, size, archive)
            made.append(name)
    except FAULTS as error:
        raise AkbError(
            f"the archive is broken: {error}", where=str(archive), fix="Remove it and fetch it again."
        ) from None
    except OSError as error:
        raise AkbError(f"cannot be unpacked: {error.strerror or error}", where=str(archive)) from None
    if not made:
        raise AkbError("the archive holds no file", where=str(archive))
    return made


def _members(archive: Path, rows: Rows | None) -> Iterator[tuple[str, int, IO[bytes] | bytes]]:
    if rows is not None:
        yield from _rows(archive, rows)
    elif zipfile.is_zipfile(archive):
        yield from _zip(archive)
    else:
        yield from _tar(archive)


def _tar(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if member.isdir() or _idle(member.name):
                continue
            if not member.isreg() or member.issparse():
                raise _bad(archive, member.name, "a link or something else that is not a plain file")
            source = tar.extractfile(member)
            if source is not None:
                yield _safe(archive, member.name), member.size, source


def _zip(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            if member.is_dir() or _idle(member.filename):
                continue
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG) or member.flag_bits & 1:
                raise _bad(archive, member.filename, "a link, something encrypted or not a plain file")
            with file.open(member) as source:
                yield _safe(archive, member.filename), member.file_size, source


def _rows(archive: Path, rows: Rows) -> Iterator[tuple[str, int, bytes]]:
    try:
        import pyarrow
        import pyarrow.parquet as pq
    except ImportError:
        raise missing_extra("pyarrow", "data", needed_for=f"unpacking {archive.name}") from None
    column, _, inner = rows.name.partition(".")
    try:
        batches = pq.ParquetFile(archive).iter_batches(batch_size=16, columns=[rows.bytes, column])
        for row in (row for batch in batches for row in batch.to_pylist()):
            data, name = row[rows.bytes], row[column]
            data = data.get("bytes") if isinstance(data, dict) else data
            if inner:
                name = (json.loads(name) if isinstance(name, str) else name).get(inner)
            if not isinstance(data, bytes) or not isinstance(name, str) or not name:
                raise _bad(archive, str(name), "not a name with its bytes")
            yield _safe(archive, name + rows.ending), len(data), data
    except (pyarrow.ArrowException, KeyError, AttributeError, ValueError) as error:
        raise AkbError(f"not the Parquet file that is known: {error}", where=str(archive)) from None


def _write(source: IO[bytes] | bytes, target: Path, size: int, archive: Path) -> None:
    """A file, whole or not at all; it may be no longer than its archive says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    with beside.open("wb") as file:
        if isinstance(source, bytes):
            file.write(source)
        else:
            left = size
            while block := source.read(min(BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise _bad(archive, target.name, "longer than the archive says")
                file.write(block)
            if left:
                raise _bad(archive, target.name, "shorter than the archive says")
    beside.replace(target)


def _idle(name: str) -> bool:
    """Hidden files, and what else a Mac leaves in archives: no one needs them."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in PurePosixPath(name).parts)


def _safe(archive: Path, name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise _bad(archive, name, "outside of its folder")
    return str(path)


def _bad(archive: Path, name: str, what: str) -> AkbError:
    return AkbError(
        f"the archive holds {name[:80]!r}, which is {what}",
        where=str(archive),
        fix="It is not unpacked further. Look whether it is the file that its owner published.",
    )


def _bomb(archive: Path, most: int) -> AkbError:
    return AkbError(f"the archive unpacks to more than the {most / 1e9:.2f} GB or {MOST_FILES} files that are declared",
                    where=str(archive))  # fmt: skip
