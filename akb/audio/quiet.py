"""libsndfile without the chatter of mpg123, which it builds in and which writes to the C library's `stderr`."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Chatter:
    """Sends what C code prints to `stderr` nowhere, while anyone wishes it.

    The C variable is changed, not file descriptor 2: what Python prints, a progress bar say, still comes through.
    Where the C library keeps the variable fixed (musl, Windows) the chatter stays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._found = False
        self._stderr: Any = None
        self._nowhere: int | None = None
        self._usual: int | None = None

    @contextmanager
    def off(self) -> Iterator[None]:
        with self._lock:
            self._find()
            self._users += 1
            if self._users == 1 and self._stderr is not None:
                self._usual, self._stderr.value = self._stderr.value, self._nowhere
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._stderr is not None:
                    self._stderr.value = self._usual

    def _find(self) -> None:
        """Find the variable, and open what takes its place; once."""
        if self._found:
            return
        self._found = True
        if os.name != "posix":
            return
        c = ctypes.CDLL(None)
        name = "stderr" if hasattr(c, "gnu_get_libc_version") else "__stderrp"  # glibc; macOS
        try:
            stderr = ctypes.c_void_p.in_dll(c, name)
        except ValueError:
            return
        c.fopen.restype = ctypes.c_void_p
        nowhere = c.fopen(os.devnull.encode(), b"w")
        if nowhere is not None:
            self._stderr, self._nowhere = stderr, nowhere


quiet = _Chatter().off
