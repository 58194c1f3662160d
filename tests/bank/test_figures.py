"""akb bank stats and gap: counts that can be counted otherwise, and a gap that is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from typer.testing import CliRunner

from akb import evaluate
from akb.bank.memorising import compare, interval
from akb.cli.app import app
from akb.errors import AkbError
from akb.registry import Registry
from akb.run import Run
from akb.settings import Settings
from akb.tasks.asking import Asking
from akb.tasks.items import read_items
from akb.tasks.multiple_choice import MultipleChoice
from akb.types import Question

ITEMS = [item for _, item in read_items(Registry(Settings()).folders["akb-open"].data_files)]


def test_stats_are_the_counts_of_the_bank() -> None:
    result = CliRunner().invoke(app, ["bank", "stats", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    lines = {(line["level"], line["name"]): line for line in told["lines"]}
    assert lines["all", "all"]["items"] == len(ITEMS)
    for level, field in (("category", "category"), ("subcategory", "subcategory")):
        assert {name: line["items"] for (of, name), line in lines.items() if of == level} == Counter(
            getattr(item, field) for item in ITEMS
        )
    assert lines["all", "all"]["kinds"] == Counter(item.kind for item in ITEMS)
    assert sum(told["reviews"].values()) == sum(told["sources"].values()) == len(ITEMS)


def test_stats_of_a_part_and_as_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "bank.png"
    result = CliRunner().invoke(app, ["bank", "stats", "--only", "rhyme", "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert "rhyme" in result.stdout
    assert "animal-sounds" not in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_a_picture_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    for name in ("missing/bank.png", "bank.nothing"):
        result = CliRunner().invoke(app, ["bank", "stats", "--plot", str(tmp_path / name)])
        assert isinstance(result.exception, AkbError)
        assert name in result.exception.where


class Told(MultipleChoice):
    """A task of the tests: the first option is right in so many of each template's items."""

    def __init__(self, asking: Asking, kind: str, shares: dict[str, tuple[int, int]]) -> None:
        super().__init__(asking)
        self.name, self.kind, self.shares = kind, kind, shares

    def questions(self) -> Iterable[Question]:
        for template, (right, count) in self.shares.items():
            for number in range(count):
                options = (f"a {number}", f"b {number}", f"c {number}", f"d {number}")
                key = 0 if number < right else 1
                yield Question(f"{template}-{number}", "Which?", options, key, template_id=template)

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "format": self.kind}


def told(path: Path, kind: str, shares: dict[str, tuple[int, int]], model: str = "first", **config: Any) -> Run:
    """A run on public ("item") or on fresh ("templates") items."""
    registry = Registry(Settings())
    asking = Asking(*registry.protocol("akb-v1", {"order": "given"}))
    return evaluate(model, Told(asking, kind, shares), out=path, cache=False, **config)


PUBLIC = {"t/a": (8, 8), "t/b": (6, 8), "t/c": (2, 4), "t/only": (0, 4)}


def test_the_gap_is_the_mean_over_templates_and_its_interval_is_students(tmp_path: Path) -> None:
    public = told(tmp_path / "p", "item", PUBLIC)
    fresh = told(tmp_path / "f", "templates", {"t/a": (4, 8), "t/b": (3, 4), "t/c": (2, 4), "t/other": (9, 9)})
    found = compare(public, fresh)
    assert (found.templates, found.public_items, found.fresh_items) == (3, 20, 16)
    assert found.public == pytest.approx((1 + 0.75 + 0.5) / 3)
    assert found.fresh == pytest.approx((0.5 + 0.75 + 0.5) / 3)
    oracle = ttest_1samp([0.5, 0.0, 0.0], 0).confidence_interval(0.95)
    assert found.gap == pytest.approx(0.5 / 3)
    assert found.interval == pytest.approx((oracle.low, oracle.high))


def test_its_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """60 templates of four public and four fresh items, which differ in difficulty, and no gap."""
    random, held = np.random.default_rng(3), 0
    for _ in range(1000):
        p = random.beta(4, 2, 60)
        differences = (random.binomial(4, p) - random.binomial(4, p)) / 4
        low, high = interval(differences)
        held += low <= 0 <= high
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize(
    ("kind", "shares", "model", "config", "why"),
    [
        ("templates", {"t/x": (1, 2)}, "first", {}, "0 templates in common"),
        ("templates", PUBLIC, "longest", {}, "two runs of one model"),
        ("item", PUBLIC, "first", {}, "this is a run on item"),
        ("templates", PUBLIC, "first", {"limit": 3}, "a finished run on all of its items"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    tmp_path: Path, kind: str, shares: dict[str, tuple[int, int]], model: str, config: dict[str, Any], why: str
) -> None:
    public = told(tmp_path / "p", "item", PUBLIC)
    other = told(tmp_path / "f", kind, shares, model, **config)
    with pytest.raises(AkbError, match=why):
        compare(public, other)


def test_a_run_against_itself_or_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    public, fresh = told(tmp_path / "p", "item", PUBLIC), told(tmp_path / "f", "templates", PUBLIC)
    for pair in ((public, public), (fresh, public)):
        with pytest.raises(AkbError, match="Wanted: a run on akb-open, then one on akb-fresh"):
            compare(*pair)


def test_the_command_prints_the_gap_of_a_baseline_on_the_real_bank(tmp_path: Path) -> None:
    runs: Sequence[str] = [str(tmp_path / name) for name in ("public", "fresh")]
    for out, task in zip(runs, ("akb-open/phonetic", "akb-fresh/phonetic"), strict=True):
        result = CliRunner().invoke(app, ["eval", "-m", "first", "-t", task, "--no-cache", "--out", out])
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["bank", "gap", *runs])
    assert result.exit_code == 0, result.output
    assert "gap " in result.stdout
    assert "95 % interval" in result.stdout
