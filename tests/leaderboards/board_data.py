"""Runs and entries for the tests of boards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import akb
from akb.leaderboards.entries import Answers, BoardItem, Column, Entry, Store
from akb.records import Manifest

TASK = """
name: toy
version: "{version}"
format: fields
questions: [q.jsonl]
"""


def toy(folder: Path, n: int = 12, version: str = "1", **changed: Any) -> Path:
    """A task of n questions in three categories; `changed` goes into the first question."""
    place = folder / f"toy-{version}-{n}-{len(changed)}"
    place.mkdir(parents=True)
    (place / "task.yaml").write_text(TASK.format(version=version))
    rows = [
        {"id": f"q{i:02}", "question": f"What is {i}?", "options": [f"o{i}", "b", "c", "d"], "answer": "A",
         "category": f"c{i % 3}", "subcategory": f"s{i % 6}"}
        for i in range(n)
    ]  # fmt: skip
    rows[0] |= changed
    (place / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def ran(folder: Path, model: str, task: Path | str, **config: Any) -> Path:
    """The folder of a finished run."""
    config = {"protocol": "akb-v1-loglik"} | config
    return akb.evaluate(model, str(task), cache=False, out=folder, **config).path


def entry(model: str, scores: Sequence[float], items: Sequence[BoardItem], setting: str = "text", **told: Any) -> Entry:
    """An entry as a run would make it: right answers are the key, wrong ones the next option."""
    chosen = [item.answer if score else (item.answer + 1) % 4 for item, score in zip(items, scores, strict=True)]
    answers = {
        "ids": [item.id for item in items],
        "sha": [item.sha for item in items],
        "status": ["ok"] * len(items),
        "chosen": chosen,
        "score": list(scores),
        "reply": [f"({'ABCD'[c]})" for c in chosen],
    } | told
    name = "toy" if setting == "text" else "toy-audio"
    identity = {"task": {"name": name, "version": "1"}, "parts": [], "parties": {"model": {"adapter": "hf/2"}}}
    manifest = Manifest(akb="0.1.0", status="finished", model=model, task=name, protocol="p", started="2026",
                        identity=identity, config={"model": f"no-{model}"})  # fmt: skip
    column = Column(task=name, version="1", protocol="p", setting=setting)
    return Entry(column=column, manifest=manifest, answers=Answers.model_validate(answers))


def bank(n: int = 48, per: int = 2) -> list[BoardItem]:
    """Items in 2 categories of 4 subcategories each, `per` to a template."""
    return [
        BoardItem(id=f"i{i:03}", category=f"c{i * 2 // n}", subcategory=f"s{i * 8 // n}", template=f"t{i // per}",
                  question=f"Q{i}?", options=("a", "b", "c", "d"), answer=i % 4)
        for i in range(n)
    ]  # fmt: skip


def table(models: int = 6, n: int = 48, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(models, items) of 0 and 1, better models further down."""
    random = np.random.default_rng(seed)
    return (random.random((models, n)) < np.linspace(0.35, 0.85, models)[:, None]).astype(np.float64)


def filled(folder: Path, models: int = 6, n: int = 48) -> Store:
    """A board with one column, m0 to m5."""
    store, items = Store(folder), bank(n)
    for number, row in enumerate(table(models, n)):
        store.write(entry(f"m{number}", row.tolist(), items), items)
    return store
