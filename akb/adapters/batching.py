"""Batches without trial runs: requests of like length together, as many as a budget of tokens allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs of a batch.

    Attributes:
        kind: requests of different kinds never share a batch; compared by equality.
        tokens: of its row.
        budget: the most tokens, padding included, of a batch of this kind. A single request may exceed it.
    """

    kind: object
    tokens: int
    budget: int


def plan(needs: Sequence[Need]) -> list[list[int]]:
    """Split requests into batches, longest first, so that memory runs out at once or not at all.

    Returns:
        Batches of indices. A pure function of the argument.
    """
    order: dict[object, int] = {}
    for need in needs:
        order.setdefault(need.kind, len(order))
    by_length = sorted(range(len(needs)), key=lambda i: (order[needs[i].kind], -needs[i].tokens, i))
    batches: list[list[int]] = []
    for index in by_length:
        need = needs[index]
        first = needs[batches[-1][0]] if batches else None  # the longest of its batch
        if first is None or first.kind != need.kind or first.tokens * (len(batches[-1]) + 1) > need.budget:
            batches.append([])
        batches[-1].append(index)
    return batches
