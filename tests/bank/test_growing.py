"""From candidates to items: who is let in, under which id, and what of the logs follows."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from akb.bank import readings
from akb.bank.admitting import PLAN, admit, line, obstacle
from akb.bank.making import candidates, last_numbers
from akb.bank.templates import TEMPLATES
from akb.cli.app import app
from akb.cli.bank.places import names_used
from akb.errors import AkbError
from akb.tasks.items import Item, read_items

READ: dict[str, Any] = {"kind": "model", "by": "reader 1", "verdict": "agrees", "blind": True, "date": "2026-01-01"}
MENDED = READ | {"by": "editor", "verdict": "mended", "blind": False}


def candidate(number: int, *reviews: dict[str, Any], **changes: Any) -> Item:
    told = {
        "id": f"animal-sounds-c{number:02d}", "version": 1, "category": "sound", "subcategory": "animal-sounds",
        "question": f"Which call is number {number}?", "options": [f"{word} {number}" for word in ("a", "b", "c", "d")],
        "answer": number % 4, "kind": "authored", "template_id": f"animal-sounds/t{number}",
        "sources": [{"kind": "general", "ref": "general knowledge"}], "rationale": "It is.", "dialect": "",
        "reviews": list(reviews), "check": None, "canary": "c",
    } | changes  # fmt: skip
    return Item.model_validate(told)


TWICE = (READ, READ | {"by": "reader 2"})


@pytest.mark.parametrize(
    ("reviews", "why"),
    [
        (TWICE, ""),
        ((READ,), "1 blind readers agree, 2 are wanted"),
        ((READ, READ), "1 blind readers agree"),  # one reader twice is one reader
        ((READ, READ | {"by": "reader 2", "blind": False}), "1 blind readers agree"),
        ((*TWICE, MENDED), "0 blind readers agree"),
        ((*TWICE, MENDED, *TWICE), ""),
        ((*TWICE, READ | {"by": "reader 3", "verdict": "disagrees"}), "a reader disagrees (reader 3)"),
        ((*TWICE, READ | {"by": "reader 3", "verdict": "ambiguous"}, READ | {"by": "x", "verdict": "accepted"}), ""),
    ],
)
def test_two_who_agree_with_the_version_as_it_is_let_an_item_in(reviews: tuple[dict[str, Any], ...], why: str) -> None:
    assert obstacle(candidate(1, *reviews)).startswith(why)
    assert bool(obstacle(candidate(1, *reviews))) == bool(why)


def test_a_proof_lets_a_computed_item_in_but_not_one_of_the_phonetic_category() -> None:
    proof = {"options": ["1 s", "2 s", "3 s", "4 s"], "answer": 0, "kind": "computed"}
    check = "sabine_time(volume_m3=1, absorption_m2=0.161)"
    assert obstacle(candidate(1, **proof, check=check)) == ""
    assert "wanted" in obstacle(candidate(1, **proof, check=check, category="phonetic"))
    assert "does not find the key" in obstacle(candidate(1, *TWICE, **proof, check=check.replace("=1,", "=2,")))


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A bank of three items, six candidates of which five can be let in, and a log of readings."""
    folder = tmp_path / "bank"
    (folder / "questions" / "sound").mkdir(parents=True)
    (folder / "reviews").mkdir()
    old = [candidate(n, *TWICE).model_copy(update={"id": f"animal-sounds-{n:03d}", "answer": 0}) for n in (1, 2, 7)]
    (folder / "questions" / "sound" / "animal-sounds.jsonl").write_text("".join(map(line, old)))
    new = [candidate(n, *TWICE) for n in range(10, 15)] + [candidate(15, READ)]
    (folder / "candidates.jsonl").write_text("".join(map(line, new)))
    logs = [
        {"round": 1, "item": item.id, "version": version, "category": "sound", "by": by, "kind": "model", "blind": True,
         "date": "2026-01-01", "answer": answer, "key": item.answer, "verdict": "clear", "canary": "c"}
        for item in new
        for version, by, answer in ((1, "reader 1", item.answer), (1, "reader 2", (item.answer + 1) % 4), (2, "x", 3))
    ]  # fmt: skip
    (folder / "reviews" / "round-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in logs))
    return folder


def test_those_let_in_have_new_numbers_level_places_and_the_same_options(bank: Path) -> None:
    before = {item.id: item for _, item in read_items([bank / "candidates.jsonl"])}
    done = admit(bank, [bank / "candidates.jsonl"])
    assert list(done.refused) == ["animal-sounds-c15"]
    items = [item for _, item in read_items([bank / "questions" / "sound" / "animal-sounds.jsonl"])]
    assert [item.id[-3:] for item in items] == ["001", "002", "007", "008", "009", "010", "011", "012"]
    places = Counter(item.answer for item in items)
    assert places[0] == 3  # of the three that were there; the new ones stand elsewhere
    assert {places[1], places[2], places[3]} == {1, 2}
    for name, item in done.admitted.items():
        assert sorted(item.options) == sorted(before[name].options)
        assert item.options[item.answer] == before[name].options[before[name].answer]
    assert [item.id for _, item in read_items([bank / "candidates.jsonl"])] == ["animal-sounds-c15"]


def test_logs_follow_their_items_and_say_of_each_option_what_they_said_before(bank: Path) -> None:
    before = {item.id: item for _, item in read_items([bank / "candidates.jsonl"])}
    said = readings.read([bank / "reviews" / "round-1.jsonl"])
    done = admit(bank, [bank / "candidates.jsonl"])
    for old, new in zip(said, readings.read([bank / "reviews" / "round-1.jsonl"]), strict=True):
        if old.item == "animal-sounds-c15" or old.version == 2:
            assert (new.answer, new.key) == (old.answer, old.key)
            continue
        item = done.admitted[old.item]
        assert new.item == item.id
        assert old.answer is not None
        assert new.answer is not None
        assert item.options[new.answer] == before[old.item].options[old.answer]
        assert new.key == item.answer


def test_when_none_can_be_let_in_nothing_is_touched(bank: Path) -> None:
    (bank / "candidates.jsonl").write_text(line(candidate(15, READ)))
    files = {path: path.read_bytes() for path in bank.rglob("*.jsonl")}
    with pytest.raises(AkbError, match="animal-sounds-c15: 1 blind readers agree, 2 are wanted"):
        admit(bank, [bank / "candidates.jsonl"])
    assert {path: path.read_bytes() for path in bank.rglob("*.jsonl")} == files


def test_a_file_that_is_empty_afterwards_is_removed(bank: Path) -> None:
    (bank / "more.jsonl").write_text(line(candidate(20, *TWICE)))
    result = CliRunner().invoke(app, ["bank", "admit", str(bank / "more.jsonl"), "--into", str(bank), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"admitted": {"animal-sounds-c20": "animal-sounds-008"}, "refused": {}}
    assert not (bank / "more.jsonl").exists()


# -- readings that count as reviews ------------------------------------------------------------------------------


def read_by(item: Item, by: str, **changes: Any) -> dict[str, Any]:
    """A reading of the item as it is, that agrees with its key."""
    return {"round": 1, "item": item.id, "version": item.version, "category": item.category, "by": by, "kind": "model",
            "blind": True, "date": "2026-01-01", "answer": item.answer, "key": item.answer, "verdict": "clear",
            "canary": "c", "words": readings.words(item)} | changes  # fmt: skip


def logged(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_readings_of_a_log_are_reviews_and_are_copied_with_the_item(bank: Path, tmp_path: Path) -> None:
    new, half = candidate(30), candidate(31, READ)
    (bank / "new.jsonl").write_text(line(new) + line(half))
    log = logged(tmp_path / "v.jsonl", *(read_by(new, by) for by in ("a", "b")), read_by(half, "reader 1"))
    command = ["bank", "admit", str(bank / "new.jsonl"), "--into", str(bank), "--log", str(log), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["admitted"] == {"animal-sounds-c30": "animal-sounds-008"}
    (item,) = (one for _, one in read_items(bank.glob("questions/*/*.jsonl")) if one.id == "animal-sounds-008")
    assert [(review.by, review.verdict, review.blind) for review in item.reviews] == [("a", "agrees", True),
                                                                                     ("b", "agrees", True)]  # fmt: skip
    kept = readings.read([bank / "reviews" / "v.jsonl"])
    assert [one.item for one in kept] == [item.id, item.id, half.id]
    assert all(one.about(item) and one.agrees for one in kept[:2])
    (bank / "more.jsonl").write_text((bank / "new.jsonl").read_text())
    again = logged(tmp_path / "w.jsonl", read_by(half, "b"))  # the other reader's is in reviews/ by now
    assert list(admit(bank, [bank / "more.jsonl"], [again]).admitted) == [half.id]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"words": ""}, "0 blind readers agree, 2 are wanted (2 readings of it are of another version or other words)"),
        ({"words": "0" * 16}, "0 blind readers agree"),
        ({"version": 2}, "0 blind readers agree"),
        ({"blind": False}, "0 blind readers agree"),
        ({"answer": 1}, "a reader disagrees (a)"),
        ({"answer": None, "verdict": "ambiguous"}, "a reader disagrees (a)"),
        ({"answer": None, "verdict": "none right"}, "a reader disagrees (a)"),
        ({"kind": "human", "judgement": "accepted"}, ""),
        ({"kind": "human", "judgement": "mend", "comment": "two are right"}, "a reader disagrees (a)"),
    ],
)
def test_a_reading_counts_for_the_words_that_were_read_and_as_what_was_said(
    bank: Path, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    item, other = candidate(40), candidate(41, *TWICE)
    (bank / "new.jsonl").write_text(line(item) + line(other))
    log = logged(tmp_path / "v.jsonl", *(read_by(item, by) | change for by in ("a", "b")))
    found = admit(bank, [bank / "new.jsonl"], [log])
    assert found.refused.get(item.id, "").startswith(why)
    assert (item.id in found.admitted) == (not why)


def test_what_a_model_reads_by_verify_is_admitted_by_its_log(
    bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    items = [candidate(n) for n in range(60, 90)]
    (bank / "new.jsonl").write_text("".join(map(line, items)))
    logs = []
    for model in ("first", "random"):
        logs.append(tmp_path / f"{model}.jsonl")
        command = ["bank", "verify", str(bank / "new.jsonl"), "--with", model, "--out", str(logs[-1])]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    said = readings.read(logs)
    known = {item.id: item for item in items}
    assert all(one.about(known[one.item]) for one in said)
    agreed = Counter(one.item for one in said if one.agrees)
    both = {name for name, count in agreed.items() if count == 2}
    assert 0 < len(both) < 30
    assert set(admit(bank, [bank / "new.jsonl"], logs).admitted) == both


def test_the_hash_of_words_changes_with_stem_options_their_order_and_key() -> None:
    item = candidate(1)
    options = (item.options[1], item.options[0], *item.options[2:])
    changes: list[dict[str, Any]] = [{"question": "Which?"}, {"options": options}, {"answer": 2}]
    assert len({readings.words(item), *(readings.words(item.model_copy(update=one)) for one in changes)}) == 4
    assert readings.words(item) == readings.words(item.model_copy(update={"reviews": (), "rationale": "So."}))


# -- cut off -------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from akb.bank import admitting
left = int(sys.argv[1])
def dying(write):
    def one(*given, **more):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return write(*given, **more)
    return one
Path.replace, Path.unlink = dying(Path.replace), dying(Path.unlink)
admitting.admit(Path(sys.argv[2]), [Path(sys.argv[2]) / "candidates.jsonl"], [Path(sys.argv[2]) / "v.jsonl"])
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is not hidden."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")
    }  # fmt: skip


@pytest.fixture
def asked(bank: Path) -> Path:
    """The bank with a log that lets the sixth candidate in as well."""
    logged(bank / "v.jsonl", *(read_by(candidate(15, READ), by) for by in ("a", "b")))
    return bank


def test_killed_between_any_two_writes_the_same_command_ends_in_the_same_bank(asked: Path, tmp_path: Path) -> None:
    old, whole = contents(asked), tmp_path / "whole"
    shutil.copytree(asked, whole)
    wanted = admit(whole, [whole / "candidates.jsonl"], [whole / "v.jsonl"])
    assert len(wanted.admitted) == 6
    for left in range(20):
        place = tmp_path / f"killed-{left}"
        shutil.copytree(asked, place)
        done = subprocess.run([sys.executable, "-c", KILLED, str(left), str(place)], capture_output=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if not (place / PLAN).exists():
            assert contents(place) == old
        found = admit(place, [place / "candidates.jsonl"], [place / "v.jsonl"])
        assert (found.admitted, found.refused) == (wanted.admitted, wanted.refused)
        assert contents(place) == contents(whole)
    assert left == 6  # the plan, two logs, the questions, the candidates, and the plan again


def cut_off(place: Path) -> None:
    """An admission that was killed when its plan and one log were written."""
    done = subprocess.run([sys.executable, "-c", KILLED, "2", str(place)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (place / PLAN).exists()


def test_another_admission_carries_out_first_what_was_cut_off(asked: Path) -> None:
    cut_off(asked)
    (asked / "more.jsonl").write_text(line(candidate(50, *TWICE)))
    assert [item.id for item in admit(asked, [asked / "more.jsonl"]).admitted.values()] == ["animal-sounds-014"]
    items = [item for _, item in read_items(asked.glob("questions/*/*.jsonl"))]
    assert len({item.id for item in items}) == len(items) == 10
    assert not (asked / "candidates.jsonl").exists()


def test_what_was_changed_after_an_admission_was_cut_off_is_not_overwritten(asked: Path) -> None:
    cut_off(asked)
    path = asked / "questions" / "sound" / "animal-sounds.jsonl"
    path.write_text(path.read_text() + "\n")
    before = contents(asked)
    with pytest.raises(AkbError, match="changed after an admission was cut off") as told:
        admit(asked, [asked / "candidates.jsonl"], [asked / "v.jsonl"])
    assert told.value.where == str(path.resolve())
    assert contents(asked) == before


# -- numbers of candidates -----------------------------------------------------------------------------------------


def test_computed_candidates_are_added_to_what_is_there_and_ask_something_else_each_time(tmp_path: Path) -> None:
    out = tmp_path / "made"
    for _ in range(2):
        result = CliRunner().invoke(app, ["bank", "compute", str(out), "--seed", "3"])
        assert result.exit_code == 0, result.output
    items = [item for _, item in read_items(sorted(out.glob("*.jsonl")))]
    assert len(items) == 2 * sum(template.count for template in TEMPLATES)
    assert len({item.id for item in items}) == len(items)
    assert len({(item.template_id, item.question, item.options[item.answer]) for item in items}) == len(items)
    assert all(review.kind == "program" for item in items for review in item.reviews)


def test_candidates_number_on_from_those_that_are_there() -> None:
    first = candidates(1, (), date(2026, 1, 1), TEMPLATES[:1])
    more = candidates(1, first, date(2026, 1, 1), TEMPLATES[:1])
    numbers = [int(item.id.rpartition("-c")[2]) for item in (*first, *more)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_ids_of_candidates_that_were_dropped_or_read_do_not_come_again(bank: Path, tmp_path: Path) -> None:
    template = TEMPLATES[0]
    gone = {"item": {"id": f"{template.subcategory}-c70"}, "why": "dull"}
    (bank / "dropped.jsonl").write_text(json.dumps(gone) + "\n")
    logged(bank / "reviews" / "round-2.jsonl", read_by(candidate(1), "a") | {"item": f"{template.subcategory}-c80"})
    taken = names_used([bank])
    assert last_numbers(taken)[template.subcategory] == 80
    first = candidates(1, (), date(2026, 1, 1), [template], taken)[0]
    assert first.id == f"{template.subcategory}-c81"
    assert last_numbers(["a-b-c09", "a-b-c10", "a-c3", "a-b-012", "a-b-s1-02"]) == {"a-b": 10, "a": 3}
    (bank / "dropped.jsonl").unlink()
    assert last_numbers(names_used([bank / "candidates.jsonl"])) == last_numbers(names_used(None))
