"""akb compare, on runs of its own making: what it tells, what it refuses, what it warns of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from akb import records
from akb.cli import compare as command
from akb.errors import AkbError
from akb.jsonable import dumps, trial_to
from akb.stats.difficulty import AGAINST, EVERYBODY, NOBODY, items, to_look_at
from akb.stats.paired import holm, mcnemar
from akb.types import Answer, Outcome, Question, Status, Trial

OK, REFUSED = Status.OK, Status.REFUSED
app = typer.Typer()
app.command()(command.compare)


def run(folder: Path, model: str, chosen: Sequence[int | None], template: int = 1, **identity: Any) -> Path:
    """A finished run: each question's key is option 0; `chosen` is what the model chose, None for a refusal."""
    path = folder / model
    path.mkdir(exist_ok=True)
    trials, outcomes = [], []
    for n, choice in enumerate(chosen):
        q = Question(f"q{n:03}", f"What is {n}?", ("key", "b", "c", "d"), 0, "xy"[n % 2], "s", (), f"t{n // template}")
        trials.append(Trial(q.id, q, {"orders": [[0, 1, 2, 3]]}))
        answer = Answer(REFUSED) if choice is None else Answer(OK, choice, choice, choice == 0)
        outcomes.append((q.id, Outcome(answer.status, float(choice == 0), (answer,))))
    (path / records.TRIALS).write_text("".join(dumps(trial_to(t)) + "\n" for t in trials), "utf-8")
    (path / records.RESPONSES).write_text("", "utf-8")
    records.write_outcomes(path, outcomes)
    told = {"task": {"name": "toy", "version": "1"}, "protocol": {"name": "p"}, "categories": [], "parties": {}}
    manifest = records.Manifest(
        akb="0", status="incomplete", model=model, task="toy", protocol="p", identity={**told, **identity},
        config={}, started="now",
    )  # fmt: skip
    records.write_manifest(path, manifest)
    return path


def told(*args: object) -> str:
    done = CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(("old", "new"), [('"answer":0', '"answer":1'), ("What is 1?", "What was 1?"), ('"b"', '"e"')])
def test_a_question_that_is_another_in_one_run_is_named(tmp_path: Path, old: str, new: str) -> None:
    """Its key, its words, an option: scores of the two would be of different things."""
    one, other = run(tmp_path, "one", [0, 1]), run(tmp_path, "other", [0, 1])
    head, *rest = (other / records.TRIALS).read_text("utf-8").splitlines(keepends=True)
    changed = rest[0].replace(old, new)
    assert changed != rest[0]
    (other / records.TRIALS).write_text(head + changed, "utf-8")
    with pytest.raises(AkbError, match="question q001 is another one in this run"):
        told(one, other)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    good = run(tmp_path, "good", [0] * 90 + [1] * 10)
    fair = run(tmp_path, "fair", [0] * 60 + [2] * 35 + [None] * 5)
    poor = run(tmp_path, "poor", [1] * 50 + [0] * 30 + [1] * 20)
    return [poor, good, fair]


def test_the_table_is_what_the_statistics_give(three: list[Path]) -> None:
    found = json.loads(told(*three, "--json", "--items", "3", "--by", "category"))
    assert [(m["name"], m["accuracy"], m["rank"]) for m in found["models"]] == [
        ("good", 0.9, 1), ("fair", 0.6, 2), ("poor", 0.3, 3)]  # fmt: skip
    first, second = found["pairs"]
    assert (first["first"], first["second"], first["first_only"], first["second_only"]) == ("good", "fair", 30, 0)
    assert first["difference"] == pytest.approx(0.3)
    assert first["low"] < 0.3 < first["high"]
    wanted = mcnemar([1] * 60 + [0] * 40, [0] * 50 + [1] * 30 + [0] * 20).p
    assert (second["mcnemar"], second["p"]) == pytest.approx((wanted, wanted))
    assert [p["holm"] for p in found["pairs"]] == pytest.approx(holm([p["p"] for p in found["pairs"]]))
    assert [p["holm"] for p in found["parts"]] == pytest.approx(holm([p["p"] for p in found["parts"]]))
    assert {(p["part"], p["n"]) for p in found["parts"]} == {("x", 50), ("y", 50)}
    assert found["cochran"]["df"] == 2
    assert (found["differing"], len(found["items"])) == (80, 3)
    # the order in which runs are given changes nothing but the order among equals
    again = json.loads(told(*three[::-1], "--json", "--items", "0", "--by", "category"))
    assert [m["name"] for m in again["models"]] == ["good", "fair", "poor"]
    assert again["pairs"] == found["pairs"]


def test_against_a_reference_all_others_are_compared_with_it(three: list[Path]) -> None:
    found = json.loads(told(*three, "--json", "--reference", "fair"))
    assert [(p["first"], p["second"]) for p in found["pairs"]] == [("good", "fair"), ("poor", "fair")]
    assert found["family"] == "all against fair"
    assert json.loads(told(*three, "--json", "--reference", "fair", "--family", "all"))["pairs"] == found["pairs"]
    text = told(*three, "--reference", "fair", "--by", "category")
    assert "the 2 pairs shown (all against fair), by part for all 4 (pairs times parts)" in text
    with pytest.raises(AkbError, match="first in part by luck"):  # the observed best of the same data
        told(*three, "--family", "all")
    with pytest.raises(AkbError, match="no run here is called 'god'") as error:
        told(*three, "--reference", "god")
    assert "good" in error.value.fix


def test_people_are_shown_the_table_the_warnings_and_the_questions(three: list[Path]) -> None:
    text = told(*three, "--items", "1")
    assert "+30.0" in text
    assert "<0.0001" in text
    assert "few questions (100)" in text
    assert "not readable: 5.0 % of fair's answers, 0.0 % of good's" in text
    assert "the run is incomplete" in text
    assert "* key  <- good, fair" in text or "* key  <- good\n" in text
    assert "They differ on 80 questions" in text
    assert "the 2 pairs shown (neighbours in rank);" in text
    assert "all pairs of the table" not in text
    assert "before Holm" in text
    assert "same answers" not in text


def test_questions_to_look_at_are_counted_and_listed(tmp_path: Path) -> None:
    chosen = {"a": [0, 1, 0, 0, 1], "b": [0, 1, 1, 0, 0], "c": [0, 1, 1, 1, 0]}
    runs = [run(tmp_path, name, own) for name, own in chosen.items()]
    found = json.loads(told(*runs, "--json"))
    listed = to_look_at(
        items([[float(c == 0) for c in own] for own in chosen.values()], [f"q{n:03}" for n in range(5)])
    )
    assert [(one["id"], one["look"]) for one in found["again"]] == [(one.id, one.look) for one in listed]
    assert found["to_look_at"] == {AGAINST: 2, NOBODY: 1, EVERYBODY: 1}
    assert f"{AGAINST}: 2; {NOBODY}: 1; {EVERYBODY}: 1" in told(*runs)
    assert len(json.loads(told(*runs, "--json", "--items", "2"))["again"]) == 2


def test_a_copied_run_is_told(tmp_path: Path) -> None:
    chosen = [0, 1, 2, None] * 10
    one, copy = run(tmp_path, "one", chosen), run(tmp_path, "copy", chosen)
    other = run(tmp_path, "other", [0, 2, 2, None] * 10)  # right on the same questions, by other answers
    assert "copy and one gave the same answers to all 40 questions" in " ".join(told(copy, one).split())
    assert "same answers" not in told(one, other)


def test_from_one_question_nothing_can_be_said(tmp_path: Path) -> None:
    with pytest.raises(AkbError, match="fewer than 2 nothing can be said"):
        told(run(tmp_path, "a", [0]), run(tmp_path, "b", [1]))
    found = json.loads(told(run(tmp_path, "a", [0, 0, 1]), run(tmp_path, "b", [1, 0, 1]), "--by", "category", "--json"))
    assert [pair["part"] for pair in found["parts"]] == ["x"]
    assert "parts of fewer than 2 questions are left out: y" in found["warnings"]


def test_ties_few_templates_and_questions_left_out_are_told(tmp_path: Path) -> None:
    one, other = run(tmp_path, "one", [0, 1] * 20, template=10), run(tmp_path, "two", [1, 0] * 19, template=10)
    text = told(one, other)
    assert "one and two have exactly the same accuracy" in text
    assert "one: 2 questions are left out" in text
    assert "few templates (4)" in text


def test_templates_move_p_and_interval_and_mcnemar_does_not_see_them(tmp_path: Path) -> None:
    one, other = [0] * 40 + [1] * 20, [0] * 24 + [1] * 36
    (alone,) = json.loads(told(run(tmp_path, "a", one), run(tmp_path, "b", other), "--json"))["pairs"]
    (eights,) = json.loads(told(run(tmp_path, "a", one, 8), run(tmp_path, "b", other, 8), "--json"))["pairs"]
    assert (alone["mcnemar"], alone["p"]) == pytest.approx((eights["mcnemar"],) * 2)
    assert eights["p"] == 0.5  # two templates differ: 2 of the 4 changes of sign are as far
    assert eights["high"] - eights["low"] > alone["high"] - alone["low"]


@pytest.mark.parametrize(
    ("other", "wanted"),
    [({"task": {"name": "toy", "version": "2"}}, "task.version"), ({"protocol": {"name": "q"}}, "protocol.name"),
     ({"listen": "none"}, "listen")],
)  # fmt: skip
def test_runs_that_do_not_compare_are_refused(tmp_path: Path, other: dict[str, Any], wanted: str) -> None:
    with pytest.raises(AkbError, match=wanted):
        told(run(tmp_path, "a", [0]), run(tmp_path, "b", [0], **other))


def test_one_run_or_one_twice_or_an_unknown_family_is_an_error(three: list[Path]) -> None:
    wrong: list[tuple[list[object], str]] = [
        ([three[0]], "two or more"),
        ([three[0]] * 2, "given twice"),
        ([*three, "--family", "pairs"], "no family"),
        ([*three, "--by", "topic"], "no grouping"),
    ]
    for args, wanted in wrong:
        with pytest.raises(AkbError, match=wanted):
            told(*args)
