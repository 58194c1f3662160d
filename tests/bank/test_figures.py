"""akb bank stats and gap: counts that can be counted otherwise, and a gap that is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akb import evaluate
from akb.bank.memorising import compare
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
    """A task of the tests: the first option is right in the share of each template's items that is told."""

    def __init__(self, asking: Asking, name: str, shares: dict[str, tuple[int, int]]) -> None:
        super().__init__(asking)
        self.name, self.shares = name, shares

    def questions(self) -> Iterable[Question]:
        for template, (right, count) in self.shares.items():
            for number in range(count):
                options = (f"a {number}", f"b {number}", f"c {number}", f"d {number}")
                yield Question(
                    f"{template}-{number}", "Which?", options, 0 if number < right else 1, template_id=template
                )


def told(path: Path, name: str, shares: dict[str, tuple[int, int]], model: str = "first") -> Run:
    registry = Registry(Settings())
    asking = Asking(*registry.protocol("akb-v1", {"order": "given"}))
    return evaluate(model, Told(asking, name, shares), out=path, cache=False)


def test_the_gap_is_the_mean_over_templates_and_its_interval_holds_it(tmp_path: Path) -> None:
    public = told(tmp_path / "p", "open", {"t/a": (8, 8), "t/b": (6, 8), "t/only": (0, 4)})
    fresh = told(tmp_path / "f", "fresh", {"t/a": (4, 8), "t/b": (3, 4), "t/other": (9, 9)})
    found = compare(public, fresh)
    assert (found.templates, found.public_items, found.fresh_items) == (2, 16, 12)
    assert found.public == pytest.approx((1 + 0.75) / 2)
    assert found.fresh == pytest.approx((0.5 + 0.75) / 2)
    assert found.gap == pytest.approx(0.25)
    low, high = found.interval
    assert low < 0.25 < high
    assert low < 0.1


def test_no_gap_where_none_is_and_a_narrow_interval_with_many_templates(tmp_path: Path) -> None:
    shares = {f"t/{n}": (4, 8) for n in range(60)}
    found = compare(told(tmp_path / "p", "open", shares), told(tmp_path / "f", "fresh", shares))
    assert found.gap == 0
    assert -0.1 < found.interval[0] < 0 < found.interval[1] < 0.1


@pytest.mark.parametrize(
    ("shares", "model", "why"),
    [({"t/x": (1, 2)}, "first", "no template in common"), ({"t/a": (1, 2)}, "longest", "two runs of one model")],
)
def test_runs_that_cannot_be_compared_are_refused(
    tmp_path: Path, shares: dict[str, tuple[int, int]], model: str, why: str
) -> None:
    public = told(tmp_path / "p", "open", {"t/a": (1, 2)})
    fresh = told(tmp_path / "f", "fresh", shares, model)
    with pytest.raises(AkbError, match=why):
        compare(public, fresh)


def test_the_command_prints_the_gap_of_a_baseline_on_the_real_bank(tmp_path: Path) -> None:
    runs: Sequence[str] = [str(tmp_path / name) for name in ("public", "fresh")]
    for out, task in zip(runs, ("akb-open/phonetic", "akb-fresh/phonetic"), strict=True):
        result = CliRunner().invoke(app, ["eval", "-m", "first", "-t", task, "--no-cache", "--out", out])
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["bank", "gap", *runs])
    assert result.exit_code == 0, result.output
    assert "gap " in result.stdout
    assert "95 % interval" in result.stdout
