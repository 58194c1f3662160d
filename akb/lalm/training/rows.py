"""Training rows as the model reads them: tokenised once, many at a time, and kept as flat arrays."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akb.errors import AkbError
from akb.lalm.prompting import IGNORED, Prompting, Row, Turn

SHOWN = 5  # faults that an error names
BLOCK = 256  # rows that are tokenised together


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that rows hold.

    Attributes:
        sha256: of its encoded bytes.
        chunks: how many the encoder hears it in.
    """

    path: Path
    sha256: str
    chunks: int


@dataclass(frozen=True)
class Rows:
    """Rows in flat arrays: what lists of numbers would take is ten times as much.

    Attributes:
        ids: of all rows, one after another; `starts` (rows + 1): where each begins.
        answers: tokens of each row before its response; the rest is labelled.
        blocks, block_starts: where the audio's blocks begin, likewise.
        keys: of the chunks; `chunk_of`: which one each block is.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    answers: NDArray[np.int32]
    blocks: NDArray[np.int32]
    block_starts: NDArray[np.int64]
    chunk_of: NDArray[np.int32]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, number: int) -> Row:
        ids = self.ids[self.starts[number] : self.starts[number + 1]].tolist()
        blocks = slice(self.block_starts[number], self.block_starts[number + 1])
        prompt = int(self.answers[number])
        return Row(tuple(ids), (*[IGNORED] * prompt, *ids[prompt:]), tuple(self.blocks[blocks].tolist()),
                   tuple(self.keys[chunk] for chunk in self.chunk_of[blocks]))  # fmt: skip

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    @cached_property
    def labelled(self) -> NDArray[np.int64]:
        """Of them, those that are learned."""
        return self.lengths - self.answers

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each row; rows that hear the same have the same."""
        known: dict[bytes | int, int] = {}
        heard = (self.chunk_of[a:b].tobytes() for a, b in pairwise(self.block_starts))
        numbers = (known.setdefault(one or alone, len(known)) for alone, one in enumerate(heard))
        return np.fromiter(numbers, np.int64, len(self))


class Growing:
    """Rows to which one after another is added, never as lists of numbers; and those that cannot be read."""

    def __init__(self) -> None:
        self.ids, self.starts, self.answers = array("i"), array("q", [0]), array("i")
        self.blocks, self.block_starts, self.chunk_of = array("i"), array("q", [0]), array("i")
        self.keys: dict[str, int] = {}
        self.count, self.faults = 0, list[str]()
        self.last: AkbError | None = None

    def add(self, row: Row) -> None:
        """Add a row."""
        self.ids.extend(row.ids)
        self.starts.append(len(self.ids))
        self.answers.append(row.labels.count(IGNORED))
        self.blocks.extend(row.places)
        self.block_starts.append(len(self.blocks))
        self.chunk_of.extend([self.keys.setdefault(key, len(self.keys)) for key in row.clips])

    def fault(self, name: str, error: AkbError) -> None:
        """Note a row that cannot be read."""
        self.count, self.last = self.count + 1, error
        if len(self.faults) < SHOWN:
            self.faults.append(f"{name}: {error.what}")

    def rows(self) -> Rows:
        """All that were added; the arrays are the same, so none can be added behind.

        Raises:
            AkbError: some cannot be read; says how many, and names the first.
        """
        if self.last is not None:
            more = f" and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
            of = self.count + len(self.answers)
            raise AkbError(f"{self.count:,} of {of:,} rows cannot be read: {'; '.join(self.faults)}{more}",
                           where=self.last.where, fix=self.last.fix)  # fmt: skip
        return Rows(
            np.asarray(self.ids), np.asarray(self.starts), np.asarray(self.answers), np.asarray(self.blocks),
            np.asarray(self.block_starts), np.asarray(self.chunk_of), tuple(self.keys),
        )  # fmt: skip


def flat(rows: Iterable[Row]) -> Rows:
    """Rows as arrays."""
    made = Growing()
    for row in rows:
        made.add(row)
    return made.rows()


@dataclass(frozen=True, slots=True)
class Asked:
    """A row that is to be tokenised.

    Attributes:
        held: it is evaluated on, not trained on.
    """

    name: str
    turns: tuple[Turn, ...]
    response: str
    held: bool = False


def tokenised(
    asked: Iterator[Asked], prompting: Prompting, longest: int, told: Callable[[int], None] = lambda done: None
) -> tuple[Rows, Rows]:
    """Rows as a backbone reads them: those to train on and those to evaluate on, each in their order.

    Args:
        told: how many are done, after each block.

    Raises:
        AkbError: a prompt is longer than a row may be; says how many are and names the first.
    """
    train, held, done = Growing(), Growing(), 0
    while block := list(islice(asked, BLOCK)):
        made = prompting.rows([(one.turns, one.response) for one in block], longest=longest)
        for one, row in zip(block, made, strict=True):
            part = held if one.held else train
            if isinstance(row, AkbError):
                part.fault(one.name, row)
            else:
                part.add(row)
        done += len(block)
        told(done)
    return train.rows(), held.rows()


def pieces(seconds: float, samples: int, rate: int) -> int:
    """How many chunks a clip makes, in whole samples of what the encoder hears, as when a grounded model is asked.

    Args:
        samples: that the encoder hears at once; `rate`: so many a second.

    >>> pieces(30.0, 480_000, 16_000), pieces(30 + 1 / 44_100, 480_000, 16_000), pieces(30.001, 480_000, 16_000)
    (1, 1, 2)
    """
    return max(1, math.ceil(round(seconds * rate) / samples))
