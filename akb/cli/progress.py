"""Progress on a terminal: rate, time left, running accuracy. Elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from akb.types import Fault, Outcome, Trial

if TYPE_CHECKING:
    from akb.engine import Progress

EVERY = 30.0  # seconds between lines where the output is not a terminal


@contextmanager
def watching(
    label: str, folder: Path, *, quiet: bool, what: str = "questions", scored: str = "accuracy"
) -> Iterator[Progress]:
    """Watch a run; when it is interrupted, say what is kept and how to go on.

    Args:
        what: what the run has many of.
        scored: what the mean of their scores is.
    """
    from akb.engine import Silent

    try:
        if quiet:
            yield Silent()
        elif sys.stderr.isatty():
            with _Terminal(label, scored) as bar:
                yield bar
        else:
            yield _Plain(label, what, scored)
    except KeyboardInterrupt:
        print(
            f"\nakb: interrupted. What was answered is kept in {folder}\n  Give the same command again to go on.",
            file=sys.stderr,
        )
        raise


class _Plain:
    """A line every half minute."""

    def __init__(self, label: str, what: str, scored: str) -> None:
        self.label, self.what, self.scored = label, what, scored
        self.last = time.monotonic()
        self.done, self.score, self.faults = 0, 0.0, 0

    def total(self, trials: int) -> None:
        self.trials = trials

    def expect(self, requests: int, trials: int) -> None:
        """Only what is judged is told."""

    def asked(self, answered: int, *, from_record: bool) -> None:
        """Only what is judged is told."""

    def judged(self, trial: Trial, outcome: Outcome) -> None:
        self.done += 1
        self.score += outcome.score
        if self._due():
            share = f"{self.scored} {100 * self.score / self.done:.1f} %"
            self._tell(f"{self.done} of {self.trials} {self.what}, {share}")

    def faulted(self, fault: Fault, limit: int) -> None:
        self.faults += 1
        if self._due():  # nothing but faults for a while is worth a line of its own
            faults = f"{self.faults} failed calls; the last: {fault.message}"
            self._tell(f"{self.done} of {self.trials} {self.what}, {faults}")

    def _due(self) -> bool:
        if time.monotonic() - self.last < EVERY:
            return False
        self.last = time.monotonic()
        return True

    def _tell(self, told: str) -> None:
        print(f"{self.label}: {told}", file=sys.stderr, flush=True)


class _Terminal:
    """A bar over requests; those of trials not yet heard of are reckoned to be as many as those of the others."""

    def __init__(self, label: str, scored: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[accuracy]}"),
            TextColumn("{task.fields[faults]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(label, total=None, rate="loading", accuracy="", faults="")
        self.scored = scored
        self.trials = self.heard = self.expected = self.judged_trials = self.new = self.faults = 0
        self.score = 0.0
        self.started = time.monotonic()

    def __enter__(self) -> _Terminal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def total(self, trials: int) -> None:
        self.trials = trials

    def expect(self, requests: int, trials: int) -> None:
        self.heard += trials
        self.expected += requests
        self.bar.update(self.task, total=self.expected * max(self.trials, 1) / max(self.heard, 1))

    def asked(self, answered: int, *, from_record: bool) -> None:
        self.bar.update(self.task, advance=answered)
        if from_record:
            return
        if self.new == 0:
            self.started = time.monotonic()
        self.new += answered
        elapsed = time.monotonic() - self.started
        if elapsed > 0.5:
            self.bar.update(self.task, rate=f"{self.new / elapsed:.1f} requests/s")

    def judged(self, trial: Trial, outcome: Outcome) -> None:
        self.judged_trials += 1
        self.score += outcome.score
        accuracy = 100 * self.score / self.judged_trials
        self.bar.update(self.task, accuracy=f"{self.scored} {accuracy:.1f} % of {self.judged_trials}")

    def faulted(self, fault: Fault, limit: int) -> None:
        self.faults += 1
        kind = {"rate_limit": "rate limit", "transient": "fault"}.get(fault.kind, "error")
        self.bar.update(self.task, faults=f"{self.faults} failed calls ({kind}), {limit} at once")
