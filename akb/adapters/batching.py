"""Batches without trial runs: requests of like length together, as many as a budget of tokens allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request takes of a batch.

    Attributes:
        tokens: of its longest row.
        rows: sequences.
        scored: tokens at which logits are needed.
    """

    tokens: int
    rows: int = 1
    scored: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that goes through the model at once: tokens, padding included, and logits (scored tokens). A single
    request may exceed it."""

    tokens: int
    scored: int = 1 << 30


def plan(costs: Sequence[Cost], kinds: Sequence[object], budget: Budget) -> list[list[int]]:
    """Split requests into batches, longest first, so that memory runs out at once or not at all.

    Args:
        kinds: requests of different kinds never share a batch; compared by equality.

    Returns:
        Batches of indices. A pure function of the arguments.
    """
    order: dict[object, int] = {}
    for kind in kinds:
        order.setdefault(kind, len(order))
    by_length = sorted(range(len(costs)), key=lambda i: (order[kinds[i]], -costs[i].tokens, i))
    batches: list[list[int]] = []
    longest = rows = scored = 0
    for index in by_length:
        cost = costs[index]
        fits = (
            batches
            and kinds[batches[-1][0]] == kinds[index]
            and max(longest, cost.tokens) * (rows + cost.rows) <= budget.tokens
            and scored + cost.scored <= budget.scored
        )
        if not fits:
            batches.append([])
            longest = rows = scored = 0
        batches[-1].append(index)
        longest, rows, scored = max(longest, cost.tokens), rows + cost.rows, scored + cost.scored
    return batches
