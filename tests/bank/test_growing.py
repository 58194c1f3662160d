"""From candidates to items: who is let in, under which id, and what of the logs follows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from akb.bank import readings
from akb.bank.admitting import admit, line, obstacle
from akb.bank.making import candidates
from akb.bank.templates import TEMPLATES
from akb.cli.app import app
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
