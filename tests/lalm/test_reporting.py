"""The page of a training: its numbers are those of the log, and a control stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training_parts import log, made, session
from typer.testing import CliRunner

from akb.cli.app import app
from akb.errors import AkbError
from akb.lalm import reporting
from akb.lalm.recipe import find
from akb.lalm.training import curves, record


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made(folder, train={"epochs": 2, "eval_every": 4})
    session(folder).run()
    return folder


def cells(page: str, first: str) -> list[str]:
    return next([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()
                if line.startswith(f"| {first} |"))  # fmt: skip


def test_the_numbers_are_those_of_the_log(place: Path) -> None:
    own: Any = session(place)
    page = reporting.report(own.recipe, place / "lalms").read_text()
    lines = log(place)
    assert cells(page, "loss at the end")[1] == f"{lines[-1]['loss']:.4f}"
    assert cells(page, "steps")[1] == str(len(lines))
    held = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert cells(page, str(len(lines)))[1:] == [f"{lines[-1]['loss']:.3f}", f"{held[-1]:.3f}"]
    assert cells(page, "held out at best")[1].startswith(f"{min(held):.4f}")
    assert "shuffled" not in page.split("Nats a token")[0]
    assert (place / "lalms" / own.recipe.name / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_trained_otherwise_than_asked_for_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles, draw = list[str](), curves.draw

    def drawn(found: Any, path: Path, title: str) -> bool:
        titles.append(title)
        return draw(found, path, title)

    monkeypatch.setattr(curves, "draw", drawn)
    own = session(place).recipe
    first = "otherwise than asked for"
    assert cells(reporting.report(own, place / "lalms").read_text(), first)[1] == "nothing"
    other = record.changed(own, ["train.batch=8", "train.warmup=7"])
    page = reporting.report(other, place / "lalms").read_text()
    assert titles[0] == titles[1]  # of the rows that were trained on
    assert cells(page, first)[1] == f"train.batch: {own.train.batch}, train.warmup: {own.train.warmup}"
    shuffled = record.changed(own, ["data.shuffled=true"])
    with pytest.raises(AkbError, match="tiny-shuffled: nothing was trained by this recipe yet"):
        reporting.report(shuffled, place / "lalms")


def test_a_training_on_shuffled_pairs_stands_beside_it(place: Path) -> None:
    own: Any = session(place)
    shuffled = record.changed(own.recipe, ["data.shuffled=true"])
    own.recipe, own.folder = shuffled, place / "lalms" / shuffled.name
    own.run()
    page = reporting.report(session(place).recipe, place / "lalms").read_text()
    assert cells(page, "otherwise than asked for")[1:] == ["nothing", "data.shuffled: true"]
    ends = [f"{log(place, name)[-1]['loss']:.4f}" for name in ("tiny", "tiny-shuffled")]
    assert cells(page, "loss at the end")[1:] == ends
    assert ends[0] != ends[1]


def test_a_curve_is_smoothed_over_the_last_fiftieth() -> None:
    curve = curves.Curve("", tuple((n + 1, float(n)) for n in range(100)), ())
    assert curve.smooth()[:3] == [0.0, 0.5, 1.5]
    assert curve.smooth()[-1] == 98.5


def test_the_command_prints_it_and_says_where_it_lies(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = CliRunner().invoke(app, ["lalm", "report", str(next(place.glob("**/tiny.yaml")))])
    assert done.exit_code == 0, done.output
    assert "## Losses" in done.output
    assert "report: " in done.output


def test_without_a_training_it_says_how_to_train(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="nothing was trained") as error:
        reporting.report(find("desta-tiny", [Path(__file__).parents[2]]), tmp_path)
    assert "akb lalm train desta-tiny" in str(error.value)
