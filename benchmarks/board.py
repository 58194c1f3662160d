"""What a board costs: synthetic entries, the statistics of a column, and the whole site.

    python benchmarks/board.py                                  # 17 models (statistics) and 50 (site), 2,000 items
    python benchmarks/board.py --models 8 --items 500 --json

Items lie in 6 categories of 8 subcategories, three to a template; models answer by a logistic curve and reply as models
do ("(B) the second syllable"). The goals: all statistics of 17 models x 2,000 items with 10,000 draws in 10 s; the site
of 50 models x 2,000 items in 20 s and 10 MB.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from akb.leaderboards import board, exports, sitedata
from akb.leaderboards.entries import Answers, BoardItem, Column, Entry, Store
from akb.records import Manifest
from akb.registry import Registry

COLUMN = Column(task="synthetic", version="1", protocol="akb-v1", setting="text")


def items(count: int) -> list[BoardItem]:
    """Questions of usual length."""
    return [
        BoardItem(
            id=f"item-{number:05}",
            category=f"category-{number * 6 // count}",
            subcategory=f"subcategory-{number * 48 // count}",
            template=f"template-{number // 3}",
            question=f"Which of these describes sound number {number} best, if it is heard in a large empty hall?",
            options=tuple(f"{word} syllable of the word" for word in ("the first", "the second", "the third", "each")),
            answer=number % 4,
        )
        for number in range(count)
    ]


def manifest(model: str) -> Manifest:
    """Of a run that was never made."""
    party = {"adapter": "hf/2", "model": model, "dtype": "bfloat16"}
    identity = {"task": {"name": "synthetic", "version": "1"}, "parts": [], "parties": {"model": party}}
    return Manifest(akb="0.1.0", status="finished", model=model, task="synthetic", protocol="akb-v1", started="2026",
                    identity=identity, config={"model": f"none-{model}"})  # fmt: skip


def fill(folder: Path, models: int, asked: list[BoardItem], seed: int = 0) -> Store:
    """A board with so many models."""
    random = np.random.default_rng(seed)
    hard, store = random.normal(size=len(asked)), Store(folder)
    for number, ability in enumerate(np.linspace(-0.5, 2.5, models)):
        right = random.random(len(asked)) < 1 / (1 + np.exp(hard - ability))
        chosen = [item.answer if ok else (item.answer + 1) % 4 for item, ok in zip(asked, right, strict=True)]
        answers = Answers(
            ids=tuple(item.id for item in asked),
            sha=tuple(item.sha for item in asked),
            status=("ok",) * len(asked),
            chosen=tuple(chosen),
            score=tuple(map(float, right)),
            reply=tuple(f"({'ABCD'[c]}) {item.options[c]}" for c, item in zip(chosen, asked, strict=True)),
        )
        name = f"model-{number:02}"
        store.write(Entry(column=COLUMN, manifest=manifest(name), answers=answers), asked)
    return store


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what was made."""
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


def measure(folder: Path, models: int, site_models: int, count: int, draws: int) -> dict[str, float]:
    """The figures."""
    registry, asked = Registry(), items(count)
    store = fill(folder / "one", models, asked)
    reading, sheets = timed(lambda: board.sheets(store, registry, draws))
    ranking, _ = timed(lambda: sheets[0].ranks)
    boarding, made = timed(lambda: board.board(store, sheets, registry, "now"))
    versus, _ = timed(lambda: sitedata.model_data(sheets))
    chunking, _ = timed(lambda: sitedata.item_chunks(sheets, "", 400))
    exporting, _ = timed(lambda: exports.write(made, ["md", "latex", "csv", "json", "dataset"], folder / "exports"))
    many = fill(folder / "many", site_models, asked)
    size = sum(path.stat().st_size for path in many.folder.rglob("*") if path.is_file())
    building, _ = timed(lambda: sitedata.build(many, folder / "site", registry, draws=draws))
    files = [path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file()]
    return {
        "reading entries, s": reading,
        "rank intervals, s": ranking,
        "other statistics of the board, s": boarding,
        "all pairs and hardest five, s": versus,
        "difficulty and discrimination, with the items' files, s": chunking,
        "all statistics, s": ranking + boarding + versus + chunking,
        "exports, s": exporting,
        "whole site, s": building,
        "site, MB": sum(files) / 1e6,
        "board.js, MB": (folder / "site/data/board.js").stat().st_size / 1e6,
        "board's folder, MB": size / 1e6,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=17)
    parser.add_argument("--site-models", type=int, default=50)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), told.models, told.site_models, told.items, told.draws)
    if told.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name:58} {value:8.2f}")


if __name__ == "__main__":
    main()
