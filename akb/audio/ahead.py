"""Decoding many files ahead of whoever listens, on several cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from akb.audio.policy import Policy
from akb.audio.reading import check, read
from akb.audio.sound import Sound, Unhearable


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decode_many(
    paths: Iterable[str | Path], policy: Policy, workers: int | None = None
) -> Iterator[tuple[int, Sound | Unhearable]]:
    """Decode files on threads while the consumer is busy with earlier ones: (index, sound, or why there is none).

    libsndfile and soxr let go of the interpreter's lock, so threads use several cores. The order is that of `paths`.
    No more than 2 x workers sounds are decoded or waiting at any time, however slow the consumer; `paths` is taken
    no further. Closing the iterator (or dropping it) drops what has not begun; what has is finished and thrown away.

    Args:
        workers: threads; default: as many as there are cores.

    Raises:
        AkbError: at the call: a package is missing, or the policy cuts clips in pieces (use `chunks`).
    """
    check(policy)
    return _decode(paths, policy, workers or cores())


def _decode(paths: Iterable[str | Path], policy: Policy, workers: int) -> Iterator[tuple[int, Sound | Unhearable]]:
    pool = ThreadPoolExecutor(workers, "decode")
    ahead: deque[Future[Sound | Unhearable]] = deque()
    done = 0
    try:
        for path in paths:
            ahead.append(pool.submit(_tried, path, policy))
            if len(ahead) == 2 * workers:
                yield done, ahead.popleft().result()
                done += 1
        while ahead:
            yield done, ahead.popleft().result()
            done += 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _tried(path: str | Path, policy: Policy) -> Sound | Unhearable:
    try:
        return read(path, policy)
    except Unhearable as error:
        return error
