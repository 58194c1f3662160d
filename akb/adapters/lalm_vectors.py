"""A clip's vectors as tokens of the backbone, with ids beyond every vocabulary.

Scoring, decoding and prefix sharing are driven by ids. So each vector of audio has an id of its own, which follows from
the clip's content alone, and the backbone's input layer gives the vector where it would give an embedding. Whatever
computes with ids then computes with audio, and prompts that begin with one clip are known to begin alike.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from types import MethodType
from typing import Any

import torch
from torch import Tensor

BEYOND = 1 << 32  # where the ids of audio begin; no vocabulary is as large
DIGITS = 12  # hexadecimal, of the hash that tells clips apart


def number_of(key: str) -> int:
    """A chunk's number, by its key."""
    return int(hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS], 16)


def ids_of(key: str, queries: int) -> tuple[int, ...]:
    """The ids of a chunk's vectors."""
    start = BEYOND + number_of(key) * queries
    return tuple(range(start, start + queries))


class Vectors:
    """The vectors of chunks, (queries, width) each, by key; those that were used last are kept for later batches.

    Args:
        queries: vectors of a chunk.
        most: bytes that are kept; a batch's own are always.
    """

    def __init__(self, queries: int, most: int) -> None:
        self.queries, self.most = queries, most
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self.forget()

    def forget(self) -> None:
        """Give the memory of all vectors back."""
        self._kept.clear()
        self._numbers, self._table = torch.zeros(0, dtype=torch.long), torch.zeros(0)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def put(self, key: str, vectors: Tensor) -> None:
        """Keep a chunk's vectors."""
        self._kept[key] = vectors

    def use(self, keys: Iterable[str]) -> None:
        """From now on the input layer knows these chunks."""
        wanted = sorted(set(keys), key=number_of)
        if not wanted:
            return
        for key in wanted:
            self._kept.move_to_end(key)
        one = self._kept[wanted[0]]
        while len(self._kept) > max(len(wanted), self.most // (one.numel() * one.element_size())):
            self._kept.popitem(last=False)
        self._numbers = torch.tensor([number_of(key) for key in wanted], device=one.device)
        self._table = torch.stack([self._kept[key] for key in wanted])

    def put_into(self, layer: Any) -> None:
        """Let an input layer, which turns ids (rows, tokens) into embeddings, give vectors for the ids of audio."""
        plain = layer.forward

        def embed(_: Any, ids: Tensor) -> Tensor:
            audio = ids >= BEYOND
            found: Tensor = plain(ids.masked_fill(audio, 0))
            if audio.any():
                found[audio] = self._of(ids[audio] - BEYOND).to(found.dtype)
            return found

        layer.forward = MethodType(embed, layer)

    def _of(self, ids: Tensor) -> Tensor:
        numbers = ids // self.queries
        rows = torch.searchsorted(self._numbers, numbers).clamp(max=len(self._numbers) - 1)
        if not len(self._numbers) or not torch.equal(self._numbers[rows], numbers):
            raise RuntimeError("the backbone was given the ids of a clip that was not heard")
        return self._table[rows, ids % self.queries]
