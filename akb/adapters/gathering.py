"""Gathering: the output layer and the softmax only where a token is scored.

A language model's logits are its largest output (tokens by vocabulary), and scoring needs few of them. The last hidden
states are gathered just before the output layer; whatever a model does behind it (soft caps, scales) is done to what is
left. The softmax is taken in fp32, sums over tokens in fp64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from akb.adapters.trees import Tree

if TYPE_CHECKING:
    import torch


class Places:
    """At which tokens of a batch logits are needed: rows of the gathered logits by (tree, token).

    Args:
        length: to which trees are padded.
    """

    def __init__(self, trees: Sequence[Tree], length: int) -> None:
        self.trees, self.length = trees, length
        wanted = {(number, at) for number, tree in enumerate(trees) for _, _, steps in tree.wanted for at, _ in steps}
        self.order = sorted(wanted)
        self.row = {place: row for row, place in enumerate(self.order)}

    @property
    def flat(self) -> list[int]:
        """Indices into (trees x length)."""
        return [number * self.length + at for number, at in self.order]

    def sums(self, logits: torch.Tensor) -> list[list[float]]:
        """For each tree, for each wanted continuation, the sum of its tokens' log-probabilities.

        Args:
            logits: (places, vocabulary).
        """
        import torch

        steps = [
            (number, which, self.row[number, at], token)
            for number, tree in enumerate(self.trees)
            for which, (_, _, tokens) in enumerate(tree.wanted)
            for at, token in tokens
        ]
        logits = logits.float()
        rows = torch.tensor([row for _, _, row, _ in steps], device=logits.device)
        tokens = torch.tensor([token for _, _, _, token in steps], device=logits.device)
        values = (logits[rows, tokens] - logits.logsumexp(-1)[rows]).double().tolist()
        found = [[0.0] * len(tree.wanted) for tree in self.trees]
        for (number, which, _, _), value in zip(steps, values, strict=True):
            found[number][which] += value
        return found


@contextmanager
def gathered(model: Any, flat: Sequence[int]) -> Iterator[None]:
    """Within it, the model's forward computes logits at these of its (batch x length) tokens alone: (1, places,
    vocabulary). A model without an output layer of its own gives all logits as ever."""
    import torch

    def gather(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = inputs[0]
        index = torch.tensor(flat, device=hidden.device)
        return (hidden.reshape(-1, hidden.shape[-1])[index][None], *inputs[1:])

    head = model.get_output_embeddings()
    handle = None if head is None else head.register_forward_pre_hook(gather, prepend=True)
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()
