"""Unpacking what strangers packed."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from file_server import tar

from akb.errors import AkbError
from akb.tasks.published import Rows
from akb.tasks.unpacking import unpack


def link(info: tarfile.TarInfo) -> None:
    info.type, info.linkname = tarfile.SYMTYPE, "/etc"


def hard_link(info: tarfile.TarInfo) -> None:
    info.type, info.linkname = tarfile.LNKTYPE, "a.wav"


def device(info: tarfile.TarInfo) -> None:
    info.type = tarfile.CHRTYPE


def test_an_archive_is_unpacked_without_what_a_mac_leaves_in_it(tmp_path: Path) -> None:
    archive = tar(tmp_path / "x.tar.gz", ("./audio/a.wav", b"a"), ("./audio/._a.wav", b"-"), ("audio/.DS_Store", b"-"),
                  ("__MACOSX/a.wav", b"-"), ("b.wav", b"bb"))  # fmt: skip
    assert unpack(archive, tmp_path / "out", 100) == ["audio/a.wav", "b.wav"]
    found = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert found == {"audio/a.wav": b"a", "b.wav": b"bb"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../evil.wav", b"x"),
        ("/tmp/akb-evil.wav", b"x"),
        ("a/../../evil.wav", b"x"),
        ("..\\evil.wav", b"x"),
        ("C:/evil.wav", b"x"),
        ("audio", link),
        ("b.wav", hard_link),
        ("c.wav", device),
        ("questions.json", b"other questions"),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str, content: Any) -> None:
    archive = tar(tmp_path / "x.tar.gz", (name, content))
    (tmp_path / "out").mkdir()
    with pytest.raises(AkbError, match="the archive holds"):
        unpack(archive, tmp_path / "out", 100, kept=["questions.json"])
    assert not list((tmp_path / "out").iterdir())
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/akb-evil.wav").exists()


def test_a_link_in_a_zip_and_a_path_that_leads_out_of_it_are_refused(tmp_path: Path) -> None:
    for number, (name, mode) in enumerate([("a.wav", 0o120777), ("../a.wav", 0o100644)]):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as file:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, "/etc/passwd")
        with pytest.raises(AkbError, match="the archive holds"):
            unpack(tmp_path / f"{number}.zip", tmp_path / "out", 100)


def test_a_bomb_stops_at_what_was_declared(tmp_path: Path) -> None:
    archive = tar(tmp_path / "x.tar.gz", ("a.wav", bytes(400)), ("b.wav", bytes(10_000_000)))
    with pytest.raises(AkbError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out", 1000)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wav"]
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.wav", bytes(10_000_000))
    with pytest.raises(AkbError, match="unpacks to more than"):
        unpack(tmp_path / "x.zip", tmp_path / "out", 1000)


@pytest.mark.parametrize("content", [b"", b"<html>no archive</html>", b"\x1f\x8b\x08 broken"])
def test_a_broken_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(AkbError, match=r"x\.tar\.gz: the archive"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out", 1000)


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    archive = tar(tmp_path / "x.tar.gz", ("a.wav", os.urandom(100_000)))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(AkbError, match="the archive"):
        unpack(archive, tmp_path / "out", 1_000_000)


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


ROWS = Rows(bytes="context", name="other_attributes.id", ending=".wav")


def test_audio_in_the_rows_of_a_parquet_file_becomes_files(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = [{"context": {"bytes": bytes([n]) * n, "path": None}, "other_attributes": json.dumps({"id": f"id-{n}"})}
            for n in range(1, 40)]  # fmt: skip
    names = unpack(parquet(tmp_path / "x.parquet", rows), tmp_path / "out", 10_000, ROWS)
    assert names == [f"id-{n}.wav" for n in range(1, 40)]
    assert all((tmp_path / "out" / f"id-{n}.wav").read_bytes() == bytes([n]) * n for n in range(1, 40))


@pytest.mark.parametrize("told", ['{"id": "../x"}', '{"name": "x"}', "no json", '{"id": 7}', "[]"])
def test_rows_of_another_kind_are_refused(tmp_path: Path, told: str) -> None:
    pytest.importorskip("pyarrow")
    path = parquet(tmp_path / "x.parquet", [{"context": {"bytes": b"1", "path": None}, "other_attributes": told}])
    with pytest.raises(AkbError):
        unpack(path, tmp_path / "out", 1000, ROWS)
    assert not (tmp_path / "out").exists()
