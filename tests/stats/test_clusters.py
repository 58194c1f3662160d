"""Which questions go together: by template, else by clip, and alike wherever it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from audio_folder import own, record, sound
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from typer.testing import CliRunner

import akb
from akb.cli.compare import compare
from akb.leaderboards import admission, board
from akb.leaderboards.entries import Store
from akb.registry import Registry
from akb.stats.intervals import average
from akb.stats.resampling import joint
from akb.stats.scores import Scores, clustered, ties

app = typer.Typer()
app.command()(compare)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), min_size=1, max_size=14))
def test_clusters_are_the_connected_components_of_questions_and_what_they_share(shared: list[list[str]]) -> None:
    found = clustered([str(n) for n in range(len(shared))], [ties("", own) for own in shared])
    together = np.array([[float(bool(set(one) & set(other))) for other in shared] for one in shared])
    count, wanted = connected_components(together, directed=False)
    assert len(set(found)) == len(set(zip(found, wanted, strict=True))) == count == found.max() + 1


def test_a_template_goes_before_clips_and_names_of_different_kinds_never_meet() -> None:
    assert ties("t", ["sha"], ["a.wav"]) == ("t",)
    tied = [ties("x"), ties("", ["x"]), ties("", [], ["x"]), (), ties("x", ["x"]), ties("", ["y"], ["x"])]
    assert len(set(clustered(["a", "b", "c", "x", "e", "f"], tied))) == 4
    found = clustered(["a", "b", "c", "x", "e", "f"], tied)
    assert found[0] == found[4]
    assert found[2] == found[5]


def birds(folder: Path, clips: int = 6, each: int = 5) -> Path:
    """A task in which questions go together by their clips alone; the last is about two of them."""
    rows = [record(c * each + q, audio=f"{c}.wav", options=[f"owl {c}", "wren", "kite" * (q % 3 + 1)])
            for c in range(clips) for q in range(each)]  # fmt: skip
    rows.append(record(99, audio=["0.wav", "1.wav"]))
    made = own(folder, rows)
    for clip in range(clips):
        sound(made / f"{clip}.wav", str(clip))
    return made


def asked(task: Path, folder: Path, listen: str) -> list[Path]:
    return [akb.evaluate(model, str(task), out=folder / model, cache=False, listen=listen).path
            for model in ("first", "random", "longest")]  # fmt: skip


def compared(runs: list[Path]) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, runs), "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("listen", ["audio", "none", "absent"])
def test_questions_about_one_clip_go_together_on_a_board_as_in_a_comparison(tmp_path: Path, listen: str) -> None:
    task = birds(tmp_path)
    if listen == "absent":
        for clip in task.glob("*.wav"):
            clip.unlink()
    runs = asked(task, tmp_path / "runs", "none" if listen == "absent" else listen)
    found = compared(runs)
    assert (found["n"], found["clusters"]) == (31, 5)  # two of the six clips have a question in common
    store = Store(tmp_path / "board")
    admission.add(store.folder, runs, Registry())
    (sheet,) = board.sheets(store, Registry(), draws=10_000)
    names = [entry.model for entry in sheet.entries]
    for model in found["models"]:
        own = average(sheet.scores.values[names.index(model["name"])], sheet.scores.clusters)
        assert (own.low, own.high, own.clusters) == pytest.approx((model["low"], model["high"], 5))
        rank = sheet.ranks[names.index(model["name"])]
        assert (rank.low, rank.high) == (model["rank_low"], model["rank_high"])
    for pair in found["pairs"]:
        there = sheet.pair(names.index(pair["first"]), names.index(pair["second"]))
        assert (there["low"], there["high"], there["p"]) == pytest.approx((pair["low"], pair["high"], pair["p"]))


def test_a_clip_ties_questions_of_two_tables_also_where_one_knows_only_its_name() -> None:
    values = np.random.default_rng(0).random((5, 8)).round()
    values[:, 0] = [1, 0, 1, 0, 0]

    def table(tag: str, tied: list[tuple[str, ...]]) -> Scores:
        items, blank = tuple(f"{tag}{n}" for n in range(8)), ("",) * 8
        return Scores(tuple("abcde"), items, values, tuple(tied), blank, blank, np.full(8, 0.5))

    heard = table("x", [ties("", [f"sha{n}"], [f"{n}.wav"]) for n in range(8)])
    named = table("y", [ties("", [], [f"{n}.wav"]) for n in range(8)])
    known = table("z", [ties("", [f"sha{n}"], [f"other{n}.wav"]) for n in range(8)])
    assert [joint(heard, other, draws=20).clusters for other in (named, known)] == [8, 8]
    assert joint(named, known, draws=20).clusters == 16
