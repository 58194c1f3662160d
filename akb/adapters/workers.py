"""Data-parallel workers: a copy of the model on each device, each answering whole batches."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import Queue
from typing import TYPE_CHECKING, Any

from akb.adapters.cards import Card
from akb.errors import AkbError
from akb.types import Request, Response

if TYPE_CHECKING:
    from akb.adapters.hf import HF, Args

_adapter: HF | None = None  # of this worker process


def ask_in_parallel(
    card: Card, args: Args, devices: Sequence[str], batches: Iterable[Sequence[Request]]
) -> Iterator[tuple[int, Sequence[Response]]]:
    """Answer batches on several devices; yields them as they are done.

    Raises:
        AkbError: a worker died or its model cannot be loaded.
    """
    context = multiprocessing.get_context("spawn")
    free: Queue[str] = context.Queue()
    for device in devices:
        free.put(device)
    with ProcessPoolExecutor(len(devices), context, _start, (card, args, free)) as pool:
        under_way: dict[Future[Any], int] = {}
        source = enumerate(batches)
        try:
            while True:
                while len(under_way) < 2 * len(devices) and (taken := next(source, None)) is not None:
                    under_way[pool.submit(_answer, list(taken[1]))] = taken[0]
                if not under_way:
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield under_way.pop(future), future.result()
        except BrokenProcessPool:
            raise AkbError(
                "a worker process ended unexpectedly (out of memory, or its device is not there)",
                where=f"model {card.name} on {', '.join(devices)}",
                fix="What was answered is kept. Use fewer devices or a smaller dtype, and run the same again.",
            ) from None
        finally:
            for future in under_way:
                future.cancel()


def _start(card: Card, args: Args, free: Queue[str]) -> None:
    """Take a device and be ready; the model is loaded with the first batch, where an error can be told."""
    global _adapter
    from akb.adapters.hf import HF

    _adapter = HF(card, args.model_copy(update={"device": free.get()}))


def _answer(batch: list[Request]) -> list[Response]:
    if _adapter is None:
        raise RuntimeError("the worker was not started")
    return _adapter.answer(batch)
