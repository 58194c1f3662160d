"""The captioner x reader table, from files of captions and readers that read them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cascade_parts import Reader, audio_task, captions_file
from toys import TESTS, akb_here, command, complaint, lines, plugin

from akb.cascades.leaks import leaks
from akb.run import Run
from akb.types import Capabilities, Finish, Request, Response

N = 48
USUAL = {"--captioners": "full.jsonl,poor.jsonl", "--readers": "reader:x,odd:sleepy", "--task": "sounds"}
Done = subprocess.CompletedProcess[str]


class Sleepy(Reader):
    """Reads what is told of bells and engines only."""

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "sleepy/1", "model": "sleepy"}

    def _reply(self, request: Request) -> Response:
        told = request.messages[-1].text.partition("(A)")[0]
        heard = [o.label for o in request.options if o.text in told and o.text in ("a bell", "an engine")]
        return Response(text=f"({(heard or ['B'])[0]})")


class Deaf(Reader):
    """Takes no text: it neither replies nor gives log-probabilities."""

    capabilities = Capabilities(audio=True)


class Failing(Reader):
    """Is out of order whenever a bell is told of."""

    def _reply(self, request: Request) -> Response:
        if "hears a bell" in request.messages[-1].text:
            return Response(finish=Finish.ERROR, error="out of order")
        return super()._reply(request)


def odd(card: Any, args: Mapping[str, Any]) -> Reader:
    """The plugin's factory."""
    return {"sleepy": Sleepy, "deaf": Deaf, "failing": Failing}[card.model]()


def furnish(folder: Path) -> Path:
    """The task, the readers as an installed package, and two files of captions: all true, and the first half true."""
    audio_task(folder / "sounds", N)
    plugin(folder / "site", "akb.adapters", {"reader": "cascade_parts:reader", "odd": "test_matrix:odd"})
    rows = lines(captions_file(folder / "full.jsonl", N))
    poor = [{**row, "caption": row["caption"] if n < N // 2 else ""} for n, row in enumerate(rows)]
    poor[-1]["caption"] = "A long story. " * 300
    (folder / "poor.jsonl").write_text("".join(json.dumps(row) + "\n" for row in poor), "utf-8")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A furnished folder, which is the current one."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return furnish(tmp_path)


def matrix(capfd: pytest.CaptureFixture[str], *args: object) -> Done:
    """The command, with what is usual where nothing else is said."""
    usual = [part for name, value in USUAL.items() if name not in args for part in (name, value)]
    return akb_here(capfd, "cascade", "matrix", *usual, *args)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of the whole table, with absolute paths of its runs."""
    folder = furnish(tmp_path_factory.mktemp("table"))
    path = os.pathsep.join(map(str, (folder / "site", TESTS, TESTS / "cascades")))
    env = {**os.environ, "PYTHONPATH": path, "AKB_CACHE": str(folder / "cache")}
    usual = [part for pair in USUAL.items() for part in pair]
    done = subprocess.run(command("cascade", "matrix", *usual, "--json"), cwd=folder, env=env, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    runs = {row: {name: str(folder / path) for name, path in own.items()} for row, own in found["runs"].items()}
    return {**found, "runs": runs}


def scores(found: Mapping[str, Any], row: str, reader: str) -> list[float]:
    return [outcome.score for _, outcome in Run.load(found["runs"][row][reader]).judged()]


def cells(found: Mapping[str, Any], of: str = "cells") -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(one["row"], one["reader"], one["group"]): one for one in found[of]}


def test_each_cell_is_the_accuracy_of_the_run_behind_it_and_margins_are_means_of_cells(table: dict[str, Any]) -> None:
    by_place = cells(table)
    assert table["captioners"] == ["full", "poor"]
    assert table["readers"] == ["reader-x", "odd-sleepy"]
    other = [f"another item's caption, {name}" for name in ("full", "poor")]
    assert table["rows"] == ["full", "poor", "question only", "options only", *other]
    for row in table["rows"]:
        own = [np.mean(scores(table, row, reader)) for reader in table["readers"]]
        assert [by_place[row, reader, ""]["accuracy"] for reader in table["readers"]] == pytest.approx(own)
        assert by_place[row, "", ""]["accuracy"] == pytest.approx(np.mean(own))
        assert all(by_place[row, r, ""]["low"] <= mean <= by_place[row, r, ""]["high"]
                   for r, mean in zip(table["readers"], own, strict=True))  # fmt: skip
    for reader in table["readers"]:
        means = [by_place[name, reader, ""]["accuracy"] for name in table["captioners"]]
        assert by_place["", reader, ""]["accuracy"] == pytest.approx(np.mean(means))
    assert by_place["full", "reader-x", ""]["accuracy"] == 1
    assert by_place["poor", "reader-x", ""]["accuracy"] < 0.8


def test_captions_help_and_another_items_do_not(table: dict[str, Any]) -> None:
    by_family = {name: list(own) for name, own in groupby(table["tests"], lambda test: str(test["family"]))}
    assert [len(own) for own in by_family.values()] == [1, 1, 2, 2]
    (captioners,), (readers,), helps, others = by_family.values()
    assert (captioners["first"], captioners["second"]) == ("full", "poor")
    assert (captioners["p"], captioners["low"] > 0) == (pytest.approx(captioners["holm"]), True)
    assert captioners["p"] < 0.001
    assert readers["p"] < 0.001
    assert [(test["first"], test["second"]) for test in helps] == [("full", "question only"), ("poor", "question only")]
    assert helps[0]["holm"] == min(1.0, 2 * helps[0]["p"]) < 0.001
    assert all(test["low"] <= 0 <= test["high"] and test["holm"] > 0.05 for test in others)


def test_a_tests_difference_is_that_of_the_runs_averaged_over_the_other_factor(table: dict[str, Any]) -> None:
    gap = {(test["first"], test["second"]): test["difference"] for test in table["tests"]}
    mean = {row: np.mean([scores(table, row, r) for r in table["readers"]]) for row in table["rows"]}
    assert gap["full", "poor"] == pytest.approx(mean["full"] - mean["poor"])
    assert gap["poor", "question only"] == pytest.approx(mean["poor"] - mean["question only"])
    by_reader = [np.mean([scores(table, row, r) for row in table["captioners"]]) for r in table["readers"]]
    assert gap["reader-x", "odd-sleepy"] == pytest.approx(by_reader[0] - by_reader[1])


def test_factors_are_of_the_captioners_rows_alone(table: dict[str, Any]) -> None:
    own = np.array([[np.mean(scores(table, row, r)) for r in table["readers"]] for row in table["captioners"]])
    told = table["factors"]
    assert list(told) == ["captioner", "reader", "captioner x reader"]
    assert told["captioner"]["observed"] == pytest.approx(2 * ((own.mean(1) - own.mean()) ** 2).sum())
    assert told["reader"]["observed"] == pytest.approx(2 * ((own.mean(0) - own.mean()) ** 2).sum())
    assert sum(one["share"] for one in told.values()) == pytest.approx(1)
    assert all(one["low"] <= one["sd"] <= one["high"] for one in told.values())


def test_the_benchmarks_groups_stand_micro_and_macro(table: dict[str, Any]) -> None:
    groups = cells(table, "groups")
    for row in table["rows"]:
        run = Run.load(table["runs"][row]["odd-sleepy"])
        own = {"sound": list[float](), "music": list[float]()}
        for trial, outcome in run.judged():
            own[trial.question.category].append(outcome.score)
        for name, values in own.items():
            assert groups[row, "odd-sleepy", name]["accuracy"] == pytest.approx(np.mean(values))
            assert groups[row, "odd-sleepy", name]["n"] == N // 2
        macro = np.mean([np.mean(values) for values in own.values()])
        assert groups[row, "odd-sleepy", "macro"]["accuracy"] == pytest.approx(macro)


def test_captions_are_counted_and_what_they_give_away(table: dict[str, Any]) -> None:
    full, poor = table["captions"]
    assert (full["clips"], full["empty"], full["cut"], full["without"]) == (N, 0, 0, 0)
    assert (full["questions"], full["given_away"], full["wrong_way"], full["apart"]) == (N, N, 0, N)
    assert full["gain"] is None
    assert (poor["empty"], poor["given_away"], poor["apart"]) == (N // 2 - 1, N // 2, N // 2)
    half = [np.mean([scores(table, row, r)[N // 2 :] for r in table["readers"]]) for row in ("poor", "question only")]
    assert poor["gain"] == pytest.approx(half[0] - half[1])
    assert poor["gain_low"] <= 0 <= poor["gain_high"]


def test_captions_that_ended_by_their_budget_are_counted_as_cut(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plugin(here / "site", "akb.captioners", {"counting": "cascade_parts:build"})
    settings = ("-s", "captioner.log=log", "-s", 'captioner.told={"01": cut}')
    done = matrix(capfd, "--captioners", "counting:x", "--readers", "first", *settings, "-n", 4, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["captions"][0]["cut"] == 1


def test_what_captions_give_away_is_the_same_beside_a_score_and_in_the_table(table: dict[str, Any]) -> None:
    for told in table["captions"]:
        found = leaks(Run.load(table["runs"][told["captioner"]]["reader-x"]))
        assert (found.n, found.given_away, found.wrong_way, found.apart) == (
            told["questions"], told["given_away"], told["wrong_way"], told["apart"])  # fmt: skip


def test_another_items_captions_that_say_the_same_are_counted_and_the_others_stand_apart(table: dict[str, Any]) -> None:
    other = "another item's caption, poor"
    own, shuffled = ({t.id: t.ask["captions"] for t, _ in Run.load(table["runs"][row]["reader-x"]).judged()}
                     for row in ("poor", other))  # fmt: skip
    same = {i for i, captions in own.items() if captions == shuffled[i]}
    assert 0 < len(same) < N
    (note,) = [note for note in table["notes"] if "the same words" in note and note.startswith(other)]
    assert note.startswith(f"{other}: the same words as the item's own for {len(same)} of {N} questions; on the others")
    mean = {
        row: np.mean([outcome.score for reader in table["readers"]
                      for trial, outcome in Run.load(table["runs"][row][reader]).judged() if trial.id not in same])
        for row in (other, "question only")
    }  # fmt: skip
    told = float(note.partition("gain over the question only: ")[2].split()[0])
    assert told == pytest.approx(100 * (mean[other] - mean["question only"]), abs=0.051)


def test_a_cascade_and_its_control_are_compared_when_it_is_asked_for(
    table: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    runs = [table["runs"][row]["reader-x"] for row in ("full", "question only")]
    complaint(akb_here(capfd, "compare", *runs), "differs in", "--across-listening")
    done = akb_here(capfd, "compare", *runs, "--across-listening", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {model["name"] for model in found["models"]} == {"reader-x, caption:full.jsonl", "reader-x, none"}
    (pair,) = found["pairs"]
    own, deaf = (np.mean(scores(table, row, "reader-x")) for row in ("full", "question only"))
    assert pair["difference"] == pytest.approx(own - deaf)
    deprived = table["runs"]["options only"]["reader-x"]
    complaint(akb_here(capfd, "compare", runs[0], deprived, "--across-listening"), "control")


def test_the_same_command_again_asks_nobody_and_tells_the_same(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = matrix(capfd, "--json", "-n", 8)
    before = {path: path.stat().st_mtime_ns for path in here.rglob("responses.jsonl")}
    assert len(before) == 12 + 2  # runs, and captions
    assert matrix(capfd, "--json", "-n", 8).stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in here.rglob("responses.jsonl")} == before


def test_a_clip_is_described_once_for_all_readers_and_rows(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plugin(here / "site", "akb.captioners", {"counting": "cascade_parts:build"})
    done = matrix(capfd, "--captioners", "counting:x", "-s", "captioner.log=log", "-n", 4, "--json")
    assert done.returncode == 0, done.stderr
    described = Path("log").read_text("utf-8").split()
    assert len(described) == len(set(described)) <= 8  # those of the questions, and the other items' for these
    assert {"00", "01", "02", "03"} <= set(described)


def test_of_one_question_nothing_is_claimed(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (found,) = json.loads(matrix(capfd, "-n", 1, "--json").stdout)
    assert (found["n"], found["factors"], found["groups"]) == (1, None, [])
    assert all((one["low"], one["high"]) == (0, 1) for one in found["cells"])
    assert all(test["p"] == 1 for test in found["tests"])


def test_the_tables_are_shown(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = matrix(capfd)
    assert done.returncode == 0, done.stderr
    wanted = (
        "sounds: accuracy in %", "question only", "100.0 (92.2-100.0)", "by the benchmark's groups", "music (n 24)",
        "another item's caption against the question only", "how much each factor explains", "captioner x reader",
        "key alone %", "gain where not told apart", f"note: few questions ({N})",
    )  # fmt: skip
    for told in wanted:
        assert told in done.stdout, told


def test_one_captioner_and_one_reader_are_a_table_without_factors(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = matrix(capfd, "--captioners", "full.jsonl", "--readers", "first", "--json", "-n", 8)
    (found,) = json.loads(done.stdout)
    assert (found["factors"], found["n"]) == (None, 8)
    assert {test["family"] for test in found["tests"]} == {
        "captions against the question only", "another item's caption against the question only"}  # fmt: skip
    assert any("what each factor explains is left out" in note for note in found["notes"])
    assert any("first: reads nothing" in note for note in found["notes"])
    shown = matrix(capfd, "--captioners", "full.jsonl", "--readers", "first", "-n", 8)
    assert (shown.returncode, "how much each factor explains" in shown.stdout) == (0, False)


def test_clips_without_a_caption_are_counted_as_wrong_and_said(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = (here / "full.jsonl").read_text("utf-8").splitlines()
    (here / "part.jsonl").write_text("\n".join(rows[:40]) + "\n", "utf-8")
    done = matrix(capfd, "--captioners", "part.jsonl,full.jsonl", "--json")
    (found,) = json.loads(done.stdout)
    assert cells(found)["part", "reader-x", ""]["accuracy"] == pytest.approx(40 / N)
    assert (found["captions"][0]["without"], found["captions"][0]["questions"]) == (8, 40)
    assert any(note.startswith("part: 8 questions could not be heard") for note in found["notes"])


def test_runs_with_errors_are_named_and_the_exit_code_says_so(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = matrix(capfd, "--readers", "odd:failing,reader:x", "--json")
    assert done.returncode == 3
    (found,) = json.loads(done.stdout)
    assert "odd-failing, full" in found["incomplete"]
    assert not any("reader-x" in name for name in found["incomplete"])
    assert any(note.startswith("INCOMPLETE: odd-failing, full") for note in found["notes"])


def test_baselines_gain_nothing_from_captions(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = matrix(capfd, "--readers", "first,longest,random", "--json")
    (found,) = json.loads(done.stdout)
    by_place = cells(found)
    for reader in ("first", "longest"):
        assert len({by_place[row, reader, ""]["accuracy"] for row in found["rows"]}) == 1
    assert found["factors"]["captioner"]["low"] == 0
    assert all(test["holm"] > 0.05 for test in found["tests"] if "against" in test["family"])


def test_a_dry_run_tells_every_run_and_asks_nobody(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = matrix(capfd, "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert len(told) == 12
    assert {(one["heard"], one["requests"]) for one in told} >= {("full", N), ("question only", N)}
    assert not list(here.rglob("responses.jsonl"))
    shown = matrix(capfd, "--dry-run").stdout
    assert f"{N} clips to be described by full" in shown


def test_what_is_wrong_is_told_before_anything_is_described(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        (("--captioners", "acustic"), ("no captioner is called 'acustic'", "acoustic")),
        (("--readers", "longst"), ("no model is called 'longst'", "longest")),
        (("--captioners", ""), ("no captioner is named",)),
        (("--readers", ","), ("no reader is named",)),
        (("--task", ""), ("no task is named",)),
        (("--captioners", "full.jsonl,full.jsonl"), ("two captioners are called full",)),
        (("--readers", "first,first"), ("two readers are called first",)),
        (("--task", "akb-open"), ("no question has audio at hand", "akb-open")),
        (("-i", "sounds", "--task", "sounds/nope"), ("no question of task sounds is in nope", "music, sound")),
        (("--readers", "odd:deaf"), ("reader odd-deaf cannot generate",)),
        (("--readers", "reader:x", "--protocol", "akb-v1-loglik"), ("reader reader-x gives no log-probabilities",)),
        (("-s", "captioner.speed=3"), ("no such setting: speed",)),
    ]
    for args, told in wrong:
        complaint(matrix(capfd, *args), *told)
    assert not list(here.rglob("responses.jsonl"))
