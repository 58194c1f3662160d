"""Which rows go through the model when: a pure function of recipe and step, so that a resumed training goes on alike.

Rows are one endless stream, each epoch in an order of its own. A window of it, at most `bucket` batches of one epoch,
is sorted by length and cut into batches, and the batches come in an order drawn anew. Every batch is full: one at the
seam of two epochs holds rows of both, and is a window by itself. So at any step no row was taken twice more than
another. Rows that hear the same clips stand together, so that in a batch a clip is encoded once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError
from akb.lalm.recipe import TrainPart

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """How a batch is shared among devices.

    Attributes:
        micro_batch: rows that go through the model at once.
        passes: times that it takes on each device.
    """

    batch: int
    devices: int
    micro_batch: int
    passes: int

    def of(self, rows: Numbers, device: int) -> list[Numbers]:
        """A device's part of a batch's rows, by passes."""
        each = self.micro_batch * self.passes
        mine = rows[device * each : (device + 1) * each]
        return [mine[n : n + self.micro_batch] for n in range(0, each, self.micro_batch)]


def share(train: TrainPart, devices: int, where: str) -> Share:
    """How a recipe's batch is shared.

    Raises:
        AkbError: it cannot be, in equal parts.
    """
    micro = train.micro_batch or max(train.batch // devices, 1)
    passes, rest = divmod(train.batch, devices * micro)
    if rest or not passes:
        raise AkbError(f"train.batch of {train.batch} rows cannot be shared by {devices} devices in micro_batches of "
                       f"{micro}", where=where, fix="Make it a multiple of both.")  # fmt: skip
    return Share(train.batch, devices, micro, passes)


class Order:
    """The order of rows.

    Args:
        lengths: tokens of each row.
        groups: rows of the same number stand together.
        batch: rows of a step.
        bucket: batches of a window at most; 1: nothing is sorted.
    """

    def __init__(self, lengths: Numbers, groups: Numbers, batch: int, bucket: int, seed: int) -> None:
        self.lengths, self.batch, self.bucket, self.seed = lengths, batch, bucket, seed
        by_group = np.argsort(groups, kind="stable")
        edges = np.flatnonzero(np.diff(groups[by_group])) + 1
        self.units = np.split(by_group, edges)
        self._unit_of = np.empty(len(lengths), np.int64)
        for number, unit in enumerate(self.units):
            self._unit_of[unit] = number
        self._epoch = lru_cache(2)(self._drawn)
        self._window = lru_cache(2)(self._sorted)

    def __len__(self) -> int:
        return len(self.lengths)

    def steps(self, epochs: float) -> int:
        """How many batches so many epochs take."""
        return math.ceil(round(len(self) * epochs / self.batch, 9))

    def rows(self, step: int) -> Numbers:
        """The rows of a step, counted from 0; none is there twice if there are enough for two batches."""
        start, end = self._bounds(step)
        rows: Numbers = self._window(start, end)[step - start]
        return rows

    def _bounds(self, step: int) -> tuple[int, int]:
        """The steps of a step's window: whole batches of its epoch, or the one batch at a seam."""
        epoch = step * self.batch // len(self)
        first, end = math.ceil(epoch * len(self) / self.batch), (epoch + 1) * len(self) // self.batch
        if step >= end:
            return step, step + 1
        start = step - (step - first) % self.bucket
        return start, min(start + self.bucket, end)

    def _drawn(self, epoch: int) -> Numbers:
        """An epoch's rows; those in the batch at the seam before it do not come again in that batch."""
        rows, number = self._permuted(epoch), len(self)
        rest = epoch * number % self.batch
        if epoch == 0 or rest == 0 or number < 2 * self.batch:
            return rows
        again = np.isin(rows[: self.batch], self._permuted(epoch - 1)[-rest:])
        head = rows[: self.batch]
        return np.concatenate([head[~again], head[again], rows[self.batch :]])

    def _permuted(self, epoch: int) -> Numbers:
        draw = np.random.default_rng((self.seed, 0, epoch))
        return np.concatenate([self.units[unit] for unit in draw.permutation(len(self.units))])

    def _stream(self, start: int, end: int) -> Numbers:
        """Rows start to end of all epochs' rows, one after another."""
        number = len(self)
        parts = [self._epoch(epoch)[max(start - epoch * number, 0) : end - epoch * number]
                 for epoch in range(start // number, (end - 1) // number + 1)]  # fmt: skip
        return np.concatenate(parts)

    def _sorted(self, start: int, end: int) -> NDArray[np.int64]:
        """The batches of a window's steps, (steps, batch)."""
        rows = self._stream(start * self.batch, end * self.batch)
        if end - start == 1:
            return rows.reshape(1, self.batch)
        draw = np.random.default_rng((self.seed, 1, start))
        return self._by_length(rows).reshape(-1, self.batch)[draw.permutation(end - start)]

    def _by_length(self, rows: Numbers) -> Numbers:
        """Rows by length; those that stand together and hear the same go by the longest of them."""
        unit = self._unit_of[rows]
        edges = np.flatnonzero(np.diff(unit)) + 1
        runs = np.split(rows, edges)
        longest = np.array([self.lengths[run].max() for run in runs])
        return np.concatenate([runs[n] for n in np.argsort(longest, kind="stable")])


def evaluation(lengths: Numbers, micro_batch: int, devices: int, device: int) -> Iterator[tuple[Numbers, bool]]:
    """A device's micro-batches of rows to evaluate on, by length, and whether each counts: all devices go through the
    model equally often, as some kinds of sharing need."""
    order = np.argsort(lengths, kind="stable")
    parts = [order[n : n + micro_batch] for n in range(0, len(order), micro_batch)]
    for number in range(device, math.ceil(len(parts) / devices) * devices, devices):
        yield parts[min(number, len(parts) - 1)], number < len(parts)
