"""Whether a training fits into memory: by estimate before hours are spent, and what to change where it did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from akb.adapters.loading import lacks_memory
from akb.errors import AkbError
from akb.lalm import sizes
from akb.lalm.kept import card_of
from akb.lalm.recipe import Recipe
from akb.lalm.training.batching import Share


@dataclass(frozen=True)
class Room:
    """What there is on one of the devices that share a batch, and what training takes of it.

    Attributes:
        share: rows that go through the model at once, and on how many devices.
        free: bytes, before anything is loaded.
    """

    recipe: Recipe
    share: Share
    device: str
    free: float
    include: Sequence[Path] = ()

    @cached_property
    def of(self) -> sizes.Counts:
        """What is in the model."""
        return sizes.counts(self.recipe, card_of(self.recipe, self.include), self.include)

    @property
    def need(self) -> float:
        """Bytes, by estimate."""
        return sizes.memory(self.recipe, self.of, self.share.micro_batch).whole

    def check(self) -> None:
        """Compare what is needed with what is free.

        Raises:
            AkbError: it is too little; says what would fit.
        """
        if self.need > self.free * sizes.HEADROOM:
            raise AkbError(f"about {self.need / sizes.GB:.2f} GB are needed for {self.share.micro_batch} rows at a "
                           f"time, {self.free / sizes.GB:.2f} are free on {self.device} (a tenth of it is left alone)",
                           where=self.recipe.where, fix=self._what_fits(self.free))  # fmt: skip

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns what torch says of too little memory into an error that says what would fit: less than was tried."""
        try:
            yield
        except (RuntimeError, MemoryError, AkbError) as error:
            if not lacks_memory(error) and not lacks_memory(error.__cause__):
                raise
            raise AkbError(
                f"{self.share.micro_batch} rows at a time do not fit into the memory of {self.device}",
                where=self.recipe.where,
                fix=self._what_fits(min(self.free, self.need)),
            ) from None

    def _what_fits(self, room: float) -> str:
        return sizes.what_fits(self.recipe, self.of, room * sizes.HEADROOM, self.share.devices)


def free(device: str) -> int:
    """Bytes that are free on a device; on the CPU, what the system can give without swapping."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        import os

        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
