"""Runs on audio questions on a board: each way of hearing is a column, captions are shown beside the item."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cascade_parts import SOUNDS, Reader, audio_task, captions_file

import akb
from akb import AkbError
from akb.leaderboards import admission, board, exports, sitedata
from akb.leaderboards.entries import Store
from akb.registry import Registry

N = 12


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AKB_CACHE", str(tmp_path / "cache"))
    audio_task(tmp_path / "sounds", N)
    captions_file(tmp_path / "true.jsonl", N)
    return tmp_path


def ran(name: str, listen: str, model: object = "first") -> Path:
    reader = Reader() if model == "reader" else model
    akb.evaluate(reader, "sounds", include=["sounds"], listen=listen, out=Path("runs") / name)  # type: ignore[arg-type]
    return Path("runs") / name


def built(*runs: Path) -> tuple[Store, list[board.Sheet]]:
    registry = Registry(include=(Path("sounds"),))
    admission.add(Path("board"), runs, registry)
    store = Store(Path("board"))
    return store, board.sheets(store, registry, draws=200)


def test_each_way_of_hearing_is_a_column_and_the_captions_are_shown_with_the_item(here: Path) -> None:
    runs = [ran("a", "audio"), ran("n", "none"), ran("c", "caption:true.jsonl", "reader"), ran("s", "shuffled")]
    store, sheets = built(*runs)
    assert sorted(sheet.column.setting for sheet in sheets) == ["audio", "caption:true.jsonl", "none", "shuffled"]
    assert {sheet.column.protocol for sheet in sheets} == {"akb-v1"}
    items = [item for chunk in sitedata.item_chunks(sheets, "", 400) for item in chunk["items"]]
    assert len(items) == N
    for item in items:
        ((column, text),) = item["captions"].items()
        assert "caption:true.jsonl" in column
        assert text == f"One hears {SOUNDS[int(item['id'][1:]) % 4]} for a while."
    entry = next(e for e in store.entries() if e.column.setting == "none")
    assert entry.answers.captions == ()


def made(folder: Path, count: int) -> Path:
    """A task whose clips are rendered: the first so many questions of lab-audio."""
    folder.mkdir()
    whole = Path(__file__).resolve().parents[2] / "tasks" / "lab-audio"
    shutil.copy(whole / "taxonomy.yaml", folder)
    told = (whole / "task.yaml").read_text("utf-8").replace("name: lab-audio", "name: some-audio")
    (folder / "task.yaml").write_text(told, "utf-8")
    lines = (whole / "questions.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "questions.jsonl").write_text("".join(lines[:count]), "utf-8")
    return folder


def test_runs_on_rendered_audio_are_checked_against_their_task_however_they_were_heard(here: Path) -> None:
    folder = made(here / "some-audio", 4)
    ways = ("none", "audio", "caption:acoustic", "shuffled")
    runs = [akb.evaluate("first", "some-audio", include=[folder], listen=way, out=here / "runs" / way[:4]).path
            for way in ways]  # fmt: skip
    shutil.rmtree(here / "cache")
    admitted = admission.add(Path("board"), runs, Registry(include=(folder,)))
    assert not list((here / "cache").rglob("*.wav"))  # nothing is made for it
    assert [one.entry.column.setting for one in admitted] == list(ways)
    assert not any("coverage not checked" in note for one in admitted for note in one.flags)
    assert len({one.entry.answers.sha for one in admitted}) == 1
    kept = Store(Path("board")).items(admitted[0].entry)
    assert [len(item.audio) for item in kept.values()] == [1] * 4  # also where the run without audio came first


def test_a_run_on_other_scenes_is_refused(here: Path) -> None:
    folder = made(here / "some-audio", 4)
    run = akb.evaluate("first", "some-audio", include=[folder], listen="none", out=here / "runs" / "one").path
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text("utf-8").splitlines()]
    rows[2]["scene"]["seed"] += 1
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(AkbError, match="1 items are not the same as in this version of the task"):
        admission.add(Path("board"), [run], Registry(include=(folder,)))


def test_without_the_audio_here_the_coverage_of_a_run_that_heard_it_is_not_checked_and_said(here: Path) -> None:
    run = ran("one", "caption:true.jsonl", "reader")
    shutil.rmtree("sounds/audio")
    (admitted,) = admission.add(Path("board"), [run], Registry(include=(Path("sounds"),)))
    assert any(note.startswith("coverage not checked against the task: none of its audio is here")
               for note in admitted.flags)  # fmt: skip


def test_items_that_could_not_be_heard_lower_the_coverage(here: Path) -> None:
    Path("sounds/audio/03.wav").unlink()
    _, sheets = built(ran("a", "audio"))
    found = board.result(sheets[0], 0, sheets[0].entries, Registry(include=(Path("sounds"),)))
    assert found["coverage"] == pytest.approx((N - 1) / N)
    assert found["not_ok"] == pytest.approx(1 / N)
    assert found["n"] == N


def test_readers_of_other_captions_do_not_share_a_column(here: Path) -> None:
    first = ran("one", "caption:true.jsonl", "reader")
    text = Path("true.jsonl").read_text("utf-8")
    Path("true.jsonl").write_text(text.replace("rain", "drizzle"), "utf-8")
    other = ran("two", "caption:true.jsonl", "first")
    with pytest.raises(AkbError, match="not asked as reader was: captions"):
        built(first, other)


def test_a_cascades_run_is_checked_against_its_task_without_its_captions(here: Path) -> None:
    run = ran("one", "caption:true.jsonl", "reader")
    Path("true.jsonl").unlink()
    store, _ = built(run)
    (entry,) = store.entries()
    assert not any("coverage not checked" in note for note in entry.notes)
    table = exports.flat(json.loads(json.dumps(board.board(store, board.sheets(store, Registry(), draws=200),
                                                           Registry(), "now"))))  # fmt: skip
    assert [row["coverage"] for row in table] == [1.0]
