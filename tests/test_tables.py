"""What a run's table tells its reader."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import akb
from akb.cli.runs import runs
from akb.report import as_text, comparisons, percent
from akb.run import names


def run(
    tmp_path: Path, model: str = "first", task: str = "phonetic", protocol: str = "akb-v1-loglik", **more: Any
) -> akb.Run:
    name = f"{model}-{task}-{protocol}-{len(list(tmp_path.iterdir()))}".replace("/", "-")
    return akb.evaluate(model, task, protocol=protocol, cache=False, out=tmp_path / name, **more)


def test_every_row_has_its_interval_chance_share_not_readable_and_the_baselines_beside_it(tmp_path: Path) -> None:
    found = run(tmp_path, "random")
    text = found.table()
    lines = text.splitlines()
    assert lines[0] == "random on akb-open/phonetic, akb-v1-loglik"
    heading = text[: text.index("\nall")]
    for word in ("n", "acc", "95 %", "interval", "chance", "not", "readable", "first", "longest"):
        assert re.search(rf"\b{word}\b" if word[-1].isalpha() and word != "acc" else word, heading), word
    start = next(number for number, line in enumerate(lines) if line.startswith("all "))
    for line, row in zip(lines[start:], found.summary.rows, strict=False):
        assert line.strip().startswith(f"{row.name} ")
        shown = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", line.strip().removeprefix(row.name))]
        shares = (row.accuracy, row.low, row.high, row.chance, row.not_ok, row.first, row.longest)
        assert shown == pytest.approx([row.n, *(round(100 * share, 1) for share in shares)], abs=0.051)
    assert "not readable counts as wrong" in text
    assert f"record: {found.path}" in text


def test_the_baselines_beside_a_score_are_what_the_baselines_themselves_get(tmp_path: Path) -> None:
    rows = run(tmp_path, "random").summary.rows
    first, longest = run(tmp_path, "first").summary.rows, run(tmp_path, "longest").summary.rows
    assert [row.first for row in rows] == pytest.approx([row.accuracy for row in first])
    assert [row.longest for row in rows] == pytest.approx([row.accuracy for row in longest])
    assert len({(row.name, row.n, row.chance) for table in (rows, first, longest) for row in table}) == len(rows)


def test_other_rules_and_orders_are_told_below_the_table(tmp_path: Path) -> None:
    cloze = run(tmp_path, protocol="akb-v1-cloze").table()
    assert re.search(r"by each rule: none [\d.]+, tokens [\d.]+, characters [\d.]+\n", cloze)
    cyclic = run(tmp_path, protocol="akb-v1-cyclic").table()
    assert "same option in every order: 0.0; chosen by place: 100.0, 0.0, 0.0, 0.0" in cyclic


def test_notes_say_what_a_reader_must_know(tmp_path: Path) -> None:
    found = run(tmp_path, limit=5, control="choices-only").table()
    assert "(first 5), akb-v1-loglik+control=choices-only" in found
    assert "note: control: the questions were withheld" in found


def test_runs_of_different_protocols_or_tasks_never_share_a_table(tmp_path: Path) -> None:
    same = [run(tmp_path, model) for model in ("first", "longest", "random")]
    others = [run(tmp_path, protocol="akb-v1"), run(tmp_path, task="phonetic/rhyme"),
              run(tmp_path, protocol_args={"shots": 1})]  # fmt: skip
    tables = [as_text(table) for table in comparisons([*same, *others])]
    assert len(tables) == 1
    lines = tables[0].splitlines()
    assert lines[0] == "akb-open/phonetic, akb-v1-loglik"
    rows = [line.split() for line in lines[1:]]
    ranked = [(row[0], float(row[1])) for row in rows if row and row[0] in ("first", "longest", "random")]
    assert {name for name, _ in ranked} == {"first", "longest", "random"}
    assert [value for _, value in ranked] == sorted((value for _, value in ranked), reverse=True)


def test_shares_are_shown_with_one_decimal_and_none_as_a_dash() -> None:
    assert [percent(value) for value in (0.0, 1.0, 0.8070, 1 / 3, None)] == ["0.0", "100.0", "80.7", "33.3", "-"]


def test_a_data_frame_has_a_row_a_question_and_the_tables_accuracy(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    found = run(tmp_path, protocol="akb-v1-cloze")
    frame = found.to_dataframe()
    assert len(frame) == found.summary.rows[0].n
    assert float(frame["score"].mean()) == pytest.approx(found.accuracy)
    by_part = frame.groupby("subcategory")["score"].mean()
    for row in found.summary.rows:
        if row.level == "subcategory":
            assert float(by_part[row.name]) == pytest.approx(row.accuracy)
    assert {"score_none", "score_tokens", "score_characters", "score_unconditional"} <= set(frame)


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    from akb.report import as_text, listing

    told = as_text(listing(["[bold]name"], [['pip install "akb[hf]" :smile: [/x]']], title="[red]title"))
    assert "[bold]name" in told
    assert 'pip install "akb[hf]" :smile: [/x]' in told
    assert "[red]title" in told
    assert as_text("keys stand at [a, b] [/c]") == "keys stand at [a, b] [/c]"


def of(found: akb.Run, asked: str, revision: str, **software: str) -> akb.Run:
    """The run as one of the model `checkpoint-500`, by the name asked for and by what the model is."""
    told = {"adapter": "hf/1", "model": "checkpoint-500", "revision": revision, **software}
    m = found.manifest
    changes = {"model": "checkpoint-500", "identity": {**m.identity, "parties": {"model": told}},
               "config": {**m.config, "model": asked}}  # fmt: skip
    return replace(found, manifest=m.model_copy(update=changes))


def test_models_of_one_name_are_told_apart_in_every_table(tmp_path: Path) -> None:
    found = run(tmp_path, task="phonetic/rhyme")
    a, b = of(found, "a/checkpoint-500", "sha256:1"), of(found, "b/checkpoint-500", "sha256:2")
    changed = of(found, "a/checkpoint-500", "sha256:3")
    assert names([a, found, b]) == ["checkpoint-500 (a/checkpoint-500)", "first", "checkpoint-500 (b/checkpoint-500)"]
    assert names([a, of(found, "./a/checkpoint-500", "sha256:1", transformers="9")]) == ["checkpoint-500"] * 2
    for_the_same = names([a, changed])
    assert len(set(for_the_same)) == 2
    assert all(re.fullmatch(r"checkpoint-500 \([0-9a-f]{8}\)", name) for name in for_the_same)
    (table,) = (as_text(table) for table in comparisons([a, b]))
    assert [line.split()[:2] for line in table.splitlines()[-2:]] == [
        ["checkpoint-500", "(a/checkpoint-500)"],
        ["checkpoint-500", "(b/checkpoint-500)"],
    ]


def test_the_list_of_runs_tells_models_of_one_name_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in "12":
        found = run(tmp_path, task="phonetic/rhyme", limit=2)
        own = of(found, f"{number}/checkpoint-500", number).manifest
        (found.path / "run.json").write_text(own.model_dump_json(by_alias=True), "utf-8")
    runs(tmp_path)
    shown = capsys.readouterr().out
    assert re.findall(r"checkpoint-500 \(./checkpoint-500\)", shown) == [
        "checkpoint-500 (1/checkpoint-500)",
        "checkpoint-500 (2/checkpoint-500)",
    ]
