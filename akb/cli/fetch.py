"""akb fetch: get a task's questions and audio from their owners."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akb.cli import options
from akb.errors import AkbError

if TYPE_CHECKING:
    from akb.tasks.fetching import Watcher
    from akb.tasks.published import Fetch

EVERY = 30.0  # seconds between lines where the output is not a terminal


def fetch(
    task: Annotated[str, typer.Argument(help="The task, e.g. mmau.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder for its files [default: akb's own, where it finds them].")
    ] = None,
    agree: Annotated[bool, typer.Option("--agree", help="Agree to the terms that are shown.")] = False,
    include: options.Include = None,
    json: options.Json = False,
) -> None:
    """Fetch a task's questions and audio from where their owners publish them. E.g. akb fetch mmau

    The terms are shown, and agreed to once. A download that broke off goes on where it was; what was fetched is
    checked by its hash. akb itself contains none of it."""
    from akb import report
    from akb.tasks import fetching
    from akb.tasks.published import home

    spec = _spec(task, include)
    _terms(task, spec, agree=agree)
    with _watching() as watcher:
        found = fetching.fetch(task, spec, (to or home(task)).absolute(), watcher)
    if json:
        report.print_json(dict(found))
        return
    report.show(f"{task} is in {found['folder']}")
    report.show(f"Run it with: akb eval -t {task}" + (f" --data {to}" if to is not None else "") + " -m MODEL")


def _spec(task: str, include: list[Path] | None) -> Fetch:
    from akb.errors import unknown
    from akb.registry import Registry

    folders = Registry(include=tuple(include or ())).folders
    fetchable = [name for name, folder in folders.items() if folder.file.fetch is not None]
    if task not in folders:
        raise unknown("task", task, fetchable, see=f"These can be fetched: {', '.join(fetchable)}.")
    spec = folders[task].file.fetch
    if spec is None:
        raise AkbError("there is nothing to fetch for it", where=f"task {task}",
                       fix=f"These can be fetched: {', '.join(fetchable)}.")  # fmt: skip
    return spec


def _terms(task: str, spec: Fetch, *, agree: bool) -> None:
    """Show the terms and have them agreed to, unless these very words were agreed to before."""
    from akb.tasks import fetching

    if fetching.agreed(spec.terms):
        return
    print(spec.terms.strip() + "\n", file=sys.stderr)
    if not agree:
        if not sys.stdin.isatty():
            raise AkbError("its terms, shown above, must be agreed to", where=f"task {task}",
                           fix=f"If you agree: akb fetch {task} --agree")  # fmt: skip
        if not typer.confirm("Do you agree to these terms?", err=True):
            raise AkbError("its terms were not agreed to; nothing was fetched", where=f"task {task}")
    fetching.agree(task, spec.terms)


@contextmanager
def _watching() -> Iterator[Watcher]:
    if not sys.stderr.isatty():
        yield _Plain()
        return
    with _Terminal() as bar:
        yield bar


class _Plain:
    """A line for each file, and one every half minute."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def says(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def told(self, have: int, total: int | None) -> None:
        if time.monotonic() - self.last >= EVERY:
            self.last = time.monotonic()
            self.says(f"  {have / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else ""))


class _Terminal:
    """A bar over the bytes of one file after the other."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        self.bar = Progress(BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
                            console=Console(stderr=True), transient=True)  # fmt: skip
        self.task = self.bar.add_task("", total=None, visible=False)

    def __enter__(self) -> _Terminal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def says(self, line: str) -> None:
        self.bar.reset(self.task, visible=False)
        self.bar.console.print(line, markup=False, highlight=False)

    def told(self, have: int, total: int | None) -> None:
        self.bar.update(self.task, completed=have, total=total, visible=True)
