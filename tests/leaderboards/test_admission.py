"""Who may enter a board, who may not, and what is told of those who may."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from board_data import bank, entry, ran, toy

from akb.errors import AkbError
from akb.leaderboards import admission
from akb.leaderboards import board as boards
from akb.leaderboards.board import Sheet, sheets
from akb.leaderboards.entries import Store
from akb.registry import Registry
from akb.tasks.errata import Erratum


def add(folder: Path, *runs: Path, replace: bool = False) -> list[admission.Admitted]:
    return admission.add(folder / "board", runs, Registry(), replace=replace)


def refused(folder: Path, *runs: Path, match: str) -> None:
    before = sorted((folder / "board").rglob("*.gz"))
    with pytest.raises(AkbError, match=match):
        add(folder, *runs)
    assert sorted((folder / "board").rglob("*.gz")) == before


def edit(run: Path, **changes: Any) -> Path:
    """Change run.json; identity.X changes the identity."""
    path = run / "run.json"
    data = json.loads(path.read_text())
    for name, value in changes.items():
        (data["identity"] if name in data["identity"] else data)[name] = value
    path.write_text(json.dumps(data))
    return run


def test_whole_finished_runs_enter_side_by_side(tmp_path: Path) -> None:
    task = toy(tmp_path)
    runs = [ran(tmp_path / model, model, task) for model in ("random", "first", "longest")]
    done = add(tmp_path, *runs)
    assert [one.entry.model for one in done] == ["random", "first", "longest"]
    assert {one.entry.column.key for one in done} == {"toy-1@text:akb-v1-loglik"}
    assert all(not one.flags and not one.replaced and one.path.is_file() for one in done)


def test_the_same_model_twice_needs_replace(tmp_path: Path) -> None:
    task = toy(tmp_path)
    run, again = ran(tmp_path / "a", "first", task), ran(tmp_path / "b", "first", task)
    refused(tmp_path, run, again, match="given twice")
    add(tmp_path, run)
    refused(tmp_path, run, match="has a run in toy-1@text:akb-v1-loglik already")
    (done,) = admission.add(tmp_path / "board", [again], Registry(), replace=True)
    assert done.replaced
    assert len(list(Store(tmp_path / "board").entries())) == 1


def test_two_models_of_one_name_are_told_apart_before_one_takes_the_others_place(tmp_path: Path) -> None:
    task = toy(tmp_path)
    run, other = (ran(tmp_path / name, "first", task) for name in "ab")
    elsewhere = ran(tmp_path / "c", "first", task, seed=1)
    model = {"adapter": "baseline/1", "model": "first", "revision": "another"}
    edit(other, parties={"model": model})
    edit(elsewhere, parties={"model": model})
    refused(tmp_path, run, other, match="another model is called first as well")
    add(tmp_path, run)
    refused(
        tmp_path, other, match=r"another model called first has a run in toy-1@text:akb-v1-loglik\n  Give each a card"
    )
    (done,) = add(tmp_path, elsewhere)
    told = "another model called first has a run in another column"
    assert done.flags == (told,)
    store = Store(tmp_path / "board")
    (first,) = boards.board(store, boards.sheets(store, Registry(), draws=100), Registry(), "2026")["models"]
    assert [result["flags"] for result in first["results"].values()] == [[told], [told]]
    (done,) = add(tmp_path, other, replace=True)
    assert done.flags == ("took the place of another model called first",)


def test_all_or_none_and_every_refusal_is_named(tmp_path: Path) -> None:
    task = toy(tmp_path)
    good = ran(tmp_path / "good", "first", task)
    part = ran(tmp_path / "part", "random", task, limit=5)
    with pytest.raises(AkbError, match="2 of 3 runs are refused") as caught:
        add(tmp_path, good, part, tmp_path / "nothing")
    assert "first 5" in str(caught.value)
    assert "nothing" in str(caught.value)
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"status": "running"}, "only finished ones"), ({"status": "incomplete"}, "only finished ones"),
        ({"control": "choices-only"}, "control run"), ({"sha256": {}}, "no hashes"), ({"schema": 2}, "schema 2"),
    ],
)  # fmt: skip
def test_what_is_not_a_whole_run_is_refused(tmp_path: Path, change: dict[str, Any], wrong: str) -> None:
    refused(tmp_path, edit(ran(tmp_path / "a", "first", toy(tmp_path)), **change), match=wrong)


def test_a_damaged_record_and_one_with_items_left_out_are_refused(tmp_path: Path) -> None:
    task = toy(tmp_path)
    run = ran(tmp_path / "a", "first", task)
    outcomes = run / "outcomes.jsonl"
    outcomes.write_text(outcomes.read_text().replace('"score":1.0', '"score":0.5'))
    refused(tmp_path, run, match="hash differs")
    short = ran(tmp_path / "b", "first", task)
    for name in ("trials.jsonl", "outcomes.jsonl"):  # as if the hashes had been made anew by a cheat
        (short / name).write_text("".join((short / name).read_text().splitlines(keepends=True)[:-2]))
    edit(short, sha256={"trials.jsonl": _sha(short / "trials.jsonl"), "outcomes.jsonl": _sha(short / "outcomes.jsonl")})
    refused(tmp_path, short, match="2 of the task's 12 items were not asked: q10, q11")


def _sha(path: Path) -> str:
    from akb.files import file_sha256

    return file_sha256(path)


def test_items_that_changed_without_a_new_version_are_refused(tmp_path: Path) -> None:
    task = toy(tmp_path)
    add(tmp_path, ran(tmp_path / "a", "first", task))
    other = toy(tmp_path, question="Another?")
    refused(tmp_path, ran(tmp_path / "b", "random", other), match="1 items are not the same .*: q00")
    newer = toy(tmp_path, version="2", question="Another?")
    (done,) = add(tmp_path, ran(tmp_path / "c", "random", newer))
    assert done.entry.column.key == "toy-2@text:akb-v1-loglik"


def test_a_run_against_a_task_that_is_at_hand_in_other_words_is_refused(tmp_path: Path) -> None:
    task = toy(tmp_path)
    run = ran(tmp_path / "a", "first", task)
    path = task / "q.jsonl"
    path.write_text(path.read_text().replace("What is 3?", "What is three?"))
    refused(tmp_path, run, match="not the same .*: q03")


def test_where_the_task_is_not_at_hand_a_flag_says_so_and_the_others_decide(tmp_path: Path) -> None:
    task = toy(tmp_path)
    runs = [ran(tmp_path / model, model, task) for model in ("first", "random")]
    short = ran(tmp_path / "short", "longest", toy(tmp_path, n=10))
    (task / "task.yaml").unlink()
    (tmp_path / "toy-1-10-0" / "task.yaml").unlink()
    done = add(tmp_path, *runs)
    assert all("coverage not checked" in one.flags[0] for one in done)
    refused(tmp_path, short, match="short: longest was not asked the items of first: q10, q11")


def test_another_protocol_is_another_column_and_a_changed_one_under_the_same_name_is_refused(tmp_path: Path) -> None:
    task = toy(tmp_path)
    add(tmp_path, ran(tmp_path / "a", "first", task))
    changed = ran(tmp_path / "b", "first", task, protocol_args={"normalise": "tokens"})
    (done,) = add(tmp_path, changed)
    assert done.entry.column.key == "toy-1@text:akb-v1-loglik+normalise=tokens"
    hidden = ran(tmp_path / "c", "random", task, protocol_args={"normalise": "tokens"})
    manifest = hidden / "run.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"protocol": "akb-v1-loglik"}))
    refused(tmp_path, hidden, match="not asked as first was: protocol.name")


def test_a_board_whose_entries_were_put_together_by_hand_is_checked_as_runs_are(tmp_path: Path) -> None:
    """Two boards merged as version control merges them, folder by folder: nothing was added by this command."""
    task = toy(tmp_path)
    boards = [tmp_path / "one" / "board", tmp_path / "two" / "board"]
    for number, (board, model) in enumerate(zip(boards, ("first", "random"), strict=True)):
        own = ran(tmp_path / model, model, task)
        edit(own, prompt={"question": f"PROMPT {number}"})
        admission.add(board, [own], Registry())
    assert len(boards_of(boards[0])) == 1
    shutil.copytree(boards[1] / "entries", boards[0] / "entries", dirs_exist_ok=True)
    with pytest.raises(
        AkbError, match=r"random was not asked as first was: prompt\.question: 'PROMPT 0' -> 'PROMPT 1'"
    ):
        boards_of(boards[0])


def boards_of(folder: Path) -> list[Sheet]:
    return sheets(Store(folder), Registry(), draws=100)


def test_flags_tell_what_is_notable() -> None:
    items = bank()[:40]
    plain = [entry(f"m{i}", [1.0] * 40, items) for i in range(3)]
    status = ["refused"] * 3 + ["ok"] * 37
    odd = entry("odd", [0.0] * 3 + [1.0] * 37, items, status=status)
    party = {"adapter": "hf/2", "dtype": "float16", "model": "gpt-4o"}
    usage = {"model": {"answered": 40, "served": {"gpt-5": 40}}}
    told = odd.manifest.model_dump(by_alias=True) | {"akb": "0.0.9", "usage": usage}
    told["identity"] = told["identity"] | {"parties": {"model": party}}
    odd = odd.model_copy(update={"manifest": type(odd.manifest).model_validate(told)})
    kept = {item.id: item for item in items}
    found = admission.flags(odd, [*plain, odd], Registry(), kept)
    for text in ("akb 0.0.9", "answered by gpt-5", "7.5 % of the answers were not ok"):
        assert any(text in flag for flag in found), text
    assert admission.flags(plain[0], [*plain, odd], Registry(), kept) == []


def test_the_flag_for_what_was_not_ok_counts_answers_of_every_order_not_items() -> None:
    """Of 40 items in four orders three have one bad answer each: 3 of 160 answers, not 3 of 40 items; then 16."""
    items = bank()[:40]
    few = entry("few", [0.75] * 3 + [1.0] * 37, items, status=["refused"] * 3 + ["ok"] * 37, asked=[4] * 40,
                good=[3] * 3 + [4] * 37)  # fmt: skip
    many = entry("many", [0.75] * 16 + [1.0] * 24, items, asked=[4] * 40, good=[3] * 16 + [4] * 24)
    kept = {item.id: item for item in items}
    assert admission.not_ok(few) == 3 / 160
    assert admission.flags(few, [few, many], Registry(), kept) == []
    assert admission.flags(many, [few, many], Registry(), kept) == [
        "10.0 % of the answers were not ok; they count as wrong"
    ]


def test_errata_and_another_dtype_are_flags(tmp_path: Path) -> None:
    items = bank()[:40]
    rows = []
    for name, dtype in (("a", "bfloat16"), ("b", "bfloat16"), ("c", "float32")):
        one = entry(name, [1.0] * 40, items)
        one.manifest.identity["parties"]["model"]["dtype"] = dtype
        one.manifest.identity["task"]["name"] = "faulty"
        rows.append(one)
    place = toy(tmp_path / "tasks")
    (place / "task.yaml").write_text((place / "task.yaml").read_text().replace("toy", "faulty") + "errata: e.jsonl\n")
    erratum = Erratum(item="i003", version=1, what="changed", why="wrong key", date="2026-01-01")
    (place / "e.jsonl").write_text(erratum.model_dump_json() + "\n")
    registry, kept = Registry(include=[tmp_path / "tasks"]), {item.id: item for item in items}
    found = [admission.flags(one, rows, registry, kept) for one in rows]
    assert found[0] == found[1] == ["1 items were found wrong since: i003"]
    assert found[2] == [*found[0], "computed in float32; most of this column in bfloat16"]
