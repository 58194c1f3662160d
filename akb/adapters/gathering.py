"""Gathering: the output layer and the softmax only where a token is scored.

A language model's logits are its largest output (tokens by vocabulary), and scoring needs few of them. The last hidden
states are gathered just before the output layer, which then computes some rows at a time, so that no more logits exist
at once than a processor's cache or a little memory holds. A model that does something behind its output layer (soft
caps, scales) does it to all gathered rows at once. The softmax is taken in fp32, sums over tokens in fp64.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from akb.adapters.trees import Tree

if TYPE_CHECKING:
    import torch

PIECE = {"cpu": 1 << 22}  # logits that are computed at once, by kind of device
PIECE_ELSEWHERE = 1 << 27
LEAST_ROWS = 64  # of a piece: fewer would read the output layer's weights too often
ROWS_OF_SUMS = 8  # of a softmax on the CPU: what it reads twice is then still in the cache


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

    def sums(self, pieces: Iterable[torch.Tensor]) -> list[list[float]]:
        """For each tree, for each wanted continuation, the sum of its tokens' log-probabilities.

        Args:
            pieces: logits, (rows, vocabulary) each, all rows in order.
        """
        values = self._values(pieces)
        return [
            [sum(values[self.row[number, at], token] for at, token in steps) for _, _, steps in tree.wanted]
            for number, tree in enumerate(self.trees)
        ]

    def _values(self, pieces: Iterable[torch.Tensor]) -> dict[tuple[int, int], float]:
        """The log-probability of every wanted token, by (row, token)."""
        import torch

        steps = {
            (self.row[number, at], token)
            for number, tree in enumerate(self.trees)
            for _, _, tokens in tree.wanted
            for at, token in tokens
        }
        pairs, values, start = sorted(steps), dict[tuple[int, int], float](), 0
        for piece in pieces:
            mine = pairs[bisect_left(pairs, (start,)) : bisect_left(pairs, (start + len(piece),))]
            rows, tokens = torch.tensor(mine, device=piece.device).T
            rows, logits = rows - start, piece.float()
            found = logits[rows, tokens] - _logsumexp(logits)[rows]
            values.update(zip(mine, found.tolist(), strict=True))
            start += len(piece)
        if start != len(self.order):
            raise RuntimeError(f"the model gave logits for {start} of {len(self.order)} places")
        return values


def _logsumexp(logits: torch.Tensor) -> torch.Tensor:
    """Of each row; on the CPU a few rows at a time, which gives the same bits sooner."""
    import torch

    if logits.device.type != "cpu":
        return logits.logsumexp(-1)
    return torch.cat([few.logsumexp(-1) for few in logits.split(ROWS_OF_SUMS)])


class Head:
    """The output layer of a language model.

    Attributes:
        bare: whether the model's logits are what this layer gives, with nothing done behind it; None until the first
            forward has shown it.
    """

    def __init__(self, model: Any) -> None:
        self.layer: Any = model.get_output_embeddings()  # None: no module of its own, all logits are computed
        self.bare: bool | None = None

    def pieces(self, flat: Sequence[int], forward: Callable[[], torch.Tensor]) -> Iterator[torch.Tensor]:
        """The logits at these of a batch's (rows x length) tokens, (some, vocabulary) at a time.

        Args:
            forward: runs the model once and returns what it gives as logits.
        """
        if self.bare is None and self.layer is not None:
            logits = self._tried(flat, forward)
        elif self.bare:
            kept: list[torch.Tensor] = []
            with self._gathering(flat, kept):
                width = forward().shape[-1]
            rows = max(LEAST_ROWS, PIECE.get(kept[0].device.type, PIECE_ELSEWHERE) // width)
            for hidden in kept[0].split(rows):
                yield self.layer(hidden)
            return
        elif self.layer is not None:
            with self._gathering(flat):
                logits = forward()
        else:
            logits = forward()
        logits = logits.reshape(-1, logits.shape[-1])
        yield logits if self.layer is not None else logits[flat]

    def _tried(self, flat: Sequence[int], forward: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The first forward, which shows how the layer is used."""
        given: list[torch.Tensor] = []
        handle = self.layer.register_forward_hook(lambda _, __, logits: given.append(logits))
        try:
            with self._gathering(flat):
                logits = forward()
        finally:
            handle.remove()
        if not given:  # the model does not use it
            self.layer = None
        self.bare = len(given) == 1 and given[0].shape == logits.shape and bool((given[0] == logits).all())
        return logits

    @contextmanager
    def _gathering(self, flat: Sequence[int], kept: list[torch.Tensor] | None = None) -> Iterator[None]:
        """Within it the output layer is given the hidden states at these tokens alone, (1, places, width): or none of
        them, where they are kept for later."""
        import torch

        def gather(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            hidden = inputs[0]
            hidden = hidden.reshape(-1, hidden.shape[-1])[torch.tensor(flat, device=hidden.device)]
            if kept is not None:
                kept.append(hidden)
                hidden = hidden[:0]
            return (hidden[None], *inputs[1:])

        handle = self.layer.register_forward_pre_hook(gather, prepend=True)
        try:
            yield
        finally:
            handle.remove()
