"""Being told to stop: what is done is kept first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Stop:
    """Within it SIGINT and SIGTERM end what goes on, as a KeyboardInterrupt.

    Where something is to be `finishing`, the first of them is noted, for that to be finished and kept; the second ends
    it at once.

    Args:
        tell: is told, in words, that the first was heard.

    Attributes:
        told: whether there was one.
    """

    def __init__(self, tell: Callable[[str], None] = lambda text: None) -> None:
        self.tell, self.told, self._waits = tell, False, False
        self._before: dict[int, Any] = {}

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Whoever is at work in it asks `told`, and stops where it can go on."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:  # fmt: skip
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.told or not self._waits:
            raise KeyboardInterrupt
        self.told = True
        self.tell("told to stop: what is being done is finished and kept first; once more ends it at once")
