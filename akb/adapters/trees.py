"""Prefix sharing: a question as one sequence, in which what its continuations share stands once.

A tree has the prompt's tokens as its trunk, and behind it the continuations as branches; branches that begin alike
share their beginnings too. Each token sees its ancestors alone, by a mask, and stands at its depth, by its position, so
that the model computes for every branch what it would compute for prompt and continuation by themselves. The last token
of a continuation is scored but never read, so it is no part of the tree: continuations of one token cost nothing.

What the prompts of many questions have in common (worked examples, a system message) stands in front of all their trees
and is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

from akb.adapters.rendering import Encoded

LEAST_SHARED = 16  # tokens; a shorter common beginning is not worth a cache


@dataclass(frozen=True)
class Tree:
    """One sequence that goes through the model.

    Attributes:
        ids: tokens, the trunk first.
        parents: for each token the index of the one before it; -1 for the first.
        wanted: for each scored continuation (place of the option, of its spelling, and for each of its tokens the index
            of the token that foretells it and its id).
    """

    ids: tuple[int, ...]
    parents: tuple[int, ...]
    trunk: int
    wanted: tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]


def grow(encoded: Encoded, shared: int = 0) -> Tree:
    """The tree of a question.

    Args:
        shared: how many of the prompt's first tokens are computed elsewhere; fewer than all.
    """
    ids = list(encoded.prompt[shared:])
    parents = list(range(-1, len(ids) - 1))
    trunk = len(ids)
    children: dict[tuple[int, int], int] = {}
    wanted = []
    for place, group in enumerate(encoded.continuations):
        for spelling, continuation in enumerate(group):
            at, steps = trunk - 1, []
            for number, token in enumerate(continuation):
                steps.append((at, token))
                if number + 1 == len(continuation):
                    break
                if (at, token) not in children:
                    children[at, token] = len(ids)
                    ids.append(token)
                    parents.append(at)
                at = children[at, token]
            wanted.append((place, spelling, tuple(steps)))
    return Tree(tuple(ids), tuple(parents), trunk, tuple(wanted))


def chains(encoded: Encoded) -> list[Tree]:
    """The same question as trees without branches, for models that cannot be given a mask: one for each different
    beginning of a continuation."""
    by_input: dict[tuple[int, ...], list[tuple[int, int, tuple[tuple[int, int], ...]]]] = {}
    start = len(encoded.prompt) - 1
    for place, group in enumerate(encoded.continuations):
        for spelling, ids in enumerate(group):
            steps = tuple((start + number, token) for number, token in enumerate(ids))
            by_input.setdefault((*encoded.prompt, *ids[:-1]), []).append((place, spelling, steps))
    return [Tree(ids, tuple(range(-1, len(ids) - 1)), len(ids), tuple(wanted)) for ids, wanted in by_input.items()]


def common(prompts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all prompts begin with alike, so that at least one token is left of each; 0 if too few to be
    worth sharing."""
    if len(prompts) < 2:
        return 0
    first, last = min(prompts), max(prompts)  # what these two share, all between them share
    limit = min(len(prompt) for prompt in prompts) - 1
    length = next((i for i in range(min(limit, len(first))) if first[i] != last[i]), limit)
    return length if length >= LEAST_SHARED else 0


def mask(trees: Sequence[Tree], length: int, shared: int) -> NDArray[np.bool_] | None:
    """Which tokens each token sees: (trees, length, shared + length); None where a causal mask says the same.

    Args:
        length: to which trees are padded.
        shared: tokens in front of all trees, which all see.
    """
    if shared == 0 and all(len(tree.ids) == tree.trunk for tree in trees):
        return None
    seen = np.zeros((len(trees), length, shared + length), dtype=bool)
    seen[:, :, :shared] = True
    causal = np.tril(np.ones((length, length), dtype=bool))
    for number, tree in enumerate(trees):
        own = seen[number, :, shared:]
        own[: tree.trunk] = causal[: tree.trunk]
        own[len(tree.ids) :] = causal[len(tree.ids) :]  # padding sees something, or its softmax would be empty
        for at in range(tree.trunk, len(tree.ids)):
            own[at] = own[tree.parents[at]]
            own[at, at] = True
    return seen


def positions(trees: Sequence[Tree], length: int, shared: int) -> NDArray[np.int64]:
    """At which position of its own text each token stands: (trees, length). Padding stands at the first, so that no
    position is beyond what the texts need."""
    found = np.full((len(trees), length), shared)
    for number, tree in enumerate(trees):
        found[number, : tree.trunk] += np.arange(tree.trunk)
        for at in range(tree.trunk, len(tree.ids)):
            found[number, at] = found[number, tree.parents[at]] + 1
    return found
