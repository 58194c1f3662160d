"""What stands beside a score: intervals of one kind, what is told of few templates and of captions that are alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cascade_parts import SOUNDS, Reader, audio_task, captions_file

import akb
from akb.cascades.controls import OFFICIAL, QUESTION, beside
from akb.cascades.report import beside_table, beside_told
from akb.report import as_text

N = 24
OTHER = "another item's caption"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The task, of four templates, with captions of it."""
    folder = audio_task(tmp_path / "sounds", N)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text("utf-8").splitlines()]
    told = [{**row, "template_id": f"t{number % 4}"} for number, row in enumerate(rows)]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told), "utf-8")
    captions_file(tmp_path / "true.jsonl", N)
    return tmp_path


def ran(model: Any, listen: str, **more: Any) -> akb.Run:
    name = "-".join((listen.split(".")[0].replace(":", "-"), *map(str, more.values())))
    return akb.evaluate(model, "sounds", include=["sounds"], listen=listen, out=Path("runs") / name, **more)


def test_a_score_and_a_control_of_the_same_answers_have_the_same_interval(here: Path) -> None:
    given = {"protocol_args": {"order": "given"}}
    run, control = (ran("first", listen, **given) for listen in ("caption:true.jsonl", "none"))
    assert run.accuracy == control.accuracy == 0.25
    told = beside_told(run, {QUESTION: control})
    (row,) = told["controls"]
    own = told["as heard"]
    assert (own["accuracy"], own["low"], own["high"]) == (row["accuracy"], row["low"], row["high"])
    assert own["clusters"] == 4
    assert own["low"] < run.summary.rows[0].low  # one template of four has all the right answers
    lines = as_text(beside_table(run, {QUESTION: control})).splitlines()
    first, second = (next(line for line in lines if line.startswith(name)) for name in ("as heard", QUESTION))
    assert first.split()[2:] == second.split()[2:4]
    assert "few templates (4): intervals rest on few independent questions" in lines


def test_the_official_string_match_is_told_where_replies_are_option_texts(here: Path) -> None:
    deaf = {name: ran(Reader(), "none", protocol=name) for name in ("akb-v1", "mmau-v1")}
    heard = {name: ran(Reader(), "caption:true.jsonl", protocol=name) for name in deaf}
    told = {name: beside_told(heard[name], {QUESTION: deaf[name]})[OFFICIAL] for name in deaf}
    assert told["akb-v1"] is None
    assert told["mmau-v1"] == heard["mmau-v1"].summary.others[OFFICIAL]
    tables = {name: as_text(beside_table(heard[name], {QUESTION: deaf[name]})) for name in deaf}
    assert {name for name, table in tables.items() if "by the string match" in table} == {"mmau-v1"}


def test_how_many_of_another_items_captions_are_the_items_own_words_is_told(here: Path) -> None:
    rows = [{"audio": f"{n:02}.wav", "caption": "One speaks." if n < 12 else f"One hears {SOUNDS[n % 4]}."}
            for n in range(N)]  # fmt: skip
    Path("half.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run, control = ran(Reader(), "caption:half.jsonl"), ran(Reader(), "shuffled-caption:half.jsonl")
    own, other = ({t.id: (t.ask["captions"], o.score) for t, o in one.judged()} for one in (run, control))
    same = [i for i in own if own[i][0] == other[i][0]]
    assert 0 < len(same) < N
    (found,) = beside(run, {OTHER: control})
    assert found.same == len(same)
    gains = [own[i][1] - other[i][1] for i in own if i not in same]
    assert found.else_gain == pytest.approx(sum(gains) / len(gains))
    table = as_text(beside_table(run, {OTHER: control}))
    assert f"{OTHER}: the same words as the item's own for {len(same)} of {N} questions; gain over it on" in table


def test_of_captions_that_are_all_different_nothing_is_told(here: Path) -> None:
    rows = [{"audio": f"{n:02}.wav", "caption": f"Clip {n}."} for n in range(N)]
    Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run, control = ran("first", "caption:own.jsonl"), ran("first", "shuffled-caption:own.jsonl")
    (found,) = beside(run, {OTHER: control})
    assert (found.same, found.else_gain) == (0, None)
    assert "the same words" not in as_text(beside_table(run, {OTHER: control}))
