"""Downloading one file, through everything that a server may do."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import BODY, SHA, Place, serving

from akb.errors import AkbError
from akb.tasks.downloading import Piece, download, git_hash


@pytest.fixture
def place() -> Iterator[Place]:
    with serving() as held:
        yield held


def get(place: Place, folder: Path, *, path: str = "/a.bin", sha256: str = SHA, size: int | None = None) -> Path:
    piece = Piece("a.bin", (place.url + path,), size, sha256)
    return download(piece, folder, lambda have, total: None, timeout=0.5, pause=0.01)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["cut"],
        ["cut", "cut", "cut"],
        ["500", "503", "408"],
        ["wait 0.01"],
        ["hang"],
        ["cut", "no range"],
        ["cut", "elsewhere"],
        ["no length"],
        ["no range"],
    ],
    ids=" ".join,
)
def test_a_file_comes_whole_through_faults_that_pass(place: Place, tmp_path: Path, faults: list[str]) -> None:
    place.faults["/a.bin"] = [*faults]
    assert get(place, tmp_path).read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["a.bin"]


def test_a_download_that_broke_off_asks_for_the_rest_alone(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = ["cut"]
    get(place, tmp_path)
    assert place.ranges("/a.bin") == [None, f"bytes={len(BODY) // 3}-"]


def test_a_file_that_is_there_and_right_is_not_asked_for_again(place: Place, tmp_path: Path) -> None:
    get(place, tmp_path)
    get(place, tmp_path)
    assert len(place.asked) == 1


def test_another_file_of_that_name_is_never_overwritten(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("mine")
    with pytest.raises(AkbError, match="another file of this name is there"):
        get(place, tmp_path)
    assert (tmp_path / "a.bin").read_text() == "mine"


def test_a_whole_part_needs_no_more_than_its_check(place: Place, tmp_path: Path) -> None:
    (tmp_path / ".a.bin.part").write_bytes(BODY)
    assert get(place, tmp_path).read_bytes() == BODY
    assert place.ranges("/a.bin") == [f"bytes={len(BODY)}-"]


def test_a_part_of_a_version_that_is_no_more_there_is_not_gone_on_with(place: Place, tmp_path: Path) -> None:
    place.etag, place.files["/a.bin"] = '"old"', bytes(len(BODY))
    place.faults["/a.bin"] = ["cut", *["500"] * 20]
    with pytest.raises(AkbError):
        get(place, tmp_path)
    place.etag, place.files["/a.bin"] = '"new"', BODY
    place.faults.clear()
    place.asked.clear()
    assert get(place, tmp_path).read_bytes() == BODY
    assert len(place.asked) == 1


@pytest.mark.parametrize("stale", [b"of another file", BODY + b"too long"])
def test_a_part_of_another_file_is_thrown_away_and_fetched_anew(place: Place, tmp_path: Path, stale: bytes) -> None:
    (tmp_path / ".a.bin.part").write_bytes(stale)
    assert get(place, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("404", "there is no such file (404)"),
        ("410", "there is no such file (410)"),
        ("401", "does not give the file to everyone (401)"),
        ("403", "does not give the file to everyone (403)"),
        ("418", "the server refuses (418"),
        ("page", "a web page instead of a.bin"),
        ("to ftp://127.0.0.1/a.bin", "the redirections lead nowhere"),
        ("to file:///etc/hosts", "the redirections lead nowhere"),
    ],
)
def test_what_does_not_pass_is_said_at_once(place: Place, tmp_path: Path, fault: str, told: str) -> None:
    place.faults["/a.bin"] = [fault]
    with pytest.raises(AkbError) as caught:
        get(place, tmp_path)
    assert told in str(caught.value)
    assert len(place.asked) == 1
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_goes_on_failing_is_given_up_and_what_came_is_kept(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = ["cut", *["500"] * 20]
    with pytest.raises(AkbError, match=r"cannot be fetched now: the server failed \(500\)") as caught:
        get(place, tmp_path)
    assert "goes on where it was" in caught.value.fix
    assert (tmp_path / ".a.bin.part").stat().st_size == len(BODY) // 3
    place.faults.clear()
    assert get(place, tmp_path).read_bytes() == BODY


def test_a_server_that_wants_a_long_pause_is_left_alone(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = ["wait 3600"]
    started = time.monotonic()
    with pytest.raises(AkbError, match="too many requests") as caught:
        get(place, tmp_path)
    assert "3600 seconds" in caught.value.fix
    assert time.monotonic() - started < 60


def test_no_server_at_all_is_told_in_words(place: Place, tmp_path: Path) -> None:
    place.url = "http://127.0.0.1:1"
    with pytest.raises(AkbError, match="cannot be reached"):
        get(place, tmp_path)


def test_redirections_are_followed_with_the_place_that_is_asked_for(place: Place, tmp_path: Path) -> None:
    place.files["/b.bin"] = BODY
    place.faults["/a.bin"] = [f"to {place.url}/b.bin"] * 2
    place.faults["/b.bin"] = ["cut"]
    assert get(place, tmp_path).read_bytes() == BODY
    assert place.ranges("/b.bin") == [None, f"bytes={len(BODY) // 3}-"]


def test_redirections_in_a_circle_end(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = [f"to {place.url}/a.bin"] * 40
    with pytest.raises(AkbError, match="redirections lead nowhere"):
        get(place, tmp_path)


def test_other_bytes_than_are_known_are_refused_and_not_kept(place: Place, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=f"its sha256 is {SHA}, {'0' * 64} is wanted"):
        get(place, tmp_path, sha256="0" * 64)
    assert not list(tmp_path.glob("*.bin")) + list(tmp_path.glob(".*.part"))


def test_another_length_than_is_known_is_refused_before_anything_is_fetched(place: Place, tmp_path: Path) -> None:
    with pytest.raises(AkbError, match=f"has {len(BODY)} bytes there, 5 are known"):
        get(place, tmp_path, size=5)


def test_a_length_that_is_a_lie_never_makes_a_file(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = ["longer"] * 9
    with pytest.raises(AkbError):
        get(place, tmp_path, sha256="0" * 64)
    assert not (tmp_path / "a.bin").exists()


def test_the_next_place_is_tried_where_one_has_another_file(place: Place, tmp_path: Path) -> None:
    place.files["/old.bin"] = b"an older version"
    urls = (f"{place.url}/old.bin", f"{place.url}/gone.bin", f"{place.url}/a.bin")
    found = download(Piece("a.bin", urls, None, SHA), tmp_path, lambda have, total: None, timeout=0.5, pause=0.01)
    assert found.read_bytes() == BODY


def test_a_full_disk_is_told_before_anything_is_fetched(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(AkbError, match=r"are wanted, 0\.00 GB are free") as caught:
        get(place, tmp_path)
    assert "--to DIR" in caught.value.fix


def test_git_hashes_are_those_of_git(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert git_hash(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"  # echo hello | git hash-object


def test_a_killed_download_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    place.faults["/a.bin"] = ["slow"]
    code = f"""
from pathlib import Path
from akb.tasks.downloading import Piece, download
download(Piece("a.bin", ({place.url + "/a.bin"!r},), None, {SHA!r}), Path({str(tmp_path)!r}), lambda *a: None)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    part = tmp_path / ".a.bin.part"
    until = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 500_000):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    came = part.stat().st_size
    assert 0 < came < len(BODY)
    assert get(place, tmp_path).read_bytes() == BODY
    assert place.ranges("/a.bin") == [None, f"bytes={came}-"]


def test_the_servers_of_these_tests_speak_http(place: Place) -> None:
    connection = http.client.HTTPConnection(place.url.removeprefix("http://"))
    connection.request("GET", "/a.bin", headers={"Range": "bytes=3071990-"})
    reply = connection.getresponse()
    assert (reply.status, reply.headers["Content-Range"]) == (206, "bytes 3071990-3071999/3072000")
    assert reply.read() == BODY[-10:]
