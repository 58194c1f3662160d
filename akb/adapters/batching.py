"""Batches without trial runs: requests of like length together, as many as a budget of tokens allows."""

from __future__ import annotations

from collections.abc import Sequence


def plan(costs: Sequence[tuple[int, int]], kinds: Sequence[object], budget: int) -> list[list[int]]:
    """Split requests into batches, longest first, so that memory runs out at once or not at all.

    Args:
        costs: for each request (tokens of its longest row, number of rows).
        kinds: requests of different kinds never share a batch; compared by equality.
        budget: the most tokens in a batch, padding included; a single request may exceed it.

    Returns:
        Batches of indices. A pure function of the arguments.
    """
    order: dict[object, int] = {}
    for kind in kinds:
        order.setdefault(kind, len(order))
    by_length = sorted(range(len(costs)), key=lambda i: (order[kinds[i]], -costs[i][0], i))
    batches: list[list[int]] = []
    longest = count = 0
    for index in by_length:
        tokens, rows = costs[index]
        fits = batches and kinds[batches[-1][0]] == kinds[index] and max(longest, tokens) * (count + rows) <= budget
        if not fits:
            batches.append([])
            longest = count = 0
        batches[-1].append(index)
        longest, count = max(longest, tokens), count + rows
    return batches
