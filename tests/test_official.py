"""AKB-2000: a made file with the numbers that are known of the study's bank. Its texts are invented."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import akb
from akb.errors import AkbError
from akb.registry import Registry
from akb.settings import Settings
from akb.tasks.asking import Asking
from akb.tasks.official import COUNTS, differences
from akb.types import Question

# From the published percentages, all of which are k/n for these n (six categories, 2,000 in all).
KNOWN = {
    "Sound": 248,
    "Paralinguistic": 594,
    "Phonetic": 217,
    "Music": 401,
    "Audio Quality": 196,
    "Technical": 344,
}
SUBCATEGORIES = {"Sound": 6, "Paralinguistic": 13, "Phonetic": 7, "Music": 9, "Audio Quality": 5, "Technical": 8}

Row = dict[str, Any]


def rows() -> list[Row]:
    """2,000 invented records; the key stands in each place equally often."""
    made: list[Row] = []
    for category, count in KNOWN.items():
        for number in range(count):
            options = [f"{category} thing {number}.{place}" for place in range(4)]
            made.append(
                {
                    "id": f"{category[:4]}-{number}",
                    "question": f"Which {category} thing is meant by number {number}?",
                    "choices": options,
                    "answer": options[len(made) % 4],
                    "category": category,
                    "subcategory": f"{category} part {number % SUBCATEGORIES[category]}",
                }
            )
    return made


def write(path: Path, records: list[Row]) -> Path:
    """The records in the format that the file's name says."""
    if path.suffix == ".json":
        path.write_text(json.dumps(records), "utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    elif path.suffix in {".csv", ".tsv"}:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(records)
    else:
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist(records), path)
    return path


def load(path: Path, **options: Any) -> list[Question]:
    registry = Registry(Settings())
    protocol, prompt = registry.protocol("akb-v1-loglik")
    task = registry.task("akb-2000", Asking(protocol, prompt, data=str(path), options=options))
    return list(task.questions())


def letters(row: Row) -> Row:
    return {**row, "answer": "ABCD"[row["choices"].index(row["answer"])]}


def indices(row: Row) -> Row:
    return {**row, "answer": row["choices"].index(row["answer"])}


def columns(names: str, key: str = "answer") -> Callable[[Row], Row]:
    """One field an option, named by a pattern with {}."""

    def change(row: Row) -> Row:
        row = dict(row)
        for place, option in enumerate(row.pop("choices")):
            row[names.format("abcd"[place], upper="ABCD"[place])] = option
        row[key] = row.pop("answer")
        return row

    return change


def renamed(row: Row) -> Row:
    new = {
        "choices": "options",
        "question": "prompt",
        "subcategory": "sub-category",
        "answer": "label",
        "id": "uniq_id",
    }
    return {new.get(name, name): value for name, value in row.items()}


def as_text(row: Row) -> Row:
    """A list in a CSV cell, as JSON."""
    return {**row, "choices": json.dumps(row["choices"])}


def plain(row: Row) -> Row:
    return row


FORMS: list[tuple[str, Callable[[Row], Row]]] = [
    ("official.json", plain),
    ("official.jsonl", plain),
    ("official.jsonl", letters),
    ("official.jsonl", indices),
    ("official.jsonl", renamed),
    ("official.json", columns("{upper}")),
    ("official.json", columns("choice_{}", "answer_gt")),
    ("official.csv", as_text),
    ("official.csv", columns("{upper}")),
    ("official.csv", columns("choice_{}", "answer_gt")),
    ("official.csv", columns("option_{}", "gold")),
    ("official.tsv", columns("{upper}")),
    ("official.parquet", plain),
    ("official.parquet", columns("choice_{}")),
]


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(FORMS)])
def test_a_file_of_the_known_numbers_loads_from_every_format_without_differences(
    tmp_path: Path, name: str, form: Callable[[Row], Row]
) -> None:
    known = rows()
    read = load(write(tmp_path / name, [form(row) for row in known]))
    assert differences(read) == []
    for row, question in zip(known, read, strict=True):
        assert question.id == row["id"]
        assert question.text == row["question"]
        assert list(question.options) == row["choices"]
        assert question.options[question.answer] == row["answer"]
        assert (question.category, question.subcategory) == (row["category"], row["subcategory"])  # never renamed


def test_the_counts_that_are_checked_are_those_that_the_published_percentages_give() -> None:
    assert {name.casefold(): n for name, n in KNOWN.items()} == COUNTS
    assert sum(KNOWN.values()) == 2000
    assert sum(SUBCATEGORIES.values()) == 48
    published = {  # Qwen2.5-7B of the study: whole questions of each category
        "Sound": 87.10, "Paralinguistic": 81.99, "Phonetic": 69.12,
        "Music": 87.28, "Audio Quality": 81.63, "Technical": 72.97,
    }  # fmt: skip
    right = {name: round(percent * KNOWN[name] / 100) for name, percent in published.items()}
    for name, percent in published.items():
        assert round(100 * right[name] / KNOWN[name], 2) == percent
    assert sum(right.values()) / 20 == 80.70  # its published average


def broken() -> Iterator[tuple[str, list[Row], list[str]]]:
    yield "one is missing", rows()[:-1], ["1999 questions, 2000", "category technical: 343"]
    moved = rows()
    moved[0]["category"] = "Noise"
    yield "a strange category", moved, ["category sound: 247", "unknown categories: 'noise'", "49 subcategories, 48"]
    short = rows()
    short[5]["choices"] = short[5]["choices"][:3]
    short[5]["answer"] = short[5]["choices"][0]
    short[6]["choices"][1] = short[6]["choices"][0]
    yield "odd options", short, ["1 questions do not have 4 options", "1 questions have duplicate options"]
    one = [{**row, "subcategory": "all"} for row in rows()]
    yield "subcategories lost", one, ["6 subcategories, 48 are known"]


BROKEN = list(broken())


@pytest.mark.parametrize(("records", "told"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_file_that_differs_is_refused_with_every_difference(
    tmp_path: Path, records: list[Row], told: list[str]
) -> None:
    path = write(tmp_path / "other.jsonl", records)
    with pytest.raises(AkbError) as caught:
        load(path)
    for part in told:
        assert part in str(caught.value)
    assert "task.allow_partial=true" in caught.value.fix
    assert len(load(path, allow_partial=True)) == len(records)


def test_a_partial_file_that_the_user_accepts_leaves_its_differences_on_the_record(tmp_path: Path) -> None:
    path = write(tmp_path / "part.jsonl", rows()[:40])
    run = akb.evaluate("first", "akb-2000", protocol="akb-v1-loglik", data=path, out=tmp_path / "run", cache=False,
                       task_args={"allow_partial": True})  # fmt: skip
    assert "note: differs from AKB-2000 as known: 40 questions, 2000 are known" in run.table()


def test_without_the_file_akb_says_that_it_does_not_have_the_bank(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="which akb does not contain") as caught:
        akb.evaluate("first", "akb-2000", cache=False, out=tmp_path / "run")
    assert "--data" in caught.value.fix


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose akb.toml points the category names at the official file."""
    write(tmp_path / "official.jsonl", rows())
    (tmp_path / "akb.toml").write_text('bank = "akb-2000"\n[data]\nakb-2000 = "official.jsonl"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("task", "n"),
    [("phonetic", 217), ("Phonetic", 217), ("audio-quality", 196), ("akb-2000/music", 401), ("p*", 217 + 594)],
)
def test_the_settings_make_category_names_mean_the_official_bank_and_the_table_says_so(
    official: Path, task: str, n: int
) -> None:
    run = akb.evaluate("first", task, protocol="akb-v1-loglik", protocol_args={"order": "given"}, cache=False)
    assert run.summary.rows[0].n == n
    assert "on akb-2000/" in run.table().splitlines()[0]
    records = {row["id"]: row for row in rows()}
    asked = [trial.question for trial, _ in run.judged()]
    right = sum(records[q.id]["choices"].index(records[q.id]["answer"]) == 0 for q in asked)
    assert run.accuracy == right / n
    assert run.manifest.identity["task"]["taxonomy"] == "official"


def test_subcategories_of_the_official_bank_are_those_of_the_file(official: Path) -> None:
    run = akb.evaluate("first", "phonetic/phonetic-part-3", protocol="akb-v1-loglik", cache=False)
    assert run.summary.rows[0].n == len(range(3, 217, 7))
    with pytest.raises(AkbError, match="no question of task akb-2000 is in phonetic/rhyme"):
        akb.evaluate("first", "phonetic/rhyme", protocol="akb-v1-loglik", cache=False)


def test_the_open_bank_keeps_its_own_name_beside_the_official_one(official: Path) -> None:
    run = akb.evaluate("first", "akb-open/phonetic", protocol="akb-v1-loglik", cache=False)
    assert run.table().splitlines()[0].startswith("first on akb-open/phonetic,")


def test_without_settings_category_names_mean_the_open_bank_and_the_table_says_so(tmp_path: Path) -> None:
    run = akb.evaluate("first", "phonetic", protocol="akb-v1-loglik", cache=False, out=tmp_path / "run")
    assert "on akb-open/phonetic" in run.table().splitlines()[0]


def test_a_bank_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "akb.toml").write_text('bank = "akb-opn"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AkbError, match=r"Did you mean akb-open\? `bank` in akb.toml names it"):
        akb.evaluate("first", "phonetic", cache=False)
