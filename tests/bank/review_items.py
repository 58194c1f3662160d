"""Items to be read by raters, readings of them, and a server that takes these."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from akb.bank.canary import CANARY
from akb.bank.review.server import Server
from akb.tasks.items import Item


def item(number: int, **values: Any) -> Item:
    row: dict[str, Any] = {
        "id": f"item-{number}", "version": 1 + number % 2, "category": "music" if number % 2 else "phonetic",
        "subcategory": "pitch", "question": f"Which is right in question {number}?",
        "options": [f"right {number}", f"wrong {number}a", f"wrong {number}b", f"wrong {number}c"], "answer": 0,
        "kind": "authored", "template_id": "", "sources": [{"kind": "general", "ref": f"Book {number}"}],
        "rationale": f"Because of {number}.", "dialect": "", "reviews": [], "check": None, "canary": CANARY,
    }  # fmt: skip
    return Item.model_validate(row | values)


ITEMS = [item(number) for number in range(6)]


def reading(number: int = 0, **values: Any) -> dict[str, Any]:
    one = ITEMS[number]
    return {"round": 1, "item": one.id, "version": one.version, "category": one.category, "by": "Ann", "kind": "human",
            "blind": True, "date": "2026-11-21", "answer": 0, "key": 0, "verdict": "clear", "sure": "sure",
            "canary": CANARY, **values}  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@contextmanager
def serving(path: Path) -> Iterator[Server]:
    """A server in a thread of its own."""
    server = Server(ITEMS, 1, path)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
