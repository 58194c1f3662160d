"""Reading replies, on labelled sets: the one that the rules were built on, and the one held out until then."""

from __future__ import annotations

import importlib.util
import json
import string
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from akb.extraction import extract
from akb.types import Option, Status

HERE = Path(__file__).parent
SETS = sorted((HERE / "replies").glob("*.jsonl"))


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def shown(record: dict[str, Any]) -> list[Option]:
    return [Option(label, text) for label, text in zip(string.ascii_uppercase, record["options"], strict=False)]


@pytest.fixture(scope="module")
def reading() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reading", HERE.parent / "benchmarks" / "reading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reading"] = module
    spec.loader.exec_module(module)
    return module


def test_the_sets_are_as_large_and_as_hard_as_they_say() -> None:
    built, held = (records(HERE / "replies" / name) for name in ("built.jsonl", "heldout.jsonl"))
    assert len(built) >= 400
    assert sum(record["hard"] for record in built) >= 0.45 * len(built)
    assert len(held) >= 200
    texts = {record["reply"] for record in built if len(record["reply"]) > 60}
    assert not texts & {record["reply"] for record in held}
    for record in (*built, *held):
        assert record["meant"] is None or 0 <= record["meant"] < len(record["options"]) <= 26
        assert (record["meant"] is None) == ("status" in record)


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_no_reply_is_read_as_another_option_than_it_means(path: Path) -> None:
    wrong = []
    for record in records(path):
        reading = extract(record["reply"], shown(record))
        if reading.place is not None and reading.place != record["meant"]:
            wrong.append((record["id"], record["meant"], reading.place))
    assert wrong == []


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_nearly_every_readable_reply_is_read(path: Path, reading: ModuleType) -> None:
    quality = reading.measure(path, reading.akb("akb-1"))
    assert quality.coverage >= 0.97
    assert quality.bound >= 0.98


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_refusals_and_what_is_empty_or_cut_are_told_apart(path: Path) -> None:
    told = {r["id"]: (extract(r["reply"], shown(r)).status, r["status"]) for r in records(path) if r["meant"] is None}
    other = {name: pair for name, pair in told.items() if pair[0] != pair[1]}
    assert len(other) <= 0.1 * len(told), other
    assert {Status(wanted) for _, wanted in told.values()} == set(Status) - {Status.OK, Status.ERROR}


def test_others_rules_read_the_same_replies_wrongly(reading: ModuleType) -> None:
    """The sets can tell a careful reader from a careless one: the first letter is wrong in a tenth and more."""
    quality = reading.measure(HERE / "replies" / "built.jsonl", reading.first_letter)
    assert quality.precision < 0.9


def test_the_bound_is_that_of_clopper_and_pearson(reading: ModuleType) -> None:
    assert reading.Quality(300, 300, 300, 300, []).bound == pytest.approx(0.05 ** (1 / 300))
    low, _ = proportion_confint(49, 50, alpha=0.1, method="beta")
    assert reading.Quality(100, 100, 50, 49, []).bound == pytest.approx(low)
