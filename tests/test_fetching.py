"""akb fetch: what a task's owner publishes, from a real server on loopback into a folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_server import BODY, SHA, Place, serving, tar

from akb.errors import AkbError
from akb.tasks import fetching
from akb.tasks.published import Fetch, Source


@pytest.fixture
def place() -> Iterator[Place]:
    with serving() as held:
        yield held


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[tuple[int, int | None]] = []

    def says(self, line: str) -> None:
        self.lines.append(line)

    def told(self, have: int, total: int | None) -> None:
        self.seen.append((have, total))


QUESTIONS = b'[{"id": "1"}]'
REVISION = "0123456789abcdef" * 2 + "01234567"


def spec_of(place: Place, *files: dict[str, Any]) -> Fetch:
    return Fetch.model_validate({"questions": ["q.json"], "terms": "Be kind.", "files": files})


def questions(place: Place) -> dict[str, Any]:
    place.files["/q.json"] = QUESTIONS
    return {"name": "q.json", "urls": [f"{place.url}/q.json"], "sha256": hashlib.sha256(QUESTIONS).hexdigest()}


def on_hub(place: Place, name: str, body: bytes, *, lfs: bool = True, **listed: Any) -> None:
    """Put a file on the hub of the test, as the hub's API lists it."""
    git = hashlib.sha1(f"blob {len(body)}\0".encode() + body).hexdigest()
    large = {"lfs": {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}} if lfs else {}
    entries = [{"type": "directory", "path": "data", "oid": "0" * 40},
               {"type": "file", "path": "README.md", "size": 3, "oid": "1" * 40},
               {"type": "file", "path": name, "size": len(body), "oid": git, **large, **listed}]  # fmt: skip
    place.files[f"/api/datasets/org/set/tree/{REVISION}?recursive=true"] = json.dumps(entries).encode()
    place.files[f"/datasets/org/set/resolve/{REVISION}/{name}"] = body


def hub(path: str, **more: Any) -> dict[str, Any]:
    return {"hub": {"repo": "org/set", "revision": REVISION, "path": path}, **more}


def archive(tmp_path: Path) -> bytes:
    return tar(tmp_path / "made.tar.gz", ("audio/1.wav", os.urandom(5000)), ("audio/2.wav", b"2")).read_bytes()


@pytest.fixture
def own_hub(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HF_ENDPOINT", place.url)
    return place


def fetch(spec: Fetch, folder: Path) -> Any:
    return fetching.fetch("t", spec, folder, Quiet(), timeout=0.5, pause=0.01)


def test_questions_and_audio_are_fetched_checked_unpacked_and_written_down(own_hub: Place, tmp_path: Path) -> None:
    on_hub(own_hub, "data/audio.tar.gz", archive(tmp_path))
    spec = spec_of(own_hub, questions(own_hub), hub("*.tar.gz", unpack="archive", unpacked=10_000))
    fetch(spec, tmp_path / "got")
    files = {path.relative_to(tmp_path / "got").as_posix() for path in (tmp_path / "got").rglob("*") if path.is_file()}
    assert files == {"q.json", "audio/1.wav", "audio/2.wav", "fetched.json", ".lock"}
    told = json.loads((tmp_path / "got" / "fetched.json").read_text())["files"]
    assert told["q.json"]["sha256"] == hashlib.sha256(QUESTIONS).hexdigest()
    assert told["*.tar.gz"]["unpacked"] == ["audio/1.wav", "audio/2.wav"]
    assert told["*.tar.gz"]["from"].endswith(f"/datasets/org/set/resolve/{REVISION}/data/audio.tar.gz")
    asked = len(own_hub.asked)
    fetch(spec, tmp_path / "got")
    assert len(own_hub.asked) == asked


def test_what_was_lost_of_an_archive_is_fetched_again(own_hub: Place, tmp_path: Path) -> None:
    on_hub(own_hub, "audio.tar.gz", archive(tmp_path))
    spec = spec_of(own_hub, hub("audio.tar.gz", unpack="archive", unpacked=10_000))
    fetch(spec, tmp_path / "got")
    (tmp_path / "got" / "audio" / "2.wav").unlink()
    fetch(spec, tmp_path / "got")
    assert (tmp_path / "got" / "audio" / "2.wav").read_bytes() == b"2"


def test_a_small_file_on_the_hub_is_checked_by_its_git_hash(own_hub: Place, tmp_path: Path) -> None:
    on_hub(own_hub, "q.json", QUESTIONS, lfs=False)
    fetch(spec_of(own_hub, hub("q.json")), tmp_path / "good")
    own_hub.files[f"/datasets/org/set/resolve/{REVISION}/q.json"] = QUESTIONS.replace(b"1", b"2")
    with pytest.raises(AkbError, match="its git hash is"):
        fetch(spec_of(own_hub, hub("q.json")), tmp_path / "bad")


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        (b"[]", "fits 0 files"),
        (b"no json", "is not JSON"),
        (b'{"error": "gone"}', "no list of files"),
        (b"[1]", "fits 0"),
    ],
)
def test_a_hub_that_answers_otherwise_is_told(own_hub: Place, tmp_path: Path, listing: bytes, told: str) -> None:
    on_hub(own_hub, "q.json", QUESTIONS)
    own_hub.files[f"/api/datasets/org/set/tree/{REVISION}?recursive=true"] = listing
    with pytest.raises(AkbError, match=told):
        fetch(spec_of(own_hub, hub("q.json")), tmp_path / "got")


def test_a_hub_file_of_another_hash_than_the_known_one_is_not_fetched(own_hub: Place, tmp_path: Path) -> None:
    on_hub(own_hub, "a.bin", BODY)
    with pytest.raises(AkbError, match=f"its sha256 is {SHA}"):
        fetch(spec_of(own_hub, hub("a.bin", sha256="0" * 64)), tmp_path / "got")
    assert not any("/resolve/" in path for path, _ in own_hub.asked)


def test_what_only_people_can_get_is_said_and_unpacked_when_they_have_it(place: Place, tmp_path: Path) -> None:
    hand = {"by_hand": {"name": "a.tar.gz", "url": "https://drive.example/a"}, "unpack": "archive", "unpacked": 10_000}
    spec = spec_of(place, questions(place), hand)
    with pytest.raises(AkbError, match="no program can follow") as caught:
        fetch(spec, tmp_path / "got")
    assert "https://drive.example/a" in caught.value.fix
    assert str(tmp_path / "got") in caught.value.fix
    (tmp_path / "got" / "a.tar.gz").write_bytes(archive(tmp_path))
    fetch(spec, tmp_path / "got")
    assert (tmp_path / "got" / "audio" / "2.wav").read_bytes() == b"2"
    assert (tmp_path / "got" / "a.tar.gz").exists()  # it is the user's


def test_an_archive_that_the_user_has_is_taken_instead_of_the_download(own_hub: Place, tmp_path: Path) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.tar.gz").write_bytes(archive(tmp_path))
    hand = {"name": "a.tar.gz", "url": "https://drive.example/a"}
    rows = {"bytes": "context", "name": "id"}
    fetch(spec_of(own_hub, hub("*.parquet", by_hand=hand, unpack="rows", rows=rows, unpacked=9000)), tmp_path / "got")
    assert not own_hub.asked
    assert (tmp_path / "got" / "audio" / "2.wav").exists()


def test_two_processes_never_fetch_into_one_folder(place: Place, tmp_path: Path) -> None:
    with (
        fetching._alone(tmp_path / "got"),
        pytest.raises(AkbError, match="another akb process is fetching"),
    ):
        fetch(spec_of(place, questions(place)), tmp_path / "got")


@pytest.mark.parametrize(
    "wrong",
    [
        {"urls": ["https://x.example/q.json"]},
        {"name": "q.json"},
        {"name": "../q.json", "urls": ["https://x.example"], "sha256": "0" * 64},
        {"hub": {"repo": "org/set", "revision": "main", "path": "q.json"}},
        hub("x.tar.gz", unpack="archive"),
        hub("x.parquet", unpack="rows", unpacked=5),
    ],
)
def test_a_source_that_is_not_pinned_or_not_whole_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Source.model_validate(wrong)


# -- the terms --


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import typer; from akb.cli import fetch; from akb.errors import AkbError\nimport sys\n"
        "try:\n    typer.run(fetch.fetch)\nexcept AkbError as e:\n    print(e, file=sys.stderr); sys.exit(2)"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, timeout=120)  # fmt: skip


def test_the_terms_are_shown_and_agreed_to_once(place: Place, tmp_path: Path) -> None:
    own = tmp_path / "own" / "birds"
    own.mkdir(parents=True)
    task = {"name": "birds", "version": "1", "audio": {},
            "fetch": spec_of(place, questions(place)).model_dump(mode="json")}  # fmt: skip
    (own / "task.yaml").write_text(json.dumps(task), "utf-8")
    first = command("birds", "--include", str(tmp_path / "own"), cwd=tmp_path)
    assert first.returncode == 2
    assert "Be kind." in first.stderr
    assert "akb fetch birds --agree" in first.stderr
    assert not place.asked
    second = command("birds", "-i", str(tmp_path / "own"), "--agree", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "akb eval -t birds" in second.stdout
    third = command("birds", "-i", str(tmp_path / "own"), "--to", "here", cwd=tmp_path)
    assert third.returncode == 0
    assert "Be kind." not in third.stderr
    assert (tmp_path / "here" / "q.json").read_bytes() == QUESTIONS
    task["fetch"]["terms"] = "Be very kind."  # type: ignore[index]
    (own / "task.yaml").write_text(json.dumps(task), "utf-8")
    assert "Be very kind." in command("birds", "-i", str(tmp_path / "own"), cwd=tmp_path).stderr


def test_a_task_that_cannot_be_fetched_is_told_with_those_that_can(tmp_path: Path) -> None:
    for name, told in (("akb-open", "there is nothing to fetch"), ("mmaux", "Did you mean mmau")):
        done = command(name, cwd=tmp_path)
        assert done.returncode == 2
        assert told in done.stderr
        assert "mmau" in done.stderr
        assert "mmar" in done.stderr
