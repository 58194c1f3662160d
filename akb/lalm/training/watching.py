"""Watching a training: its log, whether it goes astray, and how long it will take."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from akb.errors import AkbError
from akb.files import cut_unfinished_line, explained, write_whole
from akb.lalm.training.record import ROOM
from akb.strict import read_jsonl

WINDOW = 101  # steps of which the running median is taken; those that have gone astray are none of them
TIMES = 3.0  # so many times the median a loss has gone astray
PATIENCE = 20  # steps in a row that it may have
FIRST = 20  # steps before there is a median
EVERY = 30.0  # seconds between lines where the output is not a terminal


class Guard:
    """Stops a training whose loss is no number, or has gone astray.

    Args:
        past: losses of the steps before, if it goes on.
    """

    def __init__(self, past: Sequence[float], where: str) -> None:
        self.where = where
        self.losses: deque[float] = deque(maxlen=WINDOW)
        self.over = 0
        for loss in past:
            self._count(loss)

    def held_out(self, step: int, loss: float, kept: str) -> None:
        """Look at the loss on held-out rows.

        Raises:
            AkbError: it is no finite number.
        """
        if not math.isfinite(loss):
            raise self._error(f"the loss on held-out rows after step {step} is {loss}", kept)

    def loss(self, step: int, loss: float, kept: str) -> None:
        """Look at a step's loss.

        Raises:
            AkbError: it is no finite number, or has been more than TIMES the median for PATIENCE steps.
        """
        if not math.isfinite(loss):
            raise self._error(f"the loss of step {step} is {loss}", kept)
        self._count(loss)
        if self.over >= PATIENCE:
            raise self._error(f"the training diverges: for {self.over} steps up to {step} the loss has been more than "
                              f"{TIMES:g} times its running median of {self._median():.3f} (now {loss:.3f})",
                              kept)  # fmt: skip

    def gradient(self, step: int, norm: float, kept: str) -> None:
        """Look at the gradient's norm, before it is followed.

        Raises:
            AkbError: it is no finite number.
        """
        if not math.isfinite(norm):
            raise self._error(f"the gradient's norm at step {step} is {norm}", kept)

    def _count(self, loss: float) -> None:
        astray = len(self.losses) >= FIRST and loss > TIMES * self._median()
        self.over = self.over + 1 if astray else 0
        if not astray:  # else the median would soon go the same way
            self.losses.append(loss)

    def _median(self) -> float:
        return median(self.losses)

    def _error(self, what: str, kept: str) -> AkbError:
        return AkbError(f"{what}; {kept}", where=self.where,
                        fix="Lower train.lr, raise train.warmup or try train.precision: fp32 (--set), and begin anew "
                            "with --fresh.")  # fmt: skip


class Log:
    """log.jsonl: a line for each step, with the loss on held-out rows where that was computed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cut(self, step: int) -> None:
        """Forget what came after a step."""
        if self.path.is_file():
            cut_unfinished_line(self.path)
            lines = [line for _, line in read_jsonl(self.path) if line["step"] <= step]
            write_whole(self.path, (json.dumps(line) + "\n" for line in lines), ROOM)

    def losses(self) -> list[float]:
        """Of the last steps, as many as are looked back at."""
        if not self.path.is_file():
            return []
        return [line["loss"] for _, line in read_jsonl(self.path)][-WINDOW - PATIENCE :]

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line; it is there whatever becomes of the process."""
        with explained(self.path, ROOM), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Watch(Protocol):
    """Who is told how a training goes."""

    def note(self, text: str) -> None:
        """Something that should be known now. It is also called where a signal is heard."""

    def stage(self, what: str, done: int, of: int) -> None:
        """Something before the first step: clips that are encoded."""

    def begins(self, step: int, of: int) -> None:
        """The first step comes."""

    def step(self, line: Mapping[str, Any]) -> None:
        """A step is done; its line of the log."""


class Silent:
    """Tells nobody."""

    def note(self, text: str) -> None: ...

    def stage(self, what: str, done: int, of: int) -> None: ...

    def begins(self, step: int, of: int) -> None: ...

    def step(self, line: Mapping[str, Any]) -> None: ...


def told(line: Mapping[str, Any]) -> str:
    """A step's line in words."""
    text = f"loss {line['loss']:.3f}, {line['tokens_per_s']:,.0f} tokens/s, {line['memory_gb']:.1f} GB"
    return f"{text}, held out {line['eval_loss']:.3f}" if "eval_loss" in line else text


class Plain:
    """A line every half minute."""

    def __init__(self, label: str) -> None:
        self.label, self.last = label, time.monotonic()

    def note(self, text: str) -> None:
        os.write(2, f"{self.label}: {text}\n".encode())  # a print may have been interrupted by the signal

    def stage(self, what: str, done: int, of: int) -> None:
        if self._due():
            self._tell(f"{what}: {done:,} of {of:,}")

    def begins(self, step: int, of: int) -> None:
        self.first, self.of, self.started = step, of, time.monotonic()
        self._tell(f"{'goes on after' if step else 'begins at'} step {step:,} of {of:,}")

    def step(self, line: Mapping[str, Any]) -> None:
        if self._due() or line["step"] == self.of:
            each = (time.monotonic() - self.started) / max(line["step"] - self.first, 1)
            left = duration((self.of - line["step"]) * each)
            self._tell(f"step {line['step']:,} of {self.of:,}, {told(line)}, {left} left")

    def _due(self) -> bool:
        if time.monotonic() - self.last < EVERY:
            return False
        self.last = time.monotonic()
        return True

    def _tell(self, text: str) -> None:
        print(f"{self.label}: {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds in words, roughly.

    >>> duration(75), duration(5400), duration(200000)
    ('75 s', '90 min', '55.6 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Terminal:
    """A bar with loss, tokens a second, memory and the time that is left."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
                            TimeRemainingColumn(), TextColumn("{task.fields[told]}", markup=False),
                            console=Console(stderr=True), transient=True)  # fmt: skip
        self.label, self.task = label, self.bar.add_task(label, total=None, told="loading")

    def __enter__(self) -> Terminal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def note(self, text: str) -> None:
        self.bar.console.print(f"{self.label}: {text}", markup=False, highlight=False)

    def stage(self, what: str, done: int, of: int) -> None:
        self.bar.update(self.task, description=f"{self.label}: {what}", total=of, completed=done, told="")

    def begins(self, step: int, of: int) -> None:
        self.bar.reset(self.task, description=self.label, total=of, completed=step)

    def step(self, line: Mapping[str, Any]) -> None:
        self.bar.update(self.task, completed=line["step"], told=told(line))
