"""Keys and values: what attention keeps of the tokens that it has read, as caches of transformers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from akb.adapters import causal
from akb.adapters.gathering import Head

if TYPE_CHECKING:
    import torch

LEAST_ROOM = 64  # tokens; by so many, or by half of what there is, the room of a batch's rows grows


class Prefix:
    """Keys and values of tokens that many sequences begin with: for each layer (1, heads, tokens, size).

    Attributes:
        ids: the tokens.
    """

    def __init__(self, ids: Sequence[int], layers: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.ids, self.layers = tuple(ids), layers

    @classmethod
    def of(cls, model: Any, head: Head, ids: Sequence[int]) -> Prefix:
        """Computed by the model."""
        import torch
        from transformers import DynamicCache

        cache, row = DynamicCache(), torch.tensor([ids], device=causal.device(model))
        list(head.pieces([0], lambda: model(input_ids=row, past_key_values=cache, use_cache=True).logits))
        return cls(ids, [(layer.keys, layer.values) for layer in cache.layers])

    def cache(self, rows: int) -> Any:
        """A cache that begins with the prefix in each of so many rows, and keeps nothing of what is added."""
        return _cache(_kinds()[0](*(part.expand(rows, -1, -1, -1) for part in pair)) for pair in self.layers)


class Arena:
    """Memory that the stores of one batch after another use again: fresh memory costs a third of reading the prompts,
    because the system hands it out page by page."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], torch.Tensor] = {}

    def tensor(self, place: tuple[int, int], like: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """A tensor of this shape with any content, of the dtype and on the device of another.

        Args:
            place: one tensor of a place is in use at a time.
        """
        size, held = math.prod(shape), self._held.get(place)
        if held is None or len(held) < size or held.dtype != like.dtype or held.device != like.device:
            held = self._held[place] = like.new_empty(size + size // 8)  # the next batch may be a little larger
        return held[:size].view(*shape)


class Store:
    """Keys and values of a batch of rows that grow together, written in place: nothing is copied for a new token but
    when the room is used up.

    Attributes:
        rows: sequences.
        length: tokens that every row has, padding included.

    Args:
        room: tokens for which there is room from the start.
        blank: tokens that not all rows write before they are read: zero until then, for no row sees them, but nothing
            times NaN is NaN.
    """

    def __init__(
        self, arena: Arena, rows: int, layers: int, room: int, blank: slice = slice(0), prefix: Prefix | None = None
    ) -> None:
        self.arena, self.rows, self.room, self.blank, self.length = arena, rows, room, blank, 0
        self._layers: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * layers
        if prefix is not None:
            for number, pair in enumerate(prefix.layers):
                self.write(number, slice(None), *pair)
            self.length = len(prefix.ids)

    def cache(self, rows: slice = slice(None)) -> Any:
        """A cache of some of the rows, for one pass of new tokens. When all rows have had theirs, the length is to be
        moved on."""
        return _cache(_kinds()[1](self, number, rows) for number in range(len(self._layers)))

    def kept(self, number: int, rows: slice) -> tuple[torch.Tensor, torch.Tensor] | None:
        """What a layer has of these rows; None before the first token."""
        pair = self._layers[number]
        if pair is None or not self.length:
            return None
        return pair[0][rows, :, : self.length], pair[1][rows, :, : self.length]

    def write(
        self, number: int, rows: slice, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put new tokens' keys and values, (rows, heads, tokens, size), behind a layer's; returns all of those rows."""
        until = self.length + keys.shape[-2]
        while until > self.room:
            self.room += max(LEAST_ROOM, self.room // 2)
        kept = self._layers[number]
        pair = [self._roomy((number, side), kept and kept[side], new) for side, new in enumerate((keys, values))]
        for part, new in zip(pair, (keys, values), strict=True):
            part[rows, :, self.length : until] = new
        self._layers[number] = (pair[0], pair[1])
        return pair[0][rows, :, :until], pair[1][rows, :, :until]

    def _roomy(self, place: tuple[int, int], kept: torch.Tensor | None, new: torch.Tensor) -> torch.Tensor:
        """What is kept, in a tensor with room for as many tokens as there must be."""
        shape = (self.rows, new.shape[1], self.room, new.shape[3])
        if kept is None:
            made = self.arena.tensor(place, new, shape)
            made[:, :, self.blank] = 0
            return made
        if kept.shape[-2] >= self.room:
            return kept
        made = new.new_empty(shape)
        made[:, :, : kept.shape[2]] = kept
        return made

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows."""
        import torch

        self.rows = len(rows)
        for number, pair in enumerate(self._layers):
            if pair is not None:
                index = torch.tensor(rows, device=pair[0].device)
                self._layers[number] = (pair[0].index_select(0, index), pair[1].index_select(0, index))


def _cache(layers: Iterable[Any]) -> Any:
    from transformers import DynamicCache

    cache = DynamicCache()
    cache.layers = list(layers)
    return cache


@cache
def _kinds() -> tuple[Any, Any]:
    """The layers of the caches above. They are made once: a class is a cycle of references, and one for each cache
    would keep what it refers to until Python looks for garbage."""
    from transformers.cache_utils import DynamicLayer

    class Fixed(DynamicLayer):  # type: ignore[misc]
        def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
            super().__init__()
            self.lazy_initialization(keys, values)
            self.keys, self.values = keys, values

        def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            import torch

            return torch.cat([self.keys, keys], dim=-2), torch.cat([self.values, values], dim=-2)

    class Kept(DynamicLayer):  # type: ignore[misc]
        def __init__(self, store: Store, number: int, rows: slice) -> None:
            super().__init__()
            self.store, self.number, self.rows = store, number, rows
            if (pair := store.kept(number, rows)) is not None:
                self.lazy_initialization(*pair)
                self.keys, self.values = pair

        def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                self.lazy_initialization(keys, values)
            self.keys, self.values = self.store.write(self.number, self.rows, keys, values)
            return self.keys, self.values

    return Fixed, Kept
