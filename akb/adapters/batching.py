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
    kinds: dict[object, list[int]] = {}
    for index, need in enumerate(needs):
        kinds.setdefault(need.kind, []).append(index)
    batches: list[list[int]] = []
    for indices in kinds.values():
        batches += _filled(needs, sorted(indices, key=lambda index: -needs[index].tokens))
    return batches


def _filled(needs: Sequence[Need], indices: Sequence[int]) -> list[list[int]]:
    """Batches of one kind, each as full as its budget allows; the last two are as large as one another, for a batch of
    a few takes nearly as long as a full one."""
    batches: list[list[int]] = []
    for index in indices:
        longest = needs[batches[-1][0]].tokens if batches else 0
        if not batches or longest * (len(batches[-1]) + 1) > needs[index].budget:
            batches.append([])
        batches[-1].append(index)
    if len(batches) > 1 and len(batches[-2]) > len(batches[-1]):
        rest = batches[-2] + batches[-1]
        batches[-2:] = [rest[: -(-len(rest) // 2)], rest[-(-len(rest) // 2) :]]
    return batches
