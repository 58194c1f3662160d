"""akb runs: the runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akb.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from akb.run import Run


def runs(
    folder: Annotated[Path | None, typer.Argument(help="A run, or a folder with runs [default: runs/]")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of run.json instead.")] = False,
    json: options.Json = False,
) -> None:
    """List runs with their accuracy; for a single run's folder, its table."""
    from akb import records, report
    from akb.errors import AkbError
    from akb.run import Run
    from akb.settings import load

    if schema:
        report.print_json(records.Manifest.model_json_schema(by_alias=True))
        return
    base = folder if folder is not None else load().runs
    if base.is_file():
        raise AkbError("this is a file; a run's folder is wanted, or one with runs", where=str(base))
    if not base.is_dir():
        raise AkbError("there is no such folder", where=str(base), fix="Runs are made by: akb eval")
    if (base / records.MANIFEST).is_file():
        run = Run.load(base)
        report.print_json(run.to_dict()) if json else report.show(report.run_table(run))
        return
    found = _rows([path.parent for path in sorted(base.rglob(records.MANIFEST))])
    if json:
        report.print_json(found)
        return
    columns = ["model", "task", "protocol", "n", "accuracy", "95 % interval", "not readable", "status", "path"]
    report.show(report.listing(columns, [_cells(row) for row in found]))


def _cells(row: dict[str, Any]) -> list[object]:
    from akb.report import percent

    head = [row.get(name, "") for name in ("model", "task", "protocol")]
    numbers: list[object] = ["", "", "", ""]
    if "n" in row:
        between = f"{percent(row['low'])}-{percent(row['high'])}"
        numbers = [row["n"], percent(row["accuracy"]), between, percent(row["not_ok"])]
    return [*head, *numbers, row["status"], row["path"]]


def _rows(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """A line for each run, models of one name told apart; one that cannot be read says why, and hides no other."""
    from akb.errors import AkbError
    from akb.run import Run, names

    rows, runs = dict[Path, dict[str, Any]](), dict[Path, Run]()
    for path in paths:
        try:
            run = Run.load(path)
            rows[path], runs[path] = _row(run), run
        except AkbError as error:
            rows[path] = {"status": f"cannot be read: {error.what}", "path": str(path)}
    for path, name in zip(runs, names(list(runs.values())), strict=True):
        rows[path]["model"] = name
    return list(rows.values())


def _row(run: Run) -> dict[str, Any]:
    """A run in one line. Shares are from 0 to 1."""
    from akb import files, records

    path, m = run.path, run.manifest
    told = {"model": m.model, "task": m.task, "protocol": m.protocol, "status": m.status, "path": str(path)}
    if m.status == "running":
        asked, answered = (_lines(path / name) for name in (records.TRIALS, records.RESPONSES))
        state = "running" if files.is_written_to(path) else "interrupted"
        return {**told, "status": f"{state}: {answered} responses, {asked} questions"}
    whole = run.summary.rows[0]
    numbers = ("n", "accuracy", "low", "high", "chance", "not_ok")
    return {**told, **{name: getattr(whole, name) for name in numbers}}


def _lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)
