"""What people and programs are shown: tables of runs, lists, JSON."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from akb import usage

if TYPE_CHECKING:
    from akb.run import Run
    from akb.stats.summary import Row


# names and messages are shown as they are: "[hf]" is no markup and ":)" no picture
_AS_IT_IS: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}


def percent(value: float | None) -> str:
    """A share from 0 to 1 in per cent with one decimal."""
    return "-" if value is None else f"{100 * value:.1f}"


def interval(row: Row) -> str:
    """A row's 95 % interval in per cent."""
    return f"{percent(row.low)}-{percent(row.high)}"


def _table() -> Table:
    """A table without lines, tight enough for 80 columns."""
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))


def run_table(run: Run, name: str = "") -> RenderableType:
    """A run's table with what must be known to read it; `name` is the model's among others [default: its own]."""
    m, summary = run.manifest, run.summary
    title = Text(f"{name or m.model} on {m.task}, {m.protocol or 'own protocol'}", style="bold")
    table = _table()
    table.add_column("", overflow="fold")
    for name in ("n", "acc. %", "95 %\ninterval", "chance", "not\nreadable", "first", "longest"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary.rows:
        indent = {"all": "", "category": "", "subcategory": "  "}[row.level]
        style = "" if row.level == "subcategory" else "bold"
        shares = (row.chance, row.not_ok, row.first, row.longest)
        label = Text(indent + row.name, style=style)
        table.add_row(label, str(row.n), percent(row.accuracy), interval(row), *map(percent, shares))
    return Group(title, table, Text("\n".join(_footnotes(run))))


def _footnotes(run: Run) -> list[str]:
    summary, whole = run.summary, run.summary.rows[0]
    lines = ["", "acc.: accuracy; not readable counts as wrong. first, longest: always that option"]
    if summary.macro is not None:
        lines.append(f"mean of the categories (macro): {percent(summary.macro)}")
    if whole.not_ok > 0:
        told = ", ".join(f"{reason} ({count})" for reason, count in summary.reasons[:4])
        lines.append(f"not readable: {told}")
        lines.append(f"with chance for these: {percent(whole.by_chance)}; without them: {percent(whole.readable)}")
    asked_a_model = any(p.get("adapter") != "baseline/1" for p in run.manifest.identity["parties"].values())
    rules = {k: v for k, v in summary.others.items() if asked_a_model or k != "unconditional"}  # to a baseline a tie
    if rules:
        lines.append("by each rule: " + ", ".join(f"{name} {percent(value)}" for name, value in rules.items()))
    if summary.order is not None:
        places = ", ".join(percent(share) for share in summary.order.positions)
        lines.append(f"same option in every order: {percent(summary.order.consistent)}; chosen by place: {places}")
    if run.manifest.status == "incomplete":
        errors = summary.statuses.get("error", 0)
        lines.append(f"INCOMPLETE: {errors} answers are errors; the same command asks these again")
    lines += usage.told(run.manifest.usage)
    lines += [f"note: {note}" for note in (*run.manifest.notes, *run.strangers)]
    lines.append(f"record: {run.path}")
    return lines


def as_text(renderable: RenderableType, width: int = 120) -> str:
    """A renderable as plain text."""
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None, **_AS_IT_IS).print(renderable)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def show(renderable: RenderableType) -> None:
    """Print to standard output: as wide as the terminal, or as needed where there is none."""
    if sys.stdout.isatty():
        Console(**_AS_IT_IS).print(renderable)
    else:
        print(as_text(renderable, width=400))


def print_json(value: Any) -> None:
    """Print JSON to standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def listing(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> Table:
    """A plain table of texts."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


def comparisons(runs: Sequence[Run]) -> Iterator[RenderableType]:
    """For each task and protocol that several runs share, the models side by side. Runs of different tasks or
    protocols never share a column."""
    from akb.run import names as names_of

    groups: dict[tuple[str, str], list[tuple[str, Run]]] = {}
    for name, run in zip(names_of(runs), runs, strict=True):
        groups.setdefault((run.manifest.task, run.manifest.protocol), []).append((name, run))
    for (task, protocol), group in groups.items():
        if len(group) < 2:
            continue
        names = [row.name for row in group[0][1].summary.rows if row.level == "category"]
        table = _table()
        table.add_column("", overflow="fold")
        for name in ("acc. %", "95 %\ninterval", "chance", "not\nreadable", *names):
            table.add_column(name, justify="right")
        for model, run in sorted(group, key=lambda one: -one[1].accuracy):
            whole = run.summary.rows[0]
            by_name = {row.name: row for row in run.summary.rows if row.level == "category"}
            head = (model, percent(whole.accuracy), interval(whole))
            shares = (whole.chance, whole.not_ok, *(by_name[n].accuracy if n in by_name else None for n in names))
            table.add_row(*head, *map(percent, shares))
        yield Group(Text(f"{task}, {protocol}", style="bold"), table)
