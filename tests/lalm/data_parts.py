"""A recipe over clips made on the spot, and a backbone that answers as it is told to."""

from __future__ import annotations

import json
import re
import time
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from akb.adapters.cards import Card
from akb.engine import Progress, Silent
from akb.lalm.data.contamination import Evaluated
from akb.lalm.data.making import Making
from akb.lalm.recipe import Recipe
from akb.registry import Registry
from akb.strict import parse
from akb.types import Adapter, Capabilities, Finish, Request, Response, request_key

COST = 0.25  # US dollars a response
GOOD = "A calm voice speaks for a while, and there is nothing else to be heard here."


def write_clip(path: Path, number: int, seconds: int = 1) -> None:
    """A clip that differs from those of other numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((1000 + number).to_bytes(2, "little") * 8000 * seconds)


def clips(folder: Path, count: int = 6, name: str = "clips", start: int = 0) -> Path:
    """A manifest of so many clips of the three kinds in turn; the word of number n is "clip<n>"."""
    rows: list[dict[str, Any]] = []
    for number in range(start, start + count):
        write_clip(folder / "wav" / f"{number}.wav", number)
        word = f"clip{number}"
        kinds: list[dict[str, Any]] = [
            {"kind": "speech", "text": word, "attributes": {"Gender": "Female"}},
            {"kind": "sound", "caption": f"There is the sound of a {word}."},
            {"kind": "music", "attributes": {"Genre": word}},
        ]
        rows.append({"audio": f"wav/{number}.wav", **kinds[number % 3]})
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def recipe(*manifests: Path | dict[str, Any], **data: Any) -> Recipe:
    """A recipe of these manifests."""
    named = [str(one) if isinstance(one, Path) else one for one in manifests]
    return parse(Recipe, {"name": "toy", "backbone": "akb-reader", "data": {"manifests": named, **data}}, "test")


class Backbone:
    """Answers in batches of four; a line in a log for each request, before it is answered."""

    capabilities = Capabilities(generate=True)

    def __init__(
        self, log: Path, told: Mapping[str, str] | None = None, pause: float = 0.0, model: str = "toy"
    ) -> None:
        self.log, self.told, self.pause, self.model = log, dict(told or {}), pause, model
        self.seen: list[Request] = []

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "toy/1", "model": self.model}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [range(i, min(i + 4, len(requests))) for i in range(0, len(requests), 4)]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            for request in batch:
                self.seen.append(request)
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(request_key(request, {}) + "\n")
            time.sleep(self.pause)
            yield number, [self._reply(request) for request in batch]

    def _reply(self, request: Request) -> Response:
        found = re.search(r"clip\d+", request.messages[-1].text)
        told = self.told.get(found[0] if found else "", GOOD)
        if told == "error":
            return Response(finish=Finish.ERROR, error="the machine is tired")
        if told == "cut":
            return Response(text="A calm", finish=Finish.LENGTH)
        return Response(text=f"{told} ({request_key(request, {})[:6]})", cost=COST)

    def close(self) -> None:
        """Nothing to give back."""


class Known(Registry):
    """A registry in which every model is one adapter."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self._only = adapter

    def card(self, name: str) -> Card:
        return Card(name="toy", adapter="hf", model=name)

    def adapter(self, card: Card, args: Mapping[str, Any] | None = None) -> Adapter:
        return self._only


def watch(label: str, folder: Path) -> AbstractContextManager[Progress]:
    """Nobody watches."""
    return nullcontext(Silent())


def making(recipe: Recipe, adapter: Adapter, folder: Path, evaluated: Evaluated | None = None, **how: Any) -> Making:
    """How the recipe's data is made by this backbone; nothing is compared unless it is given."""
    return Making(recipe, Known(adapter), folder, cache=False, evaluated=evaluated or Evaluated(), **how)


def make(*args: Any, **how: Any) -> dict[str, Any]:
    """The report of `making`."""
    return making(*args, **how).make(watch)


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def asked(log: Path) -> list[str]:
    """The requests that a backbone was asked."""
    return log.read_text().splitlines() if log.exists() else []
