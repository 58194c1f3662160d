"""Releases: akb-open's own, held to what it says of itself, and the command that makes one."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akb import content, evaluate
from akb.bank import releasing
from akb.bank.admitting import obstacle
from akb.bank.balance import Gate
from akb.cli.app import app
from akb.errors import AkbError
from akb.files import file_sha256
from akb.registry import Registry
from akb.run import Run
from akb.settings import Settings
from akb.tasks.folder import Folder
from akb.tasks.items import read_items

FOLDER = Registry(Settings()).folders["akb-open"]
STUDY = {"sound": 248, "paralinguistic": 594, "phonetic": 217, "music": 401, "audio-quality": 196, "technical": 344}
ITEMS = [item for _, item in read_items(FOLDER.data_files)]


# -- akb-open as it is -----------------------------------------------------------------------------------------


def test_the_bank_has_the_studys_counts_by_subcategory_as_the_taxonomy_has_them() -> None:
    assert FOLDER.taxonomy is not None
    assert len(ITEMS) == 2000
    for category in FOLDER.taxonomy.categories:
        assert sum(item.category == category.name for item in ITEMS) == STUDY[category.name]
        for sub in category.subcategories:
            assert sum(item.subcategory == sub.name for item in ITEMS) == sub.target, sub.name


def test_every_item_was_proved_or_read_blind_by_two_in_the_version_that_it_is() -> None:
    assert {item.id: why for item in ITEMS if (why := obstacle(item))} == {}


def test_released_hashes_are_those_of_the_files_and_the_version_is_the_tasks() -> None:
    release = releasing.read(FOLDER.path)
    assert release is not None
    assert release.files == releasing.hashes(FOLDER), "the bank was changed: give it a version and release it"
    assert (release.version, release.items) == (FOLDER.file.version, len(ITEMS))
    assert release.version in (FOLDER.path / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_every_gate_holds() -> None:
    result = CliRunner().invoke(app, ["bank", "check", "--json"])
    told = json.loads(result.stdout)
    assert told["items"] == 2000
    assert {gate["name"]: gate["figure"] for gate in told["gates"] if gate["passed"] is False} == {}
    assert result.exit_code == 0
    card = (FOLDER.path / "README.md").read_text("utf-8")
    for gate in told["gates"]:
        if gate["name"] == "keys found without the stem":  # its last digit hangs on how sums are rounded
            shown = re.search(r"keys found without the stem \| ([\d.]+)%", card)
            assert shown is not None
            assert float(gate["figure"].split("%")[0]) == pytest.approx(float(shown[1]), abs=0.5)
        elif gate["passed"]:
            assert f"| {gate['name']} | {gate['figure']} | {gate['wanted']} | holds |" in card


def test_damaged_questions_were_found_as_often_as_the_card_says() -> None:
    rows = [json.loads(line) for line in (FOLDER.path / "damaged.jsonl").read_text("utf-8").splitlines()]
    found: dict[str, list[bool]] = {}
    for row in rows:
        found.setdefault(row["damage"], []).extend(reading["verdict"] != "clear" for reading in row["readings"])
    card = (FOLDER.path / "README.md").read_text("utf-8")
    told = re.search(r"(\d+) damaged questions.*?(\d+ of \d+) readings.*?(\d+ of \d+)\).*?(\d+ of \d+)\)", card, re.S)
    assert told is not None
    counts = [f"{sum(found[kind])} of {len(found[kind])}" for kind in sorted(found)]
    assert list(told.groups()) == [str(len(rows)), *counts]


def test_it_loads_as_a_data_set_from_its_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    bank = datasets.load_dataset(str(FOLDER.path), cache_dir=str(tmp_path))
    assert bank["test"].num_rows == 2000
    assert {row["id"]: row["options"][row["answer"]] for row in bank["test"]} == {
        item.id: item.options[item.answer] for item in ITEMS
    }
    one = next(row for row in bank["test"] if row["id"] == ITEMS[0].id)
    assert one["reviews"][0]["by"] == ITEMS[0].reviews[0].by
    assert bank["validation"].num_rows == len(list(read_items([FOLDER.path / "fewshot.jsonl"])))


def test_its_croissant_is_valid_and_its_records_are_the_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    croissant = pytest.importorskip("mlcroissant")
    monkeypatch.setenv("HOME", str(tmp_path))
    data = croissant.Dataset(str(FOLDER.path / "croissant.json"))
    assert not data.metadata.ctx.issues.errors
    assert {record_set.name for record_set in data.metadata.record_sets} == {item.subcategory for item in ITEMS}
    own = [item for item in ITEMS if item.subcategory == "rhyme"]
    rows = list(data.records("rhyme"))
    assert [row["rhyme/id"].decode() for row in rows] == [item.id for item in own]
    assert [[o.decode() for o in row["rhyme/options"]] for row in rows] == [list(item.options) for item in own]
    told = json.loads((FOLDER.path / "croissant.json").read_text("utf-8"))
    assert {file["@id"]: file["sha256"] for file in told["distribution"]} == releasing.hashes(FOLDER)


# -- making one ------------------------------------------------------------------------------------------------


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A copy of the bank."""
    return Path(shutil.copytree(FOLDER.path, tmp_path / "bank"))


def contents(path: Path, *gates: Gate) -> releasing.Contents:
    folder = Folder.read(path)
    return releasing.Contents(folder, [item for _, item in read_items(folder.data_files)], gates)


HOLDS = Gate("a gate", "1", "1", True)


def test_a_release_tells_version_hashes_counts_and_gates(bank: Path) -> None:
    (bank / "card-notes.md").write_text("## Written by hand\n")
    made = releasing.write(contents(bank, HOLDS, Gate("told", "7", "looked at", None)), "9.9.9", date(2030, 1, 2))
    assert made == releasing.read(bank)
    assert made.files["questions/phonetic/rhyme.jsonl"] == file_sha256(bank / "questions/phonetic/rhyme.jsonl")
    assert Folder.read(bank).file.version == "9.9.9"
    card = (bank / "README.md").read_text("utf-8")
    for text in (
        "Version 9.9.9, 2030-01-02: 2000 questions",
        "| a gate | 1 | 1 | holds |",
        "told 7.",
        "## Written by hand",
    ):
        assert text in card
    assert "|  | Rhyme | 30 | 30 | 30 | 0 | 0 |" in card


def test_a_gate_that_does_not_hold_stops_a_release_and_nothing_is_written(bank: Path) -> None:
    before = {path: path.read_bytes() for path in bank.rglob("*") if path.is_file()}
    failing = Gate("key places", "9 1", "equal", False)
    with pytest.raises(AkbError, match=r"key places 9 1 \(wanted: equal\)"):
        releasing.write(contents(bank, HOLDS, failing), "9.9.9", date(2030, 1, 2))
    assert {path: path.read_bytes() for path in bank.rglob("*") if path.is_file()} == before


def test_one_version_is_never_released_with_other_data(bank: Path) -> None:
    file = bank / "questions" / "phonetic" / "rhyme.jsonl"
    file.write_text(file.read_text("utf-8").replace("in General American?", "in General American English?"), "utf-8")
    version = FOLDER.file.version
    with pytest.raises(AkbError, match=f"version {version} was released on .* with other data"):
        releasing.write(contents(bank, HOLDS), version, date(2030, 1, 2))
    releasing.write(contents(bank, HOLDS), "9.9.9", date(2030, 1, 2))


def test_a_run_on_other_questions_is_not_shown_on_a_card(tmp_path: Path, bank: Path) -> None:
    run = evaluate("first", "lab-facts", protocol="akb-v1-loglik", out=tmp_path / "run", cache=False)
    told = contents(bank, HOLDS)
    with pytest.raises(AkbError, match="not asked the questions as they are now"):
        releasing.write(releasing.Contents(told.folder, told.items, told.gates, [run]), "9.9.9", date(2030, 1, 2))


def test_the_command_refuses_a_bank_with_errors_in_it(bank: Path) -> None:
    file = bank / "questions" / "phonetic" / "rhyme.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows[0]["answer"] = (rows[0]["answer"] + 1) % 4
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    result = CliRunner().invoke(app, ["bank", "release", str(bank), "--version", "9.9.9"])
    assert isinstance(result.exception, AkbError)
    assert "1 errors" in result.exception.what
    assert "not the key" in result.exception.what
    assert Folder.read(bank).file.version == FOLDER.file.version


@pytest.mark.parametrize("more", [["-n", "3"], ["--control", "choices-only"]])
def test_a_run_on_a_part_of_the_bank_or_without_its_questions_is_not_shown(
    tmp_path: Path, bank: Path, more: list[str]
) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["eval", "-m", "first", "-t", "akb-open", "--no-cache", "-o", str(out), *more])
    assert done.exit_code == 0, done.output
    told = contents(bank, HOLDS)
    with pytest.raises(AkbError, match="a finished run on the whole bank is wanted"):
        releasing.write(
            releasing.Contents(told.folder, told.items, told.gates, [Run.load(out)]), "9.9.9", date(2030, 1, 2)
        )


@pytest.mark.parametrize("version", ["9", "v9.9.9", "9.9.9-rc", ""])
def test_what_is_no_version_is_refused(bank: Path, version: str) -> None:
    with pytest.raises(AkbError, match="is no version"):
        releasing.write(contents(bank, HOLDS), version, date(2030, 1, 2))


def test_a_damaged_release_file_is_one_clear_error(bank: Path) -> None:
    (bank / "release.json").write_text("{")
    with pytest.raises(AkbError, match="not valid JSON") as caught:
        releasing.write(contents(bank, HOLDS), "9.9.9", date(2030, 1, 2))
    assert "release.json" in caught.value.where


def test_the_package_holds_the_licences() -> None:
    project = (content.builtin() / "pyproject.toml").read_text("utf-8")
    assert "tasks/akb-fresh/NOTICE" in project
