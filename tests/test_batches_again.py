"""A local run that goes on asks in the batches of one that was never interrupted, so that numbers are rounded alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toys import BATCH, LocalToy, answers, asked, lines, task

from akb import evaluate

N, KNOWN = 10, 3


def interrupted(run: Path, left: int) -> None:
    """Leave so many lines of a run's record, and say that it was at work."""
    path = run / "responses.jsonl"
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:left]), "utf-8")
    told = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps({**told, "status": "running", "sha256": {}}), "utf-8")


@pytest.mark.parametrize("left", [KNOWN, BATCH, BATCH + 2])
def test_what_the_cache_answered_joins_no_batch_and_what_was_recorded_of_one_is_asked_again(
    left: int, tmp_path: Path
) -> None:
    questions = str(task(tmp_path / "questions", N))
    evaluate(LocalToy(tmp_path / "cached.log"), questions, out=tmp_path / "first", limit=KNOWN)
    evaluate(LocalToy(tmp_path / "whole.log"), questions, out=tmp_path / "run")
    whole = asked(tmp_path / "whole.log")
    assert len(whole) == N - KNOWN
    before = answers(tmp_path / "run")

    interrupted(tmp_path / "run", left)
    evaluate(LocalToy(tmp_path / "again.log"), questions, out=tmp_path / "run", cache=False)
    begun = (left // BATCH) * BATCH  # the first question of the batch that was under way
    assert asked(tmp_path / "again.log") == whole[max(begun - KNOWN, 0) :]
    assert answers(tmp_path / "run") == before
    cached = [line["trial"] for line in lines(tmp_path / "run/responses.jsonl") if line.get("cached")]
    assert cached == ["q000", "q001", "q002"]
