"""Baselines that cost nothing and stand beside every score. They read no prompt: they see the options alone.

- random: each option with the same probability, drawn from the request itself, so that it is the same every time.
- first: the option shown first.
- longest: the option with the most characters; of several the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from akb.adapters.cards import Card
from akb.errors import AkbError, unknown
from akb.tasks.drawing import item_random
from akb.types import Capabilities, Choose, Option, Request, Response, Score, request_key

NEVER = -100.0  # the log-probability given to what a baseline does not choose

BATCH = 512


def _random(request: Request) -> int:
    return item_random("random", request_key(request, {})).randrange(len(request.options))


def _first(request: Request) -> int:
    return 0


def _longest(request: Request) -> int:
    lengths = [len(option.text) for option in request.options]
    return lengths.index(max(lengths))


BASELINES: dict[str, Callable[[Request], int]] = {"random": _random, "first": _first, "longest": _longest}


class Baseline:
    """A baseline as an adapter: it goes the same way as a model, and leaves the same record."""

    capabilities = Capabilities(choose=True, generate=True, audio=True)

    def __init__(self, name: str) -> None:
        if name not in BASELINES:
            raise unknown("baseline", name, BASELINES)
        self.name, self._pick = name, BASELINES[name]

    def fingerprint(self) -> Mapping[str, Any]:
        return {"adapter": "baseline/1", "model": self.name}

    def plan(self, requests: Sequence[Request]) -> Sequence[Sequence[int]]:
        return [range(start, min(start + BATCH, len(requests))) for start in range(0, len(requests), BATCH)]

    def ask(self, batches: Iterable[Sequence[Request]]) -> Iterator[tuple[int, Sequence[Response]]]:
        for number, batch in enumerate(batches):
            yield number, [self._answer(request) for request in batch]

    def _answer(self, request: Request) -> Response:
        if not request.options:
            raise AkbError("a baseline can only answer a request that names its options", where=f"baseline {self.name}")
        place = self._pick(request)
        if isinstance(request, Choose):
            return Response(
                scores=tuple(
                    tuple(Score(0.0 if number == place else NEVER, 1, len(text)) for text in group)
                    for number, group in enumerate(request.continuations)
                )
            )
        option: Option = request.options[place]
        return Response(text=option.label or option.text)

    def close(self) -> None:
        """Nothing to give back."""


def build(card: Card, args: Mapping[str, Any]) -> Baseline:
    """The baseline that a card names."""
    if args:
        raise AkbError(f"a baseline has no settings (found {', '.join(args)})", where=f"model {card.name}")
    return Baseline(card.model)
