"""A user's own questions: a task.yaml beside a file of any shape, given by --include or by its path."""

from __future__ import annotations

import csv
import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import akb
from akb.errors import AkbError
from akb.tasks.items import Fields, question_from, read_records

MADE = "name: mine\nversion: '1'\nquestions: [{file}]\n"
Row = dict[str, Any]


def folder(base: Path, file: str, rows: list[Row] | str, extra: str = "") -> Path:
    """A task folder called mine."""
    base.mkdir(parents=True, exist_ok=True)
    (base / "task.yaml").write_text(MADE.format(file=file) + extra, "utf-8")
    if isinstance(rows, str):
        (base / file).write_text(rows, "utf-8")
    elif file.endswith(".csv"):
        with (base / file).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)
    else:
        (base / file).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return base


def first(task: str, tmp_path: Path, **config: Any) -> akb.Run:
    """The baseline that takes the option that the file names first."""
    return akb.evaluate(
        "first",
        task,
        protocol="akb-v1-loglik",
        protocol_args={"order": "given"},
        cache=False,
        out=tmp_path / "r",
        **config,
    )


def sized(count: int) -> list[Row]:
    """A question for each number of options up to `count`, the last option right."""
    texts = [f"tone {n}" for n in range(count)]
    return [
        {"id": f"q{n}", "question": f"Last of {n}?", "choices": texts[:n], "answer": n - 1} for n in range(2, count + 1)
    ]


def test_questions_of_2_to_26_options_run_from_jsonl_by_include_and_by_path(tmp_path: Path) -> None:
    rows = sized(26)
    path = folder(tmp_path / "own" / "mine", "q.jsonl", rows)
    for number, (task, include) in enumerate([("mine", [tmp_path / "own"]), ("mine", [path]), (str(path), [])]):
        run = first(task, tmp_path / str(number), include=include)
        assert run.summary.rows[0].n == 25
        assert run.accuracy == 0.0
        assert run.summary.rows[0].chance == pytest.approx(sum(1 / n for n in range(2, 27)) / 25)
        assert [t.question.options for t, _ in run.judged()] == [tuple(row["choices"]) for row in rows]


@pytest.mark.parametrize(
    ("options", "answer", "index"),
    [
        ([1, 2, 3, 4], "2", 1),
        ([1, 2, 3, 4], "C", 2),
        ([1, 2, 3, 4], 4, 3),
        ([0, 1], 1, 1),
        ([2.0, 4.0], 2.0, 0),
        (["x", "None"], "None", 1),
        ([7, 8], 1, 1),
    ],
)
def test_a_number_as_key_is_read_where_it_can_be_one_thing_only(options: list[Any], answer: Any, index: int) -> None:
    row = {"question": "How many?", "choices": options, "answer": answer}
    assert question_from(row, Fields(), "here", 1).answer == index


def test_a_folder_laid_out_like_akbs_own_content_is_found_as_well(tmp_path: Path) -> None:
    folder(tmp_path / "own" / "tasks" / "mine", "q.jsonl", sized(4))
    assert first("mine", tmp_path, include=[tmp_path / "own"]).summary.rows[0].n == 3


def test_a_csv_with_one_column_an_option_may_have_fewer_options_in_some_rows(tmp_path: Path) -> None:
    rows = [
        {"question": "q1", "A": "x", "B": "y", "C": "z", "D": "w", "answer": "A", "category": "one"},
        {"question": "q2", "A": "x", "B": "y", "C": "", "D": "", "answer": "y", "category": "two"},
        {"question": "q3", "A": "x", "B": "y", "C": "z", "D": "", "answer": "2", "category": "two"},
    ]
    run = first(str(folder(tmp_path / "mine", "q.csv", rows)), tmp_path)
    questions = [trial.question for trial, _ in run.judged()]
    assert [(len(q.options), q.answer) for q in questions] == [(4, 0), (2, 1), (3, 2)]
    assert [(row.name, row.n, row.accuracy) for row in run.summary.rows] == [
        ("all", 3, pytest.approx(1 / 3)),
        ("one", 1, 1.0),
        ("two", 2, 0.0),
    ]


def test_fields_of_other_names_are_mapped_in_task_yaml(tmp_path: Path) -> None:
    rows = [{"nr": 7, "stimulus": "q?", "p": "x", "q": "y", "r": "z", "right": "z", "area": "Pitch", "sub": "Octaves"}]
    told = """fields:
  id: nr
  question: stimulus
  options: [p, q, r]
  answer: right
  category: area
  subcategory: sub
"""
    path = folder(tmp_path / "mine", "q.jsonl", rows, told)
    ((trial, _),) = first(str(path), tmp_path).judged()
    q = trial.question
    assert (q.id, q.text, q.options, q.answer) == ("7", "q?", ("x", "y", "z"), 2)
    assert (q.category, q.subcategory) == ("Pitch", "Octaves")


def test_a_part_of_ones_own_task_is_named_by_its_category(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "choices": ["x", "y"], "answer": 0, "category": "Low Tones" if n < 3 else "high"}
            for n in range(8)]  # fmt: skip
    folder(tmp_path / "own" / "mine", "q.jsonl", rows)
    run = first("mine/low-tones", tmp_path, include=[tmp_path / "own"])
    assert (run.manifest.task, run.summary.rows[0].n) == ("mine/low-tones", 3)


def test_a_task_may_leave_its_file_to_the_user(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine", "q.jsonl", sized(4))
    (path / "task.yaml").write_text("name: mine\nversion: '1'\n", "utf-8")
    with pytest.raises(AkbError, match="--data FILE"):
        first(str(path), tmp_path / "1")
    assert first(str(path), tmp_path / "2", data=path / "q.jsonl").summary.rows[0].n == 3


def test_few_shot_examples_come_from_the_tasks_own_file(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine", "q.jsonl", sized(4), "fewshot: shots.jsonl\n")
    (path / "shots.jsonl").write_text(
        json.dumps({"question": "An example?", "choices": ["x", "y"], "answer": 1}), "utf-8"
    )
    run = akb.evaluate("first", str(path), protocol="akb-v1-loglik", protocol_args={"shots": 1}, cache=False,
                       out=tmp_path / "r")  # fmt: skip
    assert run.manifest.protocol == "akb-v1-loglik+shots=1"
    with pytest.raises(AkbError, match="2 worked examples are wanted, the task has 1"):
        akb.evaluate("first", str(path), protocol_args={"shots": 2}, cache=False, out=tmp_path / "s")


WRONG: list[tuple[str, str, str]] = [
    ("q.jsonl", '{"question": "q", "choices": ["x", "y"], "answer": "z"}', r"q.jsonl:1: answer: 'z' is out of range"),
    ("q.jsonl", '{"question": "q", "choices": ["x", "y"], "answer": "both"}', "'both' is not one of the options"),
    ("q.jsonl", '{"question": "q", "choices": ["x", "y"], "answer": 2}', "'2' is out of range for 2 options"),
    ("q.jsonl", '{"question": "q", "choices": ["x", "y"], "answer": -1}', "out of range"),
    ("q.jsonl", '{"question": "How many?", "choices": ["1", "2", "3", "4"], "answer": 2}',
     "answer: 2 is an option's text, and as an index .from 0. it is the option '3'"),
    ("q.jsonl", '{"question": "How many?", "choices": [1, 2, 3, 4], "answer": 2.0}', "answer: 2 is an option's text"),
    ("q.jsonl", '\n{"question": "q", "choices": ["x"], "answer": 0}', r":2: options: 2 to 26 are wanted, found 1"),
    ("q.jsonl", json.dumps({"question": "q", "choices": list(range(27)), "answer": 0}), "found 27"),
    ("q.jsonl", '{"choices": ["x", "y"], "answer": 0}', "no question: one of the fields"),
    ("q.jsonl", '{"question": "q", "choices": ["x", "y"]}', "no answer: one of the fields"),
    ("q.jsonl", '{"question": "q", "answer": 0}', "no options"),
    ("q.jsonl", "[1]", "q.jsonl:1: an object is wanted, found list"),
    ("q.jsonl", '{"question": ', r"q.jsonl:1: not valid JSON"),
    ("q.json", "{", r"q.json:1: not valid JSON"),
    ("q.json", '{"a": 1}', "a list of records is wanted"),
    ("q.csv", 'question,A,B,answer\n"q,x,y,A\n', "not valid CSV"),
    ("q.txt", "what?", "the format is not known by its ending"),
    ("q.jsonl", '{"id": 1, "question": "q", "choices": ["x", "y"], "answer": 0}\n' * 2, r"q.jsonl:2: id: '1' was used"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "told"), WRONG, ids=[case[2] for case in WRONG])
def test_what_is_wrong_in_a_users_file_is_told_with_its_place(tmp_path: Path, file: str, text: str, told: str) -> None:
    path = folder(tmp_path / "mine", file, text)
    with pytest.raises(AkbError, match=told):
        first(str(path), tmp_path)


def test_an_unknown_field_of_task_yaml_and_a_name_taken_twice_are_told(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine", "q.jsonl", sized(3), "colour: red\n")
    with pytest.raises(AkbError, match="colour: there is no such field"):
        first(str(path), tmp_path)
    other = folder(tmp_path / "other", "q.jsonl", sized(3))
    (other / "task.yaml").write_text("name: akb-open\nversion: '1'\nquestions: [q.jsonl]\n", "utf-8")
    with pytest.raises(AkbError, match="task 'akb-open' is already defined in"):
        first("akb-open", tmp_path, include=[tmp_path / "other"])


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(texts, min_size=2, max_size=26, unique=True), st.data())
def test_options_and_key_survive_every_way_to_write_them(
    tmp_path: Path, options: list[str], data: st.DataObject
) -> None:
    key = data.draw(st.integers(0, len(options) - 1))
    letter = string.ascii_uppercase[key]
    row = {"question": "q?", "choices": options, "answer": options[key]}
    written: list[Row] = [row]
    if options[key] == str(key) or str(key) not in options:
        written.append({**row, "answer": key})
    if not set(options) & set(string.ascii_letters):
        written.append({**row, "answer": letter})
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in written), "utf-8")
    for number, (where, found) in enumerate(read_records(path), start=1):
        question = question_from(found, Fields(), where, number)
        assert question.options == tuple(options)
        assert question.options[question.answer] == options[key]


CARD = "family: Mine\nmodels:\n  - {name: mine-first, adapter: baseline, model: first}\n"


@pytest.mark.parametrize("place", ["adapters/mine.yaml", "mine.yaml"])
def test_a_card_of_ones_own_works_beside_other_yaml_files(tmp_path: Path, place: str) -> None:
    own = folder(tmp_path / "own" / "tasks" / "mine", "q.jsonl", sized(4)).parents[1]
    (own / place).parent.mkdir(exist_ok=True)
    (own / place).write_text(CARD, "utf-8")
    (own / "run.yaml").write_text("model: mine-first\ntask: mine\n", "utf-8")
    run = akb.evaluate("mine-first", "mine", include=[own], cache=False, out=tmp_path / "r")
    assert run.manifest.model == "mine-first"
    (own / place).write_text(CARD.replace("models", "modles"), "utf-8")
    with pytest.raises(AkbError, match="models: is missing; modles: there is no such field"):
        akb.evaluate("mine-first", "mine", include=[own], cache=False, out=tmp_path / "s")


@pytest.mark.parametrize("place", ["tasks/protocols/mine.yaml", "protocols/mine.yaml"])
def test_a_protocol_of_ones_own_is_found(tmp_path: Path, place: str) -> None:
    path = tmp_path / "own" / place
    path.parent.mkdir(parents=True)
    path.write_text("name: mine-v1\nask: letters\nprompt: letters-v1\norder: given\n", "utf-8")
    run = akb.evaluate("first", "phonetic", protocol="mine-v1", include=[tmp_path / "own"], cache=False, limit=2,
                       out=tmp_path / "r")  # fmt: skip
    assert run.manifest.protocol == "mine-v1"
