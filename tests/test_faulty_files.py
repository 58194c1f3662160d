"""Content that is wrong: tasks, cards, protocols, prompts and question files name the file, the line and the field."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from toys import akb, complaint, row, task

from akb.tasks.official import COUNTS

TASK = 'name: mine\nversion: "1"\nquestions: [questions.jsonl]\n'
GOOD = json.dumps(row(0))

TASK_FILES = {
    "no YAML": ("name: [mine", "task.yaml:", "not valid YAML"),
    "empty": ("", "task.yaml:", "the whole"),
    "a list": ("- name: mine", "task.yaml:", "the whole"),
    "unknown field": (TASK + "question: x\n", "task.yaml: question: there is no such field"),
    "no version": ("name: mine\nquestions: [questions.jsonl]", "task.yaml: version: is missing"),
    "a number for a version": ("name: mine\nversion: 1\n", "task.yaml: version:", "(found 1)"),
    "a name that is none": ('name: My Task\nversion: "1"\n', "task.yaml: name:", "'My Task'"),
    "unknown format": (TASK + "format: csv\n", "task.yaml: format:", "'csv'"),
    "unknown field in fields": (TASK + "fields: {stem: question}\n", "task.yaml: fields.stem: there is no such field"),
    "no such questions": (TASK.replace("questions.jsonl", "'*.csv'"), "task.yaml: questions: no file matches '*.csv'"),
    "no questions": ('name: mine\nversion: "1"\n', "task.yaml: no questions", "--data FILE"),
    "no such taxonomy": (TASK + "taxonomy: none.yaml\n", "none.yaml: there is no such file"),
    "no such examples": (TASK + "fewshot: none.jsonl\n", "none.jsonl:", "No such file"),
}


def changed(**fields: Any) -> str:
    return json.dumps({**row(1), **fields})


QUESTIONS = {
    "no JSON": ("{'id': 1}", "questions.jsonl:2: not valid JSON", "column 2"),
    "cut": (GOOD[:40], "questions.jsonl:2: not valid JSON"),
    "a list": ("[1, 2]", "questions.jsonl:2: an object is wanted, found list"),
    "nested beyond reason": ("[" * 100_000, "questions.jsonl:2: not valid JSON"),
    "no question": (changed(question=" "), "questions.jsonl:2: no question"),
    "no options": (changed(options=None), "questions.jsonl:2: no options"),
    "no answer": (changed(answer=None), "questions.jsonl:2: no answer"),
    "answer too high": (changed(answer=4), "questions.jsonl:2: answer: '4' is out of range for 4 options"),
    "answer too low": (changed(answer=-1), "questions.jsonl:2: answer: '-1' is out of range"),
    "letter too high": (changed(answer="E"), "questions.jsonl:2: answer: 'E' is out of range"),
    "answer that is no option": (changed(answer="boom"), "questions.jsonl:2: answer: 'boom' is not one of the options"),
    "answer that is a half": (changed(answer=1.5), "questions.jsonl:2: answer: '1.5' is not one of"),
    "1 option": (changed(options=["a"]), "questions.jsonl:2: options: 2 to 26 are wanted, found 1"),
    "27 options": (changed(options=[f"o{n}" for n in range(27)]), "questions.jsonl:2: options:", "found 27"),
    "options that are no list": (changed(options="a, b"), "questions.jsonl:2: options: a list is wanted"),
    "an option that is nothing": (changed(options=["a", None]), "questions.jsonl:2: options:", "each must be a text"),
    "an option that is a list": (changed(options=["a", ["b"]]), "questions.jsonl:2: options:", "['b']"),
    "one id twice": (GOOD, "questions.jsonl:2: id: 'q000' was used before, at", "questions.jsonl:1"),
    "half a character": (
        r'{"id": "x", "question": "\ud83d", "options": ["a", "b"], "answer": 0}',
        "questions.jsonl:2:",
    ),
    "not UTF-8": ("\udcff", "questions.jsonl: not UTF-8 text"),
}

ITEM = {
    "id": "mine-001", "version": 1, "category": "c", "subcategory": "s", "question": "Which?", "options": ["a", "b"],
    "answer": 0, "kind": "authored", "template_id": "", "sources": [], "rationale": "", "dialect": "", "reviews": [],
    "check": None, "canary": "",
}  # fmt: skip

ITEMS = {
    "unknown field": ({"answr": 1}, "questions.jsonl:1: answr: there is no such field"),
    "missing field": ({"kind": ...}, "questions.jsonl:1: kind: is missing"),
    "answer out of range": ({"answer": 2}, "answer: 2 is out of range for 2 options"),
    "1 option": ({"options": ["a"]}, "questions.jsonl:1: options:", "at least 2"),
    "27 options": ({"options": ["a"] * 27}, "questions.jsonl:1: options:", "at most 26"),
    "a text for a list": ({"options": "ab"}, "questions.jsonl:1: options:"),
}


def folder(yaml: str, questions: str = GOOD) -> Path:
    mine = Path("mine")
    mine.mkdir(exist_ok=True)
    (mine / "task.yaml").write_text(yaml, "utf-8")
    (mine / "questions.jsonl").write_bytes(questions.encode("utf-8", "surrogateescape"))
    return mine


@pytest.mark.parametrize("case", TASK_FILES.values(), ids=TASK_FILES)
def test_a_wrong_task_file_is_named_with_its_field(case: tuple[str, ...]) -> None:
    text, *wanted = case
    complaint(akb("eval", "-m", "random", "-t", folder(text)), *wanted)


@pytest.mark.parametrize("case", QUESTIONS.values(), ids=QUESTIONS)
def test_a_wrong_question_is_named_with_file_and_line(case: tuple[str, ...], tmp_path: Path) -> None:
    line, *wanted = case
    complaint(akb("eval", "-m", "random", "-t", folder(TASK, f"{GOOD}\n{line}\n"), "-o", "run"), *wanted)
    assert not (tmp_path / "run/responses.jsonl").exists()


@pytest.mark.parametrize("case", ITEMS.values(), ids=ITEMS)
def test_a_wrong_item_of_the_bank_s_format_is_named_with_file_and_line(case: tuple[Any, ...]) -> None:
    change, *wanted = case
    item = {name: value for name, value in {**ITEM, **change}.items() if value is not ...}
    complaint(akb("eval", "-m", "random", "-t", folder(TASK + "format: item\n", json.dumps(item))), *wanted)


def test_a_byte_order_mark_does_not_hide_the_first_column(tmp_path: Path) -> None:
    """Spreadsheets write one; with it the column `id` was another."""
    text = "id,question,A,B,answer\nmine,Which?,x,y,A\n"
    (tmp_path / "mine.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    done = akb("show", folder(TASK), "--data", "mine.csv", "--item", "mine")
    assert done.returncode == 0, done.stderr


CARD = "family: x\nmodels:\n  - {name: %s, adapter: %s, model: x}\n"
CONTENT = {
    "a card that is no YAML": ("adapters/x.yaml", "family: [", "adapters/x.yaml:", "not valid YAML"),
    "a card file without models": ("adapters/x.yaml", "family: x\nmodels: []", "adapters/x.yaml: models:"),
    "a card with an unknown field": (
        "adapters/x.yaml", "family: x\nmodels:\n  - {name: x, adapter: hf, model: x, size: 7}\n",
        "adapters/x.yaml: models.0.size: there is no such field",
    ),
    "a card under a taken name": ("adapters/x.yaml", CARD % ("random", "hf"), "'random' is already defined in"),
    "a protocol that is no YAML": ("tasks/protocols/x.yaml", "name: x: y", "protocols/x.yaml:1: not valid YAML"),
    "a protocol with an unknown field": (
        "tasks/protocols/x.yaml", "name: x\nask: generate\nprompt: reply-v1\nshot: 5\n",
        "protocols/x.yaml: shot: there is no such field",
    ),
    "a protocol under a taken name": (
        "tasks/protocols/x.yaml", "name: akb-v1\nask: generate\nprompt: reply-v1\n", "'akb-v1' is already defined",
    ),
    "a protocol with no such extraction": (
        "tasks/protocols/x.yaml", "name: x\nask: generate\nprompt: reply-v1\nextraction: akb-9\n", "'akb-9'",
    ),
    "a prompt that does not compile": (
        "tasks/prompts/x.yaml", "name: x\nuser: '{% if %}'\nreply: x\n", "prompts/x.yaml: user: not a valid Jinja",
    ),
    "a task under a taken name": ("tasks/x/task.yaml", 'name: akb-open\nversion: "1"\n', "'akb-open' is already"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENT.values(), ids=CONTENT)
def test_wrong_content_of_the_user_s_is_named(case: tuple[str, ...]) -> None:
    name, text, *wanted = case
    path = Path("own") / name
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    complaint(akb("eval", "-m", "random", "-t", "phonetic", "-i", "own"), *wanted)
    done = akb("validate", "own")
    assert done.returncode == 2
    assert wanted[-1] in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_card_whose_adapter_is_not_there_is_told_when_it_is_used() -> None:
    Path("own").mkdir()
    Path("own/x.yaml").write_text(CARD % ("mine", "opnai"), "utf-8")
    done = akb("eval", "-m", "mine", "-t", "phonetic", "-i", "own")
    complaint(done, "no adapter is called 'opnai'", "Did you mean openai", "mine")
    assert "opnai (not installed)" in akb("ls", "models", "-i", "own").stdout


def test_a_prompt_that_names_what_is_not_there_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    for kind, text in (
        ("prompts", "name: x\nuser: '{{ questoin }}'\nreply: x\n"),
        ("protocols", "name: y\nask: generate\nprompt: x\n"),
    ):
        (tmp_path / "own/tasks" / kind).mkdir(parents=True)
        (tmp_path / f"own/tasks/{kind}/x.yaml").write_text(text, "utf-8")
    complaint(akb("eval", "-m", "random", "-t", "phonetic", "-i", "own", "-p", "y"), "cannot be rendered", "questoin")


# -- the official bank -----------------------------------------------------------------------------------------


def official(path: Path, **changes: int) -> Counter[str]:
    """A file with the official numbers of questions, but for the changes."""
    counts = Counter({**COUNTS, **{name.replace("_", " "): count for name, count in changes.items()}})
    rows: list[dict[str, Any]] = []
    for category, count in counts.items():
        for number in range(count):
            told = {**row(len(rows)), "id": f"{category}-{number}"}
            rows.append({**told, "category": category, "subcategory": f"{category} {number % 8}"})
    path.write_text("".join(json.dumps(told) + "\n" for told in rows), "utf-8")
    return counts


def test_the_official_bank_as_it_is_known_runs_without_notes(tmp_path: Path) -> None:
    official(tmp_path / "file.jsonl")
    done = akb("eval", "-m", "random", "-t", "akb-2000", "--data", "file.jsonl", "-o", "run")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/run.json").read_text("utf-8"))["notes"] == []


def test_an_official_file_that_differs_is_refused_with_every_difference_and_runs_when_allowed(tmp_path: Path) -> None:
    official(tmp_path / "file.jsonl", phonetic=216, music=403, smell=2)
    args = ("eval", "-m", "random", "-t", "akb-2000", "--data", "file.jsonl", "-o", "run")
    differences = (
        "2003 questions, 2000 are known", "category phonetic: 216 questions, 217 are known",
        "category music: 403 questions, 401 are known", "unknown categories: 'smell'", "50 subcategories, 48 are known",
    )  # fmt: skip
    complaint(akb(*args), "file.jsonl: this is not AKB-2000 as it is known", *differences, "task.allow_partial=true")
    complaint(akb(*args, "-s", "task.allow_partial=nonsense"), "task akb-2000: allow_partial:", "'nonsense'")
    done = akb(*args, "-s", "task.allow_partial=true")
    assert done.returncode == 0, done.stderr
    notes = json.loads((tmp_path / "run/run.json").read_text("utf-8"))["notes"]
    assert notes == [f"differs from AKB-2000 as known: {told}" for told in differences]


def test_a_task_of_the_user_s_runs_from_its_folder() -> None:
    done = akb("eval", "-m", "random", "-t", task(Path("mine")))
    assert done.returncode == 0, done.stderr
